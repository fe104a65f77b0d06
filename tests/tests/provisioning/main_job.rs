//! What a request brings about, seen from outside.

use std::collections::BTreeSet;

use anyhow::Result;
use aws_sdk_ec2::types::{Filter, HttpTokensState};
use enclave_protocol::code::Code;
use enclave_protocol::reply::{HostState, LoadBalancerState, Status};
use enclave_protocol::request::Order;
use enclave_tests::orders::{configure_load_balancer, deprovision_hosts, describe, remove_load_balancer};

use crate::support::{Zone, changing_calls, count_calls, host_ids, ledger_object, live_instances};

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_becomes_hosts_and_a_load_balancer_and_goes_again() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(3).await?;
    let balanced = zone.server.order(configure_load_balancer(&[(443, 4443)], &hosts)).await?;
    assert_eq!(balanced.status, Status::Done, "{balanced:#?}");
    assert_eq!(balanced.load_balancer.map(|balancer| balancer.state), Some(LoadBalancerState::Active));

    let inventory = zone.server.order(describe()).await?.inventory.expect("describe lists");
    let listed: Vec<_> = inventory.hosts.iter().map(|host| host.host_id.clone()).collect();
    assert_eq!(listed, hosts);
    assert_eq!(inventory.load_balancers.len(), 1);
    assert_eq!(inventory.load_balancers[0].load_balancer.targets, hosts);

    let removed = zone.server.order(remove_load_balancer()).await?;
    assert_eq!(removed.status, Status::Done, "{removed:#?}");
    let ended = zone.server.order(deprovision_hosts(&hosts)).await?;
    assert_eq!(ended.status, Status::Done, "{ended:#?}");
    assert!(ended.hosts.iter().all(|host| host.state == HostState::Terminated), "{ended:#?}");

    let clients = zone.enclave.clients();
    assert!(live_instances(&zone).await?.is_empty());
    assert!(clients.ec2.describe_volumes().send().await?.volumes().is_empty());
    assert!(clients.elbv2.describe_load_balancers().send().await?.load_balancers().is_empty());
    assert!(clients.elbv2.describe_target_groups().send().await?.target_groups().is_empty());
    assert_eq!(ledger_object(&zone, "state/v1/line.json").await?["open"], serde_json::json!([]));
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_in_the_account_are_those_of_the_reply_and_as_the_promises_say() -> Result<()> {
    let zone = Zone::start().await?;
    let reply = zone.server.order(zone.provision_hosts(4)).await?;
    assert_eq!((reply.status, reply.code), (Status::Done, Code::Done), "{reply:#?}");

    let made = zone.enclave.made();
    let instances = live_instances(&zone).await?;
    let seen: BTreeSet<&str> = instances.iter().filter_map(|it| it.instance_id()).collect();
    let hosts = host_ids(&reply);
    assert_eq!(seen, hosts.iter().map(|host| host.as_str()).collect());
    for instance in &instances {
        let id = instance.instance_id().unwrap();
        let interface = &instance.network_interfaces()[0];
        assert_eq!(instance.public_ip_address(), None, "{id}");
        assert!(interface.association().is_none(), "{id}");
        assert_eq!(interface.ipv6_addresses()[0].is_primary_ipv6(), Some(true), "{id}");
        let address = reply.hosts.iter().find(|host| host.host_id.as_str() == id).unwrap().ipv6_address;
        assert_eq!(
            interface.ipv6_addresses()[0].ipv6_address().map(|it| it.parse().unwrap()),
            address,
            "{id}"
        );
        let metadata = instance.metadata_options().unwrap();
        assert_eq!(metadata.http_tokens(), Some(&HttpTokensState::Required), "{id}");
        assert_eq!(instance.key_name(), None, "{id}");
        assert_eq!(instance.image_id(), Some(made.hosts.images[0].as_str()), "{id}");
    }
    let attached = Filter::builder().name("attachment.instance-id");
    let attached = attached.set_values(Some(hosts.iter().map(ToString::to_string).collect())).build();
    let volumes = zone.enclave.clients().ec2.describe_volumes().filters(attached).send().await?;
    assert_eq!(volumes.volumes().len(), 4, "one volume for each host");
    for volume in volumes.volumes() {
        assert_eq!(volume.encrypted(), Some(true));
        assert_eq!(volume.kms_key_id(), Some(made.keys.volumes.as_str()));
    }
    let zones: BTreeSet<_> = reply.hosts.iter().map(|host| host.availability_zone.clone()).collect();
    assert_eq!(zones.len(), 2, "hosts are spread over the availability zones");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hosts_of_one_pool_take_one_launch_and_one_page_a_look() -> Result<()> {
    let zone = Zone::start().await?;
    let Order::ProvisionHosts(mut order) = zone.provision_hosts(30) else { unreachable!() };
    order.availability_zones = Some(vec!["us-east-1a".parse()?]);
    let reply = zone.server.order(Order::ProvisionHosts(order)).await?;
    assert_eq!(reply.status, Status::Done, "{reply:#?}");
    assert_eq!(count_calls(&zone, "RunInstances"), 1);
    let launch = zone.enclave.calls().into_iter().find(|call| call.action == "RunInstances").unwrap();
    assert_eq!((launch.parameter("MinCount"), launch.parameter("MaxCount")), ("1", "30"));
    for look in zone.enclave.calls().iter().filter(|call| call.action == "DescribeInstances") {
        assert_eq!(look.parameter("MaxResults"), "1000");
        assert_eq!(look.parameter("NextToken"), "", "30 hosts fit one page");
    }
    assert_eq!(count_calls(&zone, "DescribeVolumes"), 1, "all hosts' volumes are read together");
    assert_eq!(count_calls(&zone, "DescribeInstanceAttribute"), 30, "each host's user data is read once");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_apply_then_does_and_changes_nothing() -> Result<()> {
    let zone = Zone::start().await?;
    let planned = zone.server.plan(zone.provision_hosts(3)).await?.plan.expect("a plan");
    assert!(planned.decision.allowed);
    let launches: Vec<&str> = planned.steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(launches, ["launch", "launch"], "two pools of equal preference");
    assert_eq!(changing_calls(&zone), Vec::<String>::new());

    let hosts = zone.provisioned(3).await?;
    assert_eq!(changing_calls(&zone), ["RunInstances", "RunInstances"]);
    zone.enclave.forget_calls();
    let planned =
        zone.server.plan(configure_load_balancer(&[(443, 4443)], &hosts)).await?.plan.expect("a plan");
    let kinds: Vec<&str> = planned.steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "create_target_group",
            "create_load_balancer",
            "configure_target_group",
            "configure_health_check",
            "register_targets",
            "create_listener",
            "configure_load_balancer",
            "secure_load_balancer",
            "configure_listener"
        ]
    );
    assert_eq!(changing_calls(&zone), Vec::<String>::new());
    zone.server.order(configure_load_balancer(&[(443, 4443)], &hosts)).await?;
    let mut made = changing_calls(&zone);
    made.sort();
    assert_eq!(
        made,
        [
            "CreateListener",
            "CreateLoadBalancer",
            "CreateTargetGroup",
            "ModifyLoadBalancerAttributes",
            "ModifyTargetGroupAttributes",
            "RegisterTargets"
        ],
        "the listener's idle timeout is AWS's default already"
    );

    zone.enclave.forget_calls();
    let planned = zone.server.plan(deprovision_hosts(&hosts)).await?.plan.expect("a plan");
    assert_eq!(planned.steps.len(), 1, "{planned:#?}");
    assert_eq!(changing_calls(&zone), Vec::<String>::new());
    assert_eq!(live_instances(&zone).await?.len(), 3);
    zone.enclave.shutdown().await;
    Ok(())
}
