# The tenant's own session document. A plain shell, whose every line is logged: SSH and port forwarding through Session Manager
# cannot be (https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-logging.html).
resource "aws_ssm_document" "session" {
  name            = local.name
  document_type   = "Session"
  document_format = "JSON"

  content = jsonencode({
    schemaVersion = "1.0"
    description   = "${var.zone.zone}: a logged shell on a host"
    sessionType   = "Standard_Stream"
    inputs = {
      s3BucketName                = ""
      s3KeyPrefix                 = ""
      s3EncryptionEnabled         = true
      cloudWatchLogGroupName      = aws_cloudwatch_log_group.sessions.name
      cloudWatchEncryptionEnabled = true
      cloudWatchStreamingEnabled  = true
      kmsKeyId                    = aws_kms_key.session.arn
      idleSessionTimeout          = tostring(var.idle_session_minutes)
      maxSessionDuration          = tostring(var.max_session_minutes)
      runAsEnabled                = var.user != "ssm-user"
      runAsDefaultUser            = var.user == "ssm-user" ? "" : var.user
      shellProfile                = { linux = "" }
    }
  })

  tags = local.tags
}

resource "aws_cloudwatch_log_group" "sessions" {
  name              = var.zone.log_group
  retention_in_days = var.zone.log_retention_days
  kms_key_id        = var.zone.logs_key_arn
  # What was done in sessions is kept when the grant is removed.
  skip_destroy = true

  tags = local.tags
}

resource "aws_kms_key" "session" {
  # checkov:skip=CKV2_AWS_64:the policy is attached by aws_kms_key_policy below
  description             = "${var.zone.zone}: sessions on their way between operator and host"
  enable_key_rotation     = true
  deletion_window_in_days = 7

  tags = local.tags
}

resource "aws_kms_key_policy" "session" {
  key_id = aws_kms_key.session.key_id
  policy = module.policies.key
}
