"""DescribeInstances: pages of instances, filters, and looks that let states pass."""

import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidInstanceIdError, InvalidParameterCombination, InvalidParameterValue
from moto.ec2.models.instances import Instance
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import filter_dict_attribute_mapping, is_tag_filter, passes_filter_dict

from . import paging
from .ec2_lookups import compute
from .ec2_states import look
from .patching import add_property, replace

STATE_FILTERS = ("instance-state-name", "instance-state-code")

# Filters of DescribeInstances that moto lacks.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
filter_dict_attribute_mapping.update(
    {
        "client-token": "client_token",
        "instance-lifecycle": "lifecycle",
        "spot-instance-request-id": "spot_instance_request_id",
        "iam-instance-profile.arn": "profile_arn",
        "instance-state-code": "state_code_text",
        "ipv6-address": "ipv6_address",
        "reservation-id": "reservation.id",
    }
)


@add_property(Instance, "state_code_text")
def state_code_text(self: Any) -> str:
    """Filters compare text. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html"""
    return str(self.state_code)


@add_property(Instance, "profile_arn")
def profile_arn(self: Any) -> str | None:
    """For the filter. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html"""
    return (self.iam_instance_profile or {}).get("Arn")


def _check(filters: dict[str, Any]) -> None:
    for name in filters:
        if name not in filter_dict_attribute_mapping and not is_tag_filter(name):
            raise InvalidParameterValue(f"The filter '{name}' is invalid")


def _view(response: Any, size_limits: tuple[int, int]) -> tuple[list[Instance], str | None]:
    """The instances that a request asks for, each looked at once, and the token of the next page."""
    backend, params = response.ec2_backend, response.params
    ids, limit, token = params.get("InstanceIds", []), params.get("MaxResults"), params.get("NextToken")
    if ids and limit is not None:
        raise InvalidParameterCombination("The parameter instancesSet cannot be used with the parameter maxResults")
    known = compute(backend).instances
    unknown = [instance_id for instance_id in ids if instance_id not in known]
    if unknown:
        raise InvalidInstanceIdError(unknown)
    filters = response._filters_from_querystring()
    _check(filters)
    of_state = {name: values for name, values in filters.items() if name in STATE_FILTERS}
    others = {name: values for name, values in filters.items() if name not in STATE_FILTERS}
    chosen = [known[instance_id] for instance_id in dict.fromkeys(ids)] if ids else list(known.values())
    found = [instance for instance in chosen if passes_filter_dict(instance, others)]
    if of_state:
        # A caller that waits for "running" by filter sees nothing yet, but it does look.
        if not token:
            for instance in found:
                look(instance)
        found = [instance for instance in found if passes_filter_dict(instance, of_state)]
    following = None
    if not ids:
        limit = paging.size(limit, *size_limits)
        found, following = paging.page(found, lambda instance: instance.sequence, limit, token)
    if not of_state:
        for instance in found:
            look(instance)
    return found, following


@replace(InstanceResponse, "describe_instances")
def describe_instances(_original: Any, self: Any) -> ActionResult:
    """Pages count instances; a reservation may go on in the next page.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
    """
    self.error_on_dryrun()
    found, token = _view(self, (5, 1000))
    reservations: dict[str, Any] = {}
    for instance in found:
        owner = instance.reservation
        if owner.id not in reservations:
            reservations[owner.id] = copy.copy(owner)
            reservations[owner.id].instances = []
        reservations[owner.id].instances.append(instance)
    return ActionResult({"Reservations": list(reservations.values()), "NextToken": token})
