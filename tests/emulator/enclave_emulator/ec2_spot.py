"""Spot Instances: the request behind an instance, and its status, which tells of an interruption.

An instance is a Spot Instance when its launch says so (`InstanceMarketOptions`, also in the template) or when
a test makes it one: the script `emulator:spot` on an instance takes a status code of its request, e.g.
`fulfilled` or `marked-for-termination`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.responses.spot_instances import SpotInstances
from moto.ec2.utils import random_spot_request_id

from . import paging
from .ec2_lookups import compute
from .ec2_scripts import script
from .filters import Values, select, shown_tags
from .patching import replace

# Codes of requests that have an instance.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html
CODES = {
    "fulfilled": "Your Spot request is fulfilled.",
    "marked-for-stop": "Your Spot Instance is marked for stop.",
    "marked-for-termination": "Your Spot Instance is marked for termination.",
    "request-canceled-and-instance-running": "Your Spot request is canceled, but your instance is running.",
}
ENDED = "instance-terminated-by-user"


@dataclass(eq=False)
class SpotRequest(TaggedEC2Resource):
    ec2_backend: Any
    instance: Any
    id: str
    sequence: int
    created: datetime
    updated: datetime
    options: dict[str, Any]
    scripted: str = "fulfilled"

    @property
    def over(self) -> bool:
        return self.instance.state in ("shutting-down", "terminated")

    @property
    def code(self) -> str:
        return ENDED if self.over else self.scripted

    @property
    def state(self) -> str:
        if self.over:
            return "closed"
        return "cancelled" if self.scripted.startswith("request-canceled") else "active"

    @property
    def kind(self) -> str:
        return str(self.options.get("SpotInstanceType", "one-time"))

    def shown(self) -> dict[str, Any]:
        return {
            "SpotInstanceRequestId": self.id,
            "InstanceId": self.instance.id,
            "State": self.state,
            "Status": {"Code": self.code, "Message": CODES.get(self.code, ""), "UpdateTime": self.updated},
            "Type": self.kind,
            "CreateTime": self.created,
            "InstanceInterruptionBehavior": self.options.get("InstanceInterruptionBehavior", "terminate"),
            "LaunchedAvailabilityZone": self.instance.availability_zone,
            "LaunchSpecification": {
                "ImageId": self.instance.image_id,
                "InstanceType": self.instance.instance_type,
                "Placement": {"AvailabilityZone": self.instance.availability_zone},
            },
            "ProductDescription": "Linux/UNIX",
            "SpotPrice": self.options.get("MaxPrice"),
            "Tags": shown_tags(self),
        }


FILTERS: Values = {
    "instance-id": lambda request: [request.instance.id],
    "launch.image-id": lambda request: [request.instance.image_id],
    "launch.instance-type": lambda request: [request.instance.instance_type],
    "launched-availability-zone": lambda request: [request.instance.availability_zone],
    "spot-instance-request-id": lambda request: [request.id],
    "state": lambda request: [request.state],
    "status-code": lambda request: [request.code],
    "type": lambda request: [request.kind],
}


def make_spot(instance: Any, options: dict[str, Any], tags: dict[str, str]) -> SpotRequest:
    """Put a fulfilled request behind an instance."""
    memory = compute(instance.ec2_backend)
    request_id, now = random_spot_request_id(), utcnow()
    request = SpotRequest(instance.ec2_backend, instance, request_id, next(memory.sequence), now, now, options)
    memory.spot_requests[request_id] = request
    instance.lifecycle = instance.instance_lifecycle = "spot"
    instance.spot_instance_request_id = request_id
    request.add_tags(tags)
    return request


def _fulfilled_again(_backend: Any, instance: Any) -> None:
    request = _request_of(instance)
    if request is not None:
        request.scripted, request.updated = "fulfilled", utcnow()


@script("spot", cleared=_fulfilled_again)
def _script_spot(_backend: Any, instance: Any, value: str) -> None:
    if value not in CODES:
        raise ValueError(f"'{value}' is none of {', '.join(CODES)}")
    request = _request_of(instance) or make_spot(instance, {}, {})
    request.scripted, request.updated = value, utcnow()


def _request_of(instance: Any) -> SpotRequest | None:
    requests = compute(instance.ec2_backend).spot_requests
    return requests.get(getattr(instance, "spot_instance_request_id", ""))


@replace(SpotInstances, "describe_spot_instance_requests")
def describe_spot_instance_requests(original: Any, self: Any) -> ActionResult:
    """Requests behind instances by id, filter and page. Those of RequestSpotInstances, which the enclave does
    not call, are moto's, and only they are shown where there are any.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotInstanceRequests.html
    """
    if self.ec2_backend.spot_instance_requests:
        return original(self)
    self.error_on_dryrun()
    params, known = self.params, compute(self.ec2_backend).spot_requests
    ids = params.get("SpotInstanceRequestIds", [])
    for request_id in ids:
        if request_id not in known:
            raise EC2ClientError(
                "InvalidSpotInstanceRequestID.NotFound", f"The spot instance request ID '{request_id}' does not exist"
            )
    chosen = [known[request_id] for request_id in dict.fromkeys(ids)] if ids else list(known.values())
    found = select(chosen, self._filters_from_querystring(), FILTERS)
    found.sort(key=lambda request: request.sequence)
    limit = paging.size(params.get("MaxResults"), 5, 1000)
    page, token = paging.page(found, lambda request: request.sequence, limit, params.get("NextToken"))
    return ActionResult({"SpotInstanceRequests": [request.shown() for request in page], "NextToken": token})
