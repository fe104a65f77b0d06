"""Attributes, health checks and quotas of network balancers: what is taken, kept, and refused."""

from typing import Any

import pytest

from foundation import Foundation, refused, unchecked
from test_elbv2 import Balancing, attributes


@pytest.fixture
def nlb(zone: Foundation) -> Balancing:
    return Balancing(zone)


ENFORCED = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"


def test_an_internal_dualstack_balancer_is_closed_to_internet_gateways(nlb: Balancing) -> None:
    made = nlb.balancer(Scheme="internal")
    [shown] = nlb.elb.describe_load_balancers(LoadBalancerArns=[made["LoadBalancerArn"]])["LoadBalancers"]
    assert (shown["Scheme"], shown["IpAddressType"], shown[ENFORCED]) == ("internal", "dualstack", "on")
    described = attributes(nlb.elb.describe_load_balancer_attributes(LoadBalancerArn=made["LoadBalancerArn"]))
    assert described["ipv6.deny_all_igw_traffic"] == "true"
    public = nlb.balancer("public")["LoadBalancerArn"]
    described = attributes(nlb.elb.describe_load_balancer_attributes(LoadBalancerArn=public))
    assert described["ipv6.deny_all_igw_traffic"] == "false"


def test_security_groups_are_set_and_rules_for_private_link_stay_as_they_were(nlb: Balancing) -> None:
    balancer, other = nlb.balancer()["LoadBalancerArn"], nlb.zone.group("other")
    call = nlb.elb.set_security_groups
    assert call(LoadBalancerArn=balancer, SecurityGroups=[other])[ENFORCED] == "on"
    call(LoadBalancerArn=balancer, SecurityGroups=[other], **{ENFORCED: "off"})
    assert call(LoadBalancerArn=balancer, SecurityGroups=[nlb.zone.balancer_group])[ENFORCED] == "off"
    [shown] = nlb.elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"]
    assert (shown[ENFORCED], shown["SecurityGroups"]) == ("off", [nlb.zone.balancer_group])
    refused("InvalidSecurityGroup", call, LoadBalancerArn=balancer, SecurityGroups=["sg-0123456789abcdef0"])
    refused("ValidationError", call, LoadBalancerArn=balancer, SecurityGroups=[other], **{ENFORCED: "maybe"})


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("load_balancing.cross_zone.enabled", ["true", "false"], ["yes", "use_load_balancer_configuration"]),
        ("ipv6.deny_all_igw_traffic", ["true", "false"], ["on"]),
        ("deletion_protection.enabled", ["true", "false"], [""]),
        (
            "dns_record.client_routing_policy",
            ["availability_zone_affinity", "partial_availability_zone_affinity", "any_availability_zone"],
            ["nearest"],
        ),
        ("idle_timeout.timeout_seconds", [], ["60"]),
        ("no.such.key", [], ["1"]),
    ],
)
def test_a_balancers_attribute_takes(nlb: Balancing, key: str, good: list[str], bad: list[str]) -> None:
    by = {"LoadBalancerArn": nlb.balancer()["LoadBalancerArn"]}
    modify, describe = nlb.elb.modify_load_balancer_attributes, nlb.elb.describe_load_balancer_attributes
    for value in good:
        assert attributes(modify(Attributes=[{"Key": key, "Value": value}], **by))[key] == value
    before = attributes(describe(**by))
    for value in bad:
        wrong = [{"Key": "zonal_shift.config.enabled", "Value": "true"}, {"Key": key, "Value": value}]
        refused("InvalidConfigurationRequest", modify, Attributes=wrong, **by)
    assert attributes(describe(**by)) == before


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("deregistration_delay.timeout_seconds", ["0", "3600"], ["3601", "-1", "soon"]),
        ("deregistration_delay.connection_termination.enabled", ["true"], ["use_load_balancer_configuration"]),
        ("preserve_client_ip.enabled", ["false", "true"], ["no"]),
        ("proxy_protocol_v2.enabled", ["true"], ["v2"]),
        ("load_balancing.cross_zone.enabled", ["true", "use_load_balancer_configuration"], ["on"]),
        ("stickiness.type", ["source_ip"], ["lb_cookie"]),
        ("target_health_state.unhealthy.connection_termination.enabled", ["false"], ["2"]),
        ("target_health_state.unhealthy.draining_interval_seconds", ["0"], ["360001", "1"]),
        ("target_group_health.dns_failover.minimum_healthy_targets.percentage", ["off", "100"], ["101", "0"]),
        ("slow_start.duration_seconds", [], ["30"]),
    ],
)
def test_a_groups_attribute_takes(nlb: Balancing, key: str, good: list[str], bad: list[str]) -> None:
    by = {"TargetGroupArn": nlb.group()}
    modify, describe = nlb.elb.modify_target_group_attributes, nlb.elb.describe_target_group_attributes
    for value in good:
        assert attributes(modify(Attributes=[{"Key": key, "Value": value}], **by))[key] == value
    before = attributes(describe(**by))
    for value in bad:
        wrong = [{"Key": "stickiness.enabled", "Value": "true"}, {"Key": key, "Value": value}]
        refused("ValidationError", modify, Attributes=wrong, **by)
    assert attributes(describe(**by)) == before


def test_an_unhealthy_target_drains_only_where_its_connections_are_not_ended(nlb: Balancing) -> None:
    wanted = {
        "target_health_state.unhealthy.connection_termination.enabled": "false",
        "target_health_state.unhealthy.draining_interval_seconds": "360000",
    }
    both = [{"Key": key, "Value": value} for key, value in wanted.items()]
    answer = nlb.elb.modify_target_group_attributes(TargetGroupArn=nlb.group(), Attributes=both)
    assert wanted.items() <= attributes(answer).items()


def shown(nlb: Balancing, group: str) -> dict[str, Any]:
    [found] = nlb.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"]
    return {
        name.removeprefix("HealthCheck"): value
        for name, value in found.items()
        if name.startswith("HealthCheck") or name.endswith("ThresholdCount") or name == "Matcher"
    }


def test_a_health_check_by_http_has_its_own_defaults(nlb: Balancing) -> None:
    group = nlb.group(HealthCheckProtocol="HTTP")
    assert shown(nlb, group) == {
        "Protocol": "HTTP",
        "Port": "traffic-port",
        "Path": "/",
        "Enabled": True,
        "IntervalSeconds": 30,
        "TimeoutSeconds": 6,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200-399"},
    }
    assert nlb.group(HealthCheckProtocol="HTTP", HealthCheckPath="/", Matcher={"HttpCode": "200-399"}) == group
    call = nlb.elb.create_target_group
    other = {"Name": "acme-content", "Protocol": "TCP", "Port": 4443, "VpcId": nlb.zone.vpc, "TargetType": "instance"}
    refused("DuplicateTargetGroupName", call, **other, IpAddressType="ipv6")


def test_a_health_check_is_modified_and_keeps_what_is_not_named(nlb: Balancing) -> None:
    group, modify = nlb.group(), nlb.elb.modify_target_group
    modify(
        TargetGroupArn=group,
        HealthCheckProtocol="HTTPS",
        HealthCheckPath="/ready",
        HealthCheckPort="9443",
        Matcher={"HttpCode": "200,503-599"},
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
    )
    modify(TargetGroupArn=group, HealthyThresholdCount=10, UnhealthyThresholdCount=3)
    assert shown(nlb, group) == {
        "Protocol": "HTTPS",
        "Port": "9443",
        "Path": "/ready",
        "Enabled": True,
        "IntervalSeconds": 5,
        "TimeoutSeconds": 2,
        "HealthyThresholdCount": 10,
        "UnhealthyThresholdCount": 3,
        "Matcher": {"HttpCode": "200,503-599"},
    }
    modify(TargetGroupArn=group, HealthCheckProtocol="TCP")
    assert not {"Path", "Matcher"} & shown(nlb, group).keys()
    assert shown(nlb, group)["Port"] == "9443"


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("ValidationError", {"HealthCheckIntervalSeconds": 4}),
        ("ValidationError", {"HealthCheckIntervalSeconds": 301}),
        ("ValidationError", {"HealthCheckTimeoutSeconds": 121}),
        ("ValidationError", {"HealthCheckTimeoutSeconds": 20, "HealthCheckIntervalSeconds": 10}),
        ("ValidationError", {"HealthyThresholdCount": 1}),
        ("ValidationError", {"UnhealthyThresholdCount": 11}),
        ("ValidationError", {"HealthCheckPort": "65536"}),
        ("ValidationError", {"HealthCheckProtocol": "HTTP", "HealthCheckPath": "ready"}),
        ("ValidationError", {"HealthCheckProtocol": "HTTP", "Matcher": {"HttpCode": "199"}}),
        ("ValidationError", {"HealthCheckProtocol": "HTTP", "Matcher": {"HttpCode": "200-600"}}),
        ("InvalidConfigurationRequest", {"HealthCheckPath": "/ready"}),
        ("InvalidConfigurationRequest", {"Matcher": {"HttpCode": "200"}}),
        ("InvalidConfigurationRequest", {"HealthCheckProtocol": "TLS"}),
        ("InvalidConfigurationRequest", {"HealthCheckEnabled": False}),
    ],
)
def test_a_wrong_health_check_is_refused_at_creation_and_at_change(
    nlb: Balancing, code: str, wrong: dict[str, Any]
) -> None:
    group = nlb.group()
    before, elb = shown(nlb, group), unchecked(nlb.elb)
    settings = {"Protocol": "TCP", "Port": 1, "VpcId": nlb.zone.vpc, "TargetType": "instance"}
    refused(code, elb.create_target_group, Name="wrong", **settings, **wrong)
    refused(code, elb.modify_target_group, TargetGroupArn=group, **{"HealthCheckPort": "1", **wrong})
    assert shown(nlb, group) == before


def test_a_target_fails_its_health_checks_on_demand(nlb: Balancing) -> None:
    _, group, _ = nlb.whole()
    [host] = nlb.zone.running()
    nlb.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": host}])
    script = {"Resources": [host], "Tags": [{"Key": "emulator:target-health", "Value": "unhealthy"}]}
    nlb.zone.ec2.create_tags(**script)
    assert [nlb.health(group)[0][1] for _ in range(4)] == ["initial", "initial", "unhealthy", "unhealthy"]
    nlb.zone.ec2.delete_tags(Resources=[host], Tags=[{"Key": "emulator:target-health"}])
    assert nlb.health(group) == [(host, "healthy")]


def test_a_balancer_has_at_most_fifty_listeners(nlb: Balancing) -> None:
    balancer, group = nlb.balancer()["LoadBalancerArn"], nlb.group()
    for port in range(1, 51):
        nlb.listener(balancer, group, Port=port)
    nlb.listener(balancer, group, Port=50)
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    call = nlb.elb.create_listener
    refused("TooManyListeners", call, LoadBalancerArn=balancer, Protocol="TCP", Port=51, DefaultActions=actions)


def ports(host: str, first: int, number: int) -> list[dict[str, Any]]:
    return [{"Id": host, "Port": first + index} for index in range(number)]


def test_a_group_has_at_most_a_thousand_targets(nlb: Balancing) -> None:
    group, call = nlb.group(), nlb.elb.register_targets
    [host] = nlb.zone.running()
    call(TargetGroupArn=group, Targets=ports(host, 1, 1000))
    call(TargetGroupArn=group, Targets=ports(host, 500, 100))
    refused("TooManyTargets", call, TargetGroupArn=group, Targets=ports(host, 1000, 2))
    assert len(nlb.health(group)) == 1000


def test_a_balancer_has_at_most_five_hundred_targets_in_a_zone(nlb: Balancing) -> None:
    _, group, _ = nlb.whole()
    [host] = nlb.zone.running()
    call = nlb.elb.register_targets
    call(TargetGroupArn=group, Targets=ports(host, 1, 500))
    refused("TooManyTargets", call, TargetGroupArn=group, Targets=ports(host, 501, 1))


def test_with_cross_zone_balancing_five_hundred_targets_are_all(nlb: Balancing) -> None:
    balancer, group, _ = nlb.whole()
    template = nlb.zone.ec2.create_launch_template(
        LaunchTemplateName="other-zone",
        LaunchTemplateData={
            **nlb.zone.template_data(),
            "NetworkInterfaces": [
                {**nlb.zone.template_data()["NetworkInterfaces"][0], "SubnetId": nlb.zone.subnets[1]},
            ],
        },
    )["LaunchTemplate"]["LaunchTemplateId"]
    [here], [there] = nlb.zone.running(), nlb.zone.running(LaunchTemplate={"LaunchTemplateId": template})
    call = nlb.elb.register_targets
    call(TargetGroupArn=group, Targets=ports(here, 1, 300) + ports(there, 1, 200))
    cross = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
    nlb.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=cross)
    refused("TooManyTargets", call, TargetGroupArn=group, Targets=ports(there, 201, 1))
    cross[0]["Value"] = "false"
    nlb.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=cross)
    call(TargetGroupArn=group, Targets=ports(there, 201, 1))


def test_a_full_group_cannot_be_put_under_a_balancer(nlb: Balancing) -> None:
    balancer, group = nlb.balancer()["LoadBalancerArn"], nlb.group()
    [host] = nlb.zone.running()
    nlb.elb.register_targets(TargetGroupArn=group, Targets=ports(host, 1, 501))
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    call = nlb.elb.create_listener
    refused("TooManyTargets", call, LoadBalancerArn=balancer, Protocol="TCP", Port=443, DefaultActions=actions)
