# The main route table is emptied: a subnet that nobody gave a table to leads nowhere.
resource "aws_default_route_table" "none" {
  default_route_table_id = aws_vpc.zone.default_route_table_id
  route                  = []

  tags = merge(local.tags, { Name = "${local.names.label}-none" })
}

resource "aws_route_table" "hosts" {
  vpc_id = aws_vpc.zone.id

  tags = merge(local.tags, { Name = "${local.names.label}-hosts" })
}

resource "aws_route" "hosts_out_by_ipv6" {
  route_table_id              = aws_route_table.hosts.id
  destination_ipv6_cidr_block = "::/0"
  egress_only_gateway_id      = aws_egress_only_internet_gateway.hosts.id
}

resource "aws_route_table_association" "host" {
  for_each = aws_subnet.host

  subnet_id      = each.value.id
  route_table_id = aws_route_table.hosts.id
}

resource "aws_route_table" "balancers" {
  vpc_id = aws_vpc.zone.id

  tags = merge(local.tags, { Name = "${local.names.label}-balancers" })
}

resource "aws_route" "balancers_by_ipv4" {
  count = var.public_load_balancers ? 1 : 0

  route_table_id         = aws_route_table.balancers.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.balancers[0].id
}

resource "aws_route" "balancers_by_ipv6" {
  count = var.public_load_balancers ? 1 : 0

  route_table_id              = aws_route_table.balancers.id
  destination_ipv6_cidr_block = "::/0"
  gateway_id                  = aws_internet_gateway.balancers[0].id
}

resource "aws_route_table_association" "balancer" {
  for_each = aws_subnet.balancer

  subnet_id      = each.value.id
  route_table_id = aws_route_table.balancers.id
}
