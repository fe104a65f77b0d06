"""What a zone stands on, made through the emulator's own API, and shared helpers for the tests."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.serialize import create_serializer

USER_DATA = base64.b64encode(b"#!/bin/sh\necho host\n").decode()


class Foundation:
    def __init__(self, client: Callable[..., Any]) -> None:
        self.ec2, self.elb, self.iam, self.kms = (client(name) for name in ("ec2", "elbv2", "iam", "kms"))
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
        self.vpc = vpc["VpcId"]
        block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        prefix = block.split("::")[0]
        self.zones = [zone["ZoneName"] for zone in self.ec2.describe_availability_zones()["AvailabilityZones"]][:2]
        self.cidrs = [f"{prefix[:-2]}{index:02x}::/64" for index in (1, 2)]
        self.subnets = [
            self.ec2.create_subnet(
                VpcId=self.vpc, AvailabilityZone=zone, CidrBlock=f"10.0.{16 * index}.0/20", Ipv6CidrBlock=cidr
            )["Subnet"]["SubnetId"]
            for index, (zone, cidr) in enumerate(zip(self.zones, self.cidrs, strict=True))
        ]
        self.gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.host_group = self.group("hosts")
        self.balancer_group = self.group("balancers")
        self.key = self.kms.create_key(Description="volumes")["KeyMetadata"]["Arn"]
        self.iam.create_role(RoleName="host", AssumeRolePolicyDocument=json.dumps({"Statement": []}))
        profile = self.iam.create_instance_profile(InstanceProfileName="host")["InstanceProfile"]
        self.iam.add_role_to_instance_profile(InstanceProfileName="host", RoleName="host")
        self.profile = profile["Arn"]
        self.image = self.ec2.register_image(
            Name="host-image",
            Architecture="arm64",
            RootDeviceName="/dev/xvda",
            VirtualizationType="hvm",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3"}}],
        )["ImageId"]
        self.template = self.ec2.create_launch_template(
            LaunchTemplateName="hosts", LaunchTemplateData=self.template_data()
        )["LaunchTemplate"]["LaunchTemplateId"]

    def group(self, name: str) -> str:
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]

    def template_data(self, **changes: Any) -> dict[str, Any]:
        return {
            "InstanceType": "m7g.large",
            "UserData": USER_DATA,
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "HttpProtocolIpv6": "enabled"},
            "NetworkInterfaces": [
                {
                    "DeviceIndex": 0,
                    "SubnetId": self.subnets[0],
                    "Groups": [self.host_group],
                    "Ipv6AddressCount": 1,
                    "PrimaryIpv6": True,
                    "AssociatePublicIpAddress": False,
                    "DeleteOnTermination": True,
                }
            ],
            "IamInstanceProfile": {"Arn": self.profile},
            "BlockDeviceMappings": [
                {
                    "DeviceName": "/dev/xvda",
                    "Ebs": {
                        "Encrypted": True,
                        "KmsKeyId": self.key,
                        "VolumeType": "gp3",
                        "VolumeSize": 20,
                        "DeleteOnTermination": True,
                    },
                }
            ],
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": [{"Key": "zone", "Value": "z1"}, {"Key": "who", "Value": "t"}]},
                {"ResourceType": "volume", "Tags": [{"Key": "zone", "Value": "z1"}]},
            ],
            **changes,
        }

    def run(self, count: int = 1, **parameters: Any) -> dict[str, Any]:
        template = {"LaunchTemplateId": self.template, "Version": "1"}
        return self.ec2.run_instances(
            **{"LaunchTemplate": template, "ImageId": self.image, "MinCount": 1, "MaxCount": count, **parameters}
        )

    def ids(self, count: int = 1, **parameters: Any) -> list[str]:
        return [instance["InstanceId"] for instance in self.run(count, **parameters)["Instances"]]

    def running(self, count: int = 1, **parameters: Any) -> list[str]:
        ids = self.ids(count, **parameters)
        assert self.look_until(ids, "running") == "running"
        return ids

    def volumes_of(self, instance: str) -> list[dict[str, Any]]:
        filters = [{"Name": "attachment.instance-id", "Values": [instance]}]
        return self.ec2.describe_volumes(Filters=filters)["Volumes"]

    def instances(self, **parameters: Any) -> list[dict[str, Any]]:
        reservations = self.ec2.describe_instances(**parameters)["Reservations"]
        return [instance for reservation in reservations for instance in reservation["Instances"]]

    def state(self, instance: str) -> str:
        return self.instances(InstanceIds=[instance])[0]["State"]["Name"]

    def look_until(self, ids: list[str], state: str) -> str:
        """Describe until all are in a state; the emulator's time passes with looks, so ten must do."""
        states: set[str] = set()
        for _ in range(10):
            states = {instance["State"]["Name"] for instance in self.instances(InstanceIds=ids)}
            if states == {state}:
                return state
        return str(states)


def unchecked(client: Any) -> Any:
    """The client, made to send what botocore itself would refuse."""
    client._serializer = create_serializer(client.meta.service_model.protocol, include_validation=False)
    return client


def refused(code: str, call: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
    """The call is refused with this code; the answer is returned."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    assert answer["Error"]["Code"] == code, answer
    return answer
