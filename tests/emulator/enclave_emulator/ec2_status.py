"""DescribeInstanceStatus: states, checks, and events that a test schedules.

Script `emulator:events` on an instance: events separated by commas, each `CODE`, `CODE@NOT_BEFORE` or
`CODE@NOT_BEFORE/NOT_AFTER` (RFC 3339 with Z), where CODE is one of CODES, with `completed:` before it for an
event that is over. Without a time an event begins in two weeks. Setting the script again replaces all events.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import InvalidInstanceIdError, InvalidParameterCombination, InvalidParameterValue
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import random_id

from . import paging
from .ec2_lookups import compute
from .ec2_scripts import script
from .ec2_states import look
from .filters import Values, select
from .patching import replace

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceStatusEvent.html
CODES = {
    "instance-reboot": "The instance is scheduled for a reboot",
    "system-reboot": "The system is scheduled for a reboot",
    "system-maintenance": "The instance is on a system that is scheduled for maintenance",
    "instance-retirement": "The instance is running on degraded hardware",
    "instance-stop": "The instance is scheduled to be stopped",
}
# "If the event has been completed, this description starts with the following text: [Completed]."
COMPLETED = "[Completed] "
LEAD = timedelta(days=14)
MOST_IDS = 100


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _event(text: str) -> dict[str, Any]:
    code, _, times = text.removeprefix("completed:").partition("@")
    if code not in CODES:
        raise ValueError(f"'{code}' is none of {', '.join(CODES)}")
    begin, _, end = times.partition("/")
    event = {
        "InstanceEventId": random_id("instance-event"),
        "Code": code,
        "Description": (COMPLETED if text.startswith("completed:") else "") + CODES[code],
        "NotBefore": _time(begin) if begin else utcnow() + LEAD,
    }
    return {**event, "NotAfter": _time(end)} if end else event


@script("events", cleared=lambda _backend, instance: setattr(instance, "enclave_events", []))
def _script_events(_backend: Any, instance: Any, value: str) -> None:
    instance.enclave_events = [_event(text) for text in value.split(",")]


def events_of(instance: Any) -> list[dict[str, Any]]:
    return getattr(instance, "enclave_events", [])


def _of_events(name: str) -> Any:
    def values(instance: Any) -> list[str]:
        found = [event[name] for event in events_of(instance) if name in event]
        return [value.strftime("%Y-%m-%dT%H:%M:%S.000Z") if isinstance(value, datetime) else value for value in found]

    return values


def _zone_id(instance: Any) -> str | None:
    zone = instance.ec2_backend.get_zone_by_name(instance.availability_zone)
    return zone.zone_id if zone else None


STATE_FILTERS: Values = {
    "instance-state-name": lambda instance: [instance.state],
    "instance-state-code": lambda instance: [str(instance.state_code)],
    "instance-status.status": lambda instance: [instance.instance_status["Status"]],
    "system-status.status": lambda instance: [instance.system_status["Status"]],
}
FILTERS: Values = {
    "availability-zone": lambda instance: [instance.availability_zone],
    "availability-zone-id": lambda instance: [_zone_id(instance)],
    "event.code": _of_events("Code"),
    "event.description": _of_events("Description"),
    "event.instance-event-id": _of_events("InstanceEventId"),
    "event.not-after": _of_events("NotAfter"),
    "event.not-before": _of_events("NotBefore"),
}


def _shown(instance: Any) -> dict[str, Any]:
    return {
        "AvailabilityZone": instance.availability_zone,
        "AvailabilityZoneId": _zone_id(instance),
        "InstanceId": instance.id,
        "InstanceState": {"Code": instance.state_code, "Name": instance.state},
        "InstanceStatus": instance.instance_status,
        "SystemStatus": instance.system_status,
        "Events": events_of(instance),
    }


@replace(InstanceResponse, "describe_instance_status")
def describe_instance_status(_original: Any, self: Any) -> ActionResult:
    """Running instances, or all of them on demand, in full pages; at most 100 ids.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceStatus.html
    """
    self.error_on_dryrun()
    params, known = self.params, compute(self.ec2_backend).instances
    ids, limit, token = params.get("InstanceIds", []), params.get("MaxResults"), params.get("NextToken")
    if ids and limit is not None:
        raise InvalidParameterCombination("The parameter instancesSet cannot be used with the parameter maxResults")
    if len(ids) > MOST_IDS:
        raise InvalidParameterValue(f"At most {MOST_IDS} instance IDs may be given")
    unknown = [instance_id for instance_id in ids if instance_id not in known]
    if unknown:
        raise InvalidInstanceIdError(unknown)
    chosen = [known[instance_id] for instance_id in dict.fromkeys(ids)] if ids else list(known.values())
    filters = self._filters_from_querystring()
    of_state = {name: values for name, values in filters.items() if name in STATE_FILTERS}
    others = {name: values for name, values in filters.items() if name not in STATE_FILTERS}
    found = select(chosen, others, FILTERS, tagged=False)
    # Whoever waits for a state sees nothing yet, but looks; a later page is not another look.
    if not token:
        for instance in found:
            look(instance)
    found = select(found, of_state, STATE_FILTERS, tagged=False)
    if not self._get_bool_param("IncludeAllInstances", False):
        found = [instance for instance in found if instance.is_running()]
    following = None
    if not ids:
        found.sort(key=lambda instance: instance.sequence)
        found, following = paging.page(found, lambda instance: instance.sequence, paging.size(limit, 5, 1000), token)
    return ActionResult({"InstanceStatuses": [_shown(instance) for instance in found], "NextToken": following})
