"""Target groups: repeated calls, deletion, pages, tags."""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.elbv2.exceptions import (
    DuplicateTargetGroupName,
    ListenerNotFoundError,
    TooManyTagsError,
    ValidationError,
)
from moto.elbv2.models import ELBv2Backend, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from .elbv2_attributes import group_defaults
from .elbv2_health_checks import NETWORK_PROTOCOLS, check_settings, put, with_defaults
from .elbv2_shared import balancing, elb_page, settings_of
from .patching import replace

MOST_TAGS = 50
MOST_DESCRIBED = 20
DEFAULTS = {"ip_address_type": "ipv4", "target_type": "instance"}
# moto's names of a health check's settings.
CHECK_NAMES = {
    "healthcheck_protocol": "HealthCheckProtocol",
    "healthcheck_port": "HealthCheckPort",
    "healthcheck_path": "HealthCheckPath",
    "healthcheck_enabled": "HealthCheckEnabled",
    "healthcheck_interval_seconds": "HealthCheckIntervalSeconds",
    "healthcheck_timeout_seconds": "HealthCheckTimeoutSeconds",
    "healthy_threshold_count": "HealthyThresholdCount",
    "unhealthy_threshold_count": "UnhealthyThresholdCount",
    "matcher": "Matcher",
}


@replace(ELBv2Backend, "create_target_group")
def create_target_group(original: Any, self: Any, name: str, **kwargs: Any) -> FakeTargetGroup:
    """Equal settings give the existing group, others DuplicateTargetGroupName. Health checks have bounds.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
    """
    given = {key: value for key, value in kwargs.items() if value is not None}
    check: dict[str, Any] = {}
    if kwargs.get("protocol") in NETWORK_PROTOCOLS:
        check = with_defaults({shown: given.pop(name) for name, shown in CHECK_NAMES.items() if name in given})
        check_settings(check)
        check.pop("HealthCheckEnabled", None)
        given = {**DEFAULTS, **given}
    settings = settings_of(check={name: str(value) for name, value in check.items()}, **given)
    for group in self.target_groups.values():
        if group.name == name:
            if balancing(self).settings[group.arn] != settings:
                raise DuplicateTargetGroupName(
                    f"A target group with the same name '{name}' exists, but with different settings"
                )
            return group
    group = original(self, name, **kwargs)
    if group.protocol in NETWORK_PROTOCOLS:
        group.attributes = group_defaults(group)
        put(group, check)
    group.enclave_targets = {}
    balancing(self).remember(group.arn, settings)
    return group


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
