# What EventBridge Scheduler may do: send ticks to the line, and start the checks and the sweep.
locals {
  scheduler = [
    {
      Sid      = "SendTicks"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = local.queue_arns["requests"]
    },
    {
      Sid       = "EncryptTicks"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = try(var.key_arns["requests"], "")
      Condition = local.via.sqs
    },
    {
      Sid      = "StartChecksAndSweeps"
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = [local.function_arns["detect-drift"], local.function_arns["compact-logs"]]
    },
  ]
}

# What VPC flow logs may do: write to their log group.
locals {
  flow_logs = [
    {
      Sid      = "WriteFlowLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = "${local.arn.logs}:log-group:${local.names.flow_log_group}:*"
    },
  ]
}
