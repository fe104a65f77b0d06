mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
  mock_data "aws_ami" {
    defaults = { root_device_name = "/dev/xvda" }
  }
  mock_resource "aws_vpc" {
    defaults = { ipv6_cidr_block = "2600:1f18:abcd:1200::/56" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/enclave/mock", unique_id = "AROAEXAMPLE" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111122223333:policy/enclave/mock" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::111122223333:instance-profile/enclave/mock" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:111122223333:mock" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:111122223333:log-group:mock" }
  }
  mock_resource "aws_launch_template" {
    defaults = { arn = "arn:aws:ec2:us-east-1:111122223333:launch-template/lt-0123456789abcdef0", latest_version = 7 }
  }
  mock_resource "aws_vpc_endpoint" {
    defaults = { prefix_list_id = "pl-63a5400a" }
  }
}

variables {
  registration = {
    tenant                  = "acme"
    operator_principals     = ["arn:aws:iam::999988887777:role/configuration-servers"]
    operator_identities     = ["spiffe://operator.example/configuration-server"]
    tenant_identities       = []
    trust_roots             = [{ certificate_pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n", trust_domain = "operator.example", accept_athenz_common_name = false }]
    terraform_principals    = ["arn:aws:iam::111122223333:role/terraform"]
    admin_role_arn          = "arn:aws:iam::111122223333:role/enclave/enclave-admin"
    admin_role_name         = "enclave-admin"
    permission_boundary_arn = "arn:aws:iam::111122223333:policy/enclave/enclave-boundary"
  }
  zone               = "dev.aws-us-east-1"
  availability_zones = ["us-east-1a", "us-east-1b"]
  images             = ["ami-0123456789abcdef0", "ami-0123456789abcdef1"]
  max_hosts          = 20
  tunnel = {
    targets  = { application = "127.0.0.1:8080" }
    gateways = ["gateway-1.operator.example:443", "gateway-2.operator.example:443"]
  }
}

run "a_zone_is_what_the_functions_read" {
  command = apply

  assert {
    condition     = can(regex("^enclave-[0-9a-f]{12}$", output.enclave_id))
    error_message = "The enclave's id must be enclave- and 12 hexadecimal digits."
  }
  assert {
    condition     = jsondecode(aws_s3_object.zone.content).availability_zones["us-east-1b"].launch_template_version == 7
    error_message = "zone.json must pin the launch template's numeric version."
  }
  assert {
    condition     = jsondecode(aws_s3_object.zone.content).availability_zones["us-east-1a"].user_data_sha256 == sha256(base64decode(aws_launch_template.host["us-east-1a"].user_data))
    error_message = "zone.json must hold the hash of the user data that hosts are launched with."
  }
  assert {
    condition     = jsondecode(aws_s3_object.gate.content).limits.max_hosts == 20
    error_message = "The first gate.json must hold the cap."
  }
  assert {
    condition     = aws_ssm_parameter.zone["enclave-id"].name == "/enclave/dev.aws-us-east-1/enclave-id"
    error_message = "template.yaml finds its parameters below /enclave/<zone>/."
  }
}

run "the_network_has_one_way_out_for_hosts" {
  command = apply

  assert {
    condition     = aws_subnet.host["us-east-1b"].cidr_block == "10.0.16.0/20" && aws_subnet.host["us-east-1b"].ipv6_cidr_block == "2600:1f18:abcd:1201::/64"
    error_message = "Hosts count up from the first block."
  }
  assert {
    condition     = aws_subnet.balancer["us-east-1b"].cidr_block == "10.0.129.0/24" && aws_subnet.balancer["us-east-1b"].ipv6_cidr_block == "2600:1f18:abcd:1281::/64"
    error_message = "Load balancers count up from block 128."
  }
  assert {
    condition     = alltrue([for rule in aws_network_acl_rule.zone : rule.rule_number < 300]) && length([for key, rule in aws_network_acl_rule.zone : key if startswith(key, "hosts-inbound")]) <= 20
    error_message = "A network ACL holds 20 rules in each direction."
  }
  assert {
    condition = alltrue([
      for key, rule in aws_network_acl_rule.zone : rule.cidr_block != "0.0.0.0/0" || (rule.from_port == 443 && rule.to_port == 443)
      if startswith(key, "hosts-outbound")
    ])
    error_message = "By IPv4 hosts may send to port 443 only."
  }
  assert {
    condition     = length(aws_internet_gateway.balancers) == 1 && length(aws_vpc_block_public_access_options.region) == 0
    error_message = "Public load balancers need one internet gateway; the account's other VPCs are left alone unless asked."
  }
}

run "stores_are_the_tenants" {
  command = apply

  assert {
    condition     = aws_s3_bucket.zone["audit"].object_lock_enabled && !aws_s3_bucket.zone["state"].object_lock_enabled
    error_message = "The audit bucket, and no other, has Object Lock."
  }
  assert {
    condition     = aws_sqs_queue.zone["requests"].visibility_timeout_seconds == 150 && aws_sqs_queue.zone["notifications"].visibility_timeout_seconds == 5400
    error_message = "Messages stay invisible for longer than their function runs."
  }
  assert {
    condition     = aws_sqs_queue.zone["requests"].content_based_deduplication && endswith(aws_sqs_queue.dead_letters["requests"].name, ".fifo")
    error_message = "The requests queue deduplicates by content, and its dead letters are FIFO too."
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.zone : role.permissions_boundary == var.registration.permission_boundary_arn])
    error_message = "Every role stands under the boundary."
  }
}

run "without_public_load_balancers_there_is_no_internet_gateway" {
  command = plan
  variables {
    public_load_balancers     = false
    balancer_ingress_prefixes = ["10.0.0.0/8"]
  }

  assert {
    condition     = length(aws_internet_gateway.balancers) == 0 && length(aws_route.balancers_by_ipv4) == 0 && length(aws_route.balancers_by_ipv6) == 0
    error_message = "A private zone must have neither the gateway nor routes to it."
  }
}

run "a_shell_is_never_a_tunnel_target" {
  command = plan
  variables {
    tunnel = {
      targets  = { shell = "127.0.0.1:22" }
      gateways = ["gateway-1.operator.example:443", "gateway-2.operator.example:443"]
    }
  }
  expect_failures = [var.tunnel]
}

run "a_tunnel_target_is_on_the_host" {
  command = plan
  variables {
    tunnel = {
      targets  = { metadata = "169.254.169.254:80" }
      gateways = ["gateway-1.operator.example:443", "gateway-2.operator.example:443"]
    }
  }
  expect_failures = [var.tunnel]
}

run "an_image_has_an_id" {
  command = plan
  variables {
    images = ["amazon-linux"]
  }
  expect_failures = [var.images]
}

run "egress_is_by_ipv6" {
  command = plan
  variables {
    host_egress = { ipv6_prefixes = ["0.0.0.0/0"] }
  }
  expect_failures = [var.host_egress]
}

run "egress_fits_into_the_network_acl" {
  command = plan
  variables {
    host_egress = { ipv6_prefixes = ["2001:db8::/33"], tcp_ports = range(1, 30) }
  }
  expect_failures = [var.host_egress]
}

run "availability_zones_are_named_once" {
  command = plan
  variables {
    availability_zones = ["us-east-1a", "us-east-1a"]
  }
  expect_failures = [var.availability_zones]
}
