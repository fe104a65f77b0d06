output "registration" {
  description = "What modules/zone is given."
  value       = local.registration
}

output "admin_role_arn" {
  description = "The tenant's admin role."
  value       = aws_iam_role.admin.arn
}

output "permission_boundary_arn" {
  description = "The boundary of everything that runs in an enclave."
  value       = aws_iam_policy.boundary.arn
}
