"""The life of an instance: pending, running, stopping, shutting-down, terminated, one look after another.

Time is counted in looks (describes that show the instance), never in seconds: a caller that does not wait
for a state is caught every time, and tests need no sleep.
"""

import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    EC2ClientError,
    InvalidInstanceIdError,
    InvalidParameterCombination,
    InvalidParameterValue,
    OperationNotPermitted4,
)
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, StateReason
from moto.ec2.responses.instances import InstanceResponse

from .ec2_lookups import compute
from .patching import replace, replace_property

# A state in passing is seen this many times before the next one.
LOOKS = 2
MOST_IDS = 1000

_terminate_for_good = Instance.terminate


def look(instance: Instance) -> None:
    """Count a look at an instance and move its state on when its time has come."""
    if instance.state not in ("pending", "shutting-down", "stopping"):
        return
    instance.looks += 1
    if instance.looks <= LOOKS:
        return
    instance.looks = 0
    if instance.state == "pending":
        instance._state = InstanceState("running", 16)
    elif instance.state == "stopping":
        instance._state = InstanceState("stopped", 80)
    else:
        _bury(instance)


def _bury(instance: Instance) -> None:
    reason, state_reason = instance._reason, instance.state_reason
    # Frees volumes, interfaces, addresses and the profile's association.
    _terminate_for_good(instance)
    instance._reason, instance.state_reason = reason, state_reason
    instance.security_groups = []
    instance.block_device_mapping.clear()


@replace(Instance, "terminate")
def terminate(_original: Any, self: Any) -> InstanceState:
    """Start to shut down; the rest follows when it has been seen.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
    """
    previous = copy.copy(self._state)
    if self.state in ("shutting-down", "terminated"):
        return previous
    self._state = InstanceState("shutting-down", 32)
    self.looks = 0
    self._reason = "User initiated"
    self.state_reason = StateReason(
        "Client.UserInitiatedShutdown: User initiated shutdown", "Client.UserInitiatedShutdown"
    )
    return previous


@replace(Instance, "stop")
def stop(original: Any, self: Any) -> InstanceState:
    """Start to stop; only a running instance can, a stopped one stays so.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html
    """
    if self.state in ("stopping", "stopped"):
        return copy.copy(self._state)
    if self.state != "running":
        raise EC2ClientError(
            "IncorrectInstanceState", f"The instance '{self.id}' is not in a state from which it can be stopped."
        )
    previous = original(self)
    self._state = InstanceState("stopping", 64)
    self.looks = 0
    return previous


@replace(Instance, "start")
def start(original: Any, self: Any) -> InstanceState:
    """A stopped instance is pending first, a running one stays so.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StartInstances.html
    """
    if self.state in ("pending", "running"):
        return copy.copy(self._state)
    if self.state != "stopped":
        raise EC2ClientError(
            "IncorrectInstanceState", f"The instance '{self.id}' is not in a state from which it can be started."
        )
    previous = original(self)
    self._state = InstanceState("pending", 0)
    self.looks = 0
    return previous


@replace(InstanceBackend, "terminate_instances")
def terminate_instances(_original: Any, self: Any, instance_ids: list[str]) -> list[tuple[Instance, InstanceState]]:
    """All or none: one unknown or protected instance fails the call. At most 1000 ids.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
    """
    return [(instance, instance.terminate()) for instance in _to_terminate(self, instance_ids)]


def _to_terminate(backend: Any, instance_ids: list[str]) -> list[Instance]:
    """The instances, once each, if all of them may be terminated."""
    if not instance_ids:
        raise InvalidParameterCombination("No instances specified")
    if len(instance_ids) > MOST_IDS:
        raise InvalidParameterValue(f"At most {MOST_IDS} instance IDs may be given")
    known = compute(backend).instances
    unknown = [instance_id for instance_id in instance_ids if instance_id not in known]
    if unknown:
        raise InvalidInstanceIdError(unknown)
    instances = [known[instance_id] for instance_id in dict.fromkeys(instance_ids)]
    for instance in instances:
        if str(instance.disable_api_termination).lower() == "true":
            raise OperationNotPermitted4(instance.id)
    return instances


@replace(InstanceResponse, "terminate_instances")
def terminate_instances_action(original: Any, self: Any) -> ActionResult:
    """Terminating a terminated instance succeeds and shows that it was and is terminated. A dry run fails as the
    real call would.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
    """
    _to_terminate(self.ec2_backend, self.params.get("InstanceIds", []))
    answer = original(self)
    known = compute(self.ec2_backend).instances
    for change in answer.result["TerminatingInstances"]:
        change["CurrentState"] = copy.copy(known[change["InstanceId"]]._state)
    return answer


def _none_when_terminated(name: str, empty: Any) -> None:
    @replace_property(Instance, name)
    def of_living_instance(original: Any, self: Any) -> Any:
        """A terminated instance has no network and no addresses.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html
        """
        return copy.copy(empty) if self.state == "terminated" else original(self)


for _name in (
    "private_dns_name",
    "private_ip",
    "private_ip_address",
    "public_dns_name",
    "public_ip",
    "public_ip_address",
    "subnet_id",
    "vpc_id",
):
    _none_when_terminated(_name, None)
_none_when_terminated("network_interfaces", [])
