"""Default quotas of network balancers that one balancer or group can reach by itself.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html
Those of a whole region (balancers, target groups) are left out: tests share a region.
"""

from collections import Counter
from typing import Any

from moto.elbv2.exceptions import ELBClientError

from .ec2_lookups import compute

LISTENERS = 50
TARGETS_OF_GROUP = 1000
TARGETS_OF_BALANCER = 3000
TARGETS_OF_ZONE = 500
# "If cross-zone load balancing is enabled, the maximum is 500 targets per load balancer, regardless of the
# number of Availability Zones."
TARGETS_ACROSS_ZONES = 500

CROSS_ZONE = "load_balancing.cross_zone.enabled"


def check_listeners(balancer: Any) -> None:
    if balancer.type == "network" and len(balancer.listeners) >= LISTENERS:
        raise ELBClientError("TooManyListeners", f"'{balancer.arn}' has {LISTENERS} listeners, the most there can be")


def _too_many(what: str, most: int) -> ELBClientError:
    return ELBClientError("TooManyTargets", f"{what} can have at most {most} targets")


def check_targets(backend: Any, group: Any, new: list[tuple[str, str]], balancers: list[Any]) -> None:
    """Whether a group may have more targets, under the balancers that it serves or shall serve.

    A target counts once for each group that it is registered with. Draining ones still count.
    """
    coming = [key for key in dict.fromkeys(new) if key not in group.enclave_targets]
    if len(group.enclave_targets) + len(coming) > TARGETS_OF_GROUP:
        raise _too_many(f"The target group '{group.arn}'", TARGETS_OF_GROUP)
    for balancer in balancers:
        groups = {
            other.arn: other for other in backend.target_groups.values() if balancer.arn in other.load_balancer_arns
        }
        groups[group.arn] = group
        keys = [key for other in groups.values() for key in other.enclave_targets] + coming
        settings = {_cross_zone(balancer, other) for other in groups.values()}
        if "true" in settings and len(keys) > TARGETS_ACROSS_ZONES:
            raise _too_many(f"With cross-zone load balancing '{balancer.arn}'", TARGETS_ACROSS_ZONES)
        if len(keys) > TARGETS_OF_BALANCER:
            raise _too_many(f"'{balancer.arn}'", TARGETS_OF_BALANCER)
        instances = compute(backend.ec2_backend).instances
        zones = Counter(instances[key[0]].availability_zone for key in keys if key[0] in instances)
        for zone, number in zones.items():
            if number > TARGETS_OF_ZONE:
                raise _too_many(f"In {zone} '{balancer.arn}'", TARGETS_OF_ZONE)


def _cross_zone(balancer: Any, group: Any) -> str:
    own = group.attributes.get(CROSS_ZONE)
    return str(balancer.attrs.get(CROSS_ZONE) if own == "use_load_balancer_configuration" else own)
