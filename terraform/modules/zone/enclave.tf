data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

# Made once at the installation: a reinstalled zone has another id, so that old orders never reach it.
resource "terraform_data" "enclave_id" {
  input = "enclave-${substr(replace(uuid(), "-", ""), 20, 12)}"

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  enclave_id = terraform_data.enclave_id.output
  account_id = data.aws_caller_identity.current.account_id
  region     = data.aws_region.current.region
  names      = module.policies.names

  tags = merge(var.tags, { "enclave:foundation" = var.zone })
}

# Every policy of the zone, as pure functions of names and ARNs.
module "policies" {
  source = "../policies"

  enclave = {
    partition            = data.aws_partition.current.partition
    account_id           = local.account_id
    region               = local.region
    tenant               = var.registration.tenant
    zone                 = var.zone
    enclave_id           = local.enclave_id
    operator_principals  = var.registration.operator_principals
    terraform_principals = var.registration.terraform_principals
    admin_role_arn       = var.registration.admin_role_arn
  }
  role_arns = { for what, role in aws_iam_role.zone : what => role.arn }
  key_arns  = merge({ for what, key in aws_kms_key.zone : what => key.arn }, { replies = aws_kms_key.replies.arn })
  network = {
    host_subnet_arns           = [for zone in var.availability_zones : aws_subnet.host[zone].arn]
    balancer_subnet_ids        = [for zone in var.availability_zones : aws_subnet.balancer[zone].id]
    host_security_group_arn    = aws_security_group.hosts.arn
    balancer_security_group_id = aws_security_group.balancers.id
  }
  hosts = {
    launch_template_arns = [for zone in var.availability_zones : aws_launch_template.host[zone].arn]
    instance_profile_arn = aws_iam_instance_profile.host.arn
    images               = var.images
  }
  balancer_schemes      = var.public_load_balancers ? ["internet-facing", "internal"] : ["internal"]
  private_link          = var.private_link
  web_identity_audience = var.web_identity_audience
}
