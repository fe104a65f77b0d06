# What the tenant's own administrators may do in this zone, beside what Terraform does: rules, freeze, dead letters, logs, the brake.
locals {
  dead_letter_arns = [for what, arn in local.queue_arns : arn if endswith(what, "-dead-letters")]
  source_arns      = [for what, arn in local.queue_arns : arn if !endswith(what, "-dead-letters")]
  queue_keys       = [for what in ["requests", "results", "notifications"] : try(var.key_arns[what], "")]

  admin_statements = [
    {
      Sid      = "SetRulesAndFreeze"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
      Resource = "${local.bucket_arns.tenant}/v1/*"
    },
    {
      Sid      = "ReadLedgerAuditAndLogs"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = [for what in ["state", "audit", "archive"] : "${local.bucket_arns[what]}/*"]
    },
    {
      Sid      = "ListBuckets"
      Effect   = "Allow"
      Action   = ["s3:ListBucket", "s3:ListBucketVersions"]
      Resource = values(local.bucket_arns)
    },
    {
      Sid       = "ReadEncryptedObjects"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = [for what in ["state", "audit", "archive"] : try(var.key_arns[what], "")]
      Condition = local.via.s3
    },
    {
      Sid       = "WriteEncryptedRules"
      Effect    = "Allow"
      Action    = "kms:GenerateDataKey"
      Resource  = try(var.key_arns["state"], "")
      Condition = local.via.s3
    },
    {
      Sid    = "LookAtDeadLetters"
      Effect = "Allow"
      Action = [
        "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ListMessageMoveTasks", "sqs:ReceiveMessage", "sqs:StartMessageMoveTask",
      ]
      Resource = local.dead_letter_arns
    },
    {
      # A redrive sends in the name of who started it.
      Sid      = "RedriveDeadLetters"
      Effect   = "Allow"
      Action   = ["sqs:GetQueueAttributes", "sqs:SendMessage"]
      Resource = local.source_arns
    },
    {
      Sid       = "ReadAndRedriveEncryptedLetters"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = local.queue_keys
      Condition = local.via.sqs
    },
    {
      Sid      = "PublishTheReplyKey"
      Effect   = "Allow"
      Action   = "kms:GetPublicKey"
      Resource = try(var.key_arns["replies"], "")
    },
    {
      # No concurrency is the hardest brake: the function stands still, the queue keeps what comes.
      Sid      = "StopAndStartTheFunction"
      Effect   = "Allow"
      Action   = ["lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"]
      Resource = local.function_arns["provision"]
    },
  ]
}
