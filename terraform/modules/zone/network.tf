# One VPC. Hosts leave by IPv6 through the egress-only gateway and by no other way; only load balancers have a route to an internet
# gateway, in a route table of their own. There is no NAT.
locals {
  # A further availability zone at the end of the list moves no block. As in tests/src/foundation/network.rs, hosts count up from 0 and
  # load balancers from 128.
  positions = { for position, zone in var.availability_zones : zone => position }
}

resource "aws_vpc" "zone" {
  cidr_block                       = var.vpc_cidr
  assign_generated_ipv6_cidr_block = true
  enable_dns_support               = true
  enable_dns_hostnames             = true

  tags = merge(local.tags, { Name = var.zone })
}

resource "aws_subnet" "host" {
  for_each = local.positions

  vpc_id                          = aws_vpc.zone.id
  availability_zone               = each.key
  cidr_block                      = cidrsubnet(var.vpc_cidr, 4, each.value)
  ipv6_cidr_block                 = cidrsubnet(aws_vpc.zone.ipv6_cidr_block, 8, each.value)
  map_public_ip_on_launch         = false
  assign_ipv6_address_on_creation = false

  tags = merge(local.tags, { Name = "${local.names.label}-hosts-${each.key}" })
}

resource "aws_subnet" "balancer" {
  for_each = local.positions

  vpc_id                          = aws_vpc.zone.id
  availability_zone               = each.key
  cidr_block                      = cidrsubnet(var.vpc_cidr, 8, 128 + each.value)
  ipv6_cidr_block                 = cidrsubnet(aws_vpc.zone.ipv6_cidr_block, 8, 128 + each.value)
  map_public_ip_on_launch         = false
  assign_ipv6_address_on_creation = false

  tags = merge(local.tags, { Name = "${local.names.label}-balancers-${each.key}" })
}

resource "aws_egress_only_internet_gateway" "hosts" {
  vpc_id = aws_vpc.zone.id

  tags = merge(local.tags, { Name = "${local.names.label}-hosts" })
}

resource "aws_internet_gateway" "balancers" {
  count = var.public_load_balancers ? 1 : 0

  vpc_id = aws_vpc.zone.id

  tags = merge(local.tags, { Name = "${local.names.label}-balancers" })
}
