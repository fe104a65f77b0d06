# The most that any role of an enclave in this account can ever do, whatever its own policies come to say: none can touch IAM, the
# network, a bucket's or a key's policy, another account, or what is not encrypted.
locals {
  own_account = { StringEquals = { "aws:ResourceAccount" = var.account_id } }
  roles       = "arn:${var.partition}:iam::${var.account_id}:role/enclave/*"
  instances   = "arn:${var.partition}:ec2:*:${var.account_id}:instance/*"

  boundary = [
    {
      Sid    = "Look"
      Effect = "Allow"
      Action = [
        "ec2:Describe*",
        "ec2:GetEbsDefaultKmsKeyId",
        "ec2:GetEbsEncryptionByDefault",
        "ec2:GetSnapshotBlockPublicAccessState",
        "elasticloadbalancing:Describe*",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:ListGrants",
        "kms:ListKeyPolicies",
        "lambda:GetFunctionConcurrency",
        "lambda:GetFunctionConfiguration",
        "lambda:GetPolicy",
        "lambda:ListEventSourceMappings",
        "logs:Describe*",
        "s3:GetBucket*",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
      ]
      Resource = "*"
    },
    {
      # Images belong to whoever made them, hence no account here; subnets, groups, volumes and interfaces of a launch are always
      # the caller's.
      Sid      = "Launch"
      Effect   = "Allow"
      Action   = "ec2:RunInstances"
      Resource = "*"
    },
    {
      # Beside the instance, which must be tagged, see below.
      Sid    = "ReplaceRootVolumes"
      Effect = "Allow"
      Action = "ec2:CreateReplaceRootVolumeTask"
      Resource = [
        "arn:${var.partition}:ec2:*::image/*",
        "arn:${var.partition}:ec2:*:${var.account_id}:replace-root-volume-task/*",
        "arn:${var.partition}:ec2:*:${var.account_id}:volume/*",
      ]
    },
    {
      Sid       = "TagOnlyWhatIsCreated"
      Effect    = "Allow"
      Action    = "ec2:CreateTags"
      Resource  = "*"
      Condition = { StringEquals = { "ec2:CreateAction" = ["CreateReplaceRootVolumeTask", "CreateVpcEndpointServiceConfiguration", "RunInstances"] } }
    },
    {
      Sid      = "TagOnlyNewBalancers"
      Effect   = "Allow"
      Action   = "elasticloadbalancing:AddTags"
      Resource = "*"
      Condition = {
        StringEquals = { "elasticloadbalancing:CreateAction" = ["CreateListener", "CreateLoadBalancer", "CreateTargetGroup"] }
      }
    },
    {
      Sid       = "ChangeOnlyWhatIsTagged"
      Effect    = "Allow"
      Action    = ["ec2:CreateReplaceRootVolumeTask", "ec2:DeleteVpcEndpointServiceConfigurations", "ec2:ModifyVpcEndpointService*", "ec2:RejectVpcEndpointConnections", "ec2:TerminateInstances"]
      Resource  = "*"
      Condition = { Null = { "aws:ResourceTag/enclave:id" = "false" } }
    },
    {
      Sid       = "CreateOnlyWhatIsTagged"
      Effect    = "Allow"
      Action    = ["ec2:CreateVpcEndpointServiceConfiguration", "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
      Resource  = "*"
      Condition = { Null = { "aws:RequestTag/enclave:id" = "false" } }
    },
    {
      Sid    = "ChangeOnlyTaggedBalancers"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:Delete*",
        "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:ModifyListener*",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyTargetGroup*",
        "elasticloadbalancing:RegisterTargets",
        "elasticloadbalancing:SetSecurityGroups",
      ]
      Resource  = "*"
      Condition = { Null = { "aws:ResourceTag/enclave:id" = "false" } }
    },
    {
      Sid    = "StoreInThisAccountOnly"
      Effect = "Allow"
      Action = [
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncrypt*",
        "kms:Sign",
        "lambda:InvokeFunction",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:AbortMultipartUpload",
        "s3:DeleteObjectVersion",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:PutObject",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
      ]
      Resource  = "*"
      Condition = local.own_account
    },
    {
      Sid       = "GrantKeysToAwsResourcesOnly"
      Effect    = "Allow"
      Action    = "kms:CreateGrant"
      Resource  = "*"
      Condition = merge(local.own_account, { Bool = { "kms:GrantIsForAWSResource" = "true" } })
    },
    {
      Sid       = "PassRolesOfEnclavesToInstancesOnly"
      Effect    = "Allow"
      Action    = "iam:PassRole"
      Resource  = local.roles
      Condition = { StringEquals = { "iam:PassedToService" = "ec2.amazonaws.com" } }
    },
    {
      Sid      = "HostsSayWhoTheyAre"
      Effect   = "Allow"
      Action   = "sts:GetWebIdentityToken"
      Resource = "*"
    },
    {
      # For hosts, while modules/ssh is applied and no longer: it brings the policy that this only bounds.
      Sid      = "SessionsOnHosts"
      Effect   = "Allow"
      Action   = ["ssm:UpdateInstanceInformation", "ssmmessages:*Channel"]
      Resource = "*"
    },
    {
      # Nothing under this boundary can make or change a template.
      Sid    = "NeverBesideATemplate"
      Effect = "Deny"
      Action = "ec2:RunInstances"
      Resource = [
        for what in ["network-interface", "security-group", "subnet", "volume"] : "arn:${var.partition}:ec2:*:*:${what}/*"
      ]
      Condition = { Bool = { "ec2:IsLaunchTemplateResource" = "false" } }
    },
    {
      Sid       = "NeverAPublicAddress"
      Effect    = "Deny"
      Action    = "ec2:RunInstances"
      Resource  = "arn:${var.partition}:ec2:*:*:network-interface/*"
      Condition = { Bool = { "ec2:AssociatePublicIpAddress" = "true" } }
    },
    {
      Sid       = "NeverOpenInstanceMetadata"
      Effect    = "Deny"
      Action    = "ec2:RunInstances"
      Resource  = local.instances
      Condition = { StringNotEquals = { "ec2:MetadataHttpTokens" = "required" } }
    },
    {
      Sid       = "NeverAPlainVolume"
      Effect    = "Deny"
      Action    = "ec2:RunInstances"
      Resource  = "arn:${var.partition}:ec2:*:*:volume/*"
      Condition = { Bool = { "ec2:Encrypted" = "false" } }
    },
    {
      Sid      = "NeverWithAKeyPair"
      Effect   = "Deny"
      Action   = "ec2:RunInstances"
      Resource = "arn:${var.partition}:ec2:*:*:key-pair/*"
    },
  ]

  admin_trust = [
    {
      Sid       = "TakenOnByTheTenant"
      Effect    = "Allow"
      Principal = { AWS = var.admin_principals }
      Action    = "sts:AssumeRole"
      Condition = {
        for operator, keys in { Bool = { "aws:MultiFactorAuthPresent" = "true" } } : operator => keys if var.admin_requires_mfa
      }
    },
  ]
}
