# Who reaches whom: the listed prefixes a load balancer, a load balancer and the hosts a host, a host the listed prefixes by IPv6 and S3
# by its endpoint.
resource "aws_default_security_group" "none" {
  vpc_id = aws_vpc.zone.id

  tags = merge(local.tags, { Name = "${local.names.label}-none" })
}

resource "aws_security_group" "hosts" {
  # checkov:skip=CKV2_AWS_5:hosts get it from the launch template
  name        = "${local.names.label}-hosts"
  description = "${var.zone}: hosts"
  vpc_id      = aws_vpc.zone.id

  tags = merge(local.tags, { Name = "${local.names.label}-hosts" })
}

resource "aws_security_group" "balancers" {
  # checkov:skip=CKV2_AWS_5:load balancers get it from the provision function
  name        = "${local.names.label}-balancers"
  description = "${var.zone}: load balancers"
  vpc_id      = aws_vpc.zone.id

  tags = merge(local.tags, { Name = "${local.names.label}-balancers" })
}

resource "aws_vpc_security_group_ingress_rule" "hosts_from_hosts" {
  security_group_id            = aws_security_group.hosts.id
  description                  = "the zone's own hosts"
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.hosts.id
}

resource "aws_vpc_security_group_ingress_rule" "hosts_from_balancers" {
  security_group_id            = aws_security_group.hosts.id
  description                  = "the zone's load balancers"
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.balancers.id
}

resource "aws_vpc_security_group_egress_rule" "hosts_to_hosts" {
  security_group_id            = aws_security_group.hosts.id
  description                  = "the zone's own hosts"
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.hosts.id
}

resource "aws_vpc_security_group_egress_rule" "hosts_to_s3" {
  security_group_id = aws_security_group.hosts.id
  description       = "S3, by the VPC's endpoint"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
}

locals {
  host_ways_out = merge([
    for protocol, ports in { tcp = var.host_egress.tcp_ports, udp = var.host_egress.udp_ports } : {
      for pair in setproduct(var.host_egress.ipv6_prefixes, ports) :
      "${protocol}-${pair[1]}-${pair[0]}" => { protocol = protocol, prefix = pair[0], port = pair[1] }
    }
  ]...)

  balancer_ways_in = {
    for pair in setproduct(var.balancer_ingress_prefixes, var.balancer_listeners) :
    "${pair[1].protocol}-${pair[1].from_port}-${pair[1].to_port}-${pair[0]}" => merge(pair[1], { prefix = pair[0], ipv6 = strcontains(pair[0], ":") })
  }
}

resource "aws_vpc_security_group_egress_rule" "hosts_out_by_ipv6" {
  for_each = local.host_ways_out

  security_group_id = aws_security_group.hosts.id
  description       = "configuration servers and what hosts report to"
  ip_protocol       = each.value.protocol
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv6         = each.value.prefix
}

resource "aws_vpc_security_group_ingress_rule" "balancers_from_clients" {
  for_each = local.balancer_ways_in

  security_group_id = aws_security_group.balancers.id
  description       = "clients"
  ip_protocol       = each.value.protocol
  from_port         = each.value.from_port
  to_port           = each.value.to_port
  cidr_ipv4         = each.value.ipv6 ? null : each.value.prefix
  cidr_ipv6         = each.value.ipv6 ? each.value.prefix : null
}

resource "aws_vpc_security_group_egress_rule" "balancers_to_hosts" {
  security_group_id            = aws_security_group.balancers.id
  description                  = "the zone's hosts"
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.hosts.id
}
