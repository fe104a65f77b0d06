# v1/zone.json: Foundation in shared/core/src/foundation.rs, which refuses any other field.
locals {
  zone_json = var.foundation == null ? null : jsonencode({
    schema                     = 1
    tenant                     = var.tenant
    audience                   = var.audience
    vpc_id                     = var.foundation.vpc_id
    host_security_group_id     = var.foundation.host_security_group_id
    balancer_security_group_id = var.foundation.balancer_security_group_id
    instance_profile_arn       = var.foundation.instance_profile_arn
    volume_kms_key_arn         = var.foundation.volume_kms_key_arn
    availability_zones = {
      for zone, what in var.foundation.availability_zones : zone => merge(what, { user_data_sha256 = local.user_data_sha256 })
    }
    images = var.foundation.images
  })
}
