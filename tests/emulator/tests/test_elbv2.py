"""Network Load Balancers, listeners and target groups."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from foundation import Foundation, refused


class Balancing:
    """Calls with the settings that the enclave uses; any of them can be changed."""

    def __init__(self, zone: Foundation) -> None:
        self.zone, self.elb = zone, zone.elb

    def balancer(self, name: str = "acme-content", **changes: Any) -> dict[str, Any]:
        settings = {
            "Name": name,
            "Type": "network",
            "Scheme": "internet-facing",
            "IpAddressType": "dualstack",
            "Subnets": self.zone.subnets,
            "SecurityGroups": [self.zone.balancer_group],
            "Tags": [{"Key": "zone", "Value": "z1"}],
        }
        return self.elb.create_load_balancer(**{**settings, **changes})["LoadBalancers"][0]

    def group(self, name: str = "acme-content", **changes: Any) -> str:
        settings = {
            "Name": name,
            "Protocol": "TCP",
            "Port": 4443,
            "VpcId": self.zone.vpc,
            "TargetType": "instance",
            "IpAddressType": "ipv6",
        }
        return self.elb.create_target_group(**{**settings, **changes})["TargetGroups"][0]["TargetGroupArn"]

    def listener(self, balancer: str, group: str, **changes: Any) -> str:
        settings = {
            "LoadBalancerArn": balancer,
            "Protocol": "TCP",
            "Port": 443,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
        }
        return self.elb.create_listener(**{**settings, **changes})["Listeners"][0]["ListenerArn"]

    def whole(self) -> tuple[str, str, str]:
        balancer, group = self.balancer()["LoadBalancerArn"], self.group()
        return balancer, group, self.listener(balancer, group)

    def health(self, group: str, *ids: str) -> list[tuple[str, str]]:
        targets = {"Targets": [{"Id": identifier} for identifier in ids]} if ids else {}
        answer = self.elb.describe_target_health(TargetGroupArn=group, **targets)["TargetHealthDescriptions"]
        return [(entry["Target"]["Id"], entry["TargetHealth"]["State"]) for entry in answer]


@pytest.fixture
def nlb(zone: Foundation) -> Balancing:
    return Balancing(zone)


def test_a_network_balancer_looks_like_one(nlb: Balancing) -> None:
    made = nlb.balancer()
    arn, zone = made["LoadBalancerArn"], nlb.zone
    suffix = re.fullmatch(
        r"arn:aws:elasticloadbalancing:[^:]+:\d{12}:loadbalancer/net/acme-content/([0-9a-f]{16})", arn
    )
    assert suffix
    assert made["DNSName"] == f"acme-content-{suffix[1]}.elb.{zone.elb.meta.region_name}.amazonaws.com"
    assert made["Type"] == "network"
    assert made["IpAddressType"] == "dualstack"
    assert made["Scheme"] == "internet-facing"
    assert made["VpcId"] == zone.vpc
    assert made["SecurityGroups"] == [zone.balancer_group]
    assert {entry["SubnetId"] for entry in made["AvailabilityZones"]} == set(zone.subnets)
    group = nlb.group()
    assert nlb.listener(arn, group).startswith(arn.replace(":loadbalancer/net/", ":listener/net/") + "/")


def test_a_balancer_is_provisioning_for_two_looks_and_then_active(nlb: Balancing) -> None:
    assert nlb.balancer()["State"]["Code"] == "provisioning"
    describe = nlb.elb.describe_load_balancers
    states = [describe(Names=["acme-content"])["LoadBalancers"][0]["State"]["Code"] for _ in range(4)]
    assert states == ["provisioning", "provisioning", "active", "active"]


def test_equal_creations_give_the_same_things(nlb: Balancing) -> None:
    first, again = nlb.whole(), nlb.whole()
    assert first == again
    assert len(nlb.elb.describe_load_balancers()["LoadBalancers"]) == 1
    assert len(nlb.elb.describe_target_groups()["TargetGroups"]) == 1
    assert len(nlb.elb.describe_listeners(LoadBalancerArn=first[0])["Listeners"]) == 1


def test_naming_a_default_makes_no_difference(nlb: Balancing) -> None:
    assert nlb.group() == nlb.group(HealthCheckProtocol="TCP", HealthCheckIntervalSeconds=30, HealthyThresholdCount=5)


def test_the_same_name_with_other_settings_is_a_duplicate(nlb: Balancing) -> None:
    balancer, group, _ = nlb.whole()
    refused("DuplicateLoadBalancerName", nlb.balancer, Scheme="internal")
    refused("DuplicateTargetGroupName", nlb.group, Port=4444)
    other = nlb.group("other")
    refused("DuplicateListener", nlb.listener, balancer=balancer, group=other)


def test_of_equal_concurrent_creations_one_happens(nlb: Balancing) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len({made["LoadBalancerArn"] for made in pool.map(lambda _: nlb.balancer(), range(16))}) == 1


@pytest.mark.parametrize("name", ["a" * 33, "-acme", "acme-", "acme.content", "internal-acme"])
def test_a_bad_balancer_name_is_refused(nlb: Balancing, name: str) -> None:
    refused("ValidationError", nlb.balancer, name=name)


@pytest.mark.parametrize("name", ["a" * 33, "-acme", "acme-", "acme.content"])
def test_a_bad_target_group_name_is_refused(nlb: Balancing, name: str) -> None:
    refused("ValidationError", nlb.group, name=name)


def test_names_of_32_characters_are_good(nlb: Balancing) -> None:
    assert nlb.balancer("a" * 32)["LoadBalancerName"] == "a" * 32
    assert nlb.group("a" * 32)


def test_unknown_things_are_not_found(nlb: Balancing) -> None:
    balancer, group, listener = nlb.whole()
    refused("LoadBalancerNotFound", nlb.elb.describe_load_balancers, Names=["acme-content", "none"])
    refused("LoadBalancerNotFound", nlb.elb.describe_load_balancers, LoadBalancerArns=[balancer[:-1] + "x"])
    refused("TargetGroupNotFound", nlb.elb.describe_target_groups, Names=["acme-content", "none"])
    refused("TargetGroupNotFound", nlb.elb.describe_target_health, TargetGroupArn=group[:-1] + "x")
    refused("ListenerNotFound", nlb.elb.describe_listeners, ListenerArns=[listener, listener[:-1] + "x"])
    refused("SubnetNotFound", nlb.balancer, name="other", Subnets=["subnet-0123456789abcdef0"])
    refused("InvalidSecurityGroup", nlb.balancer, name="other", SecurityGroups=["sg-0123456789abcdef0"])


def test_a_tcp_group_has_the_defaults_of_a_network_balancer(nlb: Balancing) -> None:
    [group] = nlb.elb.describe_target_groups(TargetGroupArns=[nlb.group()])["TargetGroups"]
    assert (group["HealthCheckProtocol"], group["HealthCheckPort"]) == ("TCP", "traffic-port")
    assert (group["HealthCheckIntervalSeconds"], group["HealthCheckTimeoutSeconds"]) == (30, 10)
    assert (group["HealthyThresholdCount"], group["UnhealthyThresholdCount"]) == (5, 2)
    assert (group["TargetType"], group["IpAddressType"], group["HealthCheckEnabled"]) == ("instance", "ipv6", True)
    assert "Matcher" not in group


def test_a_listener_forwards_and_a_group_names_its_balancer(nlb: Balancing) -> None:
    balancer, group, arn = nlb.whole()
    [listener] = nlb.elb.describe_listeners(ListenerArns=[arn])["Listeners"]
    assert (listener["LoadBalancerArn"], listener["Protocol"], listener["Port"]) == (balancer, "TCP", 443)
    [action] = listener["DefaultActions"]
    assert (action["Type"], action["TargetGroupArn"]) == ("forward", group)
    assert not listener.get("SslPolicy")
    [found] = nlb.elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"]
    assert (found["TargetGroupArn"], found["LoadBalancerArns"]) == (group, [balancer])


def attributes(answer: dict[str, Any]) -> dict[str, str]:
    return {entry["Key"]: entry["Value"] for entry in answer["Attributes"]}


def test_attributes_have_defaults_and_keep_what_is_set(nlb: Balancing) -> None:
    balancer, group, listener = nlb.whole()
    for describe, modify, by, key, default, value in (
        (
            nlb.elb.describe_load_balancer_attributes,
            nlb.elb.modify_load_balancer_attributes,
            {"LoadBalancerArn": balancer},
            "load_balancing.cross_zone.enabled",
            "false",
            "true",
        ),
        (
            nlb.elb.describe_target_group_attributes,
            nlb.elb.modify_target_group_attributes,
            {"TargetGroupArn": group},
            "deregistration_delay.timeout_seconds",
            "300",
            "3600",
        ),
        (
            nlb.elb.describe_target_group_attributes,
            nlb.elb.modify_target_group_attributes,
            {"TargetGroupArn": group},
            "preserve_client_ip.enabled",
            "true",
            "false",
        ),
        (
            nlb.elb.describe_listener_attributes,
            nlb.elb.modify_listener_attributes,
            {"ListenerArn": listener},
            "tcp.idle_timeout.seconds",
            "350",
            "6000",
        ),
    ):
        assert attributes(describe(**by))[key] == default
        assert attributes(modify(Attributes=[{"Key": key, "Value": value}], **by))[key] == value
        assert attributes(describe(**by))[key] == value


def test_attributes_out_of_bounds_are_refused(nlb: Balancing) -> None:
    _, group, listener = nlb.whole()
    for key, value in (("deregistration_delay.timeout_seconds", "3601"), ("no.such.key", "1")):
        wrong = [{"Key": key, "Value": value}]
        refused("ValidationError", nlb.elb.modify_target_group_attributes, TargetGroupArn=group, Attributes=wrong)
    for value in ("59", "6001", "long"):
        wrong = [{"Key": "tcp.idle_timeout.seconds", "Value": value}]
        refused("ValidationError", nlb.elb.modify_listener_attributes, ListenerArn=listener, Attributes=wrong)


def test_a_group_serves_one_balancer(nlb: Balancing) -> None:
    balancer, group, listener = nlb.whole()
    other = nlb.balancer("other")["LoadBalancerArn"]
    refused("TargetGroupAssociationLimit", nlb.listener, balancer=other, group=group)
    nlb.elb.delete_listener(ListenerArn=listener)
    assert nlb.listener(other, group)


def test_what_does_not_fit_together_is_refused(nlb: Balancing) -> None:
    balancer, ipv4 = nlb.balancer()["LoadBalancerArn"], nlb.balancer("four", IpAddressType="ipv4")["LoadBalancerArn"]
    refused("IncompatibleProtocols", nlb.listener, balancer=balancer, group=nlb.group("udp", Protocol="UDP"))
    refused("InvalidConfigurationRequest", nlb.listener, balancer=ipv4, group=nlb.group())
    refused("TargetGroupNotFound", nlb.listener, balancer=balancer, group=nlb.group("gone")[:-1] + "x")


def test_a_dualstack_balancer_needs_subnets_with_ipv6(nlb: Balancing) -> None:
    plain = nlb.zone.ec2.create_subnet(VpcId=nlb.zone.vpc, CidrBlock="10.0.200.0/24")["Subnet"]["SubnetId"]
    refused("InvalidSubnet", nlb.balancer, Subnets=[plain])


def test_a_public_balancer_needs_an_internet_gateway(nlb: Balancing) -> None:
    nlb.zone.ec2.detach_internet_gateway(InternetGatewayId=nlb.zone.gateway, VpcId=nlb.zone.vpc)
    refused("InvalidSubnet", nlb.balancer)
    assert nlb.balancer(Scheme="internal")


def test_a_balancer_made_without_security_groups_never_gets_any(nlb: Balancing) -> None:
    bare = nlb.balancer("bare", SecurityGroups=[])["LoadBalancerArn"]
    groups = [nlb.zone.balancer_group]
    call = nlb.elb.set_security_groups
    refused("InvalidConfigurationRequest", call, LoadBalancerArn=bare, SecurityGroups=groups)
    made = nlb.balancer()["LoadBalancerArn"]
    enforced = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
    assert call(LoadBalancerArn=made, SecurityGroups=groups, **{enforced: "off"})[enforced] == "off"
    [described] = nlb.elb.describe_load_balancers(LoadBalancerArns=[made])["LoadBalancers"]
    assert described[enforced] == "off"


def test_a_target_is_initial_for_two_looks_and_then_healthy(nlb: Balancing) -> None:
    _, group, _ = nlb.whole()
    [host] = nlb.zone.running()
    nlb.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": host}])
    states = [nlb.health(group) for _ in range(4)]
    assert states == [[(host, "initial")]] * 2 + [[(host, "healthy")]] * 2


def test_registering_again_changes_nothing(nlb: Balancing) -> None:
    _, group, _ = nlb.whole()
    [host] = nlb.zone.running()
    for _ in range(3):
        nlb.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": host}])
        nlb.health(group)
    nlb.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": host, "Port": 4443}])
    assert nlb.health(group) == [(host, "healthy")]


def test_a_target_without_a_listener_is_unused(nlb: Balancing) -> None:
    group, [host] = nlb.group(), nlb.zone.running()
    nlb.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": host}])
    assert [nlb.health(group) for _ in range(4)] == [[(host, "unused")]] * 4


def test_only_running_instances_with_a_primary_ipv6_can_be_registered_all_or_none(nlb: Balancing) -> None:
    _, group, _ = nlb.whole()
    [good] = nlb.zone.running()
    [pending] = nlb.zone.ids()
    data = nlb.zone.template_data()
    del data["NetworkInterfaces"][0]["PrimaryIpv6"]
    nlb.zone.ec2.create_launch_template_version(LaunchTemplateId=nlb.zone.template, LaunchTemplateData=data)
    [secondary] = nlb.zone.running(LaunchTemplate={"LaunchTemplateName": "hosts", "Version": "2"})
    for bad in (pending, secondary, "i-0123456789abcdef0"):
        targets = [{"Id": good}, {"Id": bad}]
        refused("InvalidTarget", nlb.elb.register_targets, TargetGroupArn=group, Targets=targets)
    assert nlb.health(group) == []
    ipv4 = nlb.group("four", IpAddressType="ipv4")
    nlb.elb.register_targets(TargetGroupArn=ipv4, Targets=[{"Id": secondary}])


def test_a_deregistered_target_drains_for_two_looks_and_vanishes(nlb: Balancing) -> None:
    _, group, _ = nlb.whole()
    [host] = nlb.zone.running()
    nlb.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": host}])
    nlb.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": host}])
    assert [nlb.health(group) for _ in range(3)] == [[(host, "draining")], [(host, "draining")], []]
    assert nlb.health(group, host) == [(host, "unused")]


def test_deregistering_what_is_not_there_succeeds(nlb: Balancing) -> None:
    group = nlb.group()
    nlb.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "i-0123456789abcdef0"}])


def test_a_terminated_instance_leaves_its_groups(nlb: Balancing) -> None:
    _, group, _ = nlb.whole()
    [host] = nlb.zone.running()
    nlb.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": host}])
    nlb.zone.ec2.terminate_instances(InstanceIds=[host])
    assert [nlb.health(group) for _ in range(3)] == [[(host, "draining")], [(host, "draining")], []]


def test_a_group_in_use_cannot_be_deleted_until_its_balancer_is_gone(nlb: Balancing) -> None:
    balancer, group, listener = nlb.whole()
    refused("ResourceInUse", nlb.elb.delete_target_group, TargetGroupArn=group)
    nlb.elb.delete_load_balancer(LoadBalancerArn=balancer)
    refused("ListenerNotFound", nlb.elb.describe_listeners, ListenerArns=[listener])
    [left] = nlb.elb.describe_target_groups()["TargetGroups"]
    assert left.get("LoadBalancerArns", []) == []
    nlb.elb.delete_target_group(TargetGroupArn=group)
    assert nlb.elb.describe_target_groups()["TargetGroups"] == []


def test_deleting_twice_succeeds(nlb: Balancing) -> None:
    balancer, group, _ = nlb.whole()
    for _ in range(2):
        nlb.elb.delete_load_balancer(LoadBalancerArn=balancer)
    for _ in range(2):
        nlb.elb.delete_target_group(TargetGroupArn=group)


def test_a_protected_balancer_cannot_be_deleted(nlb: Balancing) -> None:
    balancer = nlb.balancer()["LoadBalancerArn"]
    protect = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    nlb.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=protect)
    refused("OperationNotPermitted", nlb.elb.delete_load_balancer, LoadBalancerArn=balancer)


def test_tags_are_described_for_at_most_twenty_resources(nlb: Balancing) -> None:
    balancer, group, listener = nlb.whole()
    nlb.elb.add_tags(ResourceArns=[group], Tags=[{"Key": f"k{number}", "Value": "v"} for number in range(20)])
    described = nlb.elb.describe_tags(ResourceArns=[balancer, group, listener])["TagDescriptions"]
    assert [len(entry["Tags"]) for entry in described] == [1, 20, 0]
    refused("ValidationError", nlb.elb.describe_tags, ResourceArns=[balancer] * 21)
    refused("LoadBalancerNotFound", nlb.elb.describe_tags, ResourceArns=[balancer[:-1] + "x"])
    refused("TargetGroupNotFound", nlb.elb.describe_tags, ResourceArns=[group[:-1] + "x"])


def test_balancers_and_groups_come_in_pages(nlb: Balancing) -> None:
    for number in range(5):
        nlb.balancer(f"balancer-{number}")
        nlb.group(f"group-{number}")
    for call, key, name in (
        (nlb.elb.describe_load_balancers, "LoadBalancers", "LoadBalancerName"),
        (nlb.elb.describe_target_groups, "TargetGroups", "TargetGroupName"),
    ):
        answers = [call(PageSize=2)]
        while answers[-1].get("NextMarker"):
            answers.append(call(PageSize=2, Marker=answers[-1]["NextMarker"]))
        assert [len(answer[key]) for answer in answers] == [2, 2, 1]
        assert len({entry[name] for answer in answers for entry in answer[key]}) == 5
