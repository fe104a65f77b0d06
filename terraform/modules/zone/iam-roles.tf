# Roles of what runs in the zone. All stand under the boundary of the registration.
locals {
  roles = {
    provision    = "works requests off: hosts and load balancers"
    detect-drift = "compares the account with what it should be; reads only"
    compact-logs = "compacts the log archive"
    host         = "every host: ships its logs"
    scheduler    = "EventBridge Scheduler: ticks, checks, sweeps"
    flow-logs    = "VPC flow logs"
  }

  # Each policy with its role. Static, so that a plan knows them before any name is known.
  role_policies = {
    provision-launch    = "provision"
    provision-hosts     = "provision"
    provision-balancers = "provision"
    provision-services  = "provision"
    provision-stores    = "provision"
    detect-drift        = "detect-drift"
    compact-logs        = "compact-logs"
    host                = "host"
    scheduler           = "scheduler"
    flow-logs           = "flow-logs"
  }
}

resource "aws_iam_role" "zone" {
  for_each = local.roles

  name                 = local.names.roles[each.key]
  path                 = "/enclave/"
  description          = "${var.zone}: ${each.value}"
  assume_role_policy   = module.policies.trust[each.key]
  permissions_boundary = var.registration.permission_boundary_arn

  tags = local.tags
}

resource "aws_iam_policy" "zone" {
  for_each = local.role_policies

  name        = "${local.names.label}-${each.key}-${local.names.suffix}"
  path        = "/enclave/"
  description = "${var.zone}: ${each.key}"
  policy      = module.policies.roles[each.key]

  tags = local.tags

  lifecycle {
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    precondition {
      condition     = length(module.policies.roles[each.key]) <= 6144
      error_message = "The policy ${each.key} is longer than the 6144 characters that IAM takes: list fewer images or availability zones."
    }
  }
}

resource "aws_iam_role_policy_attachment" "zone" {
  for_each = local.role_policies

  role       = aws_iam_role.zone[each.value].name
  policy_arn = aws_iam_policy.zone[each.key].arn
}

# Whatever else somebody attaches is taken off again at the next apply.
resource "aws_iam_role_policy_attachments_exclusive" "zone" {
  for_each = toset([for what in keys(local.roles) : what if what != "host"])

  role_name   = aws_iam_role.zone[each.key].name
  policy_arns = [for policy, role in local.role_policies : aws_iam_policy.zone[policy].arn if role == each.key]
}

resource "aws_iam_role_policies_exclusive" "zone" {
  for_each = toset([for what in keys(local.roles) : what if what != "host"])

  role_name    = aws_iam_role.zone[each.key].name
  policy_names = []
}

resource "aws_iam_instance_profile" "host" {
  name = local.names.roles["host"]
  path = "/enclave/"
  role = aws_iam_role.zone["host"].name

  tags = local.tags
}

resource "aws_iam_policy" "admin" {
  name        = local.names.roles["admin"]
  path        = "/enclave/"
  description = "${var.zone}: the tenant's own administrators"
  policy      = module.policies.roles["admin"]

  tags = local.tags
}

resource "aws_iam_role_policy_attachment" "admin" {
  role       = var.registration.admin_role_name
  policy_arn = aws_iam_policy.admin.arn
}
