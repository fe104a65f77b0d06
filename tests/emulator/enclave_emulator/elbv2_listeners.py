"""Listeners: what they may forward to, repeated calls, attributes."""

from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import (
    DuplicateListenerError,
    ELBClientError,
    InvalidConfigurationRequest,
    ListenerNotFoundError,
    LoadBalancerNotFoundError,
    TargetGroupNotFoundError,
    ValidationError,
)
from moto.elbv2.models import ELBv2Backend, FakeListener, FakeLoadBalancer, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from . import elbv2_quotas
from .elbv2_shared import balancing, elb_page, relink, settings_of
from .patching import replace

# Which target group protocols a listener may forward to.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html
FORWARDS = {"TCP": {"TCP"}, "TLS": {"TCP", "TLS"}, "UDP": {"UDP"}, "TCP_UDP": {"TCP_UDP"}}


def _groups_of(backend: Any, actions: list[dict[str, Any]]) -> list[FakeTargetGroup]:
    arns = [arn for action in actions for arn in backend._get_target_group_arns_from(action_data=action)]
    if any(arn not in backend.target_groups for arn in arns):
        raise TargetGroupNotFoundError()
    return [backend.target_groups[arn] for arn in dict.fromkeys(arns)]


def _check_forward(backend: Any, balancer: FakeLoadBalancer, protocol: str, actions: list[dict[str, Any]]) -> None:
    if balancer.type != "network":
        return
    for group in _groups_of(backend, actions):
        if group.protocol not in FORWARDS.get(protocol, {group.protocol}):
            raise ELBClientError(
                "IncompatibleProtocols", f"A {protocol} listener cannot forward to a {group.protocol} target group"
            )
        if any(arn != balancer.arn for arn in group.load_balancer_arns):
            raise ELBClientError(
                "TargetGroupAssociationLimit", f"The target group '{group.arn}' already serves a load balancer"
            )
        if group.vpc_id != balancer.vpc_id:
            raise InvalidConfigurationRequest("The load balancer and the target group must be in the same VPC")
        if group.ip_address_type == "ipv6" and not balancer.ip_address_type.startswith("dualstack"):
            raise InvalidConfigurationRequest("An IPv6 target group needs a dualstack load balancer")
        elbv2_quotas.check_targets(backend, group, [], [balancer])


@replace(ELBv2Backend, "create_listener")
def create_listener(
    original: Any,
    self: Any,
    load_balancer_arn: str,
    protocol: str,
    port: str,
    ssl_policy: str,
    certificate: str | None,
    actions: list[dict[str, Any]],
    alpn_policy: list[str] | None = None,
    tags: list[dict[str, str]] | None = None,
) -> FakeListener:
    """Equal settings give the existing listener, others on its port DuplicateListener. A target group serves one
    network balancer.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
    """
    balancer = self.load_balancers.get(load_balancer_arn)
    if balancer is None:
        raise LoadBalancerNotFoundError()
    secure = protocol in ("HTTPS", "TLS")
    settings = settings_of(
        protocol=protocol,
        policy=ssl_policy if secure else None,
        certificate=certificate,
        actions=actions,
        alpn=alpn_policy or [],
        tags=tags or [],
    )
    for listener in balancer.listeners.values():
        if str(listener.port) == str(port):
            if balancing(self).settings[listener.arn] != settings:
                raise DuplicateListenerError("A listener already exists on this port for this load balancer")
            return listener
    elbv2_quotas.check_listeners(balancer)
    _check_forward(self, balancer, protocol, actions)
    listener = original(
        self, load_balancer_arn, protocol, port, ssl_policy if secure else None, certificate, actions, alpn_policy, tags
    )
    if balancer.type != "network" or protocol != "TCP":
        listener.attributes = {}
    balancing(self).remember(listener.arn, settings)
    relink(self)
    return listener


@replace(ELBv2Backend, "modify_listener")
def modify_listener(original: Any, self: Any, arn: str, *args: Any, **kwargs: Any) -> FakeListener:
    """What holds for a new listener holds for a changed one.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html
    """
    _port, protocol, _policy, _certificates, actions = args
    [listener] = self.describe_listeners(None, [arn])
    _check_forward(self, self.load_balancers[listener.load_balancer_arn], protocol or listener.protocol, actions or [])
    changed = original(self, arn, *args, **kwargs)
    relink(self)
    return changed


@replace(ELBv2Backend, "delete_listener")
def delete_listener(original: Any, self: Any, listener_arn: str) -> FakeListener:
    """Frees its target groups.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteListener.html
    """
    deleted = original(self, listener_arn)
    relink(self)
    return deleted


@replace(ELBV2Response, "describe_listeners")
def describe_listeners(_original: Any, self: Any) -> ActionResult:
    """Every ARN given must exist; pages of up to 400.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListeners.html
    """
    backend, params = self.elbv2_backend, self.params
    balancer, arns = params.get("LoadBalancerArn"), params.get("ListenerArns", [])
    if bool(balancer) == bool(arns):
        raise ValidationError("You must specify either listener ARNs or a load balancer ARN")
    found = backend.describe_listeners(balancer, arns)
    if arns and len(found) < len(set(arns)):
        raise ListenerNotFoundError()
    listeners, marker = elb_page(found, balancing(backend), params)
    return ActionResult({"Listeners": listeners, "NextMarker": marker})


@replace(ELBv2Backend, "modify_listener_attributes")
def modify_listener_attributes(original: Any, self: Any, listener_arn: str, attrs: list[dict[str, str]]) -> Any:
    """A TCP listener's idle timeout is 60 to 6000 seconds.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html
    """
    [listener] = self.describe_listeners(None, [listener_arn])
    for attribute in attrs:
        if attribute["Key"] not in listener.attributes:
            raise InvalidConfigurationRequest(f"Listener attribute key '{attribute['Key']}' is not recognized")
        if not (attribute["Value"].isdigit() and 60 <= int(attribute["Value"]) <= 6000):
            raise ValidationError("'tcp.idle_timeout.seconds' must be between 60 and 6000")
    return original(self, listener_arn, attrs)
