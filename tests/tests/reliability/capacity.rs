//! Where hosts come from: pools without room, and instance types chosen for what is asked.

use anyhow::Result;
use aws_sdk_ec2::types::InstanceType as Ec2InstanceType;
use enclave_protocol::code::Code;
use enclave_protocol::names::InstanceType;
use enclave_protocol::reply::{HostState, Reply, Status};
use enclave_protocol::request::{Architecture, Order, Resources};
use enclave_tests::recording_proxy::{Fault, Rule};

use crate::support::Zone;

/// An order for hosts of another kind than the suite's usual.
fn order(
    zone: &Zone,
    count: u32,
    change: impl FnOnce(&mut enclave_protocol::request::ProvisionHosts),
) -> Order {
    let Order::ProvisionHosts(mut order) = zone.provision_hosts(count) else { unreachable!("it is one") };
    change(&mut order);
    Order::ProvisionHosts(order)
}

fn of_type(name: &'static str) -> impl FnOnce(&mut enclave_protocol::request::ProvisionHosts) {
    move |order| order.instance_types = vec![name.parse::<InstanceType>().expect("an instance type")]
}

fn assert_in_zone(reply: &Reply, zone: &str) {
    for host in &reply.hosts {
        assert_eq!(host.availability_zone.as_ref().map(|it| it.as_str()), Some(zone), "{reply:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_without_room_is_passed_over_and_asked_by_no_request_for_three_minutes() -> Result<()> {
    let zone = Zone::start().await?;
    let full = zone.enclave.ready()?.launch_templates[&"us-east-1a".parse()?].id.clone();
    zone.enclave.proxy().script(vec![Rule {
        parameter: Some(("LaunchTemplate.LaunchTemplateId", full.clone())),
        ..Rule::always("RunInstances", Fault::Refuse("InsufficientInstanceCapacity"))
    }]);
    assert_in_zone(&zone.done(zone.provision_hosts(3)).await?, "us-east-1b");
    assert_in_zone(&zone.done(zone.provision_hosts(2)).await?, "us-east-1b");
    let asked = zone.enclave.calls().into_iter().filter(|call| {
        call.action == "RunInstances" && call.parameter("LaunchTemplate.LaunchTemplateId") == full
    });
    assert_eq!(asked.count(), 1, "the second request knows it from the first");

    // Another instance type in the same zone is another pool.
    zone.enclave.proxy().script(vec![]);
    let reply = zone.done(order(&zone, 2, of_type("m6g.large"))).await?;
    let zones: Vec<_> = reply.hosts.iter().filter_map(|host| host.availability_zone.as_ref()).collect();
    assert!(zones.iter().any(|it| it.as_str() == "us-east-1a"), "{reply:#?}");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_nowhere_is_reported_with_the_reason_of_every_pool() -> Result<()> {
    let zone = Zone::start().await?;
    zone.enclave.proxy().script(vec![Rule::always("RunInstances", Fault::AtMost(1))]);
    let reply = zone.ended(zone.provision_hosts(4)).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::InsufficientCapacity), "{reply:#?}");
    assert_eq!(reply.hosts.iter().filter(|host| host.state == HostState::Ready).count(), 2, "{reply:#?}");
    assert_eq!(reply.missing.iter().map(|missing| missing.count).sum::<u32>(), 2, "{reply:#?}");

    // The next order learns why without asking AWS again.
    let asked = zone.count_calls("RunInstances");
    let reply = zone.ended(zone.provision_hosts(2)).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::InsufficientCapacity), "{reply:#?}");
    assert_eq!((reply.hosts.len(), reply.missing[0].count), (0, 2), "{reply:#?}");
    for pool in ["m7g.large in us-east-1a: left alone until", "m7g.large in us-east-1b: left alone until"] {
        assert!(reply.missing[0].reason.contains(pool), "{reply:#?}");
    }
    assert_eq!(zone.count_calls("RunInstances"), asked);

    let no_room = Rule::always("RunInstances", Fault::Refuse("InsufficientInstanceCapacity"));
    zone.enclave.proxy().script(vec![no_room]);
    let reply = zone.ended(order(&zone, 2, of_type("m6g.large"))).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::InsufficientCapacity), "{reply:#?}");
    assert!(reply.missing[0].reason.contains("InsufficientInstanceCapacity"), "{reply:#?}");
    assert_eq!(zone.live_hosts().await?.len(), 2);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_asked_for_by_their_resources_have_them_and_the_catalogue_is_read_once() -> Result<()> {
    let zone = Zone::start().await?;
    let resources = Resources { vcpu: 4, memory_gib: 16, disk_gb: 8, architecture: Architecture::Arm64 };
    let sized = |count, resources: &Resources| {
        let resources = resources.clone();
        order(&zone, count, move |order| {
            order.instance_types.clear();
            order.resources = Some(resources);
        })
    };
    let reply = zone.done(sized(2, &resources)).await?;
    assert_eq!(reply.hosts.len(), 2);
    for host in &reply.hosts {
        let name = host.instance_type.as_ref().expect("a type").as_str();
        let types = zone.enclave.clients().ec2.describe_instance_types();
        let found = types.instance_types(Ec2InstanceType::from(name)).send().await?;
        let info = &found.instance_types()[0];
        let vcpu = info.v_cpu_info().and_then(|it| it.default_v_cpus()).expect("processors");
        let memory = info.memory_info().and_then(|it| it.size_in_mib()).expect("memory");
        assert!(
            (4..=8).contains(&vcpu) && (16 << 10..=32 << 10).contains(&memory),
            "{name}: {vcpu}, {memory}"
        );
    }
    let pages = zone.count_calls("DescribeInstanceTypes");
    assert!(pages > 0);
    zone.done(sized(1, &resources)).await?;
    assert_eq!(zone.count_calls("DescribeInstanceTypes"), pages, "the catalogue is kept in the ledger");

    let too_much = Resources { memory_gib: 32_768, vcpu: 1, ..resources };
    let reply = zone.ended(sized(1, &too_much)).await?;
    assert_eq!((reply.status, reply.code), (Status::Rejected, Code::NoInstanceType), "{reply:#?}");
    assert!(reply.message.contains("32768"), "{}", reply.message);
    zone.enclave.shutdown().await;
    Ok(())
}
