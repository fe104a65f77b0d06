# What the provision function may launch. All resources of a launch must be allowed, each by a statement of its own.
# Conditions: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
locals {
  provision_launch = [
    {
      Sid      = "LaunchFromTemplates"
      Effect   = "Allow"
      Action   = "ec2:RunInstances"
      Resource = var.hosts.launch_template_arns
    },
    {
      # Subnet, group and interface are the template's: a request that names another is not allowed.
      Sid       = "LaunchWhereTheTemplateSays"
      Effect    = "Allow"
      Action    = "ec2:RunInstances"
      Resource  = concat(var.network.host_subnet_arns, [var.network.host_security_group_arn, "${local.arn.ec2}:network-interface/*"])
      Condition = { Bool = { "ec2:IsLaunchTemplateResource" = "true" } }
    },
    {
      Sid       = "LaunchWithEncryptedVolumes"
      Effect    = "Allow"
      Action    = "ec2:RunInstances"
      Resource  = "${local.arn.ec2}:volume/*"
      Condition = { Bool = { "ec2:Encrypted" = "true", "ec2:IsLaunchTemplateResource" = "true" } }
    },
    {
      # Image and instance type are what a request chooses.
      Sid      = "LaunchListedImages"
      Effect   = "Allow"
      Action   = "ec2:RunInstances"
      Resource = local.image_arns
    },
    {
      # Each launch needs this statement, so that its conditions hold for the whole call: one of our templates, our profile, our tags.
      Sid      = "LaunchTaggedHosts"
      Effect   = "Allow"
      Action   = "ec2:RunInstances"
      Resource = "${local.arn.ec2}:instance/*"
      Condition = merge(local.tagged_as_ours, {
        ArnEquals = {
          "ec2:LaunchTemplate"  = var.hosts.launch_template_arns
          "ec2:InstanceProfile" = var.hosts.instance_profile_arn
        }
      })
    },
    {
      # Tags are set by the call that creates and by no other, so that nobody makes a host ours afterwards.
      Sid    = "TagWhatIsLaunched"
      Effect = "Allow"
      Action = "ec2:CreateTags"
      Resource = [
        "${local.arn.ec2}:instance/*", "${local.arn.ec2}:network-interface/*", "${local.arn.ec2}:volume/*",
      ]
      Condition = merge(local.tagged_as_ours, {
        StringEquals = merge(local.tagged_as_ours.StringEquals, { "ec2:CreateAction" = "RunInstances" })
      })
    },
    {
      Sid       = "HandTheHostRoleToInstances"
      Effect    = "Allow"
      Action    = "iam:PassRole"
      Resource  = try(var.role_arns["host"], "")
      Condition = { StringEquals = { "iam:PassedToService" = "ec2.amazonaws.com" } }
    },
    {
      Sid    = "EncryptVolumes"
      Effect = "Allow"
      # https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
      Action = [
        "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo",
      ]
      Resource  = try(var.key_arns["volumes"], "")
      Condition = local.via.ec2
    },
    {
      Sid       = "LetInstancesUseTheirVolumes"
      Effect    = "Allow"
      Action    = "kms:CreateGrant"
      Resource  = try(var.key_arns["volumes"], "")
      Condition = merge(local.via.ec2, { Bool = { "kms:GrantIsForAWSResource" = "true" } })
    },
  ]
}
