"""Targets of network balancers: who may be registered, and a health that comes and goes with looks."""

from dataclasses import dataclass
from typing import Any

from moto.elbv2.exceptions import ELBClientError, TargetGroupNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from . import elbv2_quotas
from .ec2_lookups import compute
from .ec2_scripts import script, scripted, store
from .patching import replace

# A target is seen this often while it is initial, and while it drains.
LOOKS = 2

Key = tuple[str, str]

SCRIPT = "target-health"


@script(SCRIPT)
def _script_health(_backend: Any, instance: Any, value: str) -> None:
    """The instance fails its health checks in every group, until the script is taken back."""
    if value != "unhealthy":
        raise ValueError("only 'unhealthy' can be scripted")
    store(instance, SCRIPT, value)


@dataclass
class Target:
    id: str
    port: str
    draining: bool = False
    looks: int = 0


def _key(group: FakeTargetGroup, target: dict[str, Any]) -> Key:
    """A target is an id and a port, the group's port unless another is named."""
    return target["Id"], str(target.get("Port") or group.port)


def _group(backend: Any, arn: str) -> FakeTargetGroup:
    group = backend.target_groups.get(arn)
    if group is None:
        raise TargetGroupNotFoundError()
    return group


def _check(group: FakeTargetGroup, ec2: Any, target: dict[str, Any]) -> None:
    if group.target_type != "instance":
        return
    instance = compute(ec2).instances.get(target["Id"])
    if instance is None or instance.state == "terminated":
        raise ELBClientError("InvalidTarget", f"The following targets are not valid instances: '{target['Id']}'")
    if instance.state != "running":
        raise ELBClientError(
            "InvalidTarget",
            f"The following targets are not in a running state and cannot be registered: '{instance.id}'",
        )
    if instance.vpc_id != group.vpc_id:
        raise ELBClientError(
            "InvalidTarget", f"The following targets are not in the target group VPC '{group.vpc_id}': '{instance.id}'"
        )
    if group.ip_address_type == "ipv6" and not getattr(instance.nics[0], "enclave_primary_ipv6", False):
        raise ELBClientError(
            "InvalidTarget", f"The following targets do not have a primary IPv6 address: '{instance.id}'"
        )


@replace(ELBv2Backend, "register_targets")
def register_targets(_original: Any, self: Any, target_group_arn: str, instances: list[Any]) -> None:
    """All or none; again is nothing new. Instances must run, and have a primary IPv6 address in an IPv6 group.
    Beyond a quota: TooManyTargets.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-register-targets.html
    """
    group = _group(self, target_group_arn)
    for target in instances:
        _check(group, self.ec2_backend, target)
    serving = [self.load_balancers[arn] for arn in group.load_balancer_arns]
    elbv2_quotas.check_targets(self, group, [_key(group, target) for target in instances], serving)
    for target in instances:
        key = _key(group, target)
        known = group.enclave_targets.get(key)
        if known is None or known.draining:
            group.enclave_targets[key] = Target(*key)


@replace(ELBv2Backend, "deregister_targets")
def deregister_targets(_original: Any, self: Any, target_group_arn: str, instances: list[Any]) -> None:
    """ "If the specified target does not exist, the action returns successfully." A target in use drains.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html
    """
    group = _group(self, target_group_arn)
    for target in instances:
        _drain(group, _key(group, target))


def _drain(group: FakeTargetGroup, key: Key) -> None:
    target = group.enclave_targets.get(key)
    if target is None:
        return
    if not group.load_balancer_arns:
        del group.enclave_targets[key]
    elif not target.draining:
        target.draining, target.looks = True, 0


@replace(FakeTargetGroup, "deregister_terminated_instances")
def deregister_terminated_instances(_original: Any, self: Any, instance_ids: list[str]) -> None:
    """Terminated instances are deregistered by the balancer.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-register-targets.html
    """
    for key in [key for key in self.enclave_targets if key[0] in instance_ids]:
        _drain(self, key)


def _status(
    group: FakeTargetGroup, key: Key, state: str, reason: str | None = None, description: str | None = None
) -> FakeHealthStatus:
    check = group.health_check_port
    return FakeHealthStatus(key[0], key[1], key[1] if check == "traffic-port" else check, state, reason, description)


def _look(backend: Any, group: FakeTargetGroup, target: Target) -> FakeHealthStatus | None:
    """How a registered target shows itself; none once it has drained."""
    key = (target.id, target.port)
    if target.draining:
        target.looks += 1
        if target.looks > LOOKS:
            del group.enclave_targets[key]
            return None
        return _status(
            group, key, "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
        )
    if not group.load_balancer_arns:
        return _status(
            group,
            key,
            "unused",
            "Target.NotInUse",
            "Target group is not configured to receive traffic from the load balancer",
        )
    instance = compute(backend.ec2_backend).instances.get(target.id)
    if instance is not None and instance.state != "running":
        return _status(group, key, "unused", "Target.InvalidState", f"Target is in the {instance.state} state")
    zones = {
        subnet.availability_zone for arn in group.load_balancer_arns for subnet in backend.load_balancers[arn].subnets
    }
    if instance is not None and instance.availability_zone not in zones:
        return _status(
            group,
            key,
            "unused",
            "Target.NotInUse",
            "Target is in an Availability Zone that is not enabled for the load balancer",
        )
    target.looks += 1
    if target.looks <= LOOKS:
        return _status(group, key, "initial", "Elb.RegistrationInProgress", "Target registration is in progress")
    if instance is not None and scripted(instance, SCRIPT) == "unhealthy":
        return _status(group, key, "unhealthy", "Target.FailedHealthChecks", "Health checks failed")
    return _status(group, key, "healthy")


@replace(ELBv2Backend, "describe_target_health")
def describe_target_health(
    _original: Any, self: Any, target_group_arn: str, targets: list[dict[str, Any]]
) -> list[FakeHealthStatus]:
    """Initial, then healthy; draining, then gone; unused without a listener.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
    """
    group = _group(self, target_group_arn)
    keys = [_key(group, target) for target in targets] if targets else list(group.enclave_targets)
    shown = []
    for key in keys:
        target = group.enclave_targets.get(key)
        status = _look(self, group, target) if target is not None else None
        if status is None and targets:
            status = _status(
                group, key, "unused", "Target.NotRegistered", "Target is not registered to the target group"
            )
        if status is not None:
            shown.append(status)
    return shown
