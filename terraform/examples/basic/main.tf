# One zone in one availability zone: the least that runs.
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
  zone               = "dev.aws-us-east-1c"
  availability_zones = ["us-east-1c"]
  images             = var.images
  max_hosts          = 20

  tunnel = {
    targets  = { application = "127.0.0.1:8080", metrics = "127.0.0.1:9100" }
    gateways = ["gateway-1.operator.example:443", "gateway-2.operator.example:443"]
  }
}

output "for_the_operator" {
  description = "What the operator needs to send requests and to believe replies."
  value = {
    audience             = module.zone.audience
    requests_queue_url   = module.zone.requests_queue_url
    results_queue_url    = module.zone.results_queue_url
    reply_public_key_pem = module.zone.reply_public_key_pem
  }
}
