output "enclave_id" {
  description = "The enclave's id, new at each installation."
  value       = local.enclave_id
}

output "audience" {
  description = "What the operator's requests must name."
  value = {
    account    = local.account_id
    region     = local.region
    zone       = var.zone
    enclave_id = local.enclave_id
  }
}

output "requests_queue_url" {
  description = "Where the operator sends requests."
  value       = aws_sqs_queue.zone["requests"].id
}

output "results_queue_url" {
  description = "Where the operator receives replies."
  value       = aws_sqs_queue.zone["results"].id
}

output "reply_public_key_pem" {
  description = "The key that replies and heads of the audit chain are signed with; hand it to the operator."
  value       = data.aws_kms_public_key.replies.public_key_pem
}

output "parameter_prefix" {
  description = "Where template.yaml finds its parameters."
  value       = "/enclave/${var.zone}/"
}

output "vpc_id" {
  description = "The zone's VPC."
  value       = aws_vpc.zone.id
}

output "buckets" {
  description = "Names of the buckets: tenant, state, audit, archive."
  value       = { for what, bucket in aws_s3_bucket.zone : what => bucket.id }
}

output "key_arns" {
  description = "The zone's keys, by purpose."
  value       = merge({ for what, key in aws_kms_key.zone : what => key.arn }, { replies = aws_kms_key.replies.arn })
}

output "role_arns" {
  description = "The zone's roles, by purpose."
  value       = { for what, role in aws_iam_role.zone : what => role.arn }
}

output "ssh" {
  description = "What modules/ssh needs to know about the zone."
  value = {
    zone                    = var.zone
    label                   = local.names.label
    suffix                  = local.names.suffix
    enclave_id              = local.enclave_id
    vpc_id                  = aws_vpc.zone.id
    host_subnet_ids         = [for zone in var.availability_zones : aws_subnet.host[zone].id]
    host_security_group_id  = aws_security_group.hosts.id
    host_role_name          = aws_iam_role.zone["host"].name
    host_role_arn           = aws_iam_role.zone["host"].arn
    logs_key_arn            = aws_kms_key.zone["logs"].arn
    log_group               = local.names.session_log_group
    log_retention_days      = var.log_retention_days
    operator_principals     = var.registration.operator_principals
    permission_boundary_arn = var.registration.permission_boundary_arn
  }

  # A session's log group needs its key's policy.
  depends_on = [aws_kms_key_policy.zone]
}
