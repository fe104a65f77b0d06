//! Load balancers: schemes, settings, and what an order that cannot be carried out in place leaves.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use aws_sdk_elasticloadbalancingv2::types::{
    IpAddressType, LoadBalancer, LoadBalancerSchemeEnum, ProtocolEnum, TargetGroup,
};
use enclave_protocol::code::Code;
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{Reply, Status};
use enclave_protocol::request::{
    ConfigureLoadBalancer, Endpoint, EndpointProtocol, HealthCheck, HealthCheckProtocol, Order, Scheme,
};
use enclave_tests::orders::{balancer, configure_load_balancer, describe, remove_load_balancer_named};

use crate::support::{Zone, changing_calls, ledger_object};

fn with(targets: &[HostId], change: impl FnOnce(&mut ConfigureLoadBalancer)) -> Order {
    let endpoint = |port, protocol| Endpoint { port, protocol, target_port: 8443 };
    balancer(vec![endpoint(80, EndpointProtocol::Tcp), endpoint(443, EndpointProtocol::Tls)], targets, change)
}

async fn done(zone: &Zone, order: Order) -> Result<Reply> {
    let reply = zone.server.order(order).await?;
    ensure!(reply.status == Status::Done, "{reply:#?}\n{}", zone.enclave.function().log_tail(30));
    Ok(reply)
}

async fn balancers(zone: &Zone) -> Result<Vec<LoadBalancer>> {
    let found = zone.enclave.clients().elbv2.describe_load_balancers().send().await?;
    Ok(found.load_balancers.unwrap_or_default())
}

async fn groups(zone: &Zone) -> Result<Vec<TargetGroup>> {
    let found = zone.enclave.clients().elbv2.describe_target_groups().send().await?;
    Ok(found.target_groups.unwrap_or_default())
}

/// The attributes of the balancer, of each of its listeners, and of each target group.
async fn attributes(zone: &Zone, balancer: &LoadBalancer) -> Result<Vec<BTreeMap<String, String>>> {
    let elb = &zone.enclave.clients().elbv2;
    let arn = balancer.load_balancer_arn().context("an ARN")?;
    let pair = |key: Option<&str>, value: Option<&str>| {
        (key.unwrap_or_default().to_owned(), value.unwrap_or_default().to_owned())
    };
    let found = elb.describe_load_balancer_attributes().load_balancer_arn(arn).send().await?;
    let mut all = vec![found.attributes().iter().map(|it| pair(it.key(), it.value())).collect()];
    let listeners = elb.describe_listeners().load_balancer_arn(arn).send().await?;
    for listener in listeners.listeners() {
        let arn = listener.listener_arn().context("an ARN")?;
        let found = elb.describe_listener_attributes().listener_arn(arn).send().await?;
        all.push(found.attributes().iter().map(|it| pair(it.key(), it.value())).collect());
    }
    for group in groups(zone).await? {
        let arn = group.target_group_arn().context("an ARN")?;
        let found = elb.describe_target_group_attributes().target_group_arn(arn).send().await?;
        all.push(found.attributes().iter().map(|it| pair(it.key(), it.value())).collect());
    }
    Ok(all)
}

/// Whether every resource that has an attribute has it with this value, and at least one has it.
fn everywhere(attributes: &[BTreeMap<String, String>], key: &str, value: &str) -> bool {
    let mut found = attributes.iter().filter_map(|of_one| of_one.get(key)).peekable();
    found.peek().is_some() && found.all(|it| it == value)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_balancer_is_internal_and_passes_tls_through_to_the_hosts() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    done(&zone, with(&hosts, |order| order.scheme = Scheme::Private)).await?;

    let [found] = balancers(&zone).await?.try_into().expect("one balancer");
    assert_eq!(found.scheme(), Some(&LoadBalancerSchemeEnum::Internal));
    assert_eq!(found.ip_address_type(), Some(&IpAddressType::Dualstack));
    assert_eq!(found.security_groups(), [zone.enclave.made().network.balancer_security_group_id.clone()]);
    assert_eq!(found.enforce_security_group_inbound_rules_on_private_link_traffic(), Some("on"));
    assert!(everywhere(&attributes(&zone, &found).await?, "ipv6.deny_all_igw_traffic", "true"));

    let elb = &zone.enclave.clients().elbv2;
    let arn = found.load_balancer_arn().unwrap();
    let listeners = elb.describe_listeners().load_balancer_arn(arn).send().await?;
    let mut ports: Vec<_> = listeners.listeners().iter().filter_map(|it| it.port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, [80, 443]);
    for listener in listeners.listeners() {
        assert_eq!(listener.protocol(), Some(&ProtocolEnum::Tcp));
        assert_eq!(listener.certificates(), [], "the hosts hold the certificates");
    }
    let groups = groups(&zone).await?;
    assert_eq!(groups.len(), 2, "a TCP and a TLS port do not share a group");
    assert!(groups.iter().all(|it| it.protocol() == Some(&ProtocolEnum::Tcp) && it.port() == Some(8443)));

    let inventory = done(&zone, describe()).await?.inventory.expect("an inventory");
    let [listed] = inventory.load_balancers.try_into().expect("one balancer");
    assert_eq!(listed.load_balancer.scheme, Scheme::Private);
    let protocols: Vec<_> = listed.load_balancer.endpoints.iter().map(|it| it.protocol).collect();
    assert_eq!(protocols, [EndpointProtocol::Tcp, EndpointProtocol::Tls]);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_change_in_place_and_go_back_to_their_defaults_when_they_are_not_named() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    done(&zone, with(&hosts, |_| ())).await?;
    let check = HealthCheck {
        protocol: HealthCheckProtocol::Https,
        port: Some(9443),
        path: Some("/status".parse()?),
        interval_seconds: 10,
        timeout_seconds: Some(5),
        healthy_threshold: 3,
        unhealthy_threshold: 4,
    };
    let changed = |order: &mut ConfigureLoadBalancer| {
        order.health_check = Some(check.clone());
        order.deregistration_delay_seconds = Some(0);
        order.idle_timeout_seconds = Some(6000);
        order.cross_zone = Some(false);
    };
    zone.enclave.forget_calls();
    let reply = done(&zone, with(&hosts, changed)).await?;
    let mut calls = changing_calls(&zone);
    calls.sort();
    let twice = |call: &str| [call.to_owned(), call.to_owned()];
    let expected: Vec<String> = [
        twice("ModifyListenerAttributes").to_vec(),
        vec!["ModifyLoadBalancerAttributes".to_owned()],
        twice("ModifyTargetGroup").to_vec(),
        twice("ModifyTargetGroupAttributes").to_vec(),
    ]
    .concat();
    assert_eq!(calls, expected, "two listeners, two groups, one balancer; nothing is made anew");

    let [found] = balancers(&zone).await?.try_into().expect("one balancer");
    let seen = attributes(&zone, &found).await?;
    assert!(everywhere(&seen, "deregistration_delay.timeout_seconds", "0"), "{seen:?}");
    assert!(everywhere(&seen, "preserve_client_ip.enabled", "false"), "{seen:?}");
    assert!(everywhere(&seen, "tcp.idle_timeout.seconds", "6000"), "{seen:?}");
    assert_eq!(seen[0]["load_balancing.cross_zone.enabled"], "false");
    assert_eq!(seen[0]["ipv6.deny_all_igw_traffic"], "false");
    for group in groups(&zone).await? {
        assert_eq!(group.health_check_protocol(), Some(&ProtocolEnum::Https));
        assert_eq!((group.health_check_port(), group.health_check_path()), (Some("9443"), Some("/status")));
        let numbers = [
            group.health_check_interval_seconds(),
            group.health_check_timeout_seconds(),
            group.healthy_threshold_count(),
            group.unhealthy_threshold_count(),
        ];
        assert_eq!(numbers, [10, 5, 3, 4].map(Some));
    }
    let told = reply.load_balancer.expect("a balancer");
    assert_eq!(told.health_check, Some(check.clone()));
    assert_eq!((told.deregistration_delay_seconds, told.idle_timeout_seconds), (Some(0), Some(6000)));
    assert_eq!(told.cross_zone, Some(false));

    zone.enclave.forget_calls();
    done(&zone, with(&hosts, changed)).await?;
    assert_eq!(changing_calls(&zone), Vec::<String>::new(), "the same order again");

    done(&zone, with(&hosts, |_| ())).await?;
    let [found] = balancers(&zone).await?.try_into().expect("one balancer");
    let seen = attributes(&zone, &found).await?;
    assert!(everywhere(&seen, "deregistration_delay.timeout_seconds", "300"), "{seen:?}");
    assert!(everywhere(&seen, "tcp.idle_timeout.seconds", "350"), "{seen:?}");
    assert_eq!(seen[0]["load_balancing.cross_zone.enabled"], "true");
    for group in groups(&zone).await? {
        assert_eq!(group.health_check_protocol(), Some(&ProtocolEnum::Tcp));
        assert_eq!(group.health_check_port(), Some("traffic-port"));
    }
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_scheme_is_another_balancer_and_the_old_one_goes_only_by_its_name() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    let old = done(&zone, configure_load_balancer(&[(443, 4443)], &hosts)).await?;
    let old = old.load_balancer.expect("a balancer");
    assert_eq!(old.superseded, Vec::<String>::new());

    let new = done(&zone, with(&hosts, |order| order.scheme = Scheme::Private)).await?;
    assert!(new.message.contains(&old.name), "{}", new.message);
    let new = new.load_balancer.expect("a balancer");
    assert_ne!((&new.name, &new.dns_name), (&old.name, &old.dns_name));
    assert_eq!(new.superseded, std::slice::from_ref(&old.name));
    assert_eq!(balancers(&zone).await?.len(), 2, "nothing is deleted");
    assert_eq!(groups(&zone).await?.len(), 3);

    let reply = zone.server.order(remove_load_balancer_named("enc-nobody")).await?;
    assert_eq!((reply.status, reply.code), (Status::Rejected, Code::UnknownLoadBalancer), "{reply:#?}");

    let plan = zone.server.plan(remove_load_balancer_named(&old.name)).await?.plan.expect("a plan");
    let kinds: Vec<&str> = plan.steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(kinds, ["delete_listener", "delete_load_balancer", "delete_target_group"]);

    done(&zone, remove_load_balancer_named(&old.name)).await?;
    let [left] = balancers(&zone).await?.try_into().expect("one balancer");
    assert_eq!(left.load_balancer_name(), Some(new.name.as_str()));
    assert_eq!(groups(&zone).await?.len(), 2, "the new balancer's");
    let record = |name: &str| format!("state/v1/load-balancers/{name}.json");
    assert_eq!(ledger_object(&zone, &record(&old.name)).await?["present"], false);
    let kept = ledger_object(&zone, &record(&new.name)).await?;
    assert_eq!((&kept["present"], &kept["order"]["scheme"]), (&true.into(), &"private".into()));

    let reply = zone.server.order(remove_load_balancer_named(&old.name)).await?;
    assert_eq!(reply.code, Code::UnknownLoadBalancer, "it is gone: {reply:#?}");
    zone.enclave.shutdown().await;
    Ok(())
}
