//! Endpoint services: made, opened to others, closed, and removed before what they stand on.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_ec2::types::{ServiceConfiguration, ServiceState, VpcEndpointType};
use enclave_protocol::names::{HostId, PrincipalArn};
use enclave_protocol::reply::{PrivateLinkState, Reply, Status};
use enclave_protocol::request::{Order, PrivateLink, Scheme};
use enclave_tests::orders::{balancer, describe, endpoint, remove_load_balancer};
use enclave_tests::wait::until;

use crate::support::{Zone, changing_calls, count_calls};

const A: &str = "111111111111";
const B: &str = "222222222222";

/// The emulator's way to call as another account.
const ACCOUNT_HEADER: &str = "x-moto-account-id";

fn principal(account: &str) -> PrincipalArn {
    format!("arn:aws:iam::{account}:root").parse().expect("a principal")
}

/// A private balancer, open to these accounts.
fn linked(hosts: &[HostId], accounts: &[&str], acceptance_required: bool) -> Order {
    balancer(vec![endpoint(443, 4443)], hosts, |order| {
        order.scheme = Scheme::Private;
        order.private_link = Some(PrivateLink {
            allowed_principals: accounts.iter().map(|account| principal(account)).collect(),
            acceptance_required,
        });
    })
}

async fn done(zone: &Zone, order: Order) -> Result<Reply> {
    let reply = zone.server.order(order).await?;
    ensure!(reply.status == Status::Done, "{reply:#?}\n{}", zone.enclave.function().log_tail(30));
    Ok(reply)
}

async fn services(zone: &Zone) -> Result<Vec<ServiceConfiguration>> {
    let found = zone.enclave.clients().ec2.describe_vpc_endpoint_service_configurations().send().await?;
    Ok(found.service_configurations.unwrap_or_default())
}

async fn principals(zone: &Zone, service_id: &str) -> Result<BTreeSet<String>> {
    let ec2 = &zone.enclave.clients().ec2;
    let found = ec2.describe_vpc_endpoint_service_permissions().service_id(service_id).send().await?;
    Ok(found.allowed_principals().iter().filter_map(|it| it.principal().map(str::to_owned)).collect())
}

/// Makes an interface endpoint to the service, in a VPC of this account.
async fn connect(zone: &Zone, account: &'static str, service_name: &str) -> Result<String> {
    let ec2 = &zone.enclave.clients().ec2;
    let vpc = ec2.create_vpc().cidr_block("10.9.0.0/16").customize();
    let vpc = vpc.mutate_request(move |request| drop(request.headers_mut().insert(ACCOUNT_HEADER, account)));
    let vpc = vpc.send().await?.vpc.and_then(|vpc| vpc.vpc_id).context("a VPC")?;
    let endpoint = ec2.create_vpc_endpoint().vpc_id(vpc).service_name(service_name);
    let endpoint = endpoint.vpc_endpoint_type(VpcEndpointType::Interface).customize();
    let endpoint =
        endpoint.mutate_request(move |request| drop(request.headers_mut().insert(ACCOUNT_HEADER, account)));
    endpoint.send().await?.vpc_endpoint.and_then(|it| it.vpc_endpoint_id).context("an endpoint")
}

/// The accounts that are connected to the service, or wait to be.
async fn connected(zone: &Zone) -> Result<Vec<String>> {
    let found = zone.enclave.clients().ec2.describe_vpc_endpoint_connections().send().await?;
    let open = ["pendingacceptance", "pending", "available"];
    let mut accounts: Vec<String> = found
        .vpc_endpoint_connections()
        .iter()
        .filter(|it| {
            let state = it.vpc_endpoint_state().map(|state| state.as_str().to_ascii_lowercase());
            state.is_some_and(|state| open.contains(&state.as_str()))
        })
        .filter_map(|it| it.vpc_endpoint_owner().map(str::to_owned))
        .collect();
    accounts.sort();
    Ok(accounts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_made_for_exactly_the_named_principals_and_told_in_reply_and_inventory() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    let reply = done(&zone, linked(&hosts, &[A, B], true)).await?;
    let told = reply.load_balancer.and_then(|it| it.private_link).expect("an endpoint service");

    let [service] = services(&zone).await?.try_into().expect("one service");
    assert_eq!(service.service_id(), Some(told.service_id.as_str()));
    assert_eq!(service.service_name(), Some(told.service_name.as_str()));
    assert_eq!(service.service_state(), Some(&ServiceState::Available));
    assert_eq!(service.acceptance_required(), Some(true));
    let types: BTreeSet<_> = service.supported_ip_address_types().iter().map(|it| it.as_str()).collect();
    assert_eq!(types, ["ipv4", "ipv6"].into());
    let balancers = zone.enclave.clients().elbv2.describe_load_balancers().send().await?;
    let [found] = balancers.load_balancers() else { panic!("{balancers:?}") };
    assert_eq!(service.network_load_balancer_arns(), [found.load_balancer_arn().unwrap().to_owned()]);
    assert_eq!(found.enforce_security_group_inbound_rules_on_private_link_traffic(), Some("on"));
    let enclave_id = &zone.enclave.made().foundation.audience.enclave_id;
    let is_ours = |tag: &aws_sdk_ec2::types::Tag| {
        tag.key() == Some("enclave:id") && tag.value() == Some(enclave_id.as_str())
    };
    assert!(service.tags().iter().any(is_ours), "{:?}", service.tags());

    let allowed: BTreeSet<String> = [A, B].map(|account| principal(account).to_string()).into();
    assert_eq!(principals(&zone, &told.service_id).await?, allowed);
    assert_eq!(told.allowed_principals.iter().cloned().collect::<BTreeSet<_>>(), allowed);
    assert_eq!((told.state, told.acceptance_required), (PrivateLinkState::Available, true));
    let inventory = done(&zone, describe()).await?.inventory.expect("an inventory");
    assert_eq!(inventory.load_balancers[0].load_balancer.private_link, Some(told));

    zone.enclave.forget_calls();
    done(&zone, linked(&hosts, &[B, A], true)).await?;
    assert_eq!(changing_calls(&zone), Vec::<String>::new(), "the same order again");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_that_is_not_named_any_more_is_let_out_and_disconnected() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    let reply = done(&zone, linked(&hosts, &[A, B], true)).await?;
    let told = reply.load_balancer.and_then(|it| it.private_link).expect("an endpoint service");
    connect(&zone, A, &told.service_name).await?;
    connect(&zone, B, &told.service_name).await?;
    assert_eq!(connected(&zone).await?, [A, B]);

    let reply = done(&zone, linked(&hosts, &[B], false)).await?;
    let then = reply.load_balancer.and_then(|it| it.private_link).expect("an endpoint service");
    assert_eq!(then.service_name, told.service_name, "clients keep the name they use");
    assert_eq!(principals(&zone, &told.service_id).await?, [principal(B).to_string()].into());
    assert_eq!(connected(&zone).await?, [B]);
    assert_eq!(services(&zone).await?[0].acceptance_required(), Some(false));
    assert!(connect(&zone, A, &told.service_name).await.is_err(), "and does not come in again");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_nobody_wants_any_more_goes_with_its_connections_and_the_balancer_stays() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    let first = done(&zone, linked(&hosts, &[A], false)).await?.load_balancer.expect("a balancer");
    let link = first.private_link.expect("an endpoint service");
    connect(&zone, A, &link.service_name).await?;

    zone.enclave.forget_calls();
    let private = balancer(vec![endpoint(443, 4443)], &hosts, |order| order.scheme = Scheme::Private);
    let then = done(&zone, private).await?.load_balancer.expect("a balancer");
    assert_eq!((then.name, then.private_link), (first.name, None));
    // AWS says inside a good answer that the connection, still on its way, is in the way.
    assert!(count_calls(&zone, "DeleteVpcEndpointServiceConfigurations") > 1);
    assert_eq!(count_calls(&zone, "RejectVpcEndpointConnections"), 1);
    assert_eq!(services(&zone).await?, []);
    assert_eq!(connected(&zone).await?, Vec::<String>::new());
    let balancers = zone.enclave.clients().elbv2.describe_load_balancers().send().await?;
    assert_eq!(balancers.load_balancers().len(), 1);

    let again = done(&zone, linked(&hosts, &[A], false)).await?.load_balancer.expect("a balancer");
    let again = again.private_link.expect("an endpoint service");
    assert_ne!(again.service_id, link.service_id, "a new service, not the old one's replay");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_rejects_connections_and_deletes_the_service_before_the_balancer() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    let reply = done(&zone, linked(&hosts, &[A], false)).await?;
    let link = reply.load_balancer.and_then(|it| it.private_link).expect("an endpoint service");
    connect(&zone, A, &link.service_name).await?;
    until("the connection to be available", Duration::from_secs(30), async || {
        let found = zone.enclave.clients().ec2.describe_vpc_endpoint_connections().send().await?;
        let state = found.vpc_endpoint_connections()[0].vpc_endpoint_state().map(|state| state.as_str());
        Ok((state == Some("available")).then_some(()))
    })
    .await?;
    zone.enclave.forget_calls();
    done(&zone, remove_load_balancer()).await?;

    assert_eq!(services(&zone).await?, []);
    assert_eq!(connected(&zone).await?, Vec::<String>::new());
    let elb = &zone.enclave.clients().elbv2;
    assert_eq!(elb.describe_load_balancers().send().await?.load_balancers(), []);
    assert_eq!(elb.describe_target_groups().send().await?.target_groups(), []);
    let mut calls = changing_calls(&zone);
    calls.dedup();
    assert_eq!(
        calls,
        [
            "RejectVpcEndpointConnections",
            "DeleteVpcEndpointServiceConfigurations",
            "DeleteListener",
            "DeleteLoadBalancer",
            "DeleteTargetGroup",
        ],
    );
    zone.enclave.shutdown().await;
    Ok(())
}
