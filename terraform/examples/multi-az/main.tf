# One zone over three availability zones, with hosts that may go nowhere but to the operator, and people of the operator let in for
# four hours.
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
  zone               = "prod.aws-us-east-1"
  availability_zones = ["us-east-1a", "us-east-1b", "us-east-1c"]
  images             = var.images
  max_hosts          = 300
  root_volume_gib    = 200

  host_egress = {
    ipv6_prefixes = ["2001:db8:1::/48", "2001:db8:2::/48"]
    tcp_ports     = [443, 4443]
    udp_ports     = [443]
  }
  # The prefixes above leave STS out.
  web_identity_audience   = "https://zts.operator.example"
  sts_endpoint            = true
  vpc_block_public_access = "enforce"

  tunnel = {
    targets  = { application = "127.0.0.1:8080", metrics = "127.0.0.1:9100" }
    gateways = ["gateway-1.operator.example:443", "gateway-2.operator.example:443"]
  }
}

# Break-glass. Without this module no session is possible; with it, none after its end.
module "ssh" {
  source = "../../modules/ssh"

  zone       = module.zone.ssh
  starts_at  = "2027-03-01T08:00:00Z"
  expires_at = "2027-03-01T12:00:00Z"
}

output "ssh_role_arn" {
  description = "The role that the operator's people take on."
  value       = module.ssh.role_arn
}
