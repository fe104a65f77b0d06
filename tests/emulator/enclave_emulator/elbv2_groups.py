"""Target groups: repeated calls, defaults of network balancers, attributes, pages, tags."""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.elbv2.exceptions import (
    DuplicateTargetGroupName,
    ListenerNotFoundError,
    TargetGroupNotFoundError,
    TooManyTagsError,
    ValidationError,
)
from moto.elbv2.models import ELBv2Backend, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from .elbv2_shared import balancing, elb_page, settings_of
from .patching import replace

MOST_TAGS = 50
MOST_DESCRIBED = 20
NETWORK_PROTOCOLS = ("TCP", "TLS", "UDP", "TCP_UDP")
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
DEFAULTS = {
    "healthcheck_protocol": "TCP",
    "healthcheck_port": "traffic-port",
    "healthcheck_interval_seconds": 30,
    "healthcheck_timeout_seconds": 10,
    "healthcheck_enabled": True,
    "healthy_threshold_count": 5,
    "unhealthy_threshold_count": 2,
    "ip_address_type": "ipv4",
    "target_type": "instance",
}


@replace(ELBv2Backend, "create_target_group")
def create_target_group(original: Any, self: Any, name: str, **kwargs: Any) -> FakeTargetGroup:
    """Equal settings give the existing group, others DuplicateTargetGroupName.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
    """
    given = {key: value for key, value in kwargs.items() if value is not None}
    defaults = DEFAULTS if kwargs.get("protocol") in NETWORK_PROTOCOLS else {}
    settings = settings_of(**{**defaults, **given})
    for group in self.target_groups.values():
        if group.name == name:
            if balancing(self).settings[group.arn] != settings:
                raise DuplicateTargetGroupName(
                    f"A target group with the same name '{name}' exists, but with different settings"
                )
            return group
    group = original(self, name, **kwargs)
    if group.protocol in NETWORK_PROTOCOLS:
        group.attributes = _network_attributes(group)
    group.enclave_targets = {}
    balancing(self).remember(group.arn, settings)
    return group


def _network_attributes(group: FakeTargetGroup) -> dict[str, str]:
    """The attributes of a network balancer's group, with their defaults.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
    """
    keeps_client = group.target_type == "instance" or group.protocol in ("UDP", "TCP_UDP")
    return {
        "deregistration_delay.connection_termination.enabled": "false",
        "deregistration_delay.timeout_seconds": "300",
        "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
        "preserve_client_ip.enabled": "true" if keeps_client else "false",
        "proxy_protocol_v2.enabled": "false",
        "stickiness.enabled": "false",
        "stickiness.type": "source_ip",
        "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
        "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
        "target_health_state.unhealthy.connection_termination.enabled": "true",
        "target_health_state.unhealthy.draining_interval_seconds": "0",
    }


@replace(ELBv2Backend, "modify_target_group_attributes")
def modify_target_group_attributes(original: Any, self: Any, target_group_arn: str, attributes: dict[str, Any]) -> None:
    """Unknown keys are refused; a deregistration delay may be 0 to 3600 seconds, both included; the client's
    address cannot be hidden from UDP targets.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
    """
    group = self.target_groups.get(target_group_arn)
    if group is None:
        raise TargetGroupNotFoundError()
    if group.protocol not in NETWORK_PROTOCOLS:
        return original(self, target_group_arn, attributes)
    for key, value in attributes.items():
        if key not in group.attributes:
            raise ValidationError(f"Target group attribute key '{key}' is not recognized")
        if key.endswith(".enabled") and value not in ("true", "false", "use_load_balancer_configuration"):
            raise ValidationError(f"'{key}' must be true or false")
    delay = attributes.get("deregistration_delay.timeout_seconds", "0")
    if not (str(delay).isdigit() and int(delay) <= 3600):
        raise ValidationError("'deregistration_delay.timeout_seconds' must be between 0 and 3600")
    if attributes.get("preserve_client_ip.enabled") == "false" and "UDP" in group.protocol:
        raise ValidationError(f"Client IP preservation cannot be disabled for {group.protocol} target groups")
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


@replace(ELBv2Backend, "delete_target_group")
def delete_target_group(original: Any, self: Any, target_group_arn: str) -> Any:
    """ResourceInUse is the only error documented: deleting a group that is gone succeeds.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteTargetGroup.html
    """
    if target_group_arn in self.target_groups:
        return original(self, target_group_arn)
    return None


@replace(ELBV2Response, "describe_target_groups")
def describe_target_groups(_original: Any, self: Any) -> ActionResult:
    """Pages of up to 400; a balancer without groups has an empty list.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
    """
    backend, params = self.elbv2_backend, self.params
    balancer = params.get("LoadBalancerArn")
    if balancer in backend.load_balancers and not params.get("TargetGroupArns") and not params.get("Names"):
        found = [group for group in backend.target_groups.values() if balancer in group.load_balancer_arns]
    else:
        found = list(
            backend.describe_target_groups(balancer, params.get("TargetGroupArns", []), params.get("Names", []))
        )
    groups, marker = elb_page(found, balancing(backend), params)
    return ActionResult({"TargetGroups": groups, "NextMarker": marker})


@replace(ELBV2Response, "describe_tags")
def describe_tags(original: Any, self: Any) -> ActionResult:
    """At most 20 resources, and all of them must exist.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
    """
    arns = self.params.get("ResourceArns", [])
    if len(arns) > MOST_DESCRIBED:
        raise ValidationError(f"At most {MOST_DESCRIBED} resources may be described")
    for arn in arns:
        try:
            self.elbv2_backend._get_resource_by_arn(arn)
        except KeyError:
            raise ListenerNotFoundError() from None
    return original(self)


@replace(ELBV2Response, "add_tags")
def add_tags(_original: Any, self: Any) -> EmptyResult:
    """Up to 50 tags a resource; moto stops at 10.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html
    """
    backend, tags = self.elbv2_backend, self.params.get("Tags", [])
    for arn in self.params.get("ResourceArns", []):
        backend._get_resource_by_arn(arn)
        after = {**backend.tagging_service.get_tag_dict_for_resource(arn), **{tag["Key"]: "" for tag in tags}}
        if len(after) > MOST_TAGS:
            raise TooManyTagsError()
    for arn in self.params.get("ResourceArns", []):
        backend.tagging_service.tag_resource(arn, tags)
    return EmptyResult()
