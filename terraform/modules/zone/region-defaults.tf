# Defaults of the account in this region. They bind what is made in future; hosts are encrypted by their launch template anyway.
resource "aws_ebs_encryption_by_default" "region" {
  count = var.region_defaults ? 1 : 0

  enabled = true
}

resource "aws_ebs_snapshot_block_public_access" "region" {
  count = var.region_defaults ? 1 : 0

  state = "block-all-sharing"
}

# VPC Block Public Access overrules route tables and groups (https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa.html).
resource "aws_vpc_block_public_access_options" "region" {
  count = var.vpc_block_public_access == "enforce" ? 1 : 0

  internet_gateway_block_mode = "block-bidirectional"

  # Otherwise the zone would be cut off between the two.
  depends_on = [
    aws_vpc_block_public_access_exclusion.host,
    aws_vpc_block_public_access_exclusion.balancer,
  ]
}

resource "aws_vpc_block_public_access_exclusion" "host" {
  for_each = { for zone, position in local.positions : zone => position if var.vpc_block_public_access != "off" }

  subnet_id                       = aws_subnet.host[each.key].id
  internet_gateway_exclusion_mode = "allow-egress"

  tags = local.tags
}

resource "aws_vpc_block_public_access_exclusion" "balancer" {
  for_each = {
    for zone, position in local.positions : zone => position if var.vpc_block_public_access != "off" && var.public_load_balancers
  }

  subnet_id                       = aws_subnet.balancer[each.key].id
  internet_gateway_exclusion_mode = "allow-bidirectional"

  tags = local.tags
}
