"""Who may do what, read from the rendered policies: the operator, hosts, functions, and what nobody may."""

OPERATOR = "999988887777"


def listed(value):
    return value if isinstance(value, list) else [value]


def names_operator(statement):
    principal = statement.get("Principal", {})
    return isinstance(principal, dict) and any(OPERATOR in arn for arn in listed(principal.get("AWS", [])))


def allowed(policy):
    return sorted({a for s in policy["Statement"] if s["Effect"] == "Allow" for a in listed(s["Action"])})


def statement(policy, sid):
    return next(s for s in policy["Statement"] if s["Sid"] == sid)


def test_the_operator_is_granted_exactly_this(rendered):
    grants = {
        (name, action)
        for name, policy in rendered.items()
        if isinstance(policy, dict) and "Statement" in policy and not name.startswith("ssh/")
        for s in policy["Statement"]
        if s["Effect"] == "Allow" and names_operator(s)
        for action in listed(s["Action"])
    }
    assert grants == {
        ("queues/requests", "sqs:SendMessage"),
        ("queues/results", "sqs:ReceiveMessage"),
        ("queues/results", "sqs:DeleteMessage"),
        ("keys/requests", "kms:GenerateDataKey"),
        ("keys/requests", "kms:Decrypt"),
        ("keys/results", "kms:Decrypt"),
    }


def test_the_operator_uses_keys_through_its_queues_only(rendered):
    for key in ("keys/requests", "keys/results"):
        for s in rendered[key]["Statement"]:
            if names_operator(s):
                assert s["Condition"] == {"StringEquals": {"kms:ViaService": "sqs.us-east-1.amazonaws.com"}}


def test_nothing_is_allowed_to_everybody(rendered):
    for name, policy in rendered.items():
        if not isinstance(policy, dict) or "Statement" not in policy or name.startswith("endpoints/"):
            continue
        for s in policy["Statement"]:
            if s["Effect"] == "Allow" and "Principal" in s:
                assert s["Principal"] != "*" and "*" not in listed(s["Principal"].get("AWS", [])), (name, s["Sid"])


def test_endpoints_let_only_hosts_pass(rendered):
    for name, policy in rendered.items():
        if name.startswith("endpoints/"):
            for s in policy["Statement"]:
                assert "-host-" in s["Condition"]["ArnEquals"]["aws:PrincipalArn"], name


def test_a_host_puts_logs_below_its_own_folder_and_reads_nothing(rendered):
    host = rendered["roles/host"]
    assert allowed(host) == ["kms:GenerateDataKey", "s3:PutObject", "sts:GetWebIdentityToken"]
    ship = statement(host, "ShipOwnLogs")
    assert ship["Resource"] == "arn:aws:s3:::dev-aws-us-east-1-archive-0123456789ab/acme/*/*/${aws:userid}/logs/*"
    assert ship["Condition"] == {"StringEquals": {"aws:ResourceAccount": "111122223333"}}
    assert statement(rendered["buckets/archive"], "HostsOnlyWrite")["NotAction"] == "s3:PutObject"
    assert statement(rendered["buckets/archive"], "HostsWriteOnlyTheirOwn")["NotResource"] == ship["Resource"]


def test_a_launch_is_bound_to_template_image_encryption_and_tags(rendered):
    launch = rendered["roles/provision-launch"]
    templates = statement(launch, "LaunchFromTemplates")["Resource"]
    assert all(":launch-template/lt-" in arn for arn in templates)
    instance = statement(launch, "LaunchTaggedHosts")["Condition"]
    assert instance["ArnEquals"]["ec2:LaunchTemplate"] == templates
    assert "aws:RequestTag/enclave:id" in instance["StringEquals"]
    assert all(
        arn.startswith("arn:aws:ec2:us-east-1::image/ami-")
        for arn in statement(launch, "LaunchListedImages")["Resource"]
    )
    assert statement(launch, "LaunchWithEncryptedVolumes")["Condition"]["Bool"]["ec2:Encrypted"] == "true"
    # Only image and instance may differ from the template.
    free = [
        s["Sid"]
        for s in launch["Statement"]
        if s["Action"] == "ec2:RunInstances"
        and "ec2:IsLaunchTemplateResource" not in s.get("Condition", {}).get("Bool", {})
    ]
    assert free == ["LaunchFromTemplates", "LaunchListedImages", "LaunchTaggedHosts"]
    # No statement for key pairs: a launch that names one is not allowed.
    assert "key-pair" not in str(launch)


def test_tags_are_set_at_creation_only(rendered):
    for name, policy in rendered.items():
        if not name.startswith(("roles/", "account/boundary")):
            continue
        for s in policy["Statement"]:
            for action in listed(s.get("Action", [])):
                if action == "ec2:CreateTags":
                    assert "ec2:CreateAction" in s["Condition"]["StringEquals"], (name, s["Sid"])
                if action == "elasticloadbalancing:AddTags":
                    assert "elasticloadbalancing:CreateAction" in s["Condition"]["StringEquals"], (name, s["Sid"])


OURS = {"aws:ResourceTag/enclave:id": "enclave-0123456789ab"}


def test_only_what_carries_this_enclaves_tag_is_changed_or_removed(rendered):
    assert statement(rendered["roles/provision-hosts"], "ChangeOwnHosts")["Condition"] == {"StringEquals": OURS}
    assert statement(rendered["roles/provision-services"], "ChangeOwnEndpointServices")["Condition"] == {
        "StringEquals": OURS
    }
    change = statement(rendered["roles/provision-balancers"], "ChangeOwnBalancers")
    assert change["Condition"] == {"StringEquals": OURS}
    assert all("/enc-8bb0f8-" in arn for arn in change["Resource"])


def test_the_host_role_is_passed_to_instances_only_and_no_other_role_at_all(rendered):
    passed = [
        (name, s["Resource"], s["Condition"])
        for name, policy in rendered.items()
        if name.startswith("roles/")
        for s in policy["Statement"]
        if "iam:PassRole" in listed(s["Action"])
    ]
    host = "arn:aws:iam::111122223333:role/enclave/dev-aws-us-east-1-host-0123456789ab"
    assert passed == [("roles/provision-launch", host, {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})]


def test_grants_of_keys_are_for_aws_resources_only(rendered):
    for name, policy in rendered.items():
        if not isinstance(policy, dict) or "Statement" not in policy:
            continue
        for s in policy["Statement"]:
            if s["Effect"] == "Allow" and "kms:CreateGrant" in listed(s.get("Action", [])):
                assert s["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}, (name, s["Sid"])


def test_the_account_administers_keys_but_does_not_use_them(rendered):
    using = {
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:Sign",
        "kms:CreateGrant",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    }
    for name, policy in rendered.items():
        if name.startswith("keys/") or name == "ssh/key":
            administration = statement(policy, "AdministeredByTheAccount")
            assert not using & set(administration["Action"]) and not any(
                "*" in action for action in administration["Action"]
            ), name
            others = [s for s in policy["Statement"] if s["Sid"] != "AdministeredByTheAccount"]
            assert others and not any(":root" in str(s["Principal"]) for s in others), name


def test_buckets_refuse_plain_connections_and_other_keys(rendered):
    for bucket, key in {"tenant": "state", "state": "state", "audit": "audit", "archive": "archive"}.items():
        policy = rendered[f"buckets/{bucket}"]
        assert all(s["Effect"] == "Deny" for s in policy["Statement"]), "a bucket policy gives nobody anything"
        assert statement(policy, "OnlyByTls")["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        other = statement(policy, "OnlyUnderTheTenantsKey")["Condition"]["ArnNotEquals"]
        assert other == {
            "s3:x-amz-server-side-encryption-aws-kms-key-id": f"arn:aws:kms:us-east-1:111122223333:key/{key}"
        }


def test_each_bucket_has_its_writers(rendered):
    def writers(bucket):
        return {
            s["Resource"].split("0123456789ab/")[1]: [
                arn.split("/")[-1] for arn in listed(s["Condition"]["ArnNotEquals"]["aws:PrincipalArn"])
            ]
            for s in rendered[f"buckets/{bucket}"]["Statement"]
            if s["Sid"].startswith("WrittenOnlyBy")
        }

    def role(what):
        return f"dev-aws-us-east-1-{what}-0123456789ab"

    assert writers("tenant") == {"*": ["enclave-admin", "terraform"]}
    assert writers("state") == {"state/*": [role("provision")], "drift/*": [role("detect-drift")]}
    assert writers("audit") == {"*": [role("provision")]}
    assert writers("archive") == {"acme/*": [role("host"), role("compact-logs")], "compact/*": [role("compact-logs")]}


def test_the_audit_bucket_only_grows(rendered):
    audit = rendered["buckets/audit"]
    assert statement(audit, "NothingIsRemoved")["Principal"] == "*"
    assert {"s3:DeleteObject", "s3:DeleteObjectVersion"} <= set(statement(audit, "NothingIsRemoved")["Action"])
    assert statement(audit, "NothingIsOverwritten")["Condition"] == {"Null": {"s3:if-none-match": "true"}}
    assert statement(audit, "RetentionIsTheBuckets")["Condition"] == {
        "Null": {"s3:object-lock-retain-until-date": "false"}
    }


def test_drift_only_reads_but_for_its_report(rendered):
    drift = rendered["roles/detect-drift"]
    writing = [a for a in allowed(drift) if not a.split(":")[1].startswith(("Describe", "Get", "List"))]
    assert writing == [
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:PutObject",
    ]
    assert statement(drift, "WriteTheReport")["Resource"].endswith("/drift/v1/*")
    assert "archive" not in str(statement(drift, "ReadRulesAndLedger"))


def test_services_are_named_with_their_source(rendered):
    """A service that acts for somebody else's resource is a confused deputy."""
    for name in ("queues/requests", "queues/notifications"):
        for s in rendered[name]["Statement"]:
            if s["Effect"] == "Allow" and "Service" in s["Principal"]:
                assert s["Condition"]["StringEquals"] == {"aws:SourceAccount": "111122223333"}
                assert "aws:SourceArn" in str(s["Condition"]), name


def test_sessions_end_and_are_logged(rendered):
    end = "2027-03-01T12:00:00Z"
    assert statement(rendered["ssh/trust"], "TakenOnByTheOperatorInTime")["Condition"]["DateLessThan"] == {
        "aws:CurrentTime": end
    }
    for s in rendered["ssh/role"]["Statement"]:
        assert s["Condition"]["DateLessThan"] == {"aws:CurrentTime": end}, s["Sid"]
    start = statement(rendered["ssh/role"], "OpenSessionsOnHostsOfThisZone")["Condition"]
    assert start["StringEquals"] == {"ssm:resourceTag/enclave:id": "enclave-0123456789ab"}
    assert start["BoolIfExists"] == {"ssm:SessionDocumentAccessCheck": "true"}
    assert "ssm" not in str(rendered["roles/host"]), "without modules/ssh a host answers no session"
