"""What a zone's foundation needs of networks, keys and profiles."""

import json

from foundation import Foundation


def test_subnets_have_the_ipv6_blocks_they_were_given(zone: Foundation) -> None:
    subnets = zone.ec2.describe_subnets(SubnetIds=zone.subnets)["Subnets"]
    blocks = {
        entry["Ipv6CidrBlock"]: entry["Ipv6CidrBlockState"]["State"]
        for subnet in subnets
        for entry in subnet["Ipv6CidrBlockAssociationSet"]
    }
    assert blocks == dict.fromkeys(zone.cidrs, "associated")
    assert {subnet["AvailabilityZone"] for subnet in subnets} == set(zone.zones)


def test_hosts_route_ipv6_through_an_egress_only_gateway_and_have_no_ipv4_way_out(zone: Foundation) -> None:
    gateway = zone.ec2.create_egress_only_internet_gateway(VpcId=zone.vpc)["EgressOnlyInternetGateway"]
    identifier = gateway["EgressOnlyInternetGatewayId"]
    table = zone.ec2.create_route_table(VpcId=zone.vpc)["RouteTable"]["RouteTableId"]
    zone.ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=identifier)
    zone.ec2.associate_route_table(RouteTableId=table, SubnetId=zone.subnets[0])
    [described] = zone.ec2.describe_route_tables(
        Filters=[{"Name": "association.subnet-id", "Values": [zone.subnets[0]]}]
    )["RouteTables"]
    ways = {
        route["DestinationIpv6CidrBlock"]: route for route in described["Routes"] if "DestinationIpv6CidrBlock" in route
    }
    assert ways["::/0"]["EgressOnlyInternetGatewayId"] == identifier
    assert ways["::/0"]["State"] == "active"
    assert not any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in described["Routes"])
    [found] = zone.ec2.describe_egress_only_internet_gateways(EgressOnlyInternetGatewayIds=[identifier])[
        "EgressOnlyInternetGateways"
    ]
    assert found["Attachments"] == [{"State": "attached", "VpcId": zone.vpc}]


def test_balancer_subnets_route_both_families_to_the_internet_gateway(zone: Foundation) -> None:
    table = zone.ec2.create_route_table(VpcId=zone.vpc)["RouteTable"]["RouteTableId"]
    zone.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=zone.gateway)
    zone.ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", GatewayId=zone.gateway)
    [described] = zone.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    ways = [route.get("GatewayId") for route in described["Routes"]]
    assert ways.count(zone.gateway) == 2


def test_security_groups_keep_ipv6_rules_and_references_to_groups(zone: Foundation) -> None:
    zone.ec2.authorize_security_group_ingress(
        GroupId=zone.host_group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 4443,
                "ToPort": 4443,
                "UserIdGroupPairs": [{"GroupId": zone.balancer_group}, {"GroupId": zone.host_group}],
            },
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
        ],
    )
    zone.ec2.revoke_security_group_egress(
        GroupId=zone.host_group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )
    [group] = zone.ec2.describe_security_groups(GroupIds=[zone.host_group])["SecurityGroups"]
    by_port = {rule["FromPort"]: rule for rule in group["IpPermissions"]}
    assert {pair["GroupId"] for pair in by_port[4443]["UserIdGroupPairs"]} == {zone.balancer_group, zone.host_group}
    assert by_port[443]["Ipv6Ranges"][0]["CidrIpv6"] == "2001:db8::/32"
    [egress] = group["IpPermissionsEgress"]
    assert [entry["CidrIpv6"] for entry in egress["Ipv6Ranges"]] == ["::/0"]
    assert egress["IpRanges"] == []


def test_keys_are_described_by_id_arn_and_alias(zone: Foundation) -> None:
    zone.kms.create_alias(AliasName="alias/tenant", TargetKeyId=zone.key)
    for name in (zone.key, zone.key.split("/")[1], "alias/tenant"):
        described = zone.kms.describe_key(KeyId=name)["KeyMetadata"]
        assert (described["Arn"], described["Enabled"]) == (zone.key, True)


def test_a_profile_holds_its_role(zone: Foundation) -> None:
    profile = zone.iam.get_instance_profile(InstanceProfileName="host")["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["host"]


def test_parameters_are_stored_encrypted_with_the_tenants_key(client, zone: Foundation) -> None:  # type: ignore[no-untyped-def]
    ssm = client("ssm")
    ssm.put_parameter(Name="/zone/a", Value=json.dumps({"a": 1}), Type="SecureString", KeyId=zone.key)
    assert ssm.get_parameter(Name="/zone/a", WithDecryption=True)["Parameter"]["Value"] == '{"a": 1}'


def test_an_emulated_account_names_itself(client) -> None:  # type: ignore[no-untyped-def]
    identity = client("sts").get_caller_identity()
    assert len(identity["Account"]) == 12
