# Network ACLs know no connections: what is let out must be let back in, by port and prefix only. They are the second fence; the
# security groups, which know connections, are the first.
locals {
  any_ipv4 = "0.0.0.0/0"
  any_ipv6 = "::/0"

  # Packets too big for the way: without them connections over IPv6 hang (RFC 4890, 4.3.1). 58 is ICMPv6.
  packet_too_big = { protocol = "58", prefix = local.any_ipv6, icmp_type = 2, icmp_code = 0 }

  # Inside the VPC there are hosts, load balancers and endpoints of this zone only.
  vpc_rules = [
    { protocol = "-1", prefix = var.vpc_cidr },
    { protocol = "-1", prefix = aws_vpc.zone.ipv6_cidr_block },
  ]

  host_inbound = concat(
    local.vpc_rules,
    [
      # Answers of S3. Its addresses are many and change, and ACLs know no prefix lists; but the only IPv4 route out of these subnets
      # leads to S3's endpoint.
      { protocol = "tcp", prefix = local.any_ipv4, from = var.ephemeral_ports.from, to = var.ephemeral_ports.to },
      local.packet_too_big,
    ],
    # Answers from where hosts may go.
    [
      for pair in setproduct(var.host_egress.ipv6_prefixes, ["tcp", "udp"]) :
      { protocol = pair[1], prefix = pair[0], from = var.ephemeral_ports.from, to = var.ephemeral_ports.to }
      if length(pair[1] == "tcp" ? var.host_egress.tcp_ports : var.host_egress.udp_ports) > 0
    ],
  )

  host_outbound = concat(
    local.vpc_rules,
    [{ protocol = "tcp", prefix = local.any_ipv4, from = 443, to = 443 }],
    [for pair in setproduct(var.host_egress.ipv6_prefixes, var.host_egress.tcp_ports) : { protocol = "tcp", prefix = pair[0], from = pair[1], to = pair[1] }],
    [for pair in setproduct(var.host_egress.ipv6_prefixes, var.host_egress.udp_ports) : { protocol = "udp", prefix = pair[0], from = pair[1], to = pair[1] }],
  )

  balancer_inbound = concat(
    local.vpc_rules,
    [local.packet_too_big],
    [
      for pair in setproduct(var.balancer_ingress_prefixes, var.balancer_listeners) :
      { protocol = pair[1].protocol, prefix = pair[0], from = pair[1].from_port, to = pair[1].to_port }
    ],
  )

  # Answers to clients, whose own ports may be any above the well-known ones
  # (https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html#nacl-ephemeral-ports).
  balancer_outbound = concat(
    local.vpc_rules,
    [
      for pair in setproduct(var.balancer_ingress_prefixes, distinct(var.balancer_listeners[*].protocol)) :
      { protocol = pair[1], prefix = pair[0], from = 1024, to = 65535 }
    ],
  )

  acl_rules = {
    hosts     = { inbound = local.host_inbound, outbound = local.host_outbound }
    balancers = { inbound = local.balancer_inbound, outbound = local.balancer_outbound }
  }

  # One entry per rule, keyed by list, direction and number. Prefixes stay out of the keys: the VPC's IPv6 block is not known before it
  # is made.
  acl_entries = merge([
    for acl, directions in local.acl_rules : merge([
      for direction, rules in directions : {
        for position, rule in rules : "${acl}-${direction}-${100 + 10 * position}" => {
          acl       = acl
          egress    = direction == "outbound"
          number    = 100 + 10 * position
          protocol  = rule.protocol
          prefix    = rule.prefix
          from      = try(rule.from, 0)
          to        = try(rule.to, 0)
          icmp_type = try(rule.icmp_type, null)
          icmp_code = try(rule.icmp_code, null)
          ipv6      = strcontains(rule.prefix, ":")
        }
      }
    ]...)
  ]...)
}

# What belongs to no list of ours passes nothing.
resource "aws_default_network_acl" "none" {
  default_network_acl_id = aws_vpc.zone.default_network_acl_id

  tags = merge(local.tags, { Name = "${local.names.label}-none" })

  lifecycle {
    # AWS puts subnets here while their own association is replaced.
    ignore_changes = [subnet_ids]
  }
}

resource "aws_network_acl" "hosts" {
  vpc_id     = aws_vpc.zone.id
  subnet_ids = [for subnet in aws_subnet.host : subnet.id]

  tags = merge(local.tags, { Name = "${local.names.label}-hosts" })
}

resource "aws_network_acl" "balancers" {
  vpc_id     = aws_vpc.zone.id
  subnet_ids = [for subnet in aws_subnet.balancer : subnet.id]

  tags = merge(local.tags, { Name = "${local.names.label}-balancers" })
}

resource "aws_network_acl_rule" "zone" {
  for_each = local.acl_entries

  network_acl_id  = each.value.acl == "hosts" ? aws_network_acl.hosts.id : aws_network_acl.balancers.id
  rule_number     = each.value.number
  egress          = each.value.egress
  rule_action     = "allow"
  protocol        = each.value.protocol
  cidr_block      = each.value.ipv6 ? null : each.value.prefix
  ipv6_cidr_block = each.value.ipv6 ? each.value.prefix : null
  from_port       = each.value.from
  to_port         = each.value.to
  icmp_type       = each.value.icmp_type
  icmp_code       = each.value.icmp_code
}
