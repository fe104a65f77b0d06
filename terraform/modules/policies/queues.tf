# Queue policies. The two statements that name the operator are all that the operator may do in this account; what goes with them
# stands in keys.tf, for the keys of these two queues.
locals {
  queue_statements = {
    requests = [
      {
        Sid       = "SentByTheOperator"
        Effect    = "Allow"
        Principal = { AWS = local.operators }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arns["requests"]
      },
      {
        Sid       = "SentByEventBridge"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arns["requests"]
        Condition = {
          StringEquals = { "aws:SourceAccount" = var.enclave.account_id }
          ArnLike = {
            "aws:SourceArn" = "arn:${var.enclave.partition}:events:${var.enclave.region}:${var.enclave.account_id}:rule/${local.names.event_rule_prefix}*"
          }
        }
      },
    ]
    results = [
      {
        Sid       = "TakenByTheOperator"
        Effect    = "Allow"
        Principal = { AWS = local.operators }
        Action    = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
        Resource  = local.queue_arns["results"]
      },
    ]
    notifications = [
      {
        Sid       = "SentByTheArchive"
        Effect    = "Allow"
        Principal = { Service = "s3.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arns["notifications"]
        Condition = {
          StringEquals = { "aws:SourceAccount" = var.enclave.account_id }
          ArnEquals    = { "aws:SourceArn" = local.bucket_arns["archive"] }
        }
      },
    ]
    requests-dead-letters      = []
    results-dead-letters       = []
    notifications-dead-letters = []
  }

  queue_policies = {
    for queue, statements in local.queue_statements : queue => jsonencode({
      Version = "2012-10-17"
      Statement = concat(
        [
          {
            Sid       = "OnlyByTls"
            Effect    = "Deny"
            Principal = "*"
            Action    = "sqs:*"
            Resource  = local.queue_arns[queue]
            Condition = { Bool = { "aws:SecureTransport" = "false" } }
          },
        ],
        statements,
      )
    })
  }
}
