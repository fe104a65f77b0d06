"""Health checks of a network balancer's target groups: bounds, defaults, changes.

The bounds are those of
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
"""

import re
from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import InvalidConfigurationRequest, TargetGroupNotFoundError, ValidationError
from moto.elbv2.responses import ELBV2Response

from .patching import replace

NETWORK_PROTOCOLS = ("TCP", "TLS", "UDP", "TCP_UDP")
CHECK_PROTOCOLS = ("TCP", "HTTP", "HTTPS")
BOUNDS = {
    "HealthCheckIntervalSeconds": (5, 300),
    "HealthCheckTimeoutSeconds": (2, 120),
    "HealthyThresholdCount": (2, 10),
    "UnhealthyThresholdCount": (2, 10),
}
# "For target groups with a protocol of HTTP, the default is 6 seconds. For [...] TCP, TLS or HTTPS, [...] 10."
# It is the check's protocol that matters: https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
DEFAULT_TIMEOUTS = {"HTTP": 6}
DEFAULT_MATCHER = "200-399"


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse what a network balancer's health check cannot be. All of one check; absent ones have no bounds."""
    protocol = settings.get("HealthCheckProtocol", "TCP")
    if protocol not in CHECK_PROTOCOLS:
        raise InvalidConfigurationRequest(f"Health check protocol '{protocol}' is none of TCP, HTTP, HTTPS")
    for name, (smallest, largest) in BOUNDS.items():
        value = settings.get(name)
        if value is not None and not smallest <= int(value) <= largest:
            raise ValidationError(f"{name} '{value}' must be between {smallest} and {largest}")
    port = settings.get("HealthCheckPort", "traffic-port")
    if port != "traffic-port" and not (str(port).isdigit() and 1 <= int(port) <= 65535):
        raise ValidationError(f"Health check port '{port}' must be 'traffic-port' or from 1 to 65535")
    if str(settings.get("HealthCheckEnabled", True)).lower() == "false":
        raise InvalidConfigurationRequest("Health checks cannot be disabled for targets of type instance, ip or alb")
    path, matcher = settings.get("HealthCheckPath"), settings.get("Matcher")
    if protocol == "TCP" and (path is not None or matcher is not None):
        raise InvalidConfigurationRequest("A path and a matcher are for health checks by HTTP and HTTPS")
    if path is not None and not (path.startswith("/") and len(path) <= 1024):
        raise ValidationError(f"Health check path '{path}' must begin with '/' and have at most 1024 characters")
    if matcher is not None:
        _check_matcher(matcher.get("HttpCode") or "")
    interval, timeout = settings.get("HealthCheckIntervalSeconds"), settings.get("HealthCheckTimeoutSeconds")
    if interval is not None and timeout is not None and int(timeout) > int(interval):
        # Not on the page; moto knows it from AWS's answers.
        raise ValidationError(f"Health check timeout '{timeout}' must be at most the interval '{interval}'")


def _check_matcher(codes: str) -> None:
    """ "200", "200,202" or "200-299", each from 200 to 599."""
    for part in codes.split(","):
        if not re.fullmatch(r"\d{3}(-\d{3})?", part) or any(not 200 <= int(code) <= 599 for code in part.split("-")):
            raise ValidationError(f"Health check matcher '{codes}' must hold codes from 200 to 599")


def with_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    """A whole check: what was not said is as documented."""
    protocol = settings.get("HealthCheckProtocol") or "TCP"
    by_http: dict[str, Any] = {}
    if protocol != "TCP":
        by_http = {"HealthCheckPath": "/", "Matcher": {"HttpCode": DEFAULT_MATCHER}}
    return {
        "HealthCheckProtocol": protocol,
        "HealthCheckPort": "traffic-port",
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": DEFAULT_TIMEOUTS.get(protocol, 10),
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
        **by_http,
        **settings,
    }


def settings_in(params: dict[str, Any]) -> dict[str, Any]:
    """The health check's part of a request."""
    names = ("HealthCheckProtocol", "HealthCheckPort", "HealthCheckPath", "HealthCheckEnabled", "Matcher", *BOUNDS)
    return {name: params[name] for name in names if params.get(name) is not None}


def settings_of_group(group: Any) -> dict[str, Any]:
    settings = {
        "HealthCheckProtocol": group.health_check_protocol,
        "HealthCheckPort": group.health_check_port,
        "HealthCheckPath": group.health_check_path,
        "Matcher": getattr(group, "matcher", None),
        "HealthCheckIntervalSeconds": group.health_check_interval_seconds,
        "HealthCheckTimeoutSeconds": group.health_check_timeout_seconds,
        "HealthyThresholdCount": group.healthy_threshold_count,
        "UnhealthyThresholdCount": group.unhealthy_threshold_count,
    }
    return {name: value for name, value in settings.items() if value is not None}


def put(group: Any, settings: dict[str, Any]) -> None:
    """Give a group a whole check."""
    group.health_check_protocol = settings["HealthCheckProtocol"]
    group.health_check_port = str(settings["HealthCheckPort"])
    group.health_check_path = settings.get("HealthCheckPath")
    group.matcher = settings.get("Matcher")
    group.health_check_interval_seconds = int(settings["HealthCheckIntervalSeconds"])
    group.health_check_timeout_seconds = int(settings["HealthCheckTimeoutSeconds"])
    group.healthy_threshold_count = int(settings["HealthyThresholdCount"])
    group.unhealthy_threshold_count = int(settings["UnhealthyThresholdCount"])


@replace(ELBV2Response, "modify_target_group")
def modify_target_group(original: Any, self: Any) -> ActionResult:
    """All settings or none; those not named stay, except that a check by TCP loses path and matcher.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroup.html
    Older guides say that a TCP group's protocol, interval, timeout and matcher cannot change; the page's bounds
    and the guide of today have no such rule.
    """
    group = self.elbv2_backend.target_groups.get(self.params["TargetGroupArn"])
    if group is None:
        raise TargetGroupNotFoundError()
    if group.protocol not in NETWORK_PROTOCOLS:
        return original(self)
    asked, before = settings_in(self.params), settings_of_group(group)
    if asked.get("HealthCheckProtocol", before["HealthCheckProtocol"]) == "TCP":
        before = {name: value for name, value in before.items() if name not in ("HealthCheckPath", "Matcher")}
    after = with_defaults({**before, **asked})
    check_settings(after)
    put(group, after)
    return ActionResult({"TargetGroups": [group]})
