"""Endpoint services come, are shared, are connected to, and go; what blocks their end is told in a list."""

from collections.abc import Callable
from typing import Any

import pytest

from foundation import Foundation, refused


class Sharing:
    """A zone with an active internal balancer, and calls about endpoint services on it."""

    def __init__(self, zone: Foundation) -> None:
        self.zone, self.ec2 = zone, zone.ec2
        self.balancer = self.provisioned("internal")
        self.until_active(self.balancer)

    def provisioned(self, name: str, **changes: Any) -> str:
        settings = {"Type": "network", "Scheme": "internal", "IpAddressType": "dualstack", **changes}
        settings = {
            "Name": name,
            "Subnets": self.zone.subnets,
            "SecurityGroups": [self.zone.balancer_group],
            **settings,
        }
        return self.zone.elb.create_load_balancer(**settings)["LoadBalancers"][0]["LoadBalancerArn"]

    def until_active(self, balancer: str) -> None:
        describe = self.zone.elb.describe_load_balancers
        for _ in range(4):
            if describe(LoadBalancerArns=[balancer])["LoadBalancers"][0]["State"]["Code"] == "active":
                return
        raise AssertionError("the balancer is not active")

    def service(self, **changes: Any) -> dict[str, Any]:
        settings = {"NetworkLoadBalancerArns": [self.balancer], "AcceptanceRequired": False, **changes}
        return self.ec2.create_vpc_endpoint_service_configuration(**settings)["ServiceConfiguration"]

    def states(self, service: str, times: int) -> list[str]:
        describe = self.ec2.describe_vpc_endpoint_service_configurations
        return [describe(ServiceIds=[service])["ServiceConfigurations"][0]["ServiceState"] for _ in range(times)]

    def connect(self, service: dict[str, Any], ec2: Any = None, vpc: str = "") -> str:
        answer = (ec2 or self.ec2).create_vpc_endpoint(
            VpcId=vpc or self.zone.vpc, ServiceName=service["ServiceName"], VpcEndpointType="Interface"
        )
        return answer["VpcEndpoint"]["VpcEndpointId"]

    def connections(self, service: str) -> dict[str, str]:
        filters = [{"Name": "service-id", "Values": [service]}]
        found = self.ec2.describe_vpc_endpoint_connections(Filters=filters)["VpcEndpointConnections"]
        return {entry["VpcEndpointId"]: entry["VpcEndpointState"] for entry in found}

    def delete(self, *services: str) -> dict[str, str]:
        answer = self.ec2.delete_vpc_endpoint_service_configurations(ServiceIds=list(services))
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        return {entry["ResourceId"]: entry["Error"]["Code"] for entry in answer.get("Unsuccessful", [])}


@pytest.fixture
def sharing(zone: Foundation) -> Sharing:
    return Sharing(zone)


UNKNOWN = "vpce-svc-0123456789abcdef0"


def test_a_service_is_pending_for_two_looks_and_then_available(sharing: Sharing) -> None:
    kind = [{"ResourceType": "vpc-endpoint-service", "Tags": [{"Key": "cluster", "Value": "a"}]}]
    made = sharing.service(SupportedIpAddressTypes=["ipv4", "ipv6"], TagSpecifications=kind)
    assert made["ServiceState"] == "Pending"
    assert made["ServiceName"].endswith("." + made["ServiceId"])
    assert sharing.states(made["ServiceId"], 4) == ["Pending", "Pending", "Available", "Available"]
    [found] = sharing.ec2.describe_vpc_endpoint_service_configurations()["ServiceConfigurations"]
    assert found["SupportedIpAddressTypes"] == ["ipv4", "ipv6"]
    assert found["Tags"] == [{"Key": "cluster", "Value": "a"}]
    assert found["NetworkLoadBalancerArns"] == [sharing.balancer]
    assert found["ServiceType"] == [{"ServiceType": "Interface"}]
    assert found["AcceptanceRequired"] is False
    assert sorted(found["AvailabilityZones"]) == sorted(sharing.zone.zones)


def test_one_client_token_makes_one_service(sharing: Sharing) -> None:
    first = sharing.service(ClientToken="token")
    assert sharing.service(ClientToken="token")["ServiceId"] == first["ServiceId"]
    call = sharing.ec2.create_vpc_endpoint_service_configuration
    refused(
        "IdempotentParameterMismatch",
        call,
        NetworkLoadBalancerArns=[sharing.balancer],
        AcceptanceRequired=True,
        ClientToken="token",
    )
    assert len(sharing.ec2.describe_vpc_endpoint_service_configurations()["ServiceConfigurations"]) == 1


def test_a_service_needs_an_active_balancer_that_exists(sharing: Sharing) -> None:
    call = sharing.ec2.create_vpc_endpoint_service_configuration
    refused("InvalidParameter", call, NetworkLoadBalancerArns=[sharing.provisioned("young")])
    unknown = sharing.balancer.replace("internal", "missing")
    refused("LoadBalancerNotFound", call, NetworkLoadBalancerArns=[unknown])
    refused("InvalidParameter", call)
    ipv4 = sharing.provisioned("old-world", IpAddressType="ipv4")
    sharing.until_active(ipv4)
    refused("InvalidParameter", call, NetworkLoadBalancerArns=[ipv4], SupportedIpAddressTypes=["ipv6"])
    refused("DryRunOperation", call, NetworkLoadBalancerArns=[sharing.balancer], DryRun=True)
    assert sharing.ec2.describe_vpc_endpoint_service_configurations()["ServiceConfigurations"] == []


def test_services_are_found_by_id_name_state_and_tag_and_come_in_pages(sharing: Sharing) -> None:
    kind = [{"ResourceType": "vpc-endpoint-service", "Tags": [{"Key": "cluster", "Value": "a"}]}]
    tagged = sharing.service(TagSpecifications=kind)
    made = [tagged["ServiceId"]] + [sharing.service()["ServiceId"] for _ in range(5)]
    describe = sharing.ec2.describe_vpc_endpoint_service_configurations
    for name, value in [
        ("tag:cluster", "a"),
        ("tag-key", "cluster"),
        ("service-id", tagged["ServiceId"]),
        ("service-name", tagged["ServiceName"]),
    ]:
        found = describe(Filters=[{"Name": name, "Values": [value]}])["ServiceConfigurations"]
        assert [service["ServiceId"] for service in found] == [tagged["ServiceId"]], name
    first = describe(MaxResults=5)
    second = describe(MaxResults=5, NextToken=first["NextToken"])
    pages = [[service["ServiceId"] for service in page["ServiceConfigurations"]] for page in (first, second)]
    assert (pages, "NextToken" in second) == ([made[:5], made[5:]], False)
    refused("InvalidVpcEndpointServiceId.NotFound", describe, ServiceIds=[UNKNOWN])
    refused("InvalidParameterValue", describe, MaxResults=4)
    refused("InvalidParameterValue", describe, Filters=[{"Name": "colour", "Values": ["red"]}])


def test_a_service_is_modified(sharing: Sharing) -> None:
    service, other = sharing.service()["ServiceId"], sharing.provisioned("other")
    modify = sharing.ec2.modify_vpc_endpoint_service_configuration
    refused("InvalidParameter", modify, ServiceId=service, AddNetworkLoadBalancerArns=[other])
    sharing.until_active(other)
    assert modify(
        ServiceId=service,
        AcceptanceRequired=True,
        AddNetworkLoadBalancerArns=[other],
        RemoveNetworkLoadBalancerArns=[sharing.balancer],
        AddSupportedIpAddressTypes=["ipv6"],
    )["Return"]
    [found] = sharing.ec2.describe_vpc_endpoint_service_configurations()["ServiceConfigurations"]
    assert (found["AcceptanceRequired"], found["NetworkLoadBalancerArns"]) == (True, [other])
    assert found["SupportedIpAddressTypes"] == ["ipv4", "ipv6"]
    refused("InvalidParameter", modify, ServiceId=service, RemoveNetworkLoadBalancerArns=[other])
    refused("InvalidVpcEndpointServiceId.NotFound", modify, ServiceId=UNKNOWN, AcceptanceRequired=True)


def test_principals_are_added_once_removed_and_come_in_pages(sharing: Sharing) -> None:
    service = sharing.service()["ServiceId"]
    modify, describe = (
        sharing.ec2.modify_vpc_endpoint_service_permissions,
        sharing.ec2.describe_vpc_endpoint_service_permissions,
    )
    principals = [f"arn:aws:iam::{number:012}:root" for number in range(5)] + ["arn:aws:iam::000000000009:role/reader"]
    added = modify(ServiceId=service, AddAllowedPrincipals=principals)
    assert [entry["Principal"] for entry in added["AddedPrincipals"]] == principals
    assert added["ReturnValue"] is True
    assert modify(ServiceId=service, AddAllowedPrincipals=principals[:1])["AddedPrincipals"] == []
    first = describe(ServiceId=service, MaxResults=5)
    second = describe(ServiceId=service, MaxResults=5, NextToken=first["NextToken"])
    found = [(entry["Principal"], entry["PrincipalType"]) for entry in second["AllowedPrincipals"]]
    assert found == [(principals[5], "Role")]
    modify(ServiceId=service, RemoveAllowedPrincipals=[*principals[1:], "arn:aws:iam::777777777777:root"])
    left = describe(ServiceId=service)["AllowedPrincipals"]
    assert [(entry["Principal"], entry["PrincipalType"]) for entry in left] == [(principals[0], "Account")]


@pytest.mark.parametrize(
    "principal",
    [
        "123456789012",
        "arn:aws:sts::123456789012:assumed-role/admin/me",
        "arn:aws:iam::123456789012:role/with/path",
        "arn:aws:iam::1234:root",
    ],
)
def test_one_invalid_principal_fails_the_call_whole(sharing: Sharing, principal: str) -> None:
    service, valid = sharing.service()["ServiceId"], "arn:aws:iam::123456789012:root"
    call = sharing.ec2.modify_vpc_endpoint_service_permissions
    refused("InvalidPrincipal", call, ServiceId=service, AddAllowedPrincipals=[valid, principal])
    assert sharing.ec2.describe_vpc_endpoint_service_permissions(ServiceId=service)["AllowedPrincipals"] == []


def test_a_connection_waits_for_acceptance_where_the_service_wants_it(sharing: Sharing) -> None:
    free, guarded = sharing.service(), sharing.service(AcceptanceRequired=True)
    endpoint, waiting = sharing.connect(free), sharing.connect(guarded)
    assert [sharing.connections(free["ServiceId"])[endpoint] for _ in range(3)] == ["pending", "pending", "available"]
    assert [sharing.connections(guarded["ServiceId"])[waiting] for _ in range(3)] == ["pendingAcceptance"] * 3
    call = sharing.ec2.accept_vpc_endpoint_connections
    assert call(ServiceId=guarded["ServiceId"], VpcEndpointIds=[waiting])["Unsuccessful"] == []
    assert sharing.connections(guarded["ServiceId"]) == {waiting: "pending"}


def test_only_permitted_accounts_connect(sharing: Sharing, elsewhere: Callable[[str], Any]) -> None:
    service = sharing.service()
    stranger = elsewhere("ec2")
    vpc = stranger.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]
    call = stranger.create_vpc_endpoint
    asked = {"VpcId": vpc["VpcId"], "ServiceName": service["ServiceName"], "VpcEndpointType": "Interface"}
    refused("InvalidServiceName", call, **asked)
    sharing.ec2.modify_vpc_endpoint_service_permissions(
        ServiceId=service["ServiceId"], AddAllowedPrincipals=[f"arn:aws:iam::{vpc['OwnerId']}:root"]
    )
    endpoint = call(**asked)["VpcEndpoint"]["VpcEndpointId"]
    [found] = sharing.ec2.describe_vpc_endpoint_connections()["VpcEndpointConnections"]
    assert (found["VpcEndpointId"], found["VpcEndpointOwner"]) == (endpoint, vpc["OwnerId"])
    assert stranger.describe_vpc_endpoint_connections()["VpcEndpointConnections"] == []


@pytest.mark.parametrize("acceptance", [True, False])
def test_a_connected_service_is_not_deleted_until_its_connections_are_rejected(
    sharing: Sharing, acceptance: bool
) -> None:
    connected, idle = sharing.service(AcceptanceRequired=acceptance), sharing.service()
    endpoint, service = sharing.connect(connected), connected["ServiceId"]
    left = sharing.delete(service, idle["ServiceId"], UNKNOWN)
    assert left == {service: "ExistingVpcEndpointConnections", UNKNOWN: "InvalidVpcEndpointService.NotFound"}
    reject = sharing.ec2.reject_vpc_endpoint_connections
    answer = reject(ServiceId=service, VpcEndpointIds=[endpoint, "vpce-0123456789abcdef0"])
    [failed] = answer["Unsuccessful"]
    assert (failed["ResourceId"], failed["Error"]["Code"]) == (
        "vpce-0123456789abcdef0",
        "InvalidVpcEndpointId.NotFound",
    )
    assert sharing.connections(service) == {endpoint: "rejected"}
    assert sharing.delete(service) == {}
    refused("InvalidVpcEndpointServiceId.NotFound", reject, ServiceId=UNKNOWN, VpcEndpointIds=[endpoint])


def test_a_deleted_service_is_deleting_for_two_looks_and_then_gone(sharing: Sharing) -> None:
    service = sharing.service()["ServiceId"]
    assert sharing.delete(service) == {}
    assert sharing.states(service, 3) == ["Deleting", "Deleting", "Deleted"]
    assert sharing.ec2.describe_vpc_endpoint_service_configurations()["ServiceConfigurations"] == []
    call = sharing.ec2.describe_vpc_endpoint_service_configurations
    refused("InvalidVpcEndpointServiceId.NotFound", call, ServiceIds=[service])


def test_a_balancer_is_held_until_its_service_is_gone(sharing: Sharing) -> None:
    service, delete = sharing.service()["ServiceId"], sharing.zone.elb.delete_load_balancer
    refused("ResourceInUse", delete, LoadBalancerArn=sharing.balancer)
    sharing.delete(service)
    refused("ResourceInUse", delete, LoadBalancerArn=sharing.balancer)
    refused("ResourceInUse", delete, LoadBalancerArn=sharing.balancer)
    delete(LoadBalancerArn=sharing.balancer)


def test_connections_come_in_pages(sharing: Sharing) -> None:
    service = sharing.service()
    made = [sharing.connect(service) for _ in range(7)]
    call = sharing.ec2.describe_vpc_endpoint_connections
    first = call(MaxResults=5)
    second = call(MaxResults=5, NextToken=first["NextToken"])
    pages = [[entry["VpcEndpointId"] for entry in page["VpcEndpointConnections"]] for page in (first, second)]
    assert (pages, "NextToken" in second) == ([made[:5], made[5:]], False)
