# Key policies. IAM policies alone grant no use of a key here: the account's root statement is about administration only, so who
# encrypts and decrypts stands in this file.
locals {
  roles     = { for what in ["provision", "detect-drift", "compact-logs", "host", "scheduler"] : what => try(var.role_arns[what], "") }
  operators = var.enclave.operator_principals
  admin     = var.enclave.admin_role_arn

  administration = {
    Sid       = "AdministeredByTheAccount"
    Effect    = "Allow"
    Principal = { AWS = local.arn.root }
    Action = [
      "kms:CancelKeyDeletion",
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:DescribeKey",
      "kms:DisableKey",
      "kms:DisableKeyRotation",
      "kms:EnableKey",
      "kms:EnableKeyRotation",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:GetPublicKey",
      "kms:ListGrants",
      "kms:ListKeyPolicies",
      "kms:ListKeyRotations",
      "kms:ListResourceTags",
      "kms:PutKeyPolicy",
      "kms:RevokeGrant",
      "kms:RotateKeyOnDemand",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]
    Resource = "*"
  }

  send    = ["kms:Decrypt", "kms:GenerateDataKey"]
  receive = ["kms:Decrypt"]

  # Who uses which key, for what, and through what.
  uses = {
    volumes = [
      {
        sid       = "EncryptedByLaunches"
        principal = { AWS = [local.roles["provision"]] }
        action    = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        condition = local.via.ec2
      },
      {
        sid       = "GrantedToInstances"
        principal = { AWS = [local.roles["provision"]] }
        action    = ["kms:CreateGrant"]
        condition = merge(local.via.ec2, { Bool = { "kms:GrantIsForAWSResource" = "true" } })
      },
    ]
    state = [
      {
        sid       = "WrittenByTheTenantAndTheFunctions"
        principal = { AWS = concat([local.roles["provision"], local.roles["detect-drift"], local.admin], var.enclave.terraform_principals) }
        action    = local.send
        condition = local.via.s3
      },
    ]
    audit = [
      {
        sid       = "WrittenByProvision"
        principal = { AWS = [local.roles["provision"]] }
        action    = local.send
        condition = local.via.s3
      },
      {
        sid       = "ReadByTheTenant"
        principal = { AWS = [local.admin] }
        action    = local.receive
        condition = local.via.s3
      },
    ]
    archive = [
      {
        sid       = "WrittenByHosts"
        principal = { AWS = [local.roles["host"]] }
        action    = ["kms:GenerateDataKey"]
        condition = local.via.s3
      },
      {
        sid       = "CompactedByTheFunction"
        principal = { AWS = [local.roles["compact-logs"]] }
        action    = local.send
        condition = local.via.s3
      },
      {
        sid       = "ReadByTheTenant"
        principal = { AWS = [local.admin] }
        action    = local.receive
        condition = local.via.s3
      },
    ]
    requests = [
      {
        sid       = "SentByTheOperator"
        principal = { AWS = local.operators }
        action    = local.send
        condition = local.via.sqs
      },
      {
        sid       = "SentByTheSchedulerAndTheTenant"
        principal = { AWS = [local.roles["scheduler"], local.admin] }
        action    = local.send
        condition = local.via.sqs
      },
      {
        sid       = "SentByEventBridge"
        principal = { Service = "events.amazonaws.com" }
        action    = local.send
        condition = { StringEquals = { "aws:SourceAccount" = var.enclave.account_id } }
      },
      {
        sid       = "TakenByProvision"
        principal = { AWS = [local.roles["provision"]] }
        action    = local.receive
        condition = local.via.sqs
      },
    ]
    results = [
      {
        sid       = "SentByProvisionAndRedriven"
        principal = { AWS = [local.roles["provision"], local.admin] }
        action    = local.send
        condition = local.via.sqs
      },
      {
        sid       = "TakenByTheOperator"
        principal = { AWS = local.operators }
        action    = local.receive
        condition = local.via.sqs
      },
    ]
    notifications = [
      {
        sid       = "SentByTheArchive"
        principal = { Service = "s3.amazonaws.com" }
        action    = local.send
        condition = { StringEquals = { "aws:SourceAccount" = var.enclave.account_id } }
      },
      {
        sid       = "TakenByTheFunction"
        principal = { AWS = [local.roles["compact-logs"]] }
        action    = local.receive
        condition = local.via.sqs
      },
      {
        sid       = "RedrivenByTheTenant"
        principal = { AWS = [local.admin] }
        action    = local.send
        condition = local.via.sqs
      },
    ]
    logs = [
      {
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        sid       = "UsedByTheLogGroups"
        principal = { Service = "logs.${var.enclave.region}.amazonaws.com" }
        action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = [
              "${local.arn.logs}:log-group:/aws/lambda/enclave-${local.label}-*",
              "${local.arn.logs}:log-group:/enclave/${local.label}/*",
            ]
          }
        }
      },
    ]
    replies = [
      {
        sid       = "SignedWithByProvision"
        principal = { AWS = [local.roles["provision"]] }
        action    = ["kms:Sign"]
        condition = { StringEquals = { "kms:SigningAlgorithm" = "ECDSA_SHA_256" } }
      },
    ]
  }

  key_policies = {
    for key, uses in local.uses : key => jsonencode({
      Version = "2012-10-17"
      Statement = concat([local.administration], [
        for use in uses : {
          Sid       = use.sid
          Effect    = "Allow"
          Principal = use.principal
          Action    = use.action
          Resource  = "*"
          Condition = use.condition
        }
      ])
    })
  }
}
