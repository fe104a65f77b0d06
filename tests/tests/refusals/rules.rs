//! Requests that the tenant's rules, or what there is in the account, refuse: they are claimed, and go no further.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use enclave_core::foundation::FREEZE_KEY;
use enclave_protocol::code::Code;
use enclave_protocol::names::HostId;
use enclave_protocol::request::Order;
use enclave_tests::enclave::Options;
use serde_json::{Value, json};

use crate::case::Case;
use crate::orders::{
    balance, deprovision, describe, provision, remove_load_balancer, remove_load_balancer_named, stranger,
};
use crate::zone::Zone;

/// The hosts that are there, as the inventory has them.
async fn hosts(zone: &Zone, name: &str) -> Result<BTreeSet<HostId>> {
    let reply = zone.accepts(name, &zone.signed(zone.server.request(describe()))?).await?;
    let inventory = reply.inventory.expect("describe lists");
    Ok(inventory.hosts.into_iter().map(|host| host.host_id).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_beyond_the_tenants_rules_is_refused() -> Result<()> {
    let zone = Zone::start_with(Options { max_hosts: 3, ..Options::default() }).await?;
    let case = |name: &str, code: Code, naming: &str, order: Order, change: &dyn Fn(&mut Value)| {
        let body = zone.forged(zone.server.request(order), change)?;
        anyhow::Ok(Case::claimed(name, body, code, naming))
    };
    let application = |application: &'static str| {
        move |payload: &mut Value| payload["order"]["application"] = json!(application)
    };
    let others = "globex.shop.default";
    let foreign =
        |name: &str, order: Order| case(name, Code::WrongTenant, others, order, &application(others));
    let one = || provision(&zone, 1);
    zone.refuses([
        case("an unlisted image", Code::ImageNotAllowed, "ami-0123456789abcdef0", one(), &|payload| {
            payload["order"]["image"] = json!("ami-0123456789abcdef0");
        })?,
        case(
            "one host too many",
            Code::CapExceeded,
            "4 hosts more than the 0 there are would exceed 3",
            provision(&zone, 4),
            &|_| (),
        )?,
        case("1000 hosts", Code::CapExceeded, "1000 hosts", provision(&zone, 1000), &|_| ())?,
        case("an unknown zone", Code::UnknownAvailabilityZone, "us-east-1f", one(), &|payload| {
            payload["order"]["availability_zones"] = json!(["us-east-1a", "us-east-1f"]);
        })?,
        foreign("hosts for another tenant", one())?,
        foreign("hosts of another tenant", deprovision(&[stranger()]))?,
        foreign("a balancer for another tenant", balance(&[]))?,
        foreign("a balancer of another tenant", remove_load_balancer())?,
        case(
            "a tenant whose name begins alike",
            Code::WrongTenant,
            "acme-2.shop.default",
            one(),
            &application("acme-2.shop.default"),
        )?,
    ])
    .await?;
    let body = zone.forged(zone.plan(provision(&zone, 3)), |payload| {
        payload["order"]["availability_zones"] = json!(["us-east-1a"]);
    })?;
    let reply = zone.accepts("as many as there may be, in a known zone", &body).await?;
    ensure!(!reply.plan.unwrap().steps.is_empty(), "the twin would do nothing");
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_a_refused_order_says_so_and_changes_nothing() -> Result<()> {
    let zone = Zone::start_with(Options { max_hosts: 3, ..Options::default() }).await?;
    let seen = zone.give(&zone.signed(zone.plan(provision(&zone, 4)))?).await?;
    let decision = seen.reply()?.plan.expect("a plan").decision;
    assert_eq!((decision.allowed, decision.code), (false, Code::CapExceeded));
    assert_eq!(seen.changes(), Vec::<String>::new());
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_about_hosts_that_are_not_there_is_refused() -> Result<()> {
    let zone = Zone::start_with(Options { max_hosts: 3, ..Options::default() }).await?;
    let reply = zone.carry_out(provision(&zone, 2)).await?;
    let [kept, gone] = [0, 1].map(|index| reply.hosts[index].host_id.clone());
    zone.carry_out(deprovision(std::slice::from_ref(&gone))).await?;
    let outside = launched_by_somebody_else(&zone).await?;
    let before = hosts(&zone, "before").await?;

    let both = [kept.clone(), stranger()];
    let case = |name: &str, code: Code, naming: &str, order: Order, change: &dyn Fn(&mut Value)| {
        let body = zone.forged(zone.server.request(order), change)?;
        anyhow::Ok(Case::claimed(name, body, code, naming))
    };
    let ours = || deprovision(std::slice::from_ref(&kept));
    let cluster = |payload: &mut Value| payload["order"]["cluster"] = json!("search");
    let sibling = |payload: &mut Value| payload["order"]["application"] = json!("acme.shop.other");
    let unknown = |name: &str, naming: &HostId, order: Order, change: &dyn Fn(&mut Value)| {
        case(name, Code::UnknownHost, naming.as_str(), order, change)
    };
    let unchanged: &dyn Fn(&mut Value) = &|_| ();
    zone.refuses([
        unknown("a host that nobody has", &stranger(), deprovision(&[stranger()]), unchanged)?,
        unknown("one of two", &stranger(), deprovision(&both), unchanged)?,
        unknown("a host of another cluster", &kept, ours(), &cluster)?,
        unknown("a host of another application", &kept, ours(), &sibling)?,
        unknown(
            "a host that somebody else launched",
            &outside,
            deprovision(std::slice::from_ref(&outside)),
            unchanged,
        )?,
        unknown("a target that nobody has", &stranger(), balance(&both), unchanged)?,
        unknown("a target of another cluster", &kept, balance(std::slice::from_ref(&kept)), &cluster)?,
        case(
            "a target that is gone",
            Code::HostNotRunning,
            gone.as_str(),
            balance(&[kept.clone(), gone.clone()]),
            unchanged,
        )?,
        case(
            "a balancer that nobody has, by its name",
            Code::UnknownLoadBalancer,
            "enc-000000-0123456789",
            remove_load_balancer_named("enc-000000-0123456789"),
            unchanged,
        )?,
        case(
            "more hosts than there is room for",
            Code::CapExceeded,
            "would exceed 3",
            provision(&zone, 3),
            unchanged,
        )?,
    ])
    .await?;
    assert_eq!(hosts(&zone, "after").await?, before);
    zone.accepts("a host of ours", &zone.signed(zone.plan(ours()))?).await?;
    zone.accepts("a target of ours", &zone.signed(zone.plan(balance(std::slice::from_ref(&kept))))?).await?;
    zone.end().await
}

/// An instance in the zone's own subnet with the tags of a host of ours, but not by the enclave.
async fn launched_by_somebody_else(zone: &Zone) -> Result<HostId> {
    use aws_sdk_ec2::types::{InstanceType, ResourceType, Tag, TagSpecification};
    let made = zone.enclave.made();
    let ec2 = &zone.enclave.clients().ec2;
    let ours = ec2.describe_instances().send().await?;
    let ours =
        ours.reservations().iter().flat_map(|reservation| reservation.instances()).next().expect("a host");
    let own_tags = ours.tags().iter().filter(|tag| !tag.key().unwrap_or_default().starts_with("aws:"));
    let tags: Vec<Tag> = own_tags.cloned().collect();
    ensure!(!tags.is_empty(), "a host without tags");
    let tags = TagSpecification::builder().resource_type(ResourceType::Instance).set_tags(Some(tags)).build();
    let run = ec2
        .run_instances()
        .image_id(made.hosts.images[0].as_str())
        .instance_type(InstanceType::from("m7g.large"));
    let subnet = &made.network.subnets.values().next().expect("a subnet").host;
    let run = run.min_count(1).max_count(1).subnet_id(subnet).tag_specifications(tags).send().await?;
    Ok(run.instances()[0].instance_id().expect("an id").parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ordered_while_the_zone_is_frozen_is_refused() -> Result<()> {
    let zone = Zone::start().await?;
    let case = |name: &str, naming: &str, order: Order| {
        anyhow::Ok(Case::claimed(name, zone.signed(zone.server.request(order))?, Code::Frozen, naming))
    };
    zone.tenant_puts(FREEZE_KEY, json!({ "who": "alice", "why": "an audit" }).to_string()).await?;
    let said = "frozen by alice: an audit";
    zone.refuses([
        case("hosts", said, provision(&zone, 1))?,
        case("fewer hosts", said, deprovision(&[stranger()]))?,
        case("a balancer", said, balance(&[]))?,
        case("no balancer", said, remove_load_balancer())?,
    ])
    .await?;
    zone.accepts("describe", &zone.signed(zone.server.request(describe()))?).await?;
    let plan = zone.give(&zone.signed(zone.plan(provision(&zone, 1)))?).await?.reply()?.plan.expect("a plan");
    assert_eq!((plan.decision.allowed, plan.decision.code), (false, Code::Frozen));

    // Time alone thaws nothing, and neither does a marker that cannot be read.
    let over = json!({ "who": "bob", "why": "a drill", "until": "2020-01-01T00:00:00Z" });
    zone.tenant_puts(FREEZE_KEY, over.to_string()).await?;
    zone.refuses([case("after its end", "frozen by bob: a drill", provision(&zone, 1))?]).await?;
    for marker in ["", "{", "{\"frozen\":false}", "null"] {
        zone.tenant_puts(FREEZE_KEY, marker).await?;
        zone.refuses([case(&format!("marker {marker:?}"), FREEZE_KEY, provision(&zone, 1))?]).await?;
    }
    zone.tenant_deletes(FREEZE_KEY).await?;
    zone.accepts("thawed", &zone.signed(zone.plan(provision(&zone, 1)))?).await?;
    let reply = zone.carry_out(provision(&zone, 1)).await?;
    assert_eq!(reply.hosts.len(), 1);
    zone.end().await
}
