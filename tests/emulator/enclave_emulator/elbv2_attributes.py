"""Attributes of network balancers and their target groups: names, values, defaults; a change is all or none."""

import re
from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import (
    InvalidConfigurationRequest,
    LoadBalancerNotFoundError,
    TargetGroupNotFoundError,
    ValidationError,
)
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from .elbv2_health_checks import NETWORK_PROTOCOLS
from .patching import replace

MOST_ATTRIBUTES = 20
SWITCH = r"true|false"

# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
BALANCER_VALUES = {
    "access_logs.s3.bucket": r".*",
    "access_logs.s3.enabled": SWITCH,
    "access_logs.s3.prefix": r".*",
    "deletion_protection.enabled": SWITCH,
    "dns_record.client_routing_policy": (
        r"availability_zone_affinity|partial_availability_zone_affinity|any_availability_zone"
    ),
    "ipv6.deny_all_igw_traffic": SWITCH,
    "load_balancing.cross_zone.enabled": SWITCH,
    "secondary_ips.auto_assigned.per_subnet": r"[0-7]",
    "zonal_shift.config.enabled": SWITCH,
}

COUNT, SHARE = r"off|[1-9]\d{0,3}", r"off|[1-9]\d?|100"
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
GROUP_VALUES = {
    "deregistration_delay.connection_termination.enabled": SWITCH,
    "deregistration_delay.timeout_seconds": r"\d{1,4}",
    "load_balancing.cross_zone.enabled": SWITCH + r"|use_load_balancer_configuration",
    "preserve_client_ip.enabled": SWITCH,
    "proxy_protocol_v2.enabled": SWITCH,
    "stickiness.enabled": SWITCH,
    "stickiness.type": r"source_ip",
    "target_group_health.dns_failover.minimum_healthy_targets.count": COUNT,
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": SHARE,
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": r"[1-9]\d{0,3}",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": SHARE,
    "target_health_state.unhealthy.connection_termination.enabled": SWITCH,
    "target_health_state.unhealthy.draining_interval_seconds": r"\d{1,6}",
}
LARGEST = {
    "deregistration_delay.timeout_seconds": 3600,
    "target_health_state.unhealthy.draining_interval_seconds": 360000,
}


def balancer_defaults(balancer: FakeLoadBalancer) -> dict[str, str]:
    """What a new network balancer has: an internal one is closed to internet gateways."""
    return {
        "access_logs.s3.enabled": "false",
        "deletion_protection.enabled": "false",
        "dns_record.client_routing_policy": "any_availability_zone",
        "ipv6.deny_all_igw_traffic": "true" if balancer.scheme == "internal" else "false",
        "load_balancing.cross_zone.enabled": "false",
        "secondary_ips.auto_assigned.per_subnet": "0",
        "zonal_shift.config.enabled": "false",
    }


def group_defaults(group: FakeTargetGroup) -> dict[str, str]:
    """What a new target group of a network balancer has.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
    """
    datagrams = group.protocol in ("UDP", "TCP_UDP")
    return {
        "deregistration_delay.connection_termination.enabled": "true" if datagrams else "false",
        "deregistration_delay.timeout_seconds": "300",
        "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
        "preserve_client_ip.enabled": "true" if group.target_type == "instance" or datagrams else "false",
        "proxy_protocol_v2.enabled": "false",
        "stickiness.enabled": "false",
        "stickiness.type": "source_ip",
        "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
        "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
        "target_health_state.unhealthy.connection_termination.enabled": "false" if datagrams else "true",
        "target_health_state.unhealthy.draining_interval_seconds": "0",
    }


@replace(ELBv2Backend, "modify_load_balancer_attributes")
def modify_load_balancer_attributes(original: Any, self: Any, arn: str, attrs: dict[str, Any]) -> dict[str, Any]:
    """ "If any of the specified attributes can't be modified as requested, the call fails."

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyLoadBalancerAttributes.html
    """
    balancer = self.load_balancers.get(arn)
    if balancer is None:
        raise LoadBalancerNotFoundError()
    if len(attrs) > MOST_ATTRIBUTES:
        raise ValidationError(f"At most {MOST_ATTRIBUTES} attributes may be given")
    if balancer.type != "network":
        return original(self, arn, attrs)
    for key, value in attrs.items():
        if key not in BALANCER_VALUES:
            raise InvalidConfigurationRequest(f"Load balancer attribute key '{key}' is not recognized")
        if not re.fullmatch(BALANCER_VALUES[key], str(value)):
            raise InvalidConfigurationRequest(f"'{value}' is no value of the load balancer attribute '{key}'")
    key = "secondary_ips.auto_assigned.per_subnet"
    if int(attrs.get(key, 7)) < int(balancer.attrs[key]):
        raise InvalidConfigurationRequest(f"'{key}' cannot be decreased")
    balancer.attrs.update(attrs)
    return balancer.attrs


@replace(ELBv2Backend, "modify_target_group_attributes")
def modify_target_group_attributes(original: Any, self: Any, target_group_arn: str, attributes: dict[str, Any]) -> None:
    """Bounds as documented; the client's address cannot be hidden from UDP targets, nor their connections ended.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
    """
    group = self.target_groups.get(target_group_arn)
    if group is None:
        raise TargetGroupNotFoundError()
    if group.protocol not in NETWORK_PROTOCOLS:
        return original(self, target_group_arn, attributes)
    for key, value in attributes.items():
        if key not in GROUP_VALUES:
            raise ValidationError(f"Target group attribute key '{key}' is not recognized")
        if not re.fullmatch(GROUP_VALUES[key], str(value)) or int(LARGEST.get(key, 0)) < (
            int(value) if key in LARGEST else 0
        ):
            raise ValidationError(f"'{value}' is no value of the target group attribute '{key}'")
    after = {**group.attributes, **attributes}
    ends = "target_health_state.unhealthy.connection_termination.enabled"
    if "UDP" in group.protocol:
        if after["preserve_client_ip.enabled"] == "false":
            raise ValidationError(f"Client IP preservation cannot be disabled for {group.protocol} target groups")
        if after[ends] == "true":
            raise ValidationError(f"'{ends}' cannot be true for {group.protocol} target groups")
    interval = "target_health_state.unhealthy.draining_interval_seconds"
    if after[ends] == "true" and after[interval] != "0":
        raise ValidationError(f"'{interval}' can only be set when '{ends}' is false")
    group.attributes.update(attributes)
    return None


@replace(ELBV2Response, "modify_target_group_attributes")
def modify_target_group_attributes_action(original: Any, self: Any) -> ActionResult:
    """Answers all attributes.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroupAttributes.html
    """
    original(self)
    group = self.elbv2_backend.target_groups[self.params["TargetGroupArn"]]
    return ActionResult({"Attributes": group.attributes})
