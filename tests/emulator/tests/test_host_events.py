"""What befalls hosts from outside: scheduled events, spot interruptions, being stopped."""

from datetime import UTC, datetime
from typing import Any

import pytest

from foundation import Foundation, refused
from test_ec2_states import pages, seen


def script(zone: Foundation, instance: str, key: str, value: str) -> None:
    zone.ec2.create_tags(Resources=[instance], Tags=[{"Key": f"emulator:{key}", "Value": value}])


def filters(name: str, *values: str) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": list(values)}]


def statuses(zone: Foundation, **parameters: Any) -> dict[str, dict[str, Any]]:
    answer = zone.ec2.describe_instance_status(**parameters)
    return {status["InstanceId"]: status for status in answer["InstanceStatuses"]}


def test_an_instance_has_the_events_that_a_test_schedules(zone: Foundation) -> None:
    struck, spared = zone.running(2)
    times = "2026-12-01T10:00:00Z/2026-12-01T12:30:00Z"
    script(zone, struck, "events", f"system-maintenance@{times},completed:instance-reboot@2026-11-01T00:00:00Z")
    found = statuses(zone)
    assert found[spared]["Events"] == []
    coming, over = found[struck]["Events"]
    assert coming["Code"] == "system-maintenance"
    assert coming["NotBefore"] == datetime(2026, 12, 1, 10, tzinfo=UTC)
    assert coming["NotAfter"] == datetime(2026, 12, 1, 12, 30, tzinfo=UTC)
    assert coming["InstanceEventId"].startswith("instance-event-")
    assert (over["Code"], over["Description"].startswith("[Completed]")) == ("instance-reboot", True)
    assert statuses(zone)[struck]["Events"] == [coming, over]
    zone.ec2.delete_tags(Resources=[struck], Tags=[{"Key": "emulator:events"}])
    assert statuses(zone)[struck]["Events"] == []


def test_an_event_without_a_time_lies_ahead(zone: Foundation) -> None:
    [instance] = zone.running()
    script(zone, instance, "events", "instance-retirement")
    [event] = statuses(zone)[instance]["Events"]
    assert event["NotBefore"] > datetime.now(UTC)


def test_events_are_found_by_code_and_time(zone: Foundation) -> None:
    early, late, _ = zone.running(3)
    script(zone, early, "events", "instance-stop@2026-12-01T10:00:00Z")
    script(zone, late, "events", "instance-retirement@2026-12-24T10:00:00Z")
    for wanted, expected in [
        (filters("event.code", "instance-stop"), {early}),
        (filters("event.code", "instance-stop", "instance-retirement"), {early, late}),
        (filters("event.code", "*"), {early, late}),
        (filters("event.not-before", "2026-12-24T10:00:00.000Z"), {late}),
        (filters("event.not-before", "2026-12-01*"), {early}),
        (filters("event.code", "system-reboot"), set()),
    ]:
        assert set(statuses(zone, Filters=wanted)) == expected, wanted


@pytest.mark.parametrize("value", ["system-failure", "instance-stop@tomorrow", ""])
def test_an_event_without_meaning_is_refused(zone: Foundation, value: str) -> None:
    [instance] = zone.running()
    tags = [{"Key": "emulator:events", "Value": value}]
    refused("InvalidParameterValue", zone.ec2.create_tags, Resources=[instance], Tags=tags)


def test_all_instances_have_a_status_on_demand_and_pages_are_full(zone: Foundation) -> None:
    alive, dead = zone.running(6), zone.running(6)
    zone.ec2.terminate_instances(InstanceIds=dead)
    zone.look_until(dead, "terminated")
    answers = pages(zone.ec2.describe_instance_status, MaxResults=5)
    assert [len(answer["InstanceStatuses"]) for answer in answers] == [5, 1]
    everything = statuses(zone, IncludeAllInstances=True)
    assert set(everything) == {*alive, *dead}
    assert everything[dead[0]]["InstanceStatus"]["Status"] == "not-applicable"
    assert everything[alive[0]]["SystemStatus"]["Status"] == "ok"
    of_dead = filters("instance-state-name", "terminated")
    assert set(statuses(zone, IncludeAllInstances=True, Filters=of_dead)) == set(dead)
    assert statuses(zone, Filters=of_dead) == {}


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        ("InvalidParameterValue", {"InstanceIds": [f"i-{number:017x}" for number in range(101)]}),
        ("InvalidInstanceID.NotFound", {"InstanceIds": ["i-0123456789abcdef0"]}),
        ("InvalidParameterCombination", {"InstanceIds": ["i-0123456789abcdef0"], "MaxResults": 5}),
        ("InvalidParameterValue", {"Filters": filters("colour", "red")}),
    ],
)
def test_a_wrong_status_request_is_refused(zone: Foundation, code: str, parameters: dict[str, Any]) -> None:
    refused(code, zone.ec2.describe_instance_status, **parameters)


def requests(zone: Foundation, **parameters: Any) -> list[dict[str, Any]]:
    return zone.ec2.describe_spot_instance_requests(**parameters)["SpotInstanceRequests"]


def test_an_instance_becomes_a_spot_instance_that_is_to_be_interrupted(zone: Foundation) -> None:
    struck, spared = zone.running(2)
    assert "InstanceLifecycle" not in zone.instances(InstanceIds=[struck])[0]
    script(zone, struck, "spot", "marked-for-termination")
    [found] = zone.instances(InstanceIds=[struck])
    [request] = requests(zone, Filters=filters("instance-id", struck))
    assert found["InstanceLifecycle"] == "spot"
    assert found["SpotInstanceRequestId"] == request["SpotInstanceRequestId"]
    assert (request["InstanceId"], request["State"]) == (struck, "active")
    assert request["Status"]["Code"] == "marked-for-termination"
    assert requests(zone, Filters=filters("status-code", "marked-for-termination")) == [request]
    assert requests(zone, Filters=filters("instance-id", spared)) == []
    assert [i["InstanceId"] for i in zone.instances(Filters=filters("instance-lifecycle", "spot"))] == [struck]
    zone.ec2.delete_tags(Resources=[struck, spared], Tags=[{"Key": "emulator:spot"}])
    [request] = requests(zone)
    assert (request["InstanceId"], request["Status"]["Code"]) == (struck, "fulfilled")
    zone.ec2.terminate_instances(InstanceIds=[struck])
    [request] = requests(zone, Filters=filters("instance-id", struck))
    assert (request["State"], request["Status"]["Code"]) == ("closed", "instance-terminated-by-user")


def test_a_launch_of_spot_instances_leaves_a_request_behind_each(zone: Foundation) -> None:
    tags = [{"Key": "cluster", "Value": "a"}]
    ids = zone.ids(
        6,
        InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}},
        TagSpecifications=[{"ResourceType": "spot-instances-request", "Tags": tags}],
    )
    answers = pages(zone.ec2.describe_spot_instance_requests, MaxResults=5, Filters=filters("tag:cluster", "a"))
    found = [request for answer in answers for request in answer["SpotInstanceRequests"]]
    assert [len(answer["SpotInstanceRequests"]) for answer in answers] == [5, 1]
    assert [request["InstanceId"] for request in found] == ids
    assert {request["Status"]["Code"] for request in found} == {"fulfilled"}
    assert {i["InstanceLifecycle"] for i in zone.instances(InstanceIds=ids)} == {"spot"}
    script(zone, ids[0], "spot", "marked-for-termination")
    assert len(requests(zone)) == 6
    refused(
        "InvalidSpotInstanceRequestID.NotFound",
        zone.ec2.describe_spot_instance_requests,
        SpotInstanceRequestIds=["sir-0123abcd"],
    )


def test_an_instance_is_stopped_and_started_step_by_step(zone: Foundation) -> None:
    [instance] = zone.running()
    [change] = zone.ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    assert seen(zone, instance) == ["stopping", "stopping", "stopped", "stopped"]
    zone.ec2.start_instances(InstanceIds=[instance])
    assert seen(zone, instance) == ["pending", "pending", "running", "running"]


def test_a_stopped_instance_can_be_terminated_and_a_dead_one_not_be_stopped(zone: Foundation) -> None:
    [instance] = zone.running()
    zone.ec2.stop_instances(InstanceIds=[instance])
    zone.ec2.terminate_instances(InstanceIds=[instance])
    assert zone.look_until([instance], "terminated") == "terminated"
    refused("IncorrectInstanceState", zone.ec2.stop_instances, InstanceIds=[instance])
    refused("IncorrectInstanceState", zone.ec2.start_instances, InstanceIds=[instance])
