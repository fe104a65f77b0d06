# One registration, two zones in two regions: two enclaves that know nothing of each other.
provider "aws" {
  region = "us-east-1"
}

provider "aws" {
  alias  = "europe"
  region = "eu-west-1"
}

module "enclave" {
  source = "../.."

  tenant               = "acme"
  terraform_principals = var.terraform_principals
  admin_principals     = var.admin_principals

  operator = {
    account_id  = "999988887777"
    principals  = ["arn:aws:iam::999988887777:role/configuration-servers"]
    identities  = ["spiffe://operator.example/configuration-server"]
    trust_roots = [{ certificate_pem = var.operator_root_pem, trust_domain = "operator.example" }]
  }
}

locals {
  tunnel = {
    targets  = { application = "127.0.0.1:8080", metrics = "127.0.0.1:9100" }
    gateways = ["gateway-1.operator.example:443", "gateway-2.operator.example:443"]
  }
}

module "america" {
  source = "../../modules/zone"

  registration       = module.enclave.registration
  zone               = "prod.aws-us-east-1c"
  availability_zones = ["us-east-1c"]
  images             = var.images
  max_hosts          = 100
  tunnel             = local.tunnel
}

module "europe" {
  source    = "../../modules/zone"
  providers = { aws = aws.europe }

  registration       = module.enclave.registration
  zone               = "prod.aws-eu-west-1a"
  availability_zones = ["eu-west-1a"]
  images             = var.images_europe
  max_hosts          = 100
  tunnel             = local.tunnel
}

output "audiences" {
  description = "What requests must name, by zone."
  value       = { america = module.america.audience, europe = module.europe.audience }
}
