"""Instances come to life and die step by step; describes page by instance; thousands are no burden."""

from typing import Any

import pytest

from foundation import Foundation, refused


def seen(zone: Foundation, instance: str, times: int = 4) -> list[str]:
    return [zone.state(instance) for _ in range(times)]


def test_an_instance_is_pending_for_two_looks_and_then_runs(zone: Foundation) -> None:
    launched = zone.run()["Instances"][0]
    assert launched["State"]["Name"] == "pending"
    assert seen(zone, launched["InstanceId"]) == ["pending", "pending", "running", "running"]


def test_each_instance_counts_its_own_looks(zone: Foundation) -> None:
    looked_at, left_alone = zone.ids(2)
    assert seen(zone, looked_at)[-1] == "running"
    assert zone.state(left_alone) == "pending"


def test_status_checks_are_looks_too_and_show_only_running_instances(zone: Foundation) -> None:
    [instance] = zone.ids()
    shown = [len(zone.ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"]) for _ in range(4)]
    assert shown == [0, 0, 1, 1]


def test_waiting_by_a_state_filter_comes_to_an_end(zone: Foundation) -> None:
    [instance] = zone.ids()
    wanted = [{"Name": "instance-state-name", "Values": ["running"]}]
    shown = [[found["InstanceId"] for found in zone.instances(Filters=wanted)] for _ in range(3)]
    assert shown == [[], [], [instance]]


def test_a_terminated_instance_shuts_down_first_and_stays_visible(zone: Foundation) -> None:
    [instance] = zone.running()
    [change] = zone.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "shutting-down")
    assert seen(zone, instance) == ["shutting-down", "shutting-down", "terminated", "terminated"]


def test_a_pending_instance_can_be_terminated(zone: Foundation) -> None:
    [instance] = zone.ids()
    zone.ec2.terminate_instances(InstanceIds=[instance])
    assert zone.look_until([instance], "terminated") == "terminated"


def test_termination_can_be_repeated(zone: Foundation) -> None:
    [instance] = zone.running()
    zone.ec2.terminate_instances(InstanceIds=[instance])
    zone.look_until([instance], "terminated")
    [change] = zone.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("terminated", "terminated")


def test_a_terminated_instance_leaves_no_volume_no_interface_and_no_address(zone: Foundation) -> None:
    [instance] = zone.running()
    zone.ec2.terminate_instances(InstanceIds=[instance])
    zone.look_until([instance], "terminated")
    [dead] = zone.instances(InstanceIds=[instance])
    assert dead["NetworkInterfaces"] == []
    assert dead["BlockDeviceMappings"] == []
    assert not {"PrivateIpAddress", "Ipv6Address", "PublicIpAddress", "SubnetId", "VpcId"} & {
        k for k in dead if dead[k]
    }
    assert zone.ec2.describe_volumes()["Volumes"] == []
    assert zone.ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_a_volume_that_is_to_stay_outlives_its_instance(zone: Foundation) -> None:
    kept = {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 5, "DeleteOnTermination": False}}
    [instance] = zone.running(1, BlockDeviceMappings=[kept])
    zone.ec2.terminate_instances(InstanceIds=[instance])
    zone.look_until([instance], "terminated")
    [volume] = zone.ec2.describe_volumes()["Volumes"]
    assert (volume["Size"], volume["State"]) == (5, "available")


def test_one_unknown_id_fails_a_termination_whole(zone: Foundation) -> None:
    [instance] = zone.running()
    ids = [instance, "i-0123456789abcdef0"]
    refused("InvalidInstanceID.NotFound", zone.ec2.terminate_instances, InstanceIds=ids)
    assert zone.state(instance) == "running"


def test_more_than_a_thousand_ids_fail_a_termination_whole(zone: Foundation) -> None:
    ids = zone.running() + [f"i-{number:017x}" for number in range(1000)]
    refused("InvalidParameterValue", zone.ec2.terminate_instances, InstanceIds=ids)
    assert zone.state(ids[0]) == "running"


def test_a_protected_instance_fails_a_termination_whole(zone: Foundation) -> None:
    [free], [protected] = zone.running(), zone.running(DisableApiTermination=True)
    refused("OperationNotPermitted", zone.ec2.terminate_instances, InstanceIds=[free, protected])
    assert zone.state(free) == "running"


def test_a_dry_termination_changes_nothing(zone: Foundation) -> None:
    [instance] = zone.running()
    answer = refused("DryRunOperation", zone.ec2.terminate_instances, InstanceIds=[instance], DryRun=True)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert zone.state(instance) == "running"


def test_a_dry_termination_fails_as_the_real_one_would(zone: Foundation) -> None:
    [free], [protected] = zone.running(), zone.running(DisableApiTermination=True)
    call, unknown = zone.ec2.terminate_instances, "i-0123456789abcdef0"
    answer = refused("InvalidInstanceID.NotFound", call, InstanceIds=[free, unknown], DryRun=True)
    assert unknown in answer["Error"]["Message"] and free not in answer["Error"]["Message"]
    refused("OperationNotPermitted", call, InstanceIds=[free, protected], DryRun=True)
    assert zone.state(free) == "running"


def pages(call: Any, **parameters: Any) -> list[dict[str, Any]]:
    answers = [call(**parameters)]
    while answers[-1].get("NextToken"):
        answers.append(call(NextToken=answers[-1]["NextToken"], **parameters))
    return answers


def test_pages_count_instances_and_not_reservations(zone: Foundation) -> None:
    ids = zone.ids(7) + zone.ids(6)
    answers = pages(zone.ec2.describe_instances, MaxResults=5)
    found = [[i["InstanceId"] for r in answer["Reservations"] for i in r["Instances"]] for answer in answers]
    assert [len(page) for page in found] == [5, 5, 3]
    assert sorted(sum(found, [])) == sorted(ids)
    assert len({r["ReservationId"] for answer in answers for r in answer["Reservations"]}) == 2


def test_pages_hold_what_the_filter_lets_through(zone: Foundation) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "cluster", "Value": "a"}]}]
    wanted = zone.ids(6, TagSpecifications=tags)
    zone.ids(6)
    answers = pages(zone.ec2.describe_instances, MaxResults=5, Filters=[{"Name": "tag:cluster", "Values": ["a"]}])
    found = [[i["InstanceId"] for r in answer["Reservations"] for i in r["Instances"]] for answer in answers]
    assert [len(page) for page in found] == [5, 1]
    assert sorted(sum(found, [])) == sorted(wanted)


@pytest.mark.parametrize("name", ["client-token", "instance-state-code", "subnet-id", "vpc-id", "image-id"])
def test_instances_are_found_by(zone: Foundation, name: str) -> None:
    [instance] = zone.running(ClientToken="token-1")
    zone.ids(
        1,
        LaunchTemplate={},
        SubnetId=zone.ec2.create_subnet(VpcId=zone.vpc, CidrBlock="10.0.64.0/24")["Subnet"]["SubnetId"],
    ) if name == "subnet-id" else None
    value = {
        "client-token": "token-1",
        "instance-state-code": "16",
        "subnet-id": zone.subnets[0],
        "vpc-id": zone.vpc,
        "image-id": zone.image,
    }[name]
    found = zone.instances(Filters=[{"Name": name, "Values": [value]}])
    assert [entry["InstanceId"] for entry in found] == [instance]
    assert zone.instances(Filters=[{"Name": name, "Values": ["nothing"]}]) == []


def test_volumes_come_in_pages_too(zone: Foundation) -> None:
    zone.ids(7)
    filters = [{"Name": "tag:zone", "Values": ["z1"]}]
    answers = pages(zone.ec2.describe_volumes, MaxResults=5, Filters=filters)
    assert [len(answer["Volumes"]) for answer in answers] == [5, 2]


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        ("InvalidParameterValue", {"MaxResults": 4}),
        ("InvalidParameterValue", {"MaxResults": 1001}),
        ("InvalidParameterValue", {"Filters": [{"Name": "colour", "Values": ["red"]}]}),
        ("InvalidNextToken", {"MaxResults": 5, "NextToken": "nonsense"}),
        ("InvalidInstanceID.NotFound", {"InstanceIds": ["i-0123456789abcdef0"]}),
        ("InvalidParameterCombination", {"InstanceIds": ["i-0123456789abcdef0"], "MaxResults": 5}),
    ],
)
def test_a_wrong_describe_is_refused(zone: Foundation, code: str, parameters: dict[str, Any]) -> None:
    refused(code, zone.ec2.describe_instances, **parameters)


def test_three_thousand_instances_and_their_volumes_are_described_page_by_page(zone: Foundation) -> None:
    for _ in range(3):
        zone.ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": zone.template}, ImageId=zone.image, MinCount=1, MaxCount=1000
        )
    # No time is asserted; what is quadratic, as in plain moto, runs into the client's own limit for an answer.
    answers = pages(zone.ec2.describe_instances, MaxResults=1000)
    assert [sum(len(r["Instances"]) for r in answer["Reservations"]) for answer in answers] == [1000, 1000, 1000]
    assert sum(len(answer["Volumes"]) for answer in pages(zone.ec2.describe_volumes, MaxResults=1000)) == 3000
