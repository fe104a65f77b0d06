"""Prints what boto3 sees of an enclave's account, as one JSON object. Argument: the ready file."""

import json
import sys

import boto3

ready = json.load(open(sys.argv[1], encoding="utf-8"))
session = boto3.Session("test", "test", region_name=ready["region"])
ec2 = session.client("ec2", endpoint_url=ready["endpoint_url"])
elbv2 = session.client("elbv2", endpoint_url=ready["endpoint_url"])

hosts = {}
for page in ec2.get_paginator("describe_instances").paginate():
    for instance in (i for r in page["Reservations"] for i in r["Instances"]):
        if instance["State"]["Name"] in ("shutting-down", "terminated"):
            continue
        addresses = [a for n in instance["NetworkInterfaces"] for a in n["Ipv6Addresses"]]
        volumes = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}])
        hosts[instance["InstanceId"]] = {
            "public_ipv4": instance.get("PublicIpAddress"),
            "primary_ipv6": [a["Ipv6Address"] for a in addresses if a["IsPrimaryIpv6"]],
            "imds_tokens": instance["MetadataOptions"]["HttpTokens"],
            "volume_keys": [v["KmsKeyId"] if v["Encrypted"] else None for v in volumes["Volumes"]],
        }
balancers = [b["DNSName"] for b in elbv2.describe_load_balancers()["LoadBalancers"]]
print(json.dumps({"hosts": hosts, "balancers": balancers}))
