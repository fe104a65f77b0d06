//! The look from outside that every suite ends with finds what should not be there.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_ec2::types::{InstanceType, ResourceType, Tag, TagSpecification};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, LoadBalancerStateEnum, LoadBalancerTypeEnum, ProtocolEnum, TargetTypeEnum,
};
use enclave_tests::outside::{Outside, Wanted};
use enclave_tests::wait::until;

use crate::support::Zone;

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_asked_for_is_found_of_whatever_kind() -> Result<()> {
    let zone = Zone::start().await?;
    let reply = zone.done(zone.provision_hosts(1)).await?;
    zone.settled(&reply).await?;
    let (clients, made) = (zone.enclave.clients(), zone.enclave.made());
    let look = async || Outside::look(clients, &made.buckets.state).await;
    let owner = ("acme.shop.default".to_owned(), "content".to_owned());
    let hosts = reply.hosts.iter().map(|host| (host.host_id.to_string(), owner.clone()));
    let wanted = Wanted { hosts: hosts.collect(), ..Wanted::default() };
    let before = look().await?.violations(&wanted);
    ensure!(before.is_empty(), "{before:#?}");

    let (ec2, elb) = (&clients.ec2, &clients.elbv2);
    // A second host of the same request, as a launch made twice would leave it.
    let seen = look().await?;
    let host = seen.instances.values().next().context("a host")?;
    let own = host.tags.iter().filter(|(name, _)| !name.starts_with("aws:"));
    let own = own.map(|(name, value)| Tag::builder().key(name).value(value).build());
    let tags = TagSpecification::builder().resource_type(ResourceType::Instance);
    let subnets = made.network.subnets.values().next().context("subnets")?;
    let run = ec2.run_instances().image_id(made.hosts.images[0].as_str()).min_count(1).max_count(1);
    let run = run.instance_type(InstanceType::from("m7g.large")).subnet_id(&subnets.host);
    let twin = run.tag_specifications(tags.set_tags(Some(own.collect())).build()).send().await?;
    let twin = twin.instances().first().and_then(|it| it.instance_id()).context("an instance")?.to_owned();
    let volume = ec2.create_volume().availability_zone("us-east-1a").size(1).send().await?;
    let interface = ec2.create_network_interface().subnet_id(&subnets.host).send().await?;
    let group = elb.create_target_group().name("orphan").protocol(ProtocolEnum::Tcp).port(1);
    let group = group.vpc_id(&made.network.vpc_id).target_type(TargetTypeEnum::Instance).send().await?;
    let group = group.target_groups().first().and_then(|it| it.target_group_arn()).context("a group")?;
    let balancer = elb.create_load_balancer().name("orphan").r#type(LoadBalancerTypeEnum::Network);
    let balancer = balancer.subnets(&subnets.balancer).send().await?;
    let balancer = balancer.load_balancers().first().and_then(|it| it.load_balancer_arn());
    let balancer = balancer.context("a balancer")?;

    let found = look().await?.violations(&wanted).join("\n");
    let volume = volume.volume_id().context("a volume")?;
    let interface = interface.network_interface().and_then(|it| it.network_interface_id());
    let interface = interface.context("an interface")?;
    for sentence in [
        format!("instance {twin} of"),
        "asked for 1 hosts and launched".to_owned(),
        format!("volume {volume} is left over"),
        format!("network interface {interface} is left over"),
        "target group orphan is left over".to_owned(),
        "load balancer orphan serves nobody".to_owned(),
    ] {
        ensure!(found.contains(&sentence), "{sentence:?} is missing in:\n{found}");
    }

    let forward = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(group).build();
    let listener = elb.create_listener().load_balancer_arn(balancer).protocol(ProtocolEnum::Tcp).port(1);
    listener.default_actions(forward).send().await?;
    until("the balancer to be active", Duration::from_secs(20), async || {
        let found = elb.describe_load_balancers().load_balancer_arns(balancer).send().await?;
        let state = found.load_balancers().first().and_then(|it| it.state()?.code());
        Ok((state == Some(&LoadBalancerStateEnum::Active)).then_some(()))
    })
    .await?;
    let service = ec2.create_vpc_endpoint_service_configuration().network_load_balancer_arns(balancer);
    let service = service.send().await?;
    let service = service.service_configuration().and_then(|it| it.service_id()).context("a service")?;
    let found = look().await?.violations(&wanted).join("\n");
    let sentence = format!("endpoint service {service} is left over");
    ensure!(found.contains(&sentence), "{sentence:?} is missing in:\n{found}");
    zone.enclave.shutdown().await;
    Ok(())
}
