# What the functions read: v1/zone.json follows Terraform; v1/gate.json is written once and is the tenant's from then on.
module "documents" {
  source = "../documents"

  tenant              = var.registration.tenant
  trust_roots         = var.registration.trust_roots
  operator_identities = var.registration.operator_identities
  tenant_identities   = var.registration.tenant_identities
  max_hosts           = var.max_hosts
  destruction         = var.destruction
  audience = {
    account    = local.account_id
    region     = local.region
    zone       = var.zone
    enclave_id = local.enclave_id
  }
  host = {
    tunnel_targets = var.tunnel.targets
    gateways       = var.tunnel.gateways
    archive_bucket = local.names.buckets["archive"]
    archive_key    = aws_kms_key.zone["archive"].arn
    role_id        = aws_iam_role.zone["host"].unique_id
    start          = var.host_units
  }
  foundation = {
    vpc_id                     = aws_vpc.zone.id
    host_security_group_id     = aws_security_group.hosts.id
    balancer_security_group_id = aws_security_group.balancers.id
    instance_profile_arn       = aws_iam_instance_profile.host.arn
    volume_kms_key_arn         = aws_kms_key.zone["volumes"].arn
    images                     = var.images
    availability_zones = {
      for zone in var.availability_zones : zone => {
        host_subnet_id          = aws_subnet.host[zone].id
        balancer_subnet_id      = aws_subnet.balancer[zone].id
        launch_template_id      = aws_launch_template.host[zone].id
        launch_template_version = aws_launch_template.host[zone].latest_version
        root_volume_gib         = var.root_volume_gib
      }
    }
  }
}

resource "aws_s3_object" "zone" {
  bucket                 = aws_s3_bucket.zone["tenant"].id
  key                    = "v1/zone.json"
  content                = module.documents.zone_json
  content_type           = "application/json"
  server_side_encryption = "aws:kms"
  kms_key_id             = aws_kms_key.zone["state"].arn

  # Once this is there, requests can be served: what they need comes before.
  depends_on = [
    aws_iam_role_policy_attachment.zone,
    aws_kms_key_policy.zone,
    aws_network_acl_rule.zone,
    aws_route.hosts_out_by_ipv6,
    aws_s3_bucket_policy.zone,
    aws_s3_bucket_server_side_encryption_configuration.zone,
    aws_s3_bucket_versioning.zone,
  ]
}

resource "aws_s3_object" "gate" {
  bucket                 = aws_s3_bucket.zone["tenant"].id
  key                    = "v1/gate.json"
  content                = module.documents.gate_json
  content_type           = "application/json"
  server_side_encryption = "aws:kms"
  kms_key_id             = aws_kms_key.zone["state"].arn

  depends_on = [
    aws_kms_key_policy.zone,
    aws_s3_bucket_policy.zone,
    aws_s3_bucket_server_side_encryption_configuration.zone,
    aws_s3_bucket_versioning.zone,
  ]

  lifecycle {
    ignore_changes = [content]
  }
}
