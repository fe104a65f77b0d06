"""Who may connect to an endpoint service, who has connected, and how a service ends.

A test connects by CreateVpcEndpoint (type Interface) with the service's name, from the service's account or
from another one that is permitted. An endpoint is `pendingAcceptance` where the service wants acceptance,
then `pending` for two looks, then `available`. The wire has states in small letters, as in the filters of
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpointConnections.html
"""

import re
from collections.abc import Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidParameter
from moto.ec2.models import ec2_backends
from moto.ec2.responses import EC2Response
from moto.ec2.responses.vpc_service_configuration import VPCEndpointServiceConfiguration
from moto.ec2.responses.vpcs import VPCs
from moto.ec2.utils import random_id

from . import paging
from .ec2_endpoint_services import page_size
from .ec2_lookups import compute
from .filters import select
from .patching import add, replace

LOOKS = 2
OPEN = ("pendingAcceptance", "pending", "available")
# "Principal ARNs with path components aren't supported."
PRINCIPAL = re.compile(r"arn:aws(?:-cn|-us-gov)?:iam::(\d{12}):(root|user/[\w+=,.@-]+|role/[\w+=,.@-]+)", re.ASCII)
TYPES = {"root": "Account", "user": "User", "role": "Role"}


def _service(backend: Any, service_id: str) -> Any:
    [service] = backend.describe_vpc_endpoint_service_configurations([service_id])
    return service


def _principal_type(principal: str) -> str:
    if principal == "*":
        return "All"
    found = PRINCIPAL.fullmatch(principal)
    if found is None:
        raise EC2ClientError("InvalidPrincipal", f"Invalid Principal: '{principal}'")
    return TYPES[found[2].split("/")[0]]


@replace(VPCEndpointServiceConfiguration, "modify_vpc_endpoint_service_permissions")
def modify_vpc_endpoint_service_permissions(_original: Any, self: Any) -> ActionResult:
    """Add and remove principals, all or none; what is there already or is missing changes nothing.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcEndpointServicePermissions.html
    The code InvalidPrincipal is not on the page; users report it, for ARNs of assumed roles too.
    """
    backend, params = self.ec2_backend, self.params
    service = _service(backend, params["ServiceId"])
    added, removed = params.get("AddAllowedPrincipals", []), params.get("RemoveAllowedPrincipals", [])
    types = {principal: _principal_type(principal) for principal in added + removed}
    self.error_on_dryrun()
    new = [principal for principal in dict.fromkeys(added) if principal not in service.permissions]
    for principal in new:
        service.permissions[principal] = {
            "PrincipalType": types[principal],
            "Principal": principal,
            "ServicePermissionId": random_id("vpce-svc-perm"),
            "ServiceId": service.id,
            "PermissionType": "vpc-endpoint",
            "sequence": next(compute(backend).sequence),
        }
    shown = [_permission(service.permissions[principal]) for principal in new]
    for principal in removed:
        service.permissions.pop(principal, None)
    return ActionResult({"AddedPrincipals": shown, "ReturnValue": True})


def _permission(permission: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in permission.items() if key != "sequence"}


@replace(VPCEndpointServiceConfiguration, "describe_vpc_endpoint_service_permissions")
def describe_vpc_endpoint_service_permissions(_original: Any, self: Any) -> ActionResult:
    """Principals by filter, in pages.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpointServicePermissions.html
    """
    self.error_on_dryrun()
    params = self.params
    found = select(
        _service(self.ec2_backend, params["ServiceId"]).permissions.values(),
        self._filters_from_querystring(),
        {
            "principal": lambda permission: [permission["Principal"]],
            "principal-type": lambda permission: [permission["PrincipalType"]],
            "permission-type": lambda permission: [permission["PermissionType"]],
        },
        tagged=False,
    )
    limit = page_size(params.get("MaxResults"))
    page, token = paging.page(found, lambda permission: permission["sequence"], limit, params.get("NextToken"))
    return ActionResult({"AllowedPrincipals": [_permission(entry) for entry in page], "NextToken": token})


def _all_backends(region: str) -> Iterator[Any]:
    for account in list(ec2_backends):
        backend = ec2_backends[account].get(region)
        if backend is not None:
            yield backend


def _connections(backend: Any) -> list[Any]:
    """Endpoints of whatever account that lead to services of this one."""
    return [
        endpoint
        for other in _all_backends(backend.region_name)
        for endpoint in other.vpc_end_points.values()
        if getattr(endpoint, "enclave_service", None) in backend.configurations.values() and endpoint.state != "deleted"
    ]


def _look(endpoint: Any) -> None:
    if getattr(endpoint, "enclave_service", None) is None or endpoint.state != "pending":
        return
    endpoint.looks += 1
    if endpoint.looks > LOOKS:
        endpoint.state = "available"


def _permitted(service: Any, account: str) -> bool:
    """The owner, everybody, or one of the account's own principals; which of them asks is not looked at."""
    if account == service.ec2_backend.account_id or "*" in service.permissions:
        return True
    return any(f"::{account}:" in principal for principal in service.permissions)


@replace(VPCs, "create_vpc_endpoint")
def create_vpc_endpoint(original: Any, self: Any) -> ActionResult:
    """An interface endpoint to an endpoint service that exists and permits it; others are moto's.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
    """
    name, kind = self.params.get("ServiceName", ""), self.params.get("VpcEndpointType")
    if ".vpce-svc-" not in f".{name}":
        return original(self)
    found = [
        service
        for backend in _all_backends(self.region)
        for service in backend.configurations.values()
        if service.service_name == name and _permitted(service, self.current_account)
    ]
    if not found or kind != "Interface":
        raise EC2ClientError("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")
    [service] = found
    self.error_on_dryrun()
    answer: ActionResult = original(self)
    endpoint = answer.result["VpcEndpoint"]
    endpoint.enclave_service = service
    endpoint.connection_id = random_id("vpce-con")
    endpoint.sequence = next(compute(service.ec2_backend).sequence)
    endpoint.looks = 0
    endpoint.ip_address_type = self.params.get("IpAddressType", "ipv4")
    endpoint.state = "pendingAcceptance" if service.acceptance_required else "pending"
    return answer


@replace(VPCs, "describe_vpc_endpoints")
def describe_vpc_endpoints(original: Any, self: Any) -> ActionResult:
    """Each is looked at.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html
    """
    answer: ActionResult = original(self)
    for endpoint in answer.result["VpcEndpoints"]:
        _look(endpoint)
    return answer


@add(EC2Response, "describe_vpc_endpoint_connections")
def describe_vpc_endpoint_connections(self: Any) -> ActionResult:
    """Endpoints that lead to the account's services, by filter and page.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpointConnections.html
    """
    self.error_on_dryrun()
    found = select(
        _connections(self.ec2_backend),
        self._filters_from_querystring(),
        {
            "ip-address-type": lambda endpoint: [endpoint.ip_address_type],
            "service-id": lambda endpoint: [endpoint.enclave_service.id],
            "vpc-endpoint-owner": lambda endpoint: [endpoint.ec2_backend.account_id],
            "vpc-endpoint-region": lambda endpoint: [self.region],
            "vpc-endpoint-state": lambda endpoint: [endpoint.state],
            "vpc-endpoint-id": lambda endpoint: [endpoint.id],
        },
        tagged=False,
    )
    found.sort(key=lambda endpoint: endpoint.sequence)
    limit = page_size(self.params.get("MaxResults"))
    page, token = paging.page(found, lambda endpoint: endpoint.sequence, limit, self.params.get("NextToken"))
    for endpoint in page:
        _look(endpoint)
    return ActionResult({"VpcEndpointConnections": [_connection(endpoint) for endpoint in page], "NextToken": token})


def _connection(endpoint: Any) -> dict[str, Any]:
    return {
        "ServiceId": endpoint.enclave_service.id,
        "VpcEndpointId": endpoint.id,
        "VpcEndpointOwner": endpoint.ec2_backend.account_id,
        "VpcEndpointState": endpoint.state,
        "CreationTimestamp": endpoint.creation_timestamp,
        "NetworkLoadBalancerArns": endpoint.enclave_service.network_load_balancer_arns,
        "IpAddressType": endpoint.ip_address_type,
        "VpcEndpointConnectionId": endpoint.connection_id,
        "VpcEndpointRegion": endpoint.ec2_backend.region_name,
    }


def _unsuccessful(resource: str, code: str, message: str) -> dict[str, Any]:
    return {"ResourceId": resource, "Error": {"Code": code, "Message": message}}


def _decide(self: Any, allowed: tuple[str, ...], state: str) -> ActionResult:
    """Bring connections to a state, one by one. The codes of those that cannot are not documented."""
    service = _service(self.ec2_backend, self.params["ServiceId"])
    ids = self.params.get("VpcEndpointIds", [])
    if not ids:
        raise InvalidParameter("The request must contain VpcEndpointId")
    self.error_on_dryrun()
    known = {end.id: end for end in _connections(self.ec2_backend) if end.enclave_service is service}
    failed = []
    for endpoint_id in ids:
        endpoint = known.get(endpoint_id)
        if endpoint is None:
            message = f"The Vpc Endpoint Id '{endpoint_id}' does not exist"
            failed.append(_unsuccessful(endpoint_id, "InvalidVpcEndpointId.NotFound", message))
        elif endpoint.state not in allowed:
            message = f"'{endpoint_id}' is {endpoint.state}"
            failed.append(_unsuccessful(endpoint_id, "InvalidState", message))
        else:
            endpoint.state, endpoint.looks = state, 0
    return ActionResult({"Unsuccessful": failed})


@add(EC2Response, "accept_vpc_endpoint_connections")
def accept_vpc_endpoint_connections(self: Any) -> ActionResult:
    """Connections that wait become pending.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AcceptVpcEndpointConnections.html
    """
    return _decide(self, ("pendingAcceptance",), "pending")


@add(EC2Response, "reject_vpc_endpoint_connections")
def reject_vpc_endpoint_connections(self: Any) -> ActionResult:
    """Connections, waiting or available, are rejected.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RejectVpcEndpointConnections.html
    """
    return _decide(self, OPEN, "rejected")


@replace(VPCEndpointServiceConfiguration, "delete_vpc_endpoint_service_configurations")
def delete_vpc_endpoint_service_configurations(_original: Any, self: Any) -> ActionResult:
    """ "You must reject any Available or PendingAcceptance interface endpoint connections" first; what cannot be
    deleted is listed in an answer that succeeds, the rest is Deleting.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcEndpointServiceConfigurations.html
    The codes are not on the page; the operators of hypershift handle these two in the list.
    """
    backend = self.ec2_backend
    self.error_on_dryrun()
    failed = []
    for service_id in self.params.get("ServiceIds", []):
        service = backend.configurations.get(service_id)
        if service is None:
            message = f"The VpcEndpointService Id '{service_id}' does not exist"
            failed.append(_unsuccessful(service_id, "InvalidVpcEndpointService.NotFound", message))
        elif any(end.enclave_service is service and end.state in OPEN for end in _connections(backend)):
            message = f"Service '{service_id}' has existing active VPC Endpoint connections"
            failed.append(_unsuccessful(service_id, "ExistingVpcEndpointConnections", message))
        elif service.service_state != "Deleting":
            service.service_state, service.looks = "Deleting", 0
    return ActionResult({"Unsuccessful": failed})
