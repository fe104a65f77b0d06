# What the provision function may read, write, send and sign.
locals {
  provision_stores = [
    {
      Sid      = "ReadWhatTheTenantSays"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${local.bucket_arns.tenant}/v1/*"
    },
    {
      Sid      = "KeepTheLedger"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = "${local.bucket_arns.state}/state/v1/*"
    },
    {
      Sid      = "AppendToTheAuditChain"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = "${local.bucket_arns.audit}/audit/v1/*"
    },
    {
      # Without it S3 answers 403 instead of 404 for an object that is not there, and a freeze that cannot be read counts as one
      # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
      Sid      = "TellMissingFromForbidden"
      Effect   = "Allow"
      Action   = "s3:ListBucket"
      Resource = [local.bucket_arns.tenant, local.bucket_arns.state, local.bucket_arns.audit]
    },
    {
      Sid       = "UseTheStoresKeys"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [try(var.key_arns["state"], ""), try(var.key_arns["audit"], "")]
      Condition = local.via.s3
    },
    {
      # By the event source mapping, in the function's name.
      Sid      = "TakeRequests"
      Effect   = "Allow"
      Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      Resource = local.queue_arns["requests"]
    },
    {
      Sid      = "SendReplies"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = local.queue_arns["results"]
    },
    {
      Sid       = "ReadEncryptedRequests"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = try(var.key_arns["requests"], "")
      Condition = local.via.sqs
    },
    {
      # A sender to an encrypted queue needs both
      # (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html).
      Sid       = "EncryptReplies"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = try(var.key_arns["results"], "")
      Condition = local.via.sqs
    },
    {
      Sid       = "SignReplies"
      Effect    = "Allow"
      Action    = "kms:Sign"
      Resource  = try(var.key_arns["replies"], "")
      Condition = { StringEquals = { "kms:SigningAlgorithm" = "ECDSA_SHA_256" } }
    },
    {
      Sid      = "Log"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.arn.logs}:log-group:/aws/lambda/${local.functions["provision"]}:*"
    },
  ]
}
