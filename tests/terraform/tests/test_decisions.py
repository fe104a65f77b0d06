"""IAM's decisions in tests/iam/decisions.csv, by iam-simulate: role, boundary, resource policy, conditions."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

IAM = Path(__file__).resolve().parents[2] / "iam"
ACCOUNT, OPERATOR, STRANGER = "111122223333", "999988887777", "444455556666"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
# Keys that hold several values, of which one may be given alone.
SEVERAL = {
    "aws:TagKeys",
    "elasticloadbalancing:ListenerProtocol",
    "elasticloadbalancing:SecurityGroup",
    "elasticloadbalancing:Subnet",
}
PREFIXES = {
    "ec2:": f"arn:aws:ec2:us-east-1:{ACCOUNT}:",
    "elb:": f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:",
    "iam:": f"arn:aws:iam::{ACCOUNT}:",
    "image:": "arn:aws:ec2:us-east-1::image/",
    "key:": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/",
    "sqs:": f"arn:aws:sqs:us-east-1:{ACCOUNT}:",
}


def arn(short):
    """The ARN of a short name in the table."""
    if short.startswith("s3:"):
        bucket, _, key = short[3:].partition("/")
        return f"arn:aws:s3:::dev-aws-us-east-1-{bucket}-0123456789ab" + (f"/{key}" if key else "")
    for prefix, long in PREFIXES.items():
        if short.startswith(prefix):
            return long + short.removeprefix(prefix)
    raise ValueError(short)


def zone_role(what):
    return f"arn:aws:iam::{ACCOUNT}:role/enclave/dev-aws-us-east-1-{what}-0123456789ab"


def principal(who, rendered):
    """ARN, policies, and whether it stands under the boundary."""
    own = [{"name": name, "policy": p} for name, p in rendered.items() if name.split("/")[0] == "roles"]
    everything = [{"name": "everything", "policy": EVERYTHING}]
    others = {
        # What the operator allows its own roles is the operator's; here it allows everything.
        "operator": (f"arn:aws:iam::{OPERATOR}:role/configuration-servers", everything, False),
        "ssh": (f"arn:aws:iam::{OPERATOR}:role/people", everything, False),
        "stranger": (f"arn:aws:iam::{STRANGER}:role/stranger", everything, False),
        # Who may do everything in the tenant's account.
        "owner": (f"arn:aws:iam::{ACCOUNT}:role/owner", everything, False),
        # A role of the zone whose policies came to allow everything: only the boundary holds it.
        "hijacked": (zone_role("provision"), everything, True),
        "admin": (
            f"arn:aws:iam::{ACCOUNT}:role/enclave/enclave-admin",
            [p for p in own if p["name"] == "roles/admin"],
            False,
        ),
        "ssh-session": (zone_role("ssh"), [{"name": "ssh/role", "policy": rendered["ssh/role"]}], False),
    }
    if who in others:
        return others[who]
    mine = [p for p in own if p["name"] == f"roles/{who}" or p["name"].startswith(f"roles/{who}-")]
    assert mine, f"nobody is called {who}"
    return zone_role(who), mine, True


def resource_policy(resource, rendered):
    if resource.startswith("arn:aws:s3:::"):
        return rendered["buckets/" + resource.split("dev-aws-us-east-1-")[1].split("-")[0]]
    if ":sqs:" in resource:
        name = next(n for n, q in rendered["documents/names"]["queues"].items() if resource.endswith(":" + q))
        return rendered[f"queues/{name}"]
    if ":kms:" in resource:
        return rendered["keys/" + resource.split("key/")[1]]
    if ":role/enclave/dev-aws-us-east-1-ssh-" in resource:
        return rendered["ssh/trust"]
    return None


def context(row, caller):
    given = dict(part.strip().split("=", 1) for part in row["context"].split(";") if part.strip())
    values = {
        "aws:PrincipalArn": caller,
        "aws:RequestedRegion": "us-east-1",
        "aws:ResourceAccount": ACCOUNT,
        "aws:SecureTransport": "true",
    }
    for name, value in given.items():
        short = name in ("ec2:LaunchTemplate", "ec2:InstanceProfile") or value.startswith("key:")
        values[name] = arn(value) if short else value.split("|") if name in SEVERAL else value
    return values


def simulation(row, rendered):
    caller, policies, bounded = principal(row["who"], rendered)
    resource = arn(row["resource"])
    out = {
        "request": {
            "principal": caller,
            "action": row["action"],
            "resource": {"resource": resource, "accountId": ACCOUNT},
            "contextVariables": context(row, caller),
        },
        "identityPolicies": policies,
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
    }
    if bounded:
        out["permissionBoundaryPolicies"] = [{"name": "boundary", "policy": rendered["account/boundary"]}]
    policy = resource_policy(resource, rendered)
    return out | ({"resourcePolicy": policy} if policy else {})


@pytest.fixture(scope="session")
def simulator():
    if not shutil.which("npm"):
        pytest.skip("npm is not on the path")
    lock = (IAM / "package-lock.json").read_bytes()
    target = Path(os.environ.get("CARGO_TARGET_DIR") or IAM.parents[1] / "target").resolve()
    folder = target / f"iam-simulate-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (folder / ".complete").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(IAM / name, folder)
        subprocess.run(["npm", "ci", "--silent", "--no-fund", "--no-audit", "--ignore-scripts"], cwd=folder, check=True)
        (folder / ".complete").touch()

    def run(simulations):
        done = subprocess.run(
            ["node", IAM / "simulate.mjs", folder],
            input=json.dumps(simulations),
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    return run


def table():
    with (IAM / "decisions.csv").open() as file:
        return list(csv.DictReader(file))


def test_each_decision_is_as_the_table_says(simulator, rendered):
    rows = table()
    results = simulator([simulation(row, rendered) for row in rows])
    wrong = [
        (row["who"], row["action"], row["why"], "expected " + row["expected"], result)
        for row, result in zip(rows, results, strict=True)
        if (result["result"] == "Allowed") != (row["expected"] == "allow") or result["result"] == "error"
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_no_condition_of_the_table_is_ignored(simulator, rendered):
    """A key that AWS does not know for an action would make its row prove nothing."""
    rows = table()
    results = simulator([simulation(row, rendered) for row in rows])
    always = {"aws:PrincipalArn", "aws:RequestedRegion", "aws:ResourceAccount", "aws:SecureTransport"}
    ignored = [
        (row["action"], row["why"], sorted(set(result.get("ignored", [])) - always))
        for row, result in zip(rows, results, strict=True)
        if set(result.get("ignored", [])) - always
    ]
    assert ignored == []


def test_each_dimension_has_both_answers():
    rows = table()
    for who in {row["who"] for row in rows} - {"stranger", "owner"}:
        answers = {row["expected"] for row in rows if row["who"] == who}
        assert answers == {"allow", "deny"}, who
    assert {row["expected"] for row in rows} == {"allow", "deny"}
