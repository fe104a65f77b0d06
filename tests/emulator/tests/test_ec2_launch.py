"""RunInstances: the template, the volumes, the network, the client token."""

import ipaddress
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from foundation import USER_DATA, Foundation, refused


def test_a_launch_takes_everything_from_the_template(zone: Foundation) -> None:
    launched = zone.run()["Instances"][0]
    [instance] = zone.instances(InstanceIds=[launched["InstanceId"]])
    assert instance["InstanceType"] == "m7g.large"
    assert instance["ImageId"] == zone.image
    assert instance["SubnetId"] == zone.subnets[0]
    assert instance["VpcId"] == zone.vpc
    assert instance["Placement"]["AvailabilityZone"] == zone.zones[0]
    assert [group["GroupId"] for group in instance["SecurityGroups"]] == [zone.host_group]
    assert instance["IamInstanceProfile"]["Arn"] == zone.profile
    options = instance["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 2)
    assert (options["HttpProtocolIpv6"], options["State"]) == ("enabled", "applied")


def test_a_host_has_a_primary_ipv6_of_its_subnet_and_no_public_ipv4(zone: Foundation) -> None:
    [instance] = zone.run()["Instances"]
    [interface] = instance["NetworkInterfaces"]
    [address] = interface["Ipv6Addresses"]
    assert address["IsPrimaryIpv6"] is True
    assert instance["Ipv6Address"] == address["Ipv6Address"]
    assert ipaddress.ip_address(address["Ipv6Address"]) in ipaddress.ip_network(zone.cidrs[0])
    assert [group["GroupId"] for group in interface["Groups"]] == [zone.host_group]
    assert not instance.get("PublicIpAddress")
    assert "Association" not in interface
    assert interface["Attachment"]["DeleteOnTermination"] is True


def test_all_of_max_count_is_launched_each_with_its_own_addresses_and_profile(zone: Foundation) -> None:
    ids = zone.ids(5)
    instances = zone.instances(InstanceIds=ids)
    assert len(instances) == 5
    assert len({instance["Ipv6Address"] for instance in instances}) == 5
    assert len({instance["PrivateIpAddress"] for instance in instances}) == 5
    assert {instance["IamInstanceProfile"]["Arn"] for instance in instances} == {zone.profile}
    assert sorted(instance["AmiLaunchIndex"] for instance in instances) == [0, 1, 2, 3, 4]


def test_the_templates_root_volume_takes_the_place_of_the_images(zone: Foundation) -> None:
    [instance] = zone.run()["Instances"]
    assert instance["RootDeviceName"] == "/dev/xvda"
    assert [device["DeviceName"] for device in instance["BlockDeviceMappings"]] == ["/dev/xvda"]
    [volume] = zone.volumes_of(instance["InstanceId"])
    assert volume["Encrypted"] is True
    assert volume["KmsKeyId"] == zone.key
    assert (volume["VolumeType"], volume["Size"]) == ("gp3", 20)
    assert volume["Attachments"][0]["DeleteOnTermination"] is True


@pytest.mark.parametrize("form", ["id", "arn", "alias", "alias-arn"])
def test_a_volume_shows_its_keys_arn_however_the_key_was_named(zone: Foundation, form: str) -> None:
    zone.kms.create_alias(AliasName="alias/volumes", TargetKeyId=zone.key)
    name = {
        "id": zone.key.split("/")[1],
        "arn": zone.key,
        "alias": "alias/volumes",
        "alias-arn": zone.key.split(":key/")[0] + ":alias/volumes",
    }[form]
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": name, "VolumeSize": 9}}
    [instance] = zone.ids(1, BlockDeviceMappings=[mapping])
    [volume] = zone.volumes_of(instance)
    assert volume["KmsKeyId"] == zone.key


def test_a_volume_beside_the_root_is_made_too(zone: Foundation) -> None:
    data = {"DeviceName": "/dev/sdb", "Ebs": {"Encrypted": True, "KmsKeyId": zone.key, "VolumeSize": 50}}
    [instance] = zone.run(1, BlockDeviceMappings=[data])["Instances"]
    volumes = zone.volumes_of(instance["InstanceId"])
    assert sorted(volume["Size"] for volume in volumes) == [20, 50]
    assert {volume["KmsKeyId"] for volume in volumes} == {zone.key}


def test_tags_of_template_and_request_are_joined(zone: Foundation) -> None:
    tags = [
        {"ResourceType": "instance", "Tags": [{"Key": "request", "Value": "r1"}, {"Key": "who", "Value": "me"}]},
        {"ResourceType": "volume", "Tags": [{"Key": "request", "Value": "r1"}]},
    ]
    [instance] = zone.run(1, TagSpecifications=tags)["Instances"]
    assert {tag["Key"]: tag["Value"] for tag in instance["Tags"]} == {
        "zone": "z1",
        "who": "me",
        "request": "r1",
        "aws:ec2launchtemplate:id": zone.template,
        "aws:ec2launchtemplate:version": "1",
    }
    [volume] = zone.ec2.describe_volumes(Filters=[{"Name": "tag:request", "Values": ["r1"]}])["Volumes"]
    assert {tag["Key"]: tag["Value"] for tag in volume["Tags"]} == {"zone": "z1", "request": "r1"}


@pytest.mark.parametrize(("version", "expected"), [("1", 20), ("2", 30), ("$Latest", 30), ("$Default", 20), (None, 20)])
def test_the_named_version_of_the_template_is_used(zone: Foundation, version: str | None, expected: int) -> None:
    data = zone.template_data()
    data["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] = 30
    zone.ec2.create_launch_template_version(LaunchTemplateId=zone.template, LaunchTemplateData=data)
    reference = {"LaunchTemplateName": "hosts", **({"Version": version} if version else {})}
    [instance] = zone.ids(1, LaunchTemplate=reference)
    [volume] = zone.volumes_of(instance)
    assert volume["Size"] == expected


def test_stored_template_versions_come_back_as_they_were_stored(zone: Foundation) -> None:
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "owner", "Value": "tenant"}]}]
    data = zone.template_data()
    made = zone.ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data, TagSpecifications=tags)
    template = made["LaunchTemplate"]["LaunchTemplateId"]
    assert made["LaunchTemplate"]["Tags"] == [{"Key": "owner", "Value": "tenant"}]
    [version] = zone.ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["1"])[
        "LaunchTemplateVersions"
    ]
    assert version["LaunchTemplateData"] == data
    assert version["DefaultVersion"] is True


def test_a_version_made_from_another_inherits_what_is_not_given(zone: Foundation) -> None:
    made = zone.ec2.create_launch_template_version(
        LaunchTemplateId=zone.template, SourceVersion="1", LaunchTemplateData={"InstanceType": "m7g.xlarge"}
    )["LaunchTemplateVersion"]
    assert made["VersionNumber"] == 2
    assert made["LaunchTemplateData"] == zone.template_data(InstanceType="m7g.xlarge")


def test_user_data_can_be_read_back(zone: Foundation) -> None:
    [instance] = zone.ids()
    answer = zone.ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")
    assert answer["UserData"]["Value"] == USER_DATA


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        ("InvalidParameterCombination", {"SubnetId": "SUBNET"}),
        ("InvalidParameterCombination", {"SecurityGroupIds": ["GROUP"]}),
        ("InvalidParameterCombination", {"MinCount": 3, "MaxCount": 2}),
        ("InvalidAMIID.NotFound", {"ImageId": "ami-0123456789abcdef0"}),
        ("InvalidAMIID.Malformed", {"ImageId": "image"}),
        ("InvalidParameterValue", {"InstanceType": "m99.colossal"}),
        ("InvalidParameterValue", {"ClientToken": "t" * 65}),
        ("InvalidParameterValue", {"UserData": "x" * 16_390}),
        ("InvalidParameterValue", {"IamInstanceProfile": {"Name": "nobody"}}),
        ("InvalidLaunchTemplateId.NotFound", {"LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0"}}),
        (
            "InvalidLaunchTemplateId.VersionNotFound",
            {"LaunchTemplate": {"LaunchTemplateName": "hosts", "Version": "9"}},
        ),
        (
            "InvalidLaunchTemplateId.VersionNotFound",
            {"LaunchTemplate": {"LaunchTemplateName": "hosts", "Version": "0"}},
        ),
        ("InvalidLaunchTemplateName.NotFoundException", {"LaunchTemplate": {"LaunchTemplateName": "none"}}),
    ],
)
def test_a_wrong_launch_is_refused_and_leaves_nothing(zone: Foundation, code: str, parameters: dict[str, Any]) -> None:
    filled = {
        key: zone.subnets[1] if value == "SUBNET" else [zone.host_group] if value == ["GROUP"] else value
        for key, value in parameters.items()
    }
    refused(code, zone.run, **filled)
    assert zone.instances() == []
    assert zone.ec2.describe_volumes()["Volumes"] == []
    assert zone.ec2.describe_network_interfaces()["NetworkInterfaces"] == []


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        ("InvalidAMIID.NotFound", {"ImageId": "ami-0123456789abcdef0"}),
        ("InvalidParameterValue", {"InstanceType": "m7g.gigantic"}),
        ("InvalidParameterCombination", {"SubnetId": "subnet-0123456789abcdef0"}),
        ("InvalidLaunchTemplateId.NotFound", {"LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0"}}),
        ("InvalidParameterValue", {"IamInstanceProfile": {"Name": "nobody"}}),
    ],
)
def test_a_dry_launch_fails_as_the_real_one_would(zone: Foundation, code: str, parameters: dict[str, Any]) -> None:
    refused(code, zone.run, DryRun=True, **parameters)
    refused(code, zone.run, **parameters)
    assert zone.instances() == []


def test_a_dry_run_says_so_and_launches_nothing(zone: Foundation) -> None:
    answer = refused("DryRunOperation", zone.run, DryRun=True)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert zone.instances() == []


def test_a_client_token_gives_the_same_launch_again(zone: Foundation) -> None:
    first, again = (zone.run(2, ClientToken="token-1") for _ in range(2))
    assert again["ReservationId"] == first["ReservationId"]
    assert [i["InstanceId"] for i in again["Instances"]] == [i["InstanceId"] for i in first["Instances"]]
    assert [instance["ClientToken"] for instance in zone.instances()] == ["token-1", "token-1"]


def test_a_client_token_gives_the_dead_instances_after_termination(zone: Foundation) -> None:
    [instance] = zone.ids(1, ClientToken="token-1")
    zone.ec2.terminate_instances(InstanceIds=[instance])
    assert zone.look_until([instance], "terminated") == "terminated"
    [again] = zone.run(1, ClientToken="token-1")["Instances"]
    assert (again["InstanceId"], again["State"]["Name"]) == (instance, "terminated")
    assert len(zone.instances()) == 1


def test_a_client_token_with_other_parameters_is_refused(zone: Foundation) -> None:
    zone.run(1, ClientToken="token-1")
    answer = refused("IdempotentParameterMismatch", zone.run, count=2, ClientToken="token-1")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert len(zone.instances()) == 1


def test_of_many_concurrent_launches_with_one_token_one_happens(zone: Foundation) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: zone.run(2, ClientToken="token-1")["ReservationId"], range(16)))
    assert list(Counter(answers).values()) == [16]
    assert len(zone.instances()) == 2


def test_an_image_keeps_its_root_device(zone: Foundation) -> None:
    [image] = zone.ec2.describe_images(ImageIds=[zone.image])["Images"]
    assert (image["RootDeviceName"], image["Architecture"]) == ("/dev/xvda", "arm64")
    assert image["BlockDeviceMappings"][0]["DeviceName"] == "/dev/xvda"
