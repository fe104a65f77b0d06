# The ways on which hosts answer, inside the VPC, as long as this module is applied.
locals {
  services = ["ssm", "ssmmessages", "logs", "kms"]
}

resource "aws_security_group" "endpoints" {
  name        = "${var.zone.label}-ssh-endpoints"
  description = "${var.zone.zone}: endpoints for sessions"
  vpc_id      = var.zone.vpc_id

  tags = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_from_hosts" {
  security_group_id            = aws_security_group.endpoints.id
  description                  = "the zone's hosts"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = var.zone.host_security_group_id
}

resource "aws_vpc_security_group_egress_rule" "hosts_to_endpoints" {
  security_group_id            = var.zone.host_security_group_id
  description                  = "endpoints for sessions"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.endpoints.id
}

resource "aws_vpc_endpoint" "session" {
  for_each = toset(local.services)

  vpc_id              = var.zone.vpc_id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${data.aws_region.current.region}.${each.key}"
  subnet_ids          = var.zone.host_subnet_ids
  security_group_ids  = [aws_security_group.endpoints.id]
  private_dns_enabled = true
  policy              = module.policies.endpoints[each.key]

  tags = merge(local.tags, { Name = "${var.zone.label}-${each.key}" })
}
