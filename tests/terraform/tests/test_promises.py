"""What the modules declare keeps the promises: network, buckets, keys, queues, hosts. Read from the parsed files."""

import pytest
from hcl import Configuration

FORBIDDEN = {
    "aws_nat_gateway",
    "aws_eip",
    "aws_eip_association",
    "aws_vpc_peering_connection",
    "aws_ec2_transit_gateway_vpc_attachment",
    "aws_vpn_gateway",
    "aws_customer_gateway",
    "aws_iam_user",
    "aws_iam_access_key",
    "aws_key_pair",
    "aws_instance",
    "aws_s3_bucket_acl",
    "aws_lambda_permission",
    # These forms of rules hide others' rules or are hidden by them.
    "aws_security_group_rule",
    "aws_iam_policy_attachment",
}


def of(module, kind, mode="resource"):
    return {name: body for (m, k, name), (body, _) in module.resources.items() if m == mode and k == kind}


def test_nothing_is_made_that_breaks_a_promise(configuration):
    for module in configuration.modules.values():
        kinds = {kind for mode, kind, _ in module.resources if mode == "resource"}
        assert not kinds & FORBIDDEN, module.path


def test_hosts_have_one_route_out(zone):
    routes = [
        (name, body)
        for name, body in of(zone, "aws_route").items()
        if "aws_route_table.hosts.id" in body["route_table_id"]
    ]
    assert [name for name, _ in routes] == ["hosts_out_by_ipv6"]
    route = routes[0][1]
    assert route["destination_ipv6_cidr_block"] == '"::/0"'
    assert route["egress_only_gateway_id"] == "${aws_egress_only_internet_gateway.hosts.id}"
    assert "destination_cidr_block" not in route and "gateway_id" not in route


def test_only_balancers_route_to_the_internet_gateway(zone):
    to_it = {
        name: body["route_table_id"]
        for name, body in of(zone, "aws_route").items()
        if "aws_internet_gateway" in str(body)
    }
    assert set(to_it) == {"balancers_by_ipv4", "balancers_by_ipv6"}
    assert set(to_it.values()) == {"${aws_route_table.balancers.id}"}
    # No routes inside a table, where they would hide from the tests above.
    assert all("route" not in body for body in of(zone, "aws_route_table").values())
    assert of(zone, "aws_default_route_table")["none"]["route"] == []


def test_each_subnet_has_its_own_kind_of_table(zone):
    tables = {
        name: (body["for_each"], body["route_table_id"])
        for name, body in of(zone, "aws_route_table_association").items()
    }
    assert tables == {
        "host": ("${aws_subnet.host}", "${aws_route_table.hosts.id}"),
        "balancer": ("${aws_subnet.balancer}", "${aws_route_table.balancers.id}"),
    }


def test_no_subnet_gives_public_addresses(zone):
    assert all(body["map_public_ip_on_launch"] is False for body in of(zone, "aws_subnet").values())


def test_the_defaults_of_the_vpc_are_empty(zone):
    (group,) = of(zone, "aws_default_security_group").values()
    (acl,) = of(zone, "aws_default_network_acl").values()
    assert "ingress" not in group and "egress" not in group
    assert "ingress" not in acl and "egress" not in acl


def test_hosts_admit_hosts_and_balancers_only(zone):
    rules = {
        name: body
        for name, body in of(zone, "aws_vpc_security_group_ingress_rule").items()
        if body["security_group_id"] == "${aws_security_group.hosts.id}"
    }
    sources = {body["referenced_security_group_id"] for body in rules.values()}
    assert sources == {"${aws_security_group.hosts.id}", "${aws_security_group.balancers.id}"}
    assert all(
        "cidr_ipv4" not in body and "cidr_ipv6" not in body and "prefix_list_id" not in body for body in rules.values()
    )


def test_hosts_leave_by_ipv6_or_to_s3s_endpoint(zone):
    rules = {
        name: body
        for name, body in of(zone, "aws_vpc_security_group_egress_rule").items()
        if body["security_group_id"] == "${aws_security_group.hosts.id}"
    }
    assert all("cidr_ipv4" not in body for body in rules.values())
    assert set(rules) == {"hosts_to_hosts", "hosts_to_s3", "hosts_out_by_ipv6", "hosts_to_endpoints"}
    assert rules["hosts_out_by_ipv6"]["cidr_ipv6"] == "${each.value.prefix}"


def test_no_group_has_rules_inside(configuration):
    for module in configuration.modules.values():
        for body in of(module, "aws_security_group").values():
            assert "ingress" not in body and "egress" not in body, module.path


BUCKET_PARTS = [
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_versioning",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_lifecycle_configuration",
]


@pytest.mark.parametrize("kind", BUCKET_PARTS)
def test_each_bucket_has_it(zone, kind):
    (buckets,) = of(zone, "aws_s3_bucket").values()
    (part,) = of(zone, kind).values()
    assert part["for_each"] == buckets["for_each"]
    assert part["bucket"] == "${aws_s3_bucket.zone[each.key].id}"


def test_buckets_are_closed_versioned_and_owned(zone):
    (closed,) = of(zone, "aws_s3_bucket_public_access_block").values()
    assert all(
        closed[what] is True
        for what in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    )
    (versioned,) = of(zone, "aws_s3_bucket_versioning").values()
    assert versioned["versioning_configuration"][0]["status"] == '"Enabled"'
    (owned,) = of(zone, "aws_s3_bucket_ownership_controls").values()
    assert owned["rule"][0]["object_ownership"] == '"BucketOwnerEnforced"'
    (encrypted,) = of(zone, "aws_s3_bucket_server_side_encryption_configuration").values()
    assert encrypted["rule"][0]["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == '"aws:kms"'


def test_keys_rotate(configuration):
    for module in configuration.modules.values():
        for name, body in of(module, "aws_kms_key").items():
            signs = body.get("key_usage") == '"SIGN_VERIFY"'
            assert signs or body["enable_key_rotation"] is True, name
            assert "policy" not in body, "policies stand apart, so that roles may come first"


def test_every_key_has_a_policy(zone, ssh):
    for module in (zone, ssh):
        assert set(of(module, "aws_kms_key")) == set(of(module, "aws_kms_key_policy"))


def test_replies_are_signed_with_a_p256_key(zone):
    assert of(zone, "aws_kms_key")["replies"]["customer_master_key_spec"] == '"ECC_NIST_P256"'


def test_queues_and_log_groups_are_encrypted_by_the_tenants_keys(configuration):
    for module in configuration.modules.values():
        for body in of(module, "aws_sqs_queue").values():
            assert body["kms_master_key_id"].startswith("${aws_kms_key.zone[")
        for body in of(module, "aws_cloudwatch_log_group").values():
            assert "kms_key_id" in body and "retention_in_days" in body


def test_every_queue_has_dead_letters_and_a_policy(zone):
    queues = of(zone, "aws_sqs_queue")
    assert set(queues) == {"zone", "dead_letters"}
    assert "redrive_policy" in queues["zone"] and set(of(zone, "aws_sqs_queue_policy")) == set(queues)
    assert all(body["fifo_queue"] == "${each.value.fifo}" for body in queues.values()), (
        "dead letters of a FIFO queue are FIFO too"
    )


def test_a_host_is_made_as_promised(zone):
    (template,) = of(zone, "aws_launch_template").values()
    interface, metadata = template["network_interfaces"][0], template["metadata_options"][0]
    assert interface["associate_public_ip_address"] is False
    assert interface["ipv6_address_count"] == 1 and interface["primary_ipv6"] is True
    assert metadata["http_tokens"] == '"required"' and metadata["http_put_response_hop_limit"] == 1
    volume = template["block_device_mappings"][0]["ebs"][0]
    assert volume["encrypted"] is True and volume["kms_key_id"] == '${aws_kms_key.zone["volumes"].arn}'
    assert "key_name" not in template and "image_id" not in template and "instance_type" not in template


def test_every_role_stands_under_the_boundary_but_the_tenants_and_the_bounded_grants(configuration, zone, ssh):
    (role,) = of(zone, "aws_iam_role").values()
    assert role["permissions_boundary"] == "${var.registration.permission_boundary_arn}"
    others = {
        (str(module.path.relative_to(configuration.root)), name)
        for module in configuration.modules.values()
        for name, body in of(module, "aws_iam_role").items()
        if "permissions_boundary" not in body
    }
    # The tenant's own administrators; the grant, whose policy ends by itself.
    assert others == {(".", "admin"), ("modules/ssh", "ssh")}


def test_the_vpc_keeps_flow_logs(zone):
    (flow,) = of(zone, "aws_flow_log").values()
    assert flow["traffic_type"] == '"ALL"'


def test_names_and_arns_hold_no_region_account_or_partition(configuration):
    """Modules work in any of them; examples and samples name one."""
    for module in configuration.modules.values():
        if "examples" in module.path.parts:
            continue
        for file in module.files:
            code = "\n".join(
                line.split("#")[0]
                for line in file.read_text().splitlines()
                if "description" not in line and "error_message" not in line
            )
            assert "arn:aws:" not in code, file
            assert "us-east-1" not in code.replace("dev.aws-us-east-1", ""), file


# Each takes one protection out of a copy of modules/zone; the test of that name must notice.
REMOVED = [
    (
        "routes.tf",
        "egress_only_gateway_id      = aws_egress_only_internet_gateway.hosts.id",
        "gateway_id = aws_internet_gateway.balancers[0].id",
        test_hosts_have_one_route_out,
    ),
    ("routes.tf", "  route                  = []\n", "", test_only_balancers_route_to_the_internet_gateway),
    (
        "network.tf",
        "map_public_ip_on_launch         = false",
        "map_public_ip_on_launch = true",
        test_no_subnet_gives_public_addresses,
    ),
    (
        "security-groups.tf",
        "referenced_security_group_id = aws_security_group.balancers.id",
        'cidr_ipv6 = "::/0"',
        test_hosts_admit_hosts_and_balancers_only,
    ),
    (
        "security-groups.tf",
        "cidr_ipv6         = each.value.prefix",
        'cidr_ipv4 = "0.0.0.0/0"',
        test_hosts_leave_by_ipv6_or_to_s3s_endpoint,
    ),
    (
        "buckets.tf",
        "block_public_policy     = true",
        "block_public_policy     = false",
        test_buckets_are_closed_versioned_and_owned,
    ),
    ("keys.tf", "enable_key_rotation     = true", "enable_key_rotation     = false", test_keys_rotate),
    (
        "launch-template.tf",
        'http_tokens                 = "required"',
        'http_tokens = "optional"',
        test_a_host_is_made_as_promised,
    ),
    ("launch-template.tf", "encrypted             = true", "encrypted = false", test_a_host_is_made_as_promised),
]


@pytest.mark.parametrize(
    ("file", "there", "instead", "notices"),
    REMOVED,
    ids=[f"{file}: {there[:30].strip()}" for file, there, _, _ in REMOVED],
)
def test_a_protection_taken_out_is_noticed(copy, file, there, instead, notices):
    path = copy / "modules/zone" / file
    text = path.read_text()
    assert there in text, "the copy cannot be broken where the test wants to"
    path.write_text(text.replace(there, instead, 1))
    broken = Configuration.read_tree(copy)
    argument = {"zone": broken.modules[(copy / "modules/zone").resolve()], "configuration": broken}
    wanted = notices.__code__.co_varnames[: notices.__code__.co_argcount]
    with pytest.raises((AssertionError, KeyError)):
        notices(*(argument[name] for name in wanted))
