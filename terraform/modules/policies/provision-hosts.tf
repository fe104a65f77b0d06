# What the provision function may do to hosts that are there.
# Conditions: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
locals {
  provision_hosts = [
    {
      Sid    = "LookAtHosts"
      Effect = "Allow"
      # None of these knows resources.
      Action = [
        "ec2:DescribeInstanceStatus",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeReplaceRootVolumeTasks",
        "ec2:DescribeSpotInstanceRequests",
        "ec2:DescribeVolumes",
      ]
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestedRegion" = var.enclave.region } }
    },
    {
      Sid       = "ReadUserDataOfHosts"
      Effect    = "Allow"
      Action    = "ec2:DescribeInstanceAttribute"
      Resource  = "${local.arn.ec2}:instance/*"
      Condition = { StringEquals = local.ours }
    },
    {
      Sid       = "ChangeOwnHosts"
      Effect    = "Allow"
      Action    = ["ec2:CreateReplaceRootVolumeTask", "ec2:TerminateInstances"]
      Resource  = "${local.arn.ec2}:instance/*"
      Condition = { StringEquals = local.ours }
    },
    {
      Sid       = "BeginReplacementsTagged"
      Effect    = "Allow"
      Action    = "ec2:CreateReplaceRootVolumeTask"
      Resource  = "${local.arn.ec2}:replace-root-volume-task/*"
      Condition = local.tagged_as_ours
    },
    {
      # AWS takes no tags for the new volume; whose it is follows from the instance above.
      Sid      = "ReplaceRootVolumes"
      Effect   = "Allow"
      Action   = "ec2:CreateReplaceRootVolumeTask"
      Resource = concat(["${local.arn.ec2}:volume/*"], local.image_arns)
    },
    {
      Sid      = "TagReplacements"
      Effect   = "Allow"
      Action   = "ec2:CreateTags"
      Resource = "${local.arn.ec2}:replace-root-volume-task/*"
      Condition = merge(local.tagged_as_ours, {
        StringEquals = merge(local.tagged_as_ours.StringEquals, { "ec2:CreateAction" = "CreateReplaceRootVolumeTask" })
      })
    },
  ]
}
