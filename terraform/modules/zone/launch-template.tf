# One launch template per availability zone: a request may not name a subnet beside a template's interface. A request chooses image and
# instance type, and nothing else.
data "aws_ami" "host" {
  for_each = toset(var.images)

  include_deprecated = true

  filter {
    name   = "image-id"
    values = [each.key]
  }
}

locals {
  # A mapping for another device would add a second volume, and leave the image's own unencrypted.
  root_devices = distinct([for image in data.aws_ami.host : image.root_device_name])
}

resource "aws_launch_template" "host" {
  for_each = local.positions

  name                   = "${local.names.label}-${each.key}"
  description            = "${var.zone}: hosts in ${each.key}"
  update_default_version = true
  user_data              = base64encode(module.documents.user_data)

  block_device_mappings {
    device_name = local.root_devices[0]

    ebs {
      encrypted             = true
      kms_key_id            = aws_kms_key.zone["volumes"].arn
      volume_type           = "gp3"
      volume_size           = var.root_volume_gib
      delete_on_termination = true
    }
  }

  iam_instance_profile {
    arn = aws_iam_instance_profile.host.arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    http_protocol_ipv6          = "enabled"
    # Hosts learn application and cluster from their tags.
    instance_metadata_tags = "enabled"
  }

  network_interfaces {
    device_index                = 0
    subnet_id                   = aws_subnet.host[each.key].id
    security_groups             = [aws_security_group.hosts.id]
    associate_public_ip_address = false
    delete_on_termination       = true
    ipv6_address_count          = 1
    # A primary address stays with the host for life; a load balancer's IPv6 target needs one.
    primary_ipv6 = true
  }

  tags = merge(local.tags, { Name = "${local.names.label}-${each.key}" })

  lifecycle {
    precondition {
      condition     = length(local.root_devices) == 1
      error_message = "All images must have the same root device, these have ${join(", ", local.root_devices)}."
    }
  }
}
