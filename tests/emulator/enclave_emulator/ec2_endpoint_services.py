"""Endpoint services (PrivateLink): Pending, Available, Deleting, Deleted, one look after another.

A service is looked at by DescribeVpcEndpointServiceConfigurations; while it is Deleting also by each attempt
to delete its load balancer, which it holds until it is gone.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidParameter
from moto.ec2.models.vpc_service_configuration import VPCServiceConfiguration
from moto.ec2.responses.vpc_service_configuration import VPCEndpointServiceConfiguration
from moto.ec2.utils import random_id

from . import paging
from .ec2_lookups import compute
from .filters import select, shown_tags
from .patching import replace

LOOKS = 2
KIND = "vpc-endpoint-service"
ADDRESS_TYPES = ("ipv4", "ipv6")
LARGEST_PAGE = 1000

FILTERS = {
    "service-name": lambda service: [service.service_name],
    "service-id": lambda service: [service.id],
    "service-state": lambda service: [service.service_state],
    "supported-ip-address-types": lambda service: service.supported_ip_address_types,
}


def page_size(requested: int | None) -> int:
    """5 to 1000; "if MaxResults is given a value larger than 1,000, only 1,000 results are returned"."""
    return paging.size(requested if requested is None else min(requested, LARGEST_PAGE), 5, LARGEST_PAGE)


def look_at_service(service: Any) -> None:
    """Count a look at a service; Pending becomes Available, Deleting becomes Deleted, which is seen once."""
    if service.service_state not in ("Pending", "Deleting"):
        return
    service.looks += 1
    if service.looks <= LOOKS:
        return
    service.looks = 0
    if service.service_state == "Pending":
        service.service_state = "Available"
    else:
        service.service_state = "Deleted"
        service.ec2_backend.configurations.pop(service.id, None)


def shown(service: Any) -> dict[str, Any]:
    return {
        "ServiceType": [{"ServiceType": "Interface" if service.network_load_balancer_arns else "GatewayLoadBalancer"}],
        "ServiceId": service.id,
        "ServiceName": service.service_name,
        "ServiceState": service.service_state,
        "AvailabilityZones": list(dict.fromkeys(service.availability_zones)),
        "AcceptanceRequired": service.acceptance_required,
        "ManagesVpcEndpoints": False,
        "NetworkLoadBalancerArns": service.network_load_balancer_arns,
        "GatewayLoadBalancerArns": service.gateway_load_balancer_arns,
        "SupportedIpAddressTypes": service.supported_ip_address_types,
        "BaseEndpointDnsNames": service.base_endpoint_dns_names,
        "PrivateDnsName": service.private_dns_name,
        "Tags": shown_tags(service),
    }


def _balancers(backend: Any, arns: list[str], address_types: list[str]) -> list[Any]:
    """The balancers, which must exist and be active. The codes are not documented.

    Only a dualstack balancer can serve IPv6.
    https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-share-your-services.html
    """
    found = []
    for arn in arns:
        balancer = backend.elbv2_backend.load_balancers.get(arn)
        if balancer is None:
            raise EC2ClientError("LoadBalancerNotFound", f"The load balancer '{arn}' does not exist")
        if balancer.state != "active":
            raise InvalidParameter(f"The load balancer '{arn}' is not active")
        if "ipv6" in address_types and not balancer.ip_address_type.startswith("dualstack"):
            raise InvalidParameter(f"The load balancer '{arn}' is not dualstack and cannot serve IPv6")
        found.append(balancer)
    return found


def _address_types(types: list[str]) -> list[str]:
    for kind in types:
        if kind not in ADDRESS_TYPES:
            raise InvalidParameter(f"'{kind}' is not an IP address type; there are ipv4 and ipv6")
    return list(dict.fromkeys(types))


def is_true(value: Any) -> bool:
    return str(value).lower() == "true"


@replace(VPCEndpointServiceConfiguration, "create_vpc_endpoint_service_configuration")
def create_vpc_endpoint_service_configuration(_original: Any, self: Any) -> ActionResult:
    """A service of active network balancers, born Pending; or what the same client token made.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpointServiceConfiguration.html
    """
    backend, params = self.ec2_backend, self.params
    tokens = compute(backend).service_tokens
    service = tokens.earlier(params)
    if service is None:
        network, gateway = params.get("NetworkLoadBalancerArns", []), params.get("GatewayLoadBalancerArns", [])
        if bool(network) == bool(gateway):
            raise InvalidParameter("Exactly one of NetworkLoadBalancerArn and GatewayLoadBalancerArn is required")
        types = _address_types(params.get("SupportedIpAddressTypes", [])) or ["ipv4"]
        balancers = _balancers(backend, network + gateway, types)
        tags = self._parse_tag_specification(KIND).get(KIND, {})
        self.error_on_dryrun()
        service = VPCServiceConfiguration(
            load_balancers=balancers,
            region=self.region,
            # The page names no default; moto and the console require acceptance.
            acceptance_required=is_true(params.get("AcceptanceRequired", True)),
            private_dns_name=params.get("PrivateDnsName"),
            supported_regions=[],
            ec2_backend=backend,
        )
        service.id = random_id("vpce-svc")
        service.service_name = f"com.amazonaws.vpce.{self.region}.{service.id}"
        service.endpoint_dns_name = f"{service.id}.{self.region}.vpce.amazonaws.com"
        service.service_state = "Pending"
        service.looks = 0
        service.sequence = next(compute(backend).sequence)
        service.supported_ip_address_types = types
        service.permissions = {}
        backend.configurations[service.id] = service
        service.add_tags(tags)
        tokens.keep(params, service)
    self.error_on_dryrun()
    return ActionResult({"ServiceConfiguration": shown(service), "ClientToken": params.get("ClientToken")})


@replace(VPCEndpointServiceConfiguration, "describe_vpc_endpoint_service_configurations")
def describe_vpc_endpoint_service_configurations(_original: Any, self: Any) -> ActionResult:
    """Services by id, filter and page.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpointServiceConfigurations.html
    """
    self.error_on_dryrun()
    params = self.params
    found = self.ec2_backend.describe_vpc_endpoint_service_configurations(params.get("ServiceIds", []))
    found = select(dict.fromkeys(found), self._filters_from_querystring(), FILTERS)
    limit = page_size(params.get("MaxResults"))
    services, token = paging.page(found, lambda service: service.sequence, limit, params.get("NextToken"))
    for service in services:
        look_at_service(service)
    return ActionResult({"ServiceConfigurations": [shown(service) for service in services], "NextToken": token})


@replace(VPCEndpointServiceConfiguration, "modify_vpc_endpoint_service_configuration")
def modify_vpc_endpoint_service_configuration(_original: Any, self: Any) -> ActionResult:
    """Acceptance, balancers, address types, private name. A service keeps at least one balancer.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcEndpointServiceConfiguration.html
    """
    backend, params = self.ec2_backend, self.params
    [service] = backend.describe_vpc_endpoint_service_configurations([params["ServiceId"]])
    added, removed = params.get("AddSupportedIpAddressTypes", []), params.get("RemoveSupportedIpAddressTypes", [])
    types = [kind for kind in service.supported_ip_address_types if kind not in removed]
    types = _address_types(types + added)
    arns = service.network_load_balancer_arns
    for arn in params.get("RemoveNetworkLoadBalancerArns", []):
        if arn not in arns:
            raise InvalidParameter(f"The load balancer '{arn}' does not belong to '{service.id}'")
        arns = [other for other in arns if other != arn]
    arns = list(dict.fromkeys([*arns, *params.get("AddNetworkLoadBalancerArns", [])]))
    if not types or not arns:
        raise InvalidParameter(f"'{service.id}' needs a load balancer and an IP address type")
    balancers = _balancers(backend, arns, types)
    self.error_on_dryrun()
    service.network_load_balancer_arns = arns
    service.availability_zones = [subnet.availability_zone for lb in balancers for subnet in lb.subnets]
    service.supported_ip_address_types = types
    if "AcceptanceRequired" in params:
        service.acceptance_required = is_true(params["AcceptanceRequired"])
    if is_true(params.get("RemovePrivateDnsName", False)):
        service.private_dns_name = None
    elif params.get("PrivateDnsName"):
        service.private_dns_name = params["PrivateDnsName"]
    return ActionResult({"Return": True})
