locals {
  in_time = {
    DateGreaterThanEquals = { "aws:CurrentTime" = var.starts_at }
    DateLessThan          = { "aws:CurrentTime" = var.expires_at }
  }

  # Taking on the role ends with the grant, and so does what the role may do: sessions of the role outlive neither.
  trust = [
    {
      Sid       = "TakenOnByTheOperatorInTime"
      Effect    = "Allow"
      Principal = { AWS = var.principals }
      Action    = "sts:AssumeRole"
      Condition = local.in_time
    },
  ]

  # https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-restrict-access-examples.html
  role = [
    {
      Sid      = "OpenSessionsOnHostsOfThisZone"
      Effect   = "Allow"
      Action   = "ssm:StartSession"
      Resource = "arn:${var.partition}:ec2:${var.region}:${var.account_id}:instance/*"
      Condition = merge(local.in_time, {
        StringEquals = { "ssm:resourceTag/enclave:id" = var.enclave_id }
        # Without it a session could be opened with the default document, which logs nothing.
        BoolIfExists = { "ssm:SessionDocumentAccessCheck" = "true" }
      })
    },
    {
      Sid       = "OpenThemWithTheTenantsDocument"
      Effect    = "Allow"
      Action    = "ssm:StartSession"
      Resource  = var.document_arn
      Condition = local.in_time
    },
    {
      Sid      = "EndAndResumeOwnSessions"
      Effect   = "Allow"
      Action   = ["ssm:ResumeSession", "ssm:TerminateSession"]
      Resource = "arn:${var.partition}:ssm:${var.region}:${var.account_id}:session/*"
      Condition = merge(local.in_time, {
        StringLike = { "ssm:resourceTag/aws:ssmmessages:session-id" = ["$${aws:userid}"] }
      })
    },
    {
      Sid       = "EncryptSessions"
      Effect    = "Allow"
      Action    = "kms:GenerateDataKey"
      Resource  = var.key_arn
      Condition = local.in_time
    },
  ]

  host = [
    {
      # None of these knows resources.
      Sid    = "AnswerSessions"
      Effect = "Allow"
      Action = [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
      ]
      Resource  = "*"
      Condition = { DateLessThan = local.in_time.DateLessThan }
    },
    {
      Sid      = "DecryptSessions"
      Effect   = "Allow"
      Action   = "kms:Decrypt"
      Resource = var.key_arn
    },
    {
      Sid      = "LogSessions"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = "${var.log_group_arn}:*"
    },
    {
      # The agent looks the group up before it writes, and this knows no resources.
      Sid      = "FindTheLogGroup"
      Effect   = "Allow"
      Action   = "logs:DescribeLogGroups"
      Resource = "*"
    },
  ]

  key = [
    {
      Sid       = "AdministeredByTheAccount"
      Effect    = "Allow"
      Principal = { AWS = "arn:${var.partition}:iam::${var.account_id}:root" }
      Action = [
        "kms:CancelKeyDeletion",
        "kms:CreateAlias",
        "kms:DeleteAlias",
        "kms:DescribeKey",
        "kms:DisableKey",
        "kms:EnableKey",
        "kms:EnableKeyRotation",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:ListGrants",
        "kms:ListKeyPolicies",
        "kms:ListResourceTags",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:UpdateKeyDescription",
      ]
      Resource = "*"
    },
    {
      Sid       = "EncryptedByTheOperator"
      Effect    = "Allow"
      Principal = { AWS = var.ssh_role_arn }
      Action    = "kms:GenerateDataKey"
      Resource  = "*"
    },
    {
      Sid       = "DecryptedByHosts"
      Effect    = "Allow"
      Principal = { AWS = var.host_role_arn }
      Action    = "kms:Decrypt"
      Resource  = "*"
    },
  ]

  # Endpoints carry what hosts do for sessions and nothing else.
  endpoints = {
    for service, actions in {
      ssm         = ["ssm:UpdateInstanceInformation"]
      ssmmessages = ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]
      logs        = ["logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      kms         = ["kms:Decrypt"]
      } : service => jsonencode({
        Version = "2012-10-17"
        Statement = [{
          Sid       = "HostsAnswerSessions"
          Effect    = "Allow"
          Principal = "*"
          Action    = actions
          Resource  = "*"
          Condition = { ArnEquals = { "aws:PrincipalArn" = var.host_role_arn } }
        }]
    })
  }
}
