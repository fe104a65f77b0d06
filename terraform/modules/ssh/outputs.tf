output "role_arn" {
  description = "The role that the operator's people take on."
  value       = aws_iam_role.ssh.arn
}

output "document_name" {
  description = "The document to open sessions with: aws ssm start-session --document-name <this> --target <host>."
  value       = aws_ssm_document.session.name
}

output "log_group" {
  description = "Where sessions are logged."
  value       = aws_cloudwatch_log_group.sessions.name
}
