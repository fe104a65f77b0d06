"""Network Load Balancers: names, states, repeated calls, deletion."""

import re
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.elbv2.exceptions import (
    DuplicateLoadBalancerName,
    ELBClientError,
    InvalidConfigurationRequest,
    LoadBalancerNotFoundError,
    ResourceInUseError,
    SubnetNotFoundError,
    ValidationError,
)
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer
from moto.elbv2.responses import ELBV2Response

from .ec2_endpoint_services import look_at_service
from .elbv2_attributes import balancer_defaults
from .elbv2_shared import balancing, elb_page, relink, settings_of
from .patching import compute_lock, replace

# A balancer is seen this many times while it is provisioned.
LOOKS = 2
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")


@replace(ELBV2Response, "call_action")
def call_action(original: Any, self: Any) -> Any:
    """One request at a time: of equal concurrent creations the second finds what the first made.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    """
    with compute_lock:
        return original(self)


@replace(ELBv2Backend, "create_load_balancer")
def create_load_balancer(
    original: Any,
    self: Any,
    name: str,
    security_groups: list[str],
    subnet_ids: list[str],
    subnet_mappings: list[dict[str, str]] | None = None,
    scheme: str | None = None,
    loadbalancer_type: str | None = None,
    ip_address_type: str = "ipv4",
    tags: list[dict[str, str]] | None = None,
) -> FakeLoadBalancer:
    """Equal settings give the existing balancer, others DuplicateLoadBalancerName; a network balancer's ARN
    and DNS name have their own shape.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    """
    kind, scheme = loadbalancer_type or "application", scheme or "internet-facing"
    if not NAME.fullmatch(name) or name.startswith("internal-"):
        raise ValidationError(
            f"The load balancer name '{name}' must have at most 32 letters, digits and hyphens, "
            "must not begin or end with a hyphen, and must not begin with 'internal-'"
        )
    settings = settings_of(
        security_groups=security_groups,
        subnets=subnet_ids,
        mappings=subnet_mappings or [],
        scheme=scheme,
        kind=kind,
        addresses=ip_address_type,
        tags=tags or [],
    )
    memory = balancing(self)
    for balancer in self.load_balancers.values():
        if balancer.name == name:
            if memory.settings[balancer.arn] != settings:
                raise DuplicateLoadBalancerName(
                    f"A load balancer with the same name '{name}' exists, but with different settings"
                )
            return balancer
    wanted = subnet_ids + [mapping["SubnetId"] for mapping in subnet_mappings or []]
    _check_network(self.ec2_backend, wanted, security_groups, scheme, ip_address_type)
    balancer = original(
        self, name, security_groups, subnet_ids, subnet_mappings, scheme, loadbalancer_type, ip_address_type, None
    )
    if kind == "network":
        del self.load_balancers[balancer.arn]
        balancer.arn = balancer.arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
        balancer.dns_name = f"{name}-{balancer.arn.rsplit('/', 1)[1]}.elb.{self.region_name}.amazonaws.com"
        balancer.attrs = balancer_defaults(balancer)
        if security_groups:
            balancer.enforce_security_group_inbound_rules_on_private_link_traffic = "on"
        self.load_balancers[balancer.arn] = balancer
    balancer.looks = 0
    balancer.created_with_groups = bool(security_groups)
    memory.remember(balancer.arn, settings)
    self.tagging_service.tag_resource(balancer.arn, tags)
    return balancer


def _check_network(ec2: Any, subnets: list[str], groups: list[str], scheme: str, addresses: str) -> None:
    zones = []
    for subnet_id in subnets:
        try:
            subnet = ec2.get_subnet(subnet_id)
        except EC2ClientError:
            raise SubnetNotFoundError() from None
        zones.append(subnet.availability_zone)
        if addresses.startswith("dualstack") and not subnet.ipv6_cidr_block_associations:
            raise ELBClientError("InvalidSubnet", "You must specify subnets with an associated IPv6 CIDR block.")
        if scheme == "internet-facing" and not any(
            gateway.vpc and gateway.vpc.id == subnet.vpc_id for gateway in ec2.internet_gateways.values()
        ):
            raise ELBClientError("InvalidSubnet", f"VPC {subnet.vpc_id} has no internet gateway")
    if len(set(zones)) < len(zones):
        raise InvalidConfigurationRequest(
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        )
    for group in groups:
        if ec2.get_security_group_from_id(group) is None:
            raise ELBClientError("InvalidSecurityGroup", f"Security group '{group}' does not exist")


@replace(FakeLoadBalancer, "activate")
def activate(original: Any, self: Any) -> None:
    """A new balancer is provisioning for some time.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html
    """
    self.looks += 1
    if self.looks > LOOKS:
        original(self)


@replace(ELBv2Backend, "describe_load_balancers")
def describe_load_balancers(
    _original: Any, self: Any, arns: list[str] | None, names: list[str] | None
) -> list[FakeLoadBalancer]:
    """Every ARN and name given must exist.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html
    """
    if not arns and not names:
        return list(self.load_balancers.values())
    by_name = {balancer.name: balancer for balancer in self.load_balancers.values()}
    found = [self.load_balancers.get(arn) for arn in arns or []] + [by_name.get(name) for name in names or []]
    if None in found:
        raise LoadBalancerNotFoundError()
    return list({balancer.arn: balancer for balancer in found}.values())


@replace(ELBV2Response, "describe_load_balancers")
def describe_load_balancers_action(_original: Any, self: Any) -> ActionResult:
    """Pages of up to 400; only what is shown counts as seen.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html
    """
    backend, params = self.elbv2_backend, self.params
    found = backend.describe_load_balancers(params.get("LoadBalancerArns"), params.get("Names"))
    balancers, marker = elb_page(found, balancing(backend), params)
    for balancer in balancers:
        balancer.activate()
    return ActionResult({"LoadBalancers": balancers, "NextMarker": marker})


@replace(ELBv2Backend, "delete_load_balancer")
def delete_load_balancer(original: Any, self: Any, arn: str) -> None:
    """Deletes its listeners too, succeeds when there is none; refused when protected or under an endpoint service.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html
    """
    balancer = self.load_balancers.get(arn)
    if balancer is None:
        return
    if balancer.attrs.get("deletion_protection.enabled") == "true":
        raise ELBClientError(
            "OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        )
    for service in list(self.ec2_backend.configurations.values()):
        # Who retries the deletion also waits for the service to be gone.
        look_at_service(service)
    for service in self.ec2_backend.configurations.values():
        if arn in service.network_load_balancer_arns + service.gateway_load_balancer_arns:
            raise ResourceInUseError(
                f"Load balancer '{arn}' cannot be deleted because it is currently associated with another service"
            )
    original(self, arn)
    relink(self)


@replace(ELBv2Backend, "set_security_groups")
def set_security_groups(original: Any, self: Any, arn: str, sec_groups: list[str]) -> None:
    """A network balancer created without security groups never gets any.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSecurityGroups.html
    """
    balancer = self.load_balancers.get(arn)
    if balancer is not None and balancer.type == "network" and not balancer.created_with_groups:
        raise InvalidConfigurationRequest(
            "You cannot set security groups for a Network Load Balancer that was created without them"
        )
    original(self, arn, sec_groups)


@replace(ELBV2Response, "set_security_groups")
def set_security_groups_action(original: Any, self: Any) -> ActionResult:
    """Whether the rules are enforced for PrivateLink traffic is kept.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSecurityGroups.html
    """
    name = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
    if self.params.get(name) not in (None, "on", "off"):
        raise ValidationError(f"{name} must be on or off")
    answer = original(self)
    balancer = self.elbv2_backend.load_balancers[self.params["LoadBalancerArn"]]
    if self.params.get(name):
        balancer.enforce_security_group_inbound_rules_on_private_link_traffic = self.params[name]
    answer.result[name] = getattr(balancer, "enforce_security_group_inbound_rules_on_private_link_traffic", None)
    return answer
