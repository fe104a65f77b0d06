//! Load balancers, made and changed.

use anyhow::Result;
use aws_sdk_elasticloadbalancingv2::types::{
    IpAddressType, LoadBalancerTypeEnum, TargetGroupIpAddressTypeEnum,
};
use enclave_protocol::reply::Status;
use enclave_tests::orders::configure_load_balancer;

use crate::support::{Zone, changing_calls};

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_is_dual_stack_with_a_security_group_and_ipv6_targets() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(2).await?;
    let reply = zone.server.order(configure_load_balancer(&[(443, 4443), (80, 4080)], &hosts)).await?;
    assert_eq!(reply.status, Status::Done, "{reply:#?}");
    let named = reply.load_balancer.expect("the balancer is in the reply");

    let elb = &zone.enclave.clients().elbv2;
    let balancers = elb.describe_load_balancers().send().await?;
    let [balancer] = balancers.load_balancers() else { panic!("exactly one balancer: {balancers:?}") };
    assert_eq!(balancer.load_balancer_name(), Some(named.name.as_str()));
    assert_eq!(balancer.dns_name(), named.dns_name.as_deref());
    assert_eq!(balancer.r#type(), Some(&LoadBalancerTypeEnum::Network));
    assert_eq!(balancer.ip_address_type(), Some(&IpAddressType::Dualstack));
    assert_eq!(balancer.security_groups(), [zone.enclave.made().network.balancer_security_group_id.clone()]);

    let groups = elb.describe_target_groups().send().await?;
    let mut ports: Vec<_> = groups.target_groups().iter().filter_map(|group| group.port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, [4080, 4443]);
    for group in groups.target_groups() {
        assert_eq!(group.ip_address_type(), Some(&TargetGroupIpAddressTypeEnum::Ipv6));
        let health =
            elb.describe_target_health().target_group_arn(group.target_group_arn().unwrap()).send().await?;
        let mut targets: Vec<_> =
            health.target_health_descriptions().iter().filter_map(|it| it.target()?.id()).collect();
        targets.sort_unstable();
        assert_eq!(targets, hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>());
        let arn = group.target_group_arn().unwrap();
        let attributes = elb.describe_target_group_attributes().target_group_arn(arn).send().await?;
        let value =
            |key| attributes.attributes().iter().find(|it| it.key() == Some(key)).and_then(|it| it.value());
        assert_eq!(value("preserve_client_ip.enabled"), Some("false"));
        assert_eq!(value("deregistration_delay.timeout_seconds"), Some("300"));
    }
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_order_converges_the_same_balancer_and_an_equal_one_changes_nothing() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(3).await?;
    let first = zone.server.order(configure_load_balancer(&[(443, 4443), (80, 4080)], &hosts)).await?;

    zone.enclave.forget_calls();
    let same = zone.server.order(configure_load_balancer(&[(443, 4443), (80, 4080)], &hosts)).await?;
    assert_eq!(same.status, Status::Done, "{same:#?}");
    assert_eq!(changing_calls(&zone), Vec::<String>::new());

    let changed = zone.server.order(configure_load_balancer(&[(443, 5443)], &hosts[..2])).await?;
    assert_eq!(changed.status, Status::Done, "{changed:#?}\n{}", zone.enclave.function().log_tail(30));
    assert_eq!(
        changed.load_balancer.expect("a balancer").dns_name,
        first.load_balancer.expect("a balancer").dns_name,
        "clients keep the name they resolve"
    );
    let elb = &zone.enclave.clients().elbv2;
    let balancers = elb.describe_load_balancers().send().await?;
    let arn = balancers.load_balancers()[0].load_balancer_arn().unwrap();
    let listeners = elb.describe_listeners().load_balancer_arn(arn).send().await?;
    assert_eq!(listeners.listeners().iter().filter_map(|it| it.port()).collect::<Vec<_>>(), [443]);
    let groups = elb.describe_target_groups().send().await?;
    assert_eq!(groups.target_groups().iter().filter_map(|it| it.port()).collect::<Vec<_>>(), [5443]);
    let group = groups.target_groups()[0].target_group_arn().unwrap();
    let health = elb.describe_target_health().target_group_arn(group).send().await?;
    assert_eq!(health.target_health_descriptions().len(), 2);
    zone.enclave.shutdown().await;
    Ok(())
}
