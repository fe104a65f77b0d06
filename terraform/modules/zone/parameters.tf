# What template.yaml reads, so that nothing is copied by hand: names, ARNs and numbers, no secret.
resource "aws_scheduler_schedule_group" "zone" {
  name = local.names.schedule_group

  tags = local.tags
}

locals {
  parameters = {
    "enclave-id"                            = local.enclave_id
    "region"                                = local.region
    "tenant-bucket"                         = aws_s3_bucket.zone["tenant"].id
    "state-bucket"                          = aws_s3_bucket.zone["state"].id
    "audit-bucket"                          = aws_s3_bucket.zone["audit"].id
    "archive-bucket"                        = aws_s3_bucket.zone["archive"].id
    "requests-queue-arn"                    = aws_sqs_queue.zone["requests"].arn
    "requests-queue-name"                   = aws_sqs_queue.zone["requests"].name
    "requests-dead-letters-queue-name"      = aws_sqs_queue.dead_letters["requests"].name
    "results-queue-url"                     = aws_sqs_queue.zone["results"].id
    "results-queue-name"                    = aws_sqs_queue.zone["results"].name
    "results-dead-letters-queue-name"       = aws_sqs_queue.dead_letters["results"].name
    "notifications-queue-arn"               = aws_sqs_queue.zone["notifications"].arn
    "notifications-queue-name"              = aws_sqs_queue.zone["notifications"].name
    "notifications-dead-letters-queue-name" = aws_sqs_queue.dead_letters["notifications"].name
    "provision-function-name"               = local.names.functions["provision"]
    "detect-drift-function-name"            = local.names.functions["detect-drift"]
    "compact-logs-function-name"            = local.names.functions["compact-logs"]
    "provision-role-arn"                    = aws_iam_role.zone["provision"].arn
    "detect-drift-role-arn"                 = aws_iam_role.zone["detect-drift"].arn
    "compact-logs-role-arn"                 = aws_iam_role.zone["compact-logs"].arn
    "scheduler-role-arn"                    = aws_iam_role.zone["scheduler"].arn
    "schedule-group"                        = aws_scheduler_schedule_group.zone.name
    "event-rule-prefix"                     = local.names.event_rule_prefix
    "logs-key-arn"                          = aws_kms_key.zone["logs"].arn
    "replies-key-arn"                       = aws_kms_key.replies.arn
    "log-retention-days"                    = tostring(var.log_retention_days)
    "pace-percent"                          = tostring(var.pace_percent)
    "provision-timeout-seconds"             = tostring(var.timeouts.provision)
    "detect-drift-timeout-seconds"          = tostring(var.timeouts.detect_drift)
    "compact-logs-timeout-seconds"          = tostring(var.timeouts.compact_logs)
  }
}

resource "aws_ssm_parameter" "zone" {
  # checkov:skip=CKV2_AWS_34:CloudFormation cannot resolve SecureString into what template.yaml needs; these are names, not secrets
  for_each = local.parameters

  name  = "/enclave/${var.zone}/${each.key}"
  type  = "String"
  value = each.value

  tags = local.tags
}
