# The tenant's administrators. Each zone attaches its own policy.
resource "aws_iam_role" "admin" {
  name                 = "${var.name}-admin"
  path                 = "/enclave/"
  description          = "The tenant's administrators: rules, freeze, dead letters, logs"
  assume_role_policy   = module.policies.admin_trust
  max_session_duration = 3600

  tags = var.tags
}

# The first load balancer of an account makes it, which would need iam:CreateServiceLinkedRole; no function of an enclave has that.
resource "aws_iam_service_linked_role" "elb" {
  count = var.create_elb_service_linked_role ? 1 : 0

  aws_service_name = "elasticloadbalancing.amazonaws.com"
}
