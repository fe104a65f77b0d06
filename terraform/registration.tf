# Who the account is registered to, and for whom: what every zone in it is given.
data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

module "policies" {
  source = "./modules/policies-account"

  partition          = data.aws_partition.current.partition
  account_id         = data.aws_caller_identity.current.account_id
  admin_principals   = var.admin_principals
  admin_requires_mfa = var.admin_requires_mfa
}

locals {
  registration = {
    tenant                  = var.tenant
    operator_principals     = var.operator.principals
    operator_identities     = var.operator.identities
    tenant_identities       = var.tenant_identities
    trust_roots             = var.operator.trust_roots
    terraform_principals    = var.terraform_principals
    admin_role_arn          = aws_iam_role.admin.arn
    admin_role_name         = aws_iam_role.admin.name
    permission_boundary_arn = aws_iam_policy.boundary.arn
  }
}
