# The policies and documents of one zone with sample values; ../lib/rendering.py applies this, and nothing in it needs a provider.
terraform {
  required_version = ">= 1.9"
}

locals {
  account  = "111122223333"
  region   = "us-east-1"
  zone     = "dev.aws-us-east-1"
  enclave  = "enclave-0123456789ab"
  purposes = ["provision", "detect-drift", "compact-logs", "host", "scheduler", "flow-logs"]
  keys     = ["volumes", "state", "audit", "archive", "requests", "results", "notifications", "logs", "replies"]
  key_arns = { for what in local.keys : what => "arn:aws:kms:${local.region}:${local.account}:key/${what}" }
  role_arns = {
    for what in local.purposes :
    what => "arn:aws:iam::${local.account}:role/enclave/dev-aws-us-east-1-${what}-0123456789ab"
  }
  audience = { account = local.account, region = local.region, zone = local.zone, enclave_id = local.enclave }
}

module "account" {
  source = "../../../terraform/modules/policies-account"

  partition        = "aws"
  account_id       = local.account
  admin_principals = ["arn:aws:iam::${local.account}:role/people"]
}

module "zone" {
  source = "../../../terraform/modules/policies"

  enclave = {
    partition            = "aws"
    account_id           = local.account
    region               = local.region
    tenant               = "acme"
    zone                 = local.zone
    enclave_id           = local.enclave
    operator_principals  = ["arn:aws:iam::999988887777:role/configuration-servers"]
    terraform_principals = ["arn:aws:iam::${local.account}:role/terraform"]
    admin_role_arn       = "arn:aws:iam::${local.account}:role/enclave/enclave-admin"
  }
  role_arns = local.role_arns
  key_arns  = local.key_arns
  network = {
    host_subnet_arns           = [for id in ["a", "b"] : "arn:aws:ec2:${local.region}:${local.account}:subnet/subnet-0000000000000000${id}"]
    balancer_subnet_ids        = ["subnet-0000000000000001a", "subnet-0000000000000001b"]
    host_security_group_arn    = "arn:aws:ec2:${local.region}:${local.account}:security-group/sg-0000000000000000a"
    balancer_security_group_id = "sg-0000000000000000b"
  }
  hosts = {
    launch_template_arns = [for id in ["a", "b"] : "arn:aws:ec2:${local.region}:${local.account}:launch-template/lt-0000000000000000${id}"]
    instance_profile_arn = "arn:aws:iam::${local.account}:instance-profile/enclave/dev-aws-us-east-1-host-0123456789ab"
    images               = ["ami-0123456789abcdef0", "ami-0123456789abcdef1"]
  }
  private_link          = true
  web_identity_audience = "https://zts.operator.example"
}

module "ssh" {
  source = "../../../terraform/modules/policies-ssh"

  partition     = "aws"
  account_id    = local.account
  region        = local.region
  enclave_id    = local.enclave
  principals    = ["arn:aws:iam::999988887777:role/people"]
  starts_at     = "2027-03-01T08:00:00Z"
  expires_at    = "2027-03-01T12:00:00Z"
  document_arn  = "arn:aws:ssm:${local.region}:${local.account}:document/dev-aws-us-east-1-ssh-0123456789ab"
  key_arn       = "arn:aws:kms:${local.region}:${local.account}:key/session"
  log_group_arn = "arn:aws:logs:${local.region}:${local.account}:log-group:/enclave/dev-aws-us-east-1/sessions"
  host_role_arn = local.role_arns["host"]
  ssh_role_arn  = "arn:aws:iam::${local.account}:role/enclave/dev-aws-us-east-1-ssh-0123456789ab"
}

module "documents" {
  source = "../../../terraform/modules/documents"

  tenant              = "acme"
  audience            = local.audience
  operator_identities = ["spiffe://operator.example/configuration-server"]
  max_hosts           = 20
  trust_roots = [{
    certificate_pem           = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"
    trust_domain              = "operator.example"
    accept_athenz_common_name = false
  }]
  host = {
    tunnel_targets = { application = "127.0.0.1:8080", metrics = "127.0.0.1:9100" }
    gateways       = ["gateway-1.operator.example:443", "gateway-2.operator.example:443"]
    archive_bucket = module.zone.names.buckets["archive"]
    archive_key    = local.key_arns["archive"]
    role_id        = "AROAEXAMPLE"
    start          = ["tunnel-agent.service", "log-sync.service"]
  }
  foundation = {
    vpc_id                     = "vpc-0123456789abcdef0"
    host_security_group_id     = "sg-0000000000000000a"
    balancer_security_group_id = "sg-0000000000000000b"
    instance_profile_arn       = "arn:aws:iam::${local.account}:instance-profile/enclave/dev-aws-us-east-1-host-0123456789ab"
    volume_kms_key_arn         = local.key_arns["volumes"]
    images                     = ["ami-0123456789abcdef0", "ami-0123456789abcdef1"]
    availability_zones = {
      for id in ["a", "b"] : "us-east-1${id}" => {
        host_subnet_id          = "subnet-0000000000000000${id}"
        balancer_subnet_id      = "subnet-0000000000000001${id}"
        launch_template_id      = "lt-0000000000000000${id}"
        launch_template_version = 1
        root_volume_gib         = 64
      }
    }
  }
}

# Each entry is one file below ../rendered.
output "rendered" {
  description = "Policies and documents (JSON, but for the user data) by file."
  value = merge(
    { "account/boundary" = module.account.boundary, "account/admin-trust" = module.account.admin_trust },
    { for what, text in module.zone.trust : "trust/${what}" => text },
    { for what, text in module.zone.roles : "roles/${what}" => text },
    { for what, text in module.zone.keys : "keys/${what}" => text },
    { for what, text in module.zone.buckets : "buckets/${what}" => text },
    { for what, text in module.zone.queues : "queues/${what}" => text },
    { for what, text in module.zone.endpoints : "endpoints/${what}" => text },
    { for what, text in module.ssh.endpoints : "endpoints/ssh-${what}" => text },
    {
      "ssh/trust"           = module.ssh.trust, "ssh/role" = module.ssh.role, "ssh/host" = module.ssh.host, "ssh/key" = module.ssh.key
      "documents/zone"      = module.documents.zone_json
      "documents/gate"      = module.documents.gate_json
      "documents/names"     = jsonencode(module.zone.names)
      "documents/user-data" = jsonencode(module.documents.user_data)
    },
  )
}
