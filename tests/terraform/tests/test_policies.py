"""Each policy is what IAM takes, says what exists, and asks for no more than it must."""

import json
import re
import warnings

import pytest
import rendering
import terraform

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import parliament

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html and each service's own.
LIMITS = {
    "roles": 6144,
    "account": 6144,
    "ssh": 6144,
    "keys": 32768,
    "buckets": 20480,
    "queues": 65536,
    "endpoints": 20480,
    "trust": 2048,
}

# What parliament's data miss, by the words of its finding, with the page that has it.
MISSED = {
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_policies.html
    "Unknown action sts:GetWebIdentityToken",
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
    "Unknown condition elasticloadbalancing:CreateAction for action elasticloadbalancing:AddTags",
    "Unknown condition elasticloadbalancing:ListenerProtocol for action elasticloadbalancing:CreateListener",
    "Unknown condition elasticloadbalancing:Scheme for action elasticloadbalancing:CreateLoadBalancer",
    "Unknown condition elasticloadbalancing:SecurityGroup for action elasticloadbalancing:CreateLoadBalancer",
    "Unknown condition elasticloadbalancing:SecurityGroup for action elasticloadbalancing:SetSecurityGroups",
    "Unknown condition elasticloadbalancing:Subnet for action elasticloadbalancing:CreateLoadBalancer",
    # https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-sessiondocumentaccesscheck.html
    "Unknown condition ssm:SessionDocumentAccessCheck for action ssm:StartSession",
    # All of s3:* is denied without TLS 1.2; these two among it are not asked for a version.
    "Unknown condition s3:TlsVersion for action s3:InitiateReplication",
    "Unknown condition s3:TlsVersion for action s3:PutAccessPointPublicAccessBlock",
    # As CloudWatch Logs asks for it: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    "Unknown condition kms:EncryptionContext:aws:logs:arn for action kms:DescribeKey",
    # A number in a string: https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
    "Type mismatch: s3:TlsVersion requires a value of type Numeric but given ['1.2']",
    "Type mismatch: ArnLike requires a value of type Arn but given String",
}
# It knows listeners for this one by the page above.
RESOURCES_MISSED = {"elasticloadbalancing:ModifyListenerAttributes"}
# RESOURCE_STAR is judged by ANY_RESOURCE below. RESOURCE_MISMATCH asks that one statement names every type of resource
# an action touches, where several statements together do; `test_every_resource_fits_its_action` looks instead.
JUDGED_HERE = {"RESOURCE_STAR", "RESOURCE_MISMATCH"}


def policies(rendered):
    return {name: value for name, value in rendered.items() if name.split("/")[0] in LIMITS}


def statements(policy):
    return policy["Statement"]


def listed(value):
    return value if isinstance(value, list) else [value]


def test_what_is_kept_is_what_terraform_renders(rendered):
    """Without Terraform the sources' hash must do."""
    program = terraform.find()
    if program:
        assert rendering.render(program) == rendered, "run: python3 tests/terraform/run --render"
    kept = (rendering.RENDERED / "sources.sha256").read_text().strip()
    assert kept == rendering.sources_sha256(), "run: python3 tests/terraform/run --render"


def test_every_policy_fits(rendered):
    for name, policy in policies(rendered).items():
        assert len(json.dumps(policy, separators=(",", ":"))) <= LIMITS[name.split("/")[0]], name


def test_every_statement_has_a_name_of_its_own(rendered):
    for name, policy in policies(rendered).items():
        assert policy["Version"] == "2012-10-17", name
        names = [statement["Sid"] for statement in statements(policy)]
        assert len(set(names)) == len(names) and all(sid.isalnum() for sid in names), (name, names)


def test_every_action_resource_and_condition_exists(rendered):
    found = []
    for name, policy in policies(rendered).items():
        if name.startswith("trust/") or name in ("account/admin-trust", "ssh/trust"):
            continue  # parliament knows no trust policies.
        for finding in parliament.analyze_policy_string(json.dumps(policy)).findings:
            if finding.issue not in JUDGED_HERE and str(finding.detail) not in MISSED:
                found.append((name, finding.issue, str(finding.detail)))
    assert found == []


def formats(action):
    """ARN formats of the resources that an action knows; none where it knows no resources."""
    service, name = action.split(":")
    definition = next(service_ for service_ in parliament.iam_definition if service_["prefix"] == service)
    kinds = {kind["resource"]: re.sub(r"\$\{.*?\}", "*", kind["arn"]) for kind in definition["resources"]}
    privilege = next(
        (known for known in definition["privileges"] if known["privilege"] == name), {"resource_types": []}
    )
    touched = [kind["resource_type"].rstrip("*") for kind in privilege["resource_types"]]
    return [(kind, kinds[kind]) for kind in touched if kind]


def test_every_resource_fits_its_action(rendered):
    for name, policy in policies(rendered).items():
        if not name.startswith("roles/") and name not in ("ssh/role", "ssh/host"):
            continue
        for statement in statements(policy):
            known = {action: formats(action) for action in listed(statement["Action"])}
            resources = [resource for resource in listed(statement["Resource"]) if resource != "*"]
            for action, kinds in known.items():
                fits = [r for r in resources if any(parliament.is_arn_match(kind, arn, r) for kind, arn in kinds)]
                assert fits or not resources or action in RESOURCES_MISSED, (name, statement["Sid"], action, resources)
            for resource in resources:
                fits = [
                    a
                    for a, kinds in known.items()
                    if any(parliament.is_arn_match(kind, arn, resource) for kind, arn in kinds)
                ]
                assert fits, (name, statement["Sid"], resource)


@pytest.mark.parametrize("broken", ["ec2:RunInstance", "s3:PutObjects", "kms:GenerateKey"])
def test_an_action_that_does_not_exist_is_found(broken):
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": broken, "Resource": "*"}]}
    assert [finding.issue for finding in parliament.analyze_policy_string(json.dumps(policy)).findings] == [
        "UNKNOWN_ACTION"
    ]


def test_no_role_is_allowed_a_pattern_of_actions(rendered):
    for name, policy in policies(rendered).items():
        if name == "account/boundary":
            continue  # A bound may be wider than what stands under it.
        for statement in statements(policy):
            if statement["Effect"] == "Allow":
                assert "NotAction" not in statement and "NotResource" not in statement, (name, statement["Sid"])
                assert not any("*" in action for action in listed(statement["Action"])), (name, statement["Sid"])


# Actions that know no resources, or statements whose condition names whose the resource is.
ANY_RESOURCE = {
    "roles/provision-hosts": {"LookAtHosts"},
    "roles/provision-balancers": {"LookAtBalancers"},
    "roles/provision-services": {"LookAtEndpointServices"},
    "roles/detect-drift": {"LookAtTheNetworkAndTheHosts"},
    "roles/host": {"SayWhoTheHostIs"},
    "ssh/host": {"AnswerSessions", "FindTheLogGroup"},
}


def test_every_role_names_its_resources(rendered):
    for name, policy in policies(rendered).items():
        if name.split("/")[0] not in ("roles", "ssh") or name == "ssh/trust" or name == "ssh/key":
            continue
        any_resource = {s["Sid"] for s in statements(policy) if "*" in listed(s["Resource"]) and s["Effect"] == "Allow"}
        assert any_resource == ANY_RESOURCE.get(name, set()), name


def test_what_reads_without_naming_resources_only_reads(rendered):
    for name, sids in ANY_RESOURCE.items():
        for statement in statements(rendered[name]):
            if statement["Sid"] in sids and statement["Sid"] not in ("SayWhoTheHostIs", "AnswerSessions"):
                verbs = {action.split(":")[1].rstrip("*") for action in listed(statement["Action"])}
                assert all(verb.startswith(("Describe", "Get", "List")) for verb in verbs), (name, verbs)


def test_everything_allowed_is_within_the_boundary(rendered):
    """By name of the action; conditions are for tests/iam/decisions.csv."""
    from fnmatch import fnmatchcase

    bound = [a for s in statements(rendered["account/boundary"]) if s["Effect"] == "Allow" for a in listed(s["Action"])]
    for name, policy in rendered.items():
        if not name.startswith("roles/") and name != "ssh/host" or name == "roles/admin":
            continue
        for action in (a for s in statements(policy) for a in listed(s["Action"])):
            assert any(fnmatchcase(action, pattern) for pattern in bound), (name, action)


def test_the_boundary_bounds_nothing_that_nobody_is_allowed(rendered):
    from fnmatch import fnmatchcase

    given = [
        action
        for name, policy in rendered.items()
        if name.startswith("roles/") and name != "roles/admin" or name == "ssh/host"
        for statement in statements(policy)
        for action in listed(statement["Action"])
    ]
    for statement in statements(rendered["account/boundary"]):
        for pattern in listed(statement["Action"]):
            assert statement["Effect"] == "Deny" or any(fnmatchcase(action, pattern) for action in given), pattern
