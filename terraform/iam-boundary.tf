# The most that any function, host or schedule of an enclave in this account can ever do.
resource "aws_iam_policy" "boundary" {
  # checkov:skip=CKV_AWS_290:a boundary gives nothing; what is given stands in modules/policies, with resources and conditions
  # checkov:skip=CKV_AWS_355:the same
  name        = "${var.name}-boundary"
  path        = "/enclave/"
  description = "The most that an enclave's functions, hosts and schedules can ever do"
  policy      = module.policies.boundary

  tags = var.tags

  lifecycle {
    precondition {
      condition     = data.aws_caller_identity.current.account_id != var.operator.account_id
      error_message = "The tenant's account must not be the operator's: an enclave in the operator's own account protects nobody."
    }
  }
}
