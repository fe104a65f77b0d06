"""The provision function's role and its code, held against each other both ways."""

import re

CALL = re.compile(r'(?:AwsFailure::new\(|let call = |incomplete\(|\.call\(\s*)"([A-Z]\w+)"')
ELB = re.compile(r"LoadBalancer|TargetGroup|Listener|Targets|TargetHealth|DescribeTags|SetSecurityGroups")
OTHERS = {"GetObject": "s3", "PutObject": "s3", "SendMessage": "sqs", "Sign": "kms"}

# Allowed although no call in the function's source bears the name.
REASONS = {
    # Demanded by AWS beside the call that is made.
    "ec2:CreateTags": "tags in RunInstances and other creating calls",
    "elasticloadbalancing:AddTags": "tags in creating calls",
    "iam:PassRole": "RunInstances with an instance profile",
    "kms:CreateGrant": "RunInstances with encrypted volumes",
    "kms:Decrypt": "objects, messages and volumes under the tenant's keys",
    "kms:DescribeKey": "RunInstances with encrypted volumes",
    "kms:GenerateDataKey": "objects and messages under the tenant's keys",
    "kms:GenerateDataKeyWithoutPlaintext": "RunInstances with encrypted volumes",
    "kms:ReEncryptFrom": "volumes from encrypted snapshots",
    "kms:ReEncryptTo": "volumes from encrypted snapshots",
    "s3:ListBucket": "404 instead of 403 for an object that is not there; listing the ledger",
    "sqs:DeleteMessage": "the event source mapping",
    "sqs:GetQueueAttributes": "the event source mapping",
    "sqs:ReceiveMessage": "the event source mapping",
    "logs:CreateLogStream": "Lambda's log",
    "logs:PutLogEvents": "Lambda's log",
    # For what is being built: it leaves this list with the call's arrival.
    "kms:Sign": "signed replies",
}


def calls(repository):
    found = set()
    for folder in ("shared", "functions/provision"):
        for file in (repository / folder).rglob("*.rs"):
            if "tests" in file.parts:
                continue
            # What stands below #[cfg(test)] makes up failures.
            text = file.read_text().split("#[cfg(test)]")[0]
            for name in CALL.findall(text):
                service = OTHERS.get(name) or (
                    "elasticloadbalancing" if ELB.search(name) and "Vpc" not in name else "ec2"
                )
                found.add(f"{service}:{name}")
    return found


def allowed(rendered):
    found = set()
    for name, policy in rendered.items():
        if name.startswith("roles/provision-"):
            for statement in policy["Statement"]:
                action = statement["Action"]
                found |= set(action if isinstance(action, list) else [action])
    return found


def test_every_call_is_allowed(repository, rendered):
    made = calls(repository)
    assert {"ec2:RunInstances", "ec2:TerminateInstances", "elasticloadbalancing:CreateListener", "s3:PutObject"} <= made
    assert sorted(made - allowed(rendered)) == []


def test_everything_allowed_is_called_or_has_its_reason(repository, rendered):
    assert sorted(allowed(rendered) - calls(repository) - set(REASONS)) == []


def test_every_reason_is_for_something_allowed(rendered):
    assert sorted(set(REASONS) - allowed(rendered)) == []


def test_no_reason_is_for_what_is_called(repository):
    assert sorted(set(REASONS) & calls(repository)) == []
