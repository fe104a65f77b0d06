# What the provision function may do to load balancers and endpoint services.
# Conditions: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
locals {
  balancers     = "${local.arn.elb}:loadbalancer/net/${local.balancer_prefix}*/*"
  target_groups = "${local.arn.elb}:targetgroup/${local.balancer_prefix}*/*"
  listeners     = "${local.arn.elb}:listener/net/${local.balancer_prefix}*/*/*"
  services      = "${local.arn.ec2}:vpc-endpoint-service/*"

  with_our_group = {
    "ForAllValues:StringEquals" = { "elasticloadbalancing:SecurityGroup" = [var.network.balancer_security_group_id] }
    # Without any group a load balancer filters nothing, and none can be added later.
    Null = { "elasticloadbalancing:SecurityGroup" = "false" }
  }

  provision_balancers = [
    {
      Sid    = "LookAtBalancers"
      Effect = "Allow"
      # None of these knows resources.
      Action = [
        "elasticloadbalancing:DescribeListenerAttributes",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
      ]
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestedRegion" = var.enclave.region } }
    },
    {
      Sid      = "CreateBalancers"
      Effect   = "Allow"
      Action   = "elasticloadbalancing:CreateLoadBalancer"
      Resource = local.balancers
      Condition = {
        StringEquals = merge(local.tagged_as_ours.StringEquals, { "elasticloadbalancing:Scheme" = var.balancer_schemes })
        "ForAllValues:StringEquals" = {
          "aws:TagKeys"                        = local.tag_keys
          "elasticloadbalancing:SecurityGroup" = [var.network.balancer_security_group_id]
          "elasticloadbalancing:Subnet"        = var.network.balancer_subnet_ids
        }
        Null = {
          "elasticloadbalancing:SecurityGroup" = "false"
          "elasticloadbalancing:Subnet"        = "false"
        }
      }
    },
    {
      Sid       = "CreateTargetGroups"
      Effect    = "Allow"
      Action    = "elasticloadbalancing:CreateTargetGroup"
      Resource  = local.target_groups
      Condition = local.tagged_as_ours
    },
    {
      # A key of several values, as groups and subnets above.
      Sid      = "CreateListeners"
      Effect   = "Allow"
      Action   = "elasticloadbalancing:CreateListener"
      Resource = local.balancers
      Condition = {
        StringEquals = merge(local.tagged_as_ours.StringEquals, local.ours)
        "ForAllValues:StringEquals" = {
          "aws:TagKeys"                           = local.tag_keys
          "elasticloadbalancing:ListenerProtocol" = ["TCP"]
        }
        Null = { "elasticloadbalancing:ListenerProtocol" = "false" }
      }
    },
    {
      Sid      = "TagWhatIsCreated"
      Effect   = "Allow"
      Action   = "elasticloadbalancing:AddTags"
      Resource = [local.balancers, local.target_groups, local.listeners]
      Condition = merge(local.tagged_as_ours, {
        StringEquals = merge(local.tagged_as_ours.StringEquals, {
          "elasticloadbalancing:CreateAction" = ["CreateListener", "CreateLoadBalancer", "CreateTargetGroup"]
        })
      })
    },
    {
      Sid    = "ChangeOwnBalancers"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyListenerAttributes",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:RegisterTargets",
      ]
      Resource  = [local.balancers, local.target_groups, local.listeners]
      Condition = { StringEquals = local.ours }
    },
    {
      Sid       = "KeepTheBalancersGroup"
      Effect    = "Allow"
      Action    = "elasticloadbalancing:SetSecurityGroups"
      Resource  = local.balancers
      Condition = merge(local.with_our_group, { StringEquals = local.ours })
    },
  ]

  # Described always: a service that should not be there can only be removed once it is seen.
  look_at_services = [
    {
      Sid    = "LookAtEndpointServices"
      Effect = "Allow"
      # Neither knows resources.
      Action    = ["ec2:DescribeVpcEndpointConnections", "ec2:DescribeVpcEndpointServiceConfigurations"]
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestedRegion" = var.enclave.region } }
    },
  ]

  provision_services = [
    {
      Sid       = "CreateEndpointServices"
      Effect    = "Allow"
      Action    = "ec2:CreateVpcEndpointServiceConfiguration"
      Resource  = local.services
      Condition = local.tagged_as_ours
    },
    {
      Sid      = "TagEndpointServices"
      Effect   = "Allow"
      Action   = "ec2:CreateTags"
      Resource = local.services
      Condition = merge(local.tagged_as_ours, {
        StringEquals = merge(local.tagged_as_ours.StringEquals, { "ec2:CreateAction" = "CreateVpcEndpointServiceConfiguration" })
      })
    },
    {
      Sid    = "ChangeOwnEndpointServices"
      Effect = "Allow"
      Action = [
        "ec2:DeleteVpcEndpointServiceConfigurations",
        "ec2:DescribeVpcEndpointServicePermissions",
        "ec2:ModifyVpcEndpointServiceConfiguration",
        "ec2:ModifyVpcEndpointServicePermissions",
        "ec2:RejectVpcEndpointConnections",
      ]
      Resource  = local.services
      Condition = { StringEquals = local.ours }
    },
  ]
}
