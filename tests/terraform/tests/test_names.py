"""Names and references resolve, and what does not is found."""

import names
import pytest
from hcl import Configuration


def test_every_name_exists(configuration):
    assert names.faults(configuration) == []


# Each breaks one thing in a copy: file, what stands there, what is put there, what the check must say.
BROKEN = [
    (
        "modules/zone/network.tf",
        'resource "aws_vpc" "zone"',
        'resource "aws_vpcs" "zone"',
        "resource aws_vpcs.zone: no such type",
    ),
    ("modules/zone/network.tf", "enable_dns_support ", "enable_dns ", "aws_vpc.zone: no argument enable_dns"),
    (
        "modules/zone/buckets.tf",
        "    apply_server_side_encryption_by_default {",
        "    apply_encryption {",
        "rule: no block apply_encryption",
    ),
    (
        "modules/zone/buckets.tf",
        "      mode = var.audit_retention.mode",
        "      modus = 1",
        "default_retention: no argument modus",
    ),
    ("modules/zone/lifecycle.tf", 'dynamic "rule"', 'dynamic "rules"', "no block rules"),
    (
        "modules/zone/lifecycle.tf",
        "        days = rule.value",
        "        day = rule.value",
        "expiration: no argument day",
    ),
    (
        "modules/zone/nacl.tf",
        "  rule_number     = each.value.number\n",
        "",
        "aws_network_acl_rule.zone: rule_number is required",
    ),
    (
        "modules/zone/notifications.tf",
        '    queue_arn     = aws_sqs_queue.zone["notifications"].arn\n',
        "",
        "queue: queue_arn is required",
    ),
    (
        "modules/zone/routes.tf",
        "aws_route_table.hosts.id",
        "aws_route_table.host.id",
        "aws_route_table.host.id: no such resource",
    ),
    ("modules/zone/endpoints.tf", "aws_vpc.zone.id", "aws_vpc.zone.identity", "no attribute identity"),
    (
        "modules/zone/queues.tf",
        "var.timeouts.provision",
        "var.timeout.provision",
        "var.timeout.provision: no such variable",
    ),
    ("modules/zone/queues.tf", "var.timeouts.provision", "var.timeouts.provisioning", "no field provisioning"),
    ("modules/zone/keys.tf", "for_each = local.keys", "for_each = local.key", "local.key: no such local"),
    ("modules/zone/buckets.tf", "module.policies.buckets", "module.policies.bucket", "no output bucket"),
    (
        "modules/zone/buckets.tf",
        "module.policies.buckets",
        "module.policy.buckets",
        "module.policy.buckets[each.key]: no such module",
    ),
    (
        "modules/zone/enclave.tf",
        "  private_link          = var.private_link\n",
        "  privat_link = true\n",
        "module policies: no variable privat_link",
    ),
    (
        "modules/zone/zone-json.tf",
        "  tenant              = var.registration.tenant\n",
        "",
        "module documents: tenant is required",
    ),
    ("modules/zone/zone-json.tf", '"../documents"', '"../document"', "no module at"),
    ("modules/zone/flow-logs.tf", "var.log_retention_days", "each.value", "each without for_each"),
    (
        "modules/zone/enclave.tf",
        "data.aws_region.current.region",
        "data.aws_region.current.identifier",
        "no attribute identifier",
    ),
    (
        "modules/policies/names.tf",
        "  label  = replace(",
        "  unused = 1\n  label  = replace(",
        "local unused is used nowhere",
    ),
    (
        "modules/ssh/role.tf",
        "  name                 = local.name\n",
        "  name = aws_iam_role.ssh.arn\n",
        "wait for each other",
    ),
]


@pytest.mark.parametrize(
    ("file", "there", "instead", "fault"), BROKEN, ids=[f"{file}: {fault}" for file, _, _, fault in BROKEN]
)
def test_a_broken_name_is_found(copy, file, there, instead, fault):
    text = (copy / file).read_text()
    assert there in text, "the copy cannot be broken where the test wants to"
    (copy / file).write_text(text.replace(there, instead, 1))
    found = names.faults(Configuration.read_tree(copy))
    assert any(fault in sentence for sentence in found), found
