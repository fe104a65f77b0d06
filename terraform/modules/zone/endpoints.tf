# Hosts call two AWS services: S3, to ship logs, and STS, to say who they are. S3's endpoint costs nothing and is the only way there;
# STS is reached by IPv6 unless the tenant lists narrower prefixes. KMS needs none: S3 itself calls it. The functions run outside the VPC.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.zone.id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${local.region}.s3"
  route_table_ids   = [aws_route_table.hosts.id]
  policy            = module.policies.endpoints["s3"]

  tags = merge(local.tags, { Name = "${local.names.label}-s3" })
}

resource "aws_vpc_endpoint" "sts" {
  count = var.sts_endpoint ? 1 : 0

  vpc_id              = aws_vpc.zone.id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${local.region}.sts"
  subnet_ids          = [for subnet in aws_subnet.host : subnet.id]
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = true
  policy              = module.policies.endpoints["sts"]

  tags = merge(local.tags, { Name = "${local.names.label}-sts" })
}

resource "aws_security_group" "endpoints" {
  count = var.sts_endpoint ? 1 : 0

  name        = "${local.names.label}-endpoints"
  description = "${var.zone}: endpoints of AWS services"
  vpc_id      = aws_vpc.zone.id

  tags = merge(local.tags, { Name = "${local.names.label}-endpoints" })
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_from_hosts" {
  count = var.sts_endpoint ? 1 : 0

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "the zone's hosts"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.hosts.id
}

resource "aws_vpc_security_group_egress_rule" "hosts_to_endpoints" {
  count = var.sts_endpoint ? 1 : 0

  security_group_id            = aws_security_group.hosts.id
  description                  = "endpoints of AWS services"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.endpoints[0].id
}
