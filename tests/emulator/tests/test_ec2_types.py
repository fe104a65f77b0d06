"""Instance types and their offers: whole in pages, right by filter."""

from collections.abc import Callable
from typing import Any

import pytest

from foundation import Foundation, refused, unchecked
from test_ec2_states import pages


@pytest.fixture
def ec2(client: Callable[[str], Any]) -> Any:
    return client("ec2")


def filters(**wanted: str | list[str]) -> list[dict[str, Any]]:
    return [
        {"Name": name.replace("__", ".").replace("_", "-"), "Values": [value] if isinstance(value, str) else value}
        for name, value in wanted.items()
    ]


def names(ec2: Any, **wanted: str | list[str]) -> list[str]:
    answers = pages(ec2.describe_instance_types, MaxResults=100, Filters=filters(**wanted))
    return [found["InstanceType"] for answer in answers for found in answer["InstanceTypes"]]


def test_pages_hold_every_type_once(ec2: Any) -> None:
    by_hundred = [found["InstanceType"] for a in pages(ec2.describe_instance_types) for found in a["InstanceTypes"]]
    answers = pages(ec2.describe_instance_types, MaxResults=7)
    by_seven = [found["InstanceType"] for answer in answers for found in answer["InstanceTypes"]]
    assert by_seven == by_hundred == sorted(set(by_seven))
    assert {len(answer["InstanceTypes"]) for answer in answers[:-1]} == {7}
    assert {"m7g.large", "c7gd.large", "t4g.micro"} <= set(by_seven)


def test_types_of_other_regions_are_shown_only_on_demand(ec2: Any) -> None:
    here = set(names(ec2))
    answers = pages(ec2.describe_instance_types, IncludeUnsupportedInRegion=True)
    everywhere = {found["InstanceType"]: found["SupportedInRegion"] for a in answers for found in a["InstanceTypes"]}
    assert here < set(everywhere)
    assert {name for name, supported in everywhere.items() if supported} == here
    stranger = sorted(set(everywhere) - here)[0]
    refused("InvalidInstanceType", ec2.describe_instance_types, InstanceTypes=[stranger])


def test_types_are_filtered(ec2: Any) -> None:
    found = names(
        ec2,
        current_generation="true",
        bare_metal="false",
        processor_info__supported_architecture="arm64",
        instance_storage_supported="true",
        instance_storage_info__disk__type="ssd",
        network_info__ipv6_supported="true",
        supported_usage_class="spot",
        hypervisor="nitro",
        vcpu_info__default_vcpus=["2", "4"],
        instance_type=["c7g*", "m6gd.?arge"],
    )
    assert found == ["c7gd.large", "c7gd.xlarge", "m6gd.large"]
    metal = names(ec2, bare_metal="true")
    assert metal and all("metal" in name for name in metal)
    assert names(ec2, memory_info__size_in_mib="8192", instance_type="m7g.large") == ["m7g.large"]


def test_a_type_tells_what_it_is(ec2: Any) -> None:
    [found] = ec2.describe_instance_types(InstanceTypes=["m7g.large"])["InstanceTypes"]
    assert (found["VCpuInfo"]["DefaultVCpus"], found["MemoryInfo"]["SizeInMiB"]) == (2, 8192)
    assert (found["CurrentGeneration"], found["BareMetal"], found["InstanceStorageSupported"]) == (True, False, False)
    assert found["ProcessorInfo"]["SupportedArchitectures"] == ["arm64"]
    [disk] = ec2.describe_instance_types(InstanceTypes=["m6gd.large"])["InstanceTypes"][0]["InstanceStorageInfo"][
        "Disks"
    ]
    assert disk == {"SizeInGB": 118, "Count": 1, "Type": "ssd"}


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        ("InvalidParameterValue", {"MaxResults": 4}),
        ("InvalidParameterValue", {"MaxResults": 101}),
        ("InvalidParameterValue", {"Filters": filters(colour="red")}),
        ("InvalidParameterValue", {"InstanceTypes": [f"m7g.{number}" for number in range(101)]}),
        ("InvalidInstanceType", {"InstanceTypes": ["m7g.large", "m7g.gigantic"]}),
        ("InvalidNextToken", {"NextToken": "nonsense"}),
    ],
)
def test_a_wrong_request_for_types_is_refused(ec2: Any, code: str, parameters: dict[str, Any]) -> None:
    refused(code, unchecked(ec2).describe_instance_types, **parameters)


def test_offers_name_the_zones_of_the_region(zone: Foundation) -> None:
    call, by_zone = zone.ec2.describe_instance_type_offerings, {"LocationType": "availability-zone"}
    answers = pages(call, MaxResults=5, Filters=filters(instance_type="m7g.*"), **by_zone)
    offers = [(o["InstanceType"], o["Location"]) for answer in answers for o in answer["InstanceTypeOfferings"]]
    assert offers == sorted(set(offers)) and len(answers) > 1
    zones = {entry["ZoneName"] for entry in zone.ec2.describe_availability_zones()["AvailabilityZones"]}
    assert {location for _, location in offers} <= zones
    here = call(Filters=filters(instance_type="m7g.large", location=zone.zones[0]), **by_zone)
    expected = [location for name, location in offers if (name, location) == ("m7g.large", zone.zones[0])]
    assert [offer["Location"] for offer in here["InstanceTypeOfferings"]] == expected
    region = zone.ec2.meta.region_name
    [offer] = call(Filters=filters(instance_type="t4g.micro", location=region))["InstanceTypeOfferings"]
    assert offer == {"InstanceType": "t4g.micro", "LocationType": "region", "Location": region}
    assert call(Filters=filters(instance_type="t4g.micro", location=region[:2]))["InstanceTypeOfferings"] == []
    call = unchecked(zone.ec2).describe_instance_type_offerings
    refused("InvalidParameterValue", call, MaxResults=4)
    refused("InvalidParameterValue", call, Filters=filters(colour="red"))
