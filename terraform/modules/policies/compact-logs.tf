# What the compaction of the log archive may do: claim, write, retire, in one bucket.
locals {
  compact_logs = [
    {
      Sid      = "ReadRawAndCompactedLogs"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = ["${local.bucket_arns.archive}/${var.enclave.tenant}/*", "${local.bucket_arns.archive}/compact/*"]
    },
    {
      Sid      = "WriteCompactedLogs"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      Resource = "${local.bucket_arns.archive}/compact/*"
    },
    {
      # By version, so that bytes that arrived meanwhile under the same key stay.
      Sid      = "RetireWhatWasCompacted"
      Effect   = "Allow"
      Action   = "s3:DeleteObjectVersion"
      Resource = "${local.bucket_arns.archive}/${var.enclave.tenant}/*"
    },
    {
      Sid      = "SweepTheBucket"
      Effect   = "Allow"
      Action   = ["s3:ListBucket", "s3:ListBucketVersions"]
      Resource = local.bucket_arns.archive
    },
    {
      Sid       = "UseTheArchiveKey"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = try(var.key_arns["archive"], "")
      Condition = local.via.s3
    },
    {
      Sid      = "TakeNotifications"
      Effect   = "Allow"
      Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      Resource = local.queue_arns["notifications"]
    },
    {
      Sid       = "ReadEncryptedNotifications"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = try(var.key_arns["notifications"], "")
      Condition = local.via.sqs
    },
    {
      Sid      = "Log"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.arn.logs}:log-group:/aws/lambda/${local.functions["compact-logs"]}:*"
    },
  ]
}
