"""Ids that a caller asks for."""

from collections.abc import Callable
from typing import Any

from foundation import Foundation


def given(client: Any, ids: list[str]) -> None:
    client.meta.events.register(
        "before-call", lambda params, **_: params["headers"].update({"x-emulator-ids": ",".join(ids)})
    )


def test_what_is_made_has_the_ids_that_were_asked_for_and_others_are_drawn(zone: Foundation) -> None:
    ids = ["i-00000000000000abc", "sg-00000000000000abc", "i-00000000000000abd"]
    ec2 = zone.ec2
    given(ec2, ids)
    group = ec2.create_security_group(GroupName="given", Description="given", VpcId=zone.vpc)["GroupId"]
    launched = [instance["InstanceId"] for instance in zone.run(MinCount=3, MaxCount=3)["Instances"]]
    assert group == ids[1]
    assert launched[:2] == [ids[0], ids[2]]
    assert launched[2].startswith("i-") and launched[2] not in ids


def test_without_the_header_ids_are_drawn(client: Callable[..., Any], zone: Foundation) -> None:
    assert len(set(zone.ids(3))) == 3
