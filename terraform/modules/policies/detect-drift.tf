# What the drift check may do: read the configuration of what the foundation made and what requests made, and write its report.
locals {
  detect_drift = [
    {
      Sid    = "LookAtTheNetworkAndTheHosts"
      Effect = "Allow"
      # None of these knows resources.
      Action = [
        "ec2:DescribeAddresses",
        "ec2:DescribeEgressOnlyInternetGateways",
        "ec2:DescribeFlowLogs",
        "ec2:DescribeInstances",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeLaunchTemplates",
        "ec2:DescribeNatGateways",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSnapshots",
        "ec2:DescribeSubnets",
        "ec2:DescribeTransitGatewayAttachments",
        "ec2:DescribeVolumes",
        "ec2:DescribeVpcEndpointConnections",
        "ec2:DescribeVpcEndpointServiceConfigurations",
        "ec2:DescribeVpcEndpoints",
        "ec2:DescribeVpcPeeringConnections",
        "ec2:DescribeVpcs",
        "ec2:DescribeVpnConnections",
        "ec2:DescribeVpnGateways",
        "ec2:GetEbsDefaultKmsKeyId",
        "ec2:GetEbsEncryptionByDefault",
        "ec2:GetSnapshotBlockPublicAccessState",
        "elasticloadbalancing:DescribeListenerAttributes",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "lambda:ListEventSourceMappings",
        "logs:DescribeLogGroups",
      ]
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestedRegion" = var.enclave.region } }
    },
    {
      Sid       = "LookAtOwnHostsAndServices"
      Effect    = "Allow"
      Action    = ["ec2:DescribeInstanceAttribute", "ec2:DescribeVpcEndpointServicePermissions"]
      Resource  = ["${local.arn.ec2}:instance/*", local.services]
      Condition = { StringEquals = local.ours }
    },
    {
      Sid      = "LookAtSharingOfSnapshots"
      Effect   = "Allow"
      Action   = "ec2:DescribeSnapshotAttribute"
      Resource = "arn:${var.enclave.partition}:ec2:${var.enclave.region}::snapshot/*"
    },
    {
      Sid    = "LookAtBuckets"
      Effect = "Allow"
      Action = [
        "s3:GetBucketAcl",
        "s3:GetBucketNotification",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetBucketOwnershipControls",
        "s3:GetBucketPolicy",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:ListBucket",
      ]
      Resource = values(local.bucket_arns)
    },
    {
      Sid    = "LookAtKeys"
      Effect = "Allow"
      Action = [
        "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies",
      ]
      Resource = values(var.key_arns)
    },
    {
      Sid      = "LookAtQueues"
      Effect   = "Allow"
      Action   = "sqs:GetQueueAttributes"
      Resource = values(local.queue_arns)
    },
    {
      Sid    = "LookAtRoles"
      Effect = "Allow"
      Action = [
        "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies",
      ]
      Resource = "arn:${var.enclave.partition}:iam::${var.enclave.account_id}:role/enclave/*"
    },
    {
      Sid      = "LookAtPolicies"
      Effect   = "Allow"
      Action   = ["iam:GetPolicy", "iam:GetPolicyVersion"]
      Resource = "arn:${var.enclave.partition}:iam::${var.enclave.account_id}:policy/enclave/*"
    },
    {
      Sid      = "LookAtFunctions"
      Effect   = "Allow"
      Action   = ["lambda:GetFunctionConcurrency", "lambda:GetFunctionConfiguration", "lambda:GetPolicy"]
      Resource = values(local.function_arns)
    },
    {
      Sid      = "ReadRulesAndLedger"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = ["${local.bucket_arns.tenant}/v1/*", "${local.bucket_arns.state}/state/v1/*", "${local.bucket_arns.state}/drift/v1/*"]
    },
    {
      Sid      = "WriteTheReport"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${local.bucket_arns.state}/drift/v1/*"
    },
    {
      Sid       = "UseTheStateKey"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = try(var.key_arns["state"], "")
      Condition = local.via.s3
    },
    {
      Sid      = "Log"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.arn.logs}:log-group:/aws/lambda/${local.functions["detect-drift"]}:*"
    },
  ]
}
