# Who may take on which role.
locals {
  trust = {
    for role, statement in {
      provision    = { service = "lambda.amazonaws.com", source = null }
      detect-drift = { service = "lambda.amazonaws.com", source = null }
      compact-logs = { service = "lambda.amazonaws.com", source = null }
      host         = { service = "ec2.amazonaws.com", source = null }
      # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
      scheduler = {
        service = "scheduler.amazonaws.com"
        source  = "arn:${var.enclave.partition}:scheduler:${var.enclave.region}:${var.enclave.account_id}:schedule-group/${local.names.schedule_group}"
      }
      # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
      flow-logs = {
        service = "vpc-flow-logs.amazonaws.com"
        source  = "${local.arn.ec2}:vpc-flow-log/*"
      }
      } : role => jsonencode({
        Version = "2012-10-17"
        Statement = [merge(
          {
            Sid       = "TakenOnByTheService"
            Effect    = "Allow"
            Principal = { Service = statement.service }
            Action    = "sts:AssumeRole"
          },
          # Lambda and EC2 send no source with AssumeRole.
          {
            for key in ["Condition"] : key => {
              StringEquals = { "aws:SourceAccount" = var.enclave.account_id }
              ArnLike      = { "aws:SourceArn" = statement.source }
            } if statement.source != null
          },
        )]
    })
  }
}
