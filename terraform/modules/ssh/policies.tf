data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  name = "${var.zone.label}-ssh-${var.zone.suffix}"
  tags = merge(var.tags, { "enclave:foundation" = var.zone.zone })
}

module "policies" {
  source = "../policies-ssh"

  partition     = data.aws_partition.current.partition
  account_id    = data.aws_caller_identity.current.account_id
  region        = data.aws_region.current.region
  enclave_id    = var.zone.enclave_id
  principals    = var.principals == null ? var.zone.operator_principals : var.principals
  starts_at     = var.starts_at
  expires_at    = var.expires_at
  document_arn  = aws_ssm_document.session.arn
  key_arn       = aws_kms_key.session.arn
  log_group_arn = aws_cloudwatch_log_group.sessions.arn
  host_role_arn = var.zone.host_role_arn
  ssh_role_arn  = aws_iam_role.ssh.arn
}
