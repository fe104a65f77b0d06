# A zone without any internet gateway: clients come by PrivateLink only.
provider "aws" {
  region = "us-east-1"
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

module "zone" {
  source = "../../modules/zone"

  registration       = module.enclave.registration
  zone               = "prod.aws-us-east-1c"
  availability_zones = ["us-east-1b", "us-east-1c"]
  images             = var.images
  max_hosts          = 100

  public_load_balancers = false
  private_link          = true
  # The groups of load balancers see the clients' own private addresses.
  balancer_ingress_prefixes = ["10.0.0.0/8"]

  tunnel = {
    targets  = { application = "127.0.0.1:8080", metrics = "127.0.0.1:9100" }
    gateways = ["gateway-1.operator.example:443", "gateway-2.operator.example:443"]
  }
}

output "audience" {
  description = "What requests must name."
  value       = module.zone.audience
}
