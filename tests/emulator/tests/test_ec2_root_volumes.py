"""A root volume is replaced step by step, and goes wrong on demand."""

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from botocore.session import get_session

from foundation import Foundation, refused

NAMESPACE = "{http://ec2.amazonaws.com/doc/2016-11-15}"


def image(zone: Foundation, size: int = 20, architecture: str = "arm64") -> str:
    return zone.ec2.register_image(
        Name=f"next-{size}-{architecture}",
        Architecture=architecture,
        RootDeviceName="/dev/xvda",
        VirtualizationType="hvm",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": size, "VolumeType": "gp3"}}],
    )["ImageId"]


def script(zone: Foundation, instance: str, ends: str) -> None:
    zone.ec2.create_tags(Resources=[instance], Tags=[{"Key": "emulator:replace-root-volume", "Value": ends}])


def create(zone: Foundation, instance: str, **parameters: Any) -> dict[str, Any]:
    answer = zone.ec2.create_replace_root_volume_task(InstanceId=instance, **parameters)
    return answer["ReplaceRootVolumeTask"]


def look(zone: Foundation, task: dict[str, Any]) -> dict[str, Any]:
    ids = [task["ReplaceRootVolumeTaskId"]]
    [found] = zone.ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=ids)["ReplaceRootVolumeTasks"]
    return found


def end(zone: Foundation, task: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The states seen, and the task at its end."""
    states: list[str] = []
    for _ in range(12):
        task = look(zone, task)
        states.append(task["TaskState"])
        if "CompleteTime" in task:
            return states, task
    raise AssertionError(states)


def root(zone: Foundation, instance: str) -> dict[str, Any]:
    [found] = zone.instances(InstanceIds=[instance])
    [mapping] = found["BlockDeviceMappings"]
    [volume] = zone.ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
    assert mapping["DeviceName"] == found["RootDeviceName"]
    return volume


def test_each_state_of_a_replacement_is_seen_twice(zone: Foundation) -> None:
    [instance] = zone.running()
    task = create(zone, instance, ImageId=image(zone))
    assert task["TaskState"] == "pending"
    assert task["ReplaceRootVolumeTaskId"].startswith("replacevol-")
    states, last = end(zone, task)
    assert states == ["pending", "pending", "in-progress", "in-progress", "succeeded"]
    assert last["CompleteTime"] >= last["StartTime"]


def test_the_new_root_volume_is_like_the_old_one_and_the_instance_shows_the_new_image(zone: Foundation) -> None:
    [instance] = zone.running()
    old, new_image = root(zone, instance), image(zone)
    before = zone.instances(InstanceIds=[instance])[0]
    _, task = end(zone, create(zone, instance, ImageId=new_image))
    new, after = root(zone, instance), zone.instances(InstanceIds=[instance])[0]
    assert new["VolumeId"] != old["VolumeId"]
    alike = ("VolumeType", "Size", "Encrypted", "KmsKeyId", "Iops", "Throughput", "AvailabilityZone")
    assert {name: new[name] for name in alike} == {name: old[name] for name in alike}
    assert new["Attachments"][0]["DeleteOnTermination"] is True
    assert (task["ImageId"], after["ImageId"], after["State"]["Name"]) == (new_image, new_image, "running")
    kept = ("NetworkInterfaces", "PrivateIpAddress", "Ipv6Address", "Tags", "LaunchTime", "IamInstanceProfile")
    assert {name: after.get(name) for name in kept} == {name: before.get(name) for name in kept}


def test_the_replaced_volume_is_kept_and_free_unless_it_is_to_be_deleted(zone: Foundation) -> None:
    kept_by, deleted_by = zone.running(2)
    kept, gone = root(zone, kept_by), root(zone, deleted_by)
    end(zone, create(zone, kept_by, ImageId=image(zone)))
    end(zone, create(zone, deleted_by, ImageId=image(zone, 30), DeleteReplacedRootVolume=True))
    [volume] = zone.ec2.describe_volumes(VolumeIds=[kept["VolumeId"]])["Volumes"]
    assert (volume["State"], volume["Attachments"]) == ("available", [])
    refused("InvalidVolume.NotFound", zone.ec2.describe_volumes, VolumeIds=[gone["VolumeId"]])


def test_a_larger_root_device_makes_a_larger_volume_and_a_smaller_one_is_refused(zone: Foundation) -> None:
    [instance] = zone.running()
    call = zone.ec2.create_replace_root_volume_task
    refused("InvalidParameterValue", call, InstanceId=instance, ImageId=zone.image)
    end(zone, create(zone, instance, ImageId=image(zone, 30)))
    assert root(zone, instance)["Size"] == 30


def test_while_it_goes_on_the_old_volume_is_detaching(zone: Foundation) -> None:
    [instance] = zone.running()
    task, old = create(zone, instance, ImageId=image(zone)), root(zone, instance)
    while look(zone, task)["TaskState"] != "in-progress":
        pass
    now = root(zone, instance)
    assert (now["VolumeId"], now["Attachments"][0]["State"]) == (old["VolumeId"], "detaching")


@pytest.mark.parametrize("scripted", ["failed", "failed-detached"])
def test_a_replacement_fails_on_demand(zone: Foundation, scripted: str) -> None:
    [instance] = zone.running()
    old, image_before = root(zone, instance), zone.instances(InstanceIds=[instance])[0]["ImageId"]
    script(zone, instance, scripted)
    states, _ = end(zone, create(zone, instance, ImageId=image(zone), DeleteReplacedRootVolume=True))
    failing = scripted.replace("failed", "failing")
    assert states == ["pending", "pending", "in-progress", "in-progress", failing, failing, scripted]
    [found] = zone.instances(InstanceIds=[instance])
    assert (found["ImageId"], found["State"]["Name"]) == (image_before, "running")
    if scripted == "failed":
        now = root(zone, instance)
        assert (now["VolumeId"], now["Attachments"][0]["State"]) == (old["VolumeId"], "attached")
    else:
        assert found["BlockDeviceMappings"] == []
        assert [volume["State"] for volume in zone.ec2.describe_volumes()["Volumes"]] == ["available"]


def test_a_list_of_ends_is_used_up_task_by_task(zone: Foundation) -> None:
    [instance] = zone.running()
    next_image = image(zone)
    script(zone, instance, "failed,unencrypted")
    states = [end(zone, create(zone, instance, ImageId=next_image))[0][-1] for _ in range(3)]
    assert states == ["failed", "succeeded", "succeeded"]


def test_a_replacement_succeeds_with_a_wrong_volume_on_demand(zone: Foundation) -> None:
    [plain], [other] = zone.running(), zone.running()
    next_image, key = image(zone), zone.kms.create_key()["KeyMetadata"]["Arn"]
    script(zone, plain, "unencrypted")
    script(zone, other, f"key:{key}")
    assert [end(zone, create(zone, i, ImageId=next_image))[0][-1] for i in (plain, other)] == ["succeeded"] * 2
    volume = root(zone, plain)
    assert (volume["Encrypted"], volume.get("KmsKeyId")) == (False, None)
    volume = root(zone, other)
    assert (volume["Encrypted"], volume["KmsKeyId"]) == (True, key)


def test_scripts_are_no_tags_and_nonsense_is_refused(zone: Foundation) -> None:
    [instance] = zone.running()
    script(zone, instance, "failed")
    assert not [tag for tag in zone.instances()[0]["Tags"] if tag["Key"].startswith("emulator:")]
    key, call = "emulator:replace-root-volume", zone.ec2.create_tags
    refused("InvalidParameterValue", call, Resources=[instance], Tags=[{"Key": key, "Value": "explode"}])
    refused("InvalidParameterValue", call, Resources=[instance], Tags=[{"Key": "emulator:sing", "Value": ""}])
    zone.ec2.delete_tags(Resources=[instance], Tags=[{"Key": key}])
    assert end(zone, create(zone, instance, ImageId=image(zone)))[0][-1] == "succeeded"


def test_one_client_token_starts_one_task_whatever_became_of_it(zone: Foundation) -> None:
    [instance] = zone.running()
    asked = {"ImageId": image(zone), "ClientToken": "t" * 64}
    first = create(zone, instance, **asked)
    call = zone.ec2.create_replace_root_volume_task
    refused("IdempotentParameterMismatch", call, InstanceId=instance, ClientToken="t" * 64)
    end(zone, first)
    zone.ec2.terminate_instances(InstanceIds=[instance])
    again = create(zone, instance, **asked)
    assert again["ReplaceRootVolumeTaskId"] == first["ReplaceRootVolumeTaskId"]
    assert again["TaskState"] == "succeeded"
    assert len(zone.ec2.describe_replace_root_volume_tasks()["ReplaceRootVolumeTasks"]) == 1


def test_only_a_running_instance_gets_a_new_root_volume_and_one_at_a_time(zone: Foundation) -> None:
    [pending], [running] = zone.ids(), zone.running()
    call, next_image = zone.ec2.create_replace_root_volume_task, image(zone)
    refused("IncorrectInstanceState", call, InstanceId=pending, ImageId=next_image)
    create(zone, running, ImageId=next_image)
    refused("IncorrectState", call, InstanceId=running, ImageId=next_image)
    zone.ec2.stop_instances(InstanceIds=[running])
    refused("IncorrectInstanceState", call, InstanceId=running, ImageId=next_image)


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        ("InvalidAMIID.NotFound", {"ImageId": "ami-0123456789abcdef0"}),
        ("InvalidSnapshot.NotFound", {"SnapshotId": "snap-0123456789abcdef0"}),
        ("InvalidInstanceID.NotFound", {"InstanceId": "i-0123456789abcdef0"}),
        ("InvalidParameterCombination", {"ImageId": "ami-1", "SnapshotId": "snap-1"}),
        ("InvalidParameter", {"TagSpecifications": [{"ResourceType": "volume", "Tags": [{"Key": "a"}]}]}),
    ],
)
def test_a_wrong_replacement_is_refused(zone: Foundation, code: str, parameters: dict[str, Any]) -> None:
    [instance] = zone.running()
    refused(code, zone.ec2.create_replace_root_volume_task, **{"InstanceId": instance, **parameters})
    refused(code, zone.ec2.create_replace_root_volume_task, **{"InstanceId": instance, "DryRun": True, **parameters})
    assert zone.ec2.describe_replace_root_volume_tasks()["ReplaceRootVolumeTasks"] == []


def test_an_image_of_another_architecture_is_refused(zone: Foundation) -> None:
    [instance] = zone.running()
    other = image(zone, architecture="x86_64")
    refused("InvalidParameterValue", zone.ec2.create_replace_root_volume_task, InstanceId=instance, ImageId=other)


def test_a_dry_replacement_changes_nothing(zone: Foundation) -> None:
    [instance] = zone.running()
    call = zone.ec2.create_replace_root_volume_task
    answer = refused("DryRunOperation", call, InstanceId=instance, ImageId=image(zone), DryRun=True)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert zone.ec2.describe_replace_root_volume_tasks()["ReplaceRootVolumeTasks"] == []


def test_a_snapshot_must_come_from_a_root_volume_of_the_instance(zone: Foundation) -> None:
    one, other = zone.running(2)
    snapshot = zone.ec2.create_snapshot(VolumeId=root(zone, one)["VolumeId"])["SnapshotId"]
    call = zone.ec2.create_replace_root_volume_task
    refused("InvalidParameterValue", call, InstanceId=other, SnapshotId=snapshot)
    before = zone.instances(InstanceIds=[one])[0]["ImageId"]
    for _ in range(2):  # the second from a snapshot of an earlier root volume
        assert end(zone, create(zone, one, SnapshotId=snapshot))[1]["SnapshotId"] == snapshot
        assert root(zone, one)["SnapshotId"] == snapshot
    assert zone.instances(InstanceIds=[one])[0]["ImageId"] == before


def test_an_instance_that_dies_meanwhile_lets_the_task_fail(zone: Foundation) -> None:
    [instance] = zone.running()
    task = create(zone, instance, ImageId=image(zone))
    zone.ec2.terminate_instances(InstanceIds=[instance])
    zone.look_until([instance], "terminated")
    assert end(zone, task)[0][-1] == "failed"
    assert zone.ec2.describe_volumes()["Volumes"] == []


def test_tasks_are_tagged_filtered_and_paged(zone: Foundation) -> None:
    ids, next_image = zone.running(3), image(zone)
    tags = [{"Key": "request", "Value": "r1"}]
    kind = [{"ResourceType": "replace-root-volume-task", "Tags": tags}]
    made = [create(zone, i, ImageId=next_image, TagSpecifications=kind) for i in ids]
    assert all(task["Tags"] == tags for task in made)
    describe = zone.ec2.describe_replace_root_volume_tasks
    found = describe(Filters=[{"Name": "instance-id", "Values": [ids[1]]}])["ReplaceRootVolumeTasks"]
    assert [(task["InstanceId"], task["Tags"]) for task in found] == [(ids[1], tags)]
    first = describe(MaxResults=2)
    second = describe(MaxResults=2, NextToken=first["NextToken"])
    pages = [[task["InstanceId"] for task in page["ReplaceRootVolumeTasks"]] for page in (first, second)]
    assert (pages, "NextToken" in second) == ([ids[:2], ids[2:]], False)
    refused("InvalidParameterValue", describe, MaxResults=51)
    refused("InvalidParameterValue", describe, Filters=[{"Name": "tag:request", "Values": ["r1"]}])
    refused(
        "InvalidReplaceRootVolumeTaskId.NotFound",
        describe,
        ReplaceRootVolumeTaskIds=["replacevol-0123456789abcdef0"],
    )


def test_the_answer_has_the_elements_of_the_service_model(zone: Foundation) -> None:
    """boto3 forgives unknown elements; other SDKs read exactly these."""
    [instance] = zone.running()
    bodies: list[bytes] = []
    zone.ec2.meta.events.register("before-parse.ec2", lambda response_dict, **_: bodies.append(response_dict["body"]))
    task = create(
        zone,
        instance,
        ImageId=image(zone),
        TagSpecifications=[{"ResourceType": "replace-root-volume-task", "Tags": [{"Key": "a", "Value": "b"}]}],
    )
    made = ElementTree.fromstring(bodies[-1])
    end(zone, task)
    described = ElementTree.fromstring(bodies[-1])
    model = get_session().get_service_model("ec2")
    shape = model.shape_for("ReplaceRootVolumeTask")
    names = {NAMESPACE + member.serialization["name"] for member in shape.members.values()}
    shown = described.find(f"{NAMESPACE}replaceRootVolumeTaskSet/{NAMESPACE}item")
    assert made.tag == NAMESPACE + "CreateReplaceRootVolumeTaskResponse"
    assert described.tag == NAMESPACE + "DescribeReplaceRootVolumeTasksResponse"
    assert shown is not None and {child.tag for child in shown} == names - {NAMESPACE + "snapshotId"}
    started = made.find(f"{NAMESPACE}replaceRootVolumeTask")
    assert started is not None and {child.tag for child in started} < names
    assert shown.find(f"{NAMESPACE}tagSet/{NAMESPACE}item/{NAMESPACE}key") is not None
    assert shown.findtext(f"{NAMESPACE}deleteReplacedRootVolume") == "false"
