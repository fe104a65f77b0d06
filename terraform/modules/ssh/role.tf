# The role that the operator's people take on; it opens until expires_at and never again.
resource "aws_iam_role" "ssh" {
  name                 = local.name
  path                 = "/enclave/"
  description          = "${var.zone.zone}: sessions on hosts, until ${var.expires_at}"
  assume_role_policy   = module.policies.trust
  max_session_duration = 3600

  tags = local.tags
}

resource "aws_iam_policy" "ssh" {
  name        = local.name
  path        = "/enclave/"
  description = "${var.zone.zone}: sessions on hosts, until ${var.expires_at}"
  policy      = module.policies.role

  tags = local.tags
}

resource "aws_iam_role_policy_attachment" "ssh" {
  role       = aws_iam_role.ssh.name
  policy_arn = aws_iam_policy.ssh.arn
}

# What hosts need to answer, on their role only as long as this module is applied.
resource "aws_iam_policy" "host" {
  name        = "${local.name}-host"
  path        = "/enclave/"
  description = "${var.zone.zone}: hosts answer sessions"
  policy      = module.policies.host

  tags = local.tags
}

resource "aws_iam_role_policy_attachment" "host" {
  role       = var.zone.host_role_name
  policy_arn = aws_iam_policy.host.arn
}
