//! Whether an order fits what there is in the zone: asked once, before it is accepted.

use std::collections::BTreeSet;

use enclave_core::ledger::{DesiredHost, HostRecord};
use enclave_core::reconcile::{InstanceState, Observed, ObservedBalancing, ObservedHost, Reading};
use enclave_core::store::{Store, StoreError};
use enclave_core::tags::Owner;
use enclave_gate::Denial;
use enclave_protocol::code::Code;
use enclave_protocol::names::{AvailabilityZone, HostId, InstanceType};
use enclave_protocol::request::{Order, ProvisionHosts, RemoveLoadBalancer, Resources};

use crate::desired::owner;
use crate::host_records;
use crate::tenant::Rules;

/// Refuses an order that names what the zone, or its application and cluster, does not have. Who owns a host is
/// what the ledger says, not its tags.
pub(crate) async fn check_order(
    order: &Order,
    chosen: &[InstanceType],
    observed: &Observed,
    store: &Store,
    rules: &Rules,
) -> Result<Result<(), Denial>, StoreError> {
    match order {
        Order::ProvisionHosts(order) => {
            let known = &rules.foundation.availability_zones;
            let mut named = order.availability_zones.iter().flatten();
            Ok(match named.find(|zone| !known.contains_key(*zone)) {
                Some(zone) => deny(
                    Code::UnknownAvailabilityZone,
                    format!("{zone} is none of the zone's: {}", names(known.keys())),
                ),
                None => Ok(()),
            }
            .and_then(|()| fitting(order, chosen)))
        }
        Order::DeprovisionHosts(order) => {
            let owner = owner(&order.application, &order.cluster);
            let records = host_records::read(store, &order.host_ids).await?;
            Ok(order.host_ids.iter().try_for_each(|id| owned(id, records.get(id), &owner).map(drop)))
        }
        Order::RebuildHosts(order) => {
            let owner = owner(&order.application, &order.cluster);
            let records = host_records::read(store, &order.host_ids).await?;
            Ok(order.host_ids.iter().try_for_each(|id| {
                owned(id, records.get(id), &owner).and_then(|record| rebuildable(id, record, observed))
            }))
        }
        Order::ConfigureLoadBalancer(order) => {
            let owner = owner(&order.application, &order.cluster);
            let records = host_records::read(store, &order.targets).await?;
            Ok(order
                .targets
                .iter()
                .try_for_each(|id| owned(id, records.get(id), &owner).and_then(|r| running(id, r, observed))))
        }
        Order::RemoveLoadBalancer(order) => Ok(removable(order, observed)),
        Order::Describe(_) => Ok(Ok(())),
    }
}

fn fitting(order: &ProvisionHosts, chosen: &[InstanceType]) -> Result<(), Denial> {
    match &order.resources {
        Some(Resources { vcpu, memory_gib, disk_gb, .. }) if chosen.is_empty() => deny(
            Code::NoInstanceType,
            format!(
                "no instance type has {vcpu} to {} processors and {memory_gib} to {} GiB of memory with {disk_gb} GB of \
                 disk; ask for another size, or name instance types",
                vcpu * 2,
                memory_gib * 2
            ),
        ),
        _ => Ok(()),
    }
}

/// The names of the load balancers that a removal means, there or with something left of them.
pub(crate) fn meant_by<'a>(
    order: &RemoveLoadBalancer,
    balancing: &'a ObservedBalancing,
) -> BTreeSet<&'a String> {
    let owner = owner(&order.application, &order.cluster);
    let balancers = balancing.load_balancers.iter().map(|(name, it)| (Some(name), &it.owner));
    let groups = balancing.target_groups.values().map(|it| (it.balancer.as_ref(), &it.owner));
    let services = balancing.endpoint_services.values().map(|it| (it.balancer.as_ref(), &it.owner));
    balancers
        .chain(groups)
        .chain(services)
        .filter(|(_, of)| of.as_ref() == Some(&owner))
        .filter_map(|(name, _)| name)
        .filter(|name| order.name.as_ref().is_none_or(|only| only.as_str() == name.as_str()))
        .collect()
}

fn removable(order: &RemoveLoadBalancer, observed: &Observed) -> Result<(), Denial> {
    let (Some(name), Reading::Known(balancing)) = (&order.name, &observed.balancing) else { return Ok(()) };
    if meant_by(order, balancing).is_empty() {
        let owner = format!("{} {}", order.application, order.cluster);
        return deny(Code::UnknownLoadBalancer, format!("{name} is no load balancer of {owner}"));
    }
    Ok(())
}

fn owned<'a>(id: &HostId, record: Option<&'a HostRecord>, owner: &Owner) -> Result<&'a HostRecord, Denial> {
    record
        .filter(|record| record.application == owner.application && record.cluster == owner.cluster)
        .ok_or_else(|| Denial {
            code: Code::UnknownHost,
            message: format!("{id} is no host of {} {}", owner.application, owner.cluster),
        })
}

fn running(id: &HostId, record: &HostRecord, observed: &Observed) -> Result<(), Denial> {
    let handed_over = record.attested_at.is_some();
    match not_running(record, handed_over, seen(id, observed)) {
        Some(why) => deny(Code::HostNotRunning, format!("{id} cannot be a target: {why}")),
        None => Ok(()),
    }
}

/// A host that an earlier rebuild left without being handed over may be rebuilt again: it is one way out.
fn rebuildable(id: &HostId, record: &HostRecord, observed: &Observed) -> Result<(), Denial> {
    let host = seen(id, observed);
    let may = record.attested_at.is_some() || record.rebuild.is_some();
    let no_root = host.is_some_and(|host| host.root_volume_id.is_none());
    match not_running(record, may, host).or_else(|| no_root.then_some("it has no root volume")) {
        Some(why) => deny(Code::HostNotRunning, format!("{id} cannot be rebuilt: {why}")),
        None => Ok(()),
    }
}

fn seen<'a>(id: &HostId, observed: &'a Observed) -> Option<&'a ObservedHost> {
    match &observed.hosts {
        Reading::Known(hosts) => hosts.get(id),
        Reading::Unknown(_) => None,
    }
}

/// Why a host is not one that runs and was handed over.
fn not_running(
    record: &HostRecord,
    handed_over: bool,
    observed: Option<&ObservedHost>,
) -> Option<&'static str> {
    match observed.map(|host| host.state) {
        _ if record.desired == DesiredHost::Terminated => Some("it is to be terminated"),
        _ if !handed_over => Some("it was not handed over"),
        Some(InstanceState::Running) => None,
        Some(_) => Some("it is not running"),
        None => Some("it is not there"),
    }
}

fn names<'a>(zones: impl Iterator<Item = &'a AvailabilityZone>) -> String {
    zones.map(AvailabilityZone::as_str).collect::<Vec<_>>().join(", ")
}

fn deny(code: Code, message: String) -> Result<(), Denial> {
    Err(Denial { code, message })
}

#[cfg(test)]
mod tests {
    use enclave_core::reconcile::ObservedTargetGroup;

    use super::*;
    use crate::fixtures::{observed_balancer, owner, seen};

    fn named(name: Option<&str>) -> RemoveLoadBalancer {
        RemoveLoadBalancer {
            application: owner().application,
            cluster: owner().cluster,
            name: name.map(|name| name.parse().unwrap()),
        }
    }

    /// Balancers `new` and `old` of the owner, `foreign` of nobody, and a group that is left of `gone`.
    fn observed() -> Observed {
        let group = ObservedTargetGroup {
            arn: "arn".to_owned(),
            owner: Some(owner()),
            balancer: Some("gone".to_owned()),
            port: 8080,
            targets: [].into(),
            settings: None,
            health_check: None,
        };
        let foreign = enclave_core::reconcile::ObservedLoadBalancer { owner: None, ..observed_balancer() };
        let balancing = ObservedBalancing {
            load_balancers: [
                ("new".to_owned(), observed_balancer()),
                ("old".to_owned(), observed_balancer()),
                ("foreign".to_owned(), foreign),
            ]
            .into(),
            target_groups: [("group".to_owned(), group)].into(),
            endpoint_services: [].into(),
        };
        Observed { balancing: Reading::Known(balancing), ..seen([].into()) }
    }

    #[test]
    fn a_removal_by_name_is_of_a_balancer_that_is_there_or_that_something_is_left_of() {
        for name in ["new", "old", "gone"] {
            assert!(removable(&named(Some(name)), &observed()).is_ok(), "{name}");
        }
        for name in ["foreign", "nobodys"] {
            let denial = removable(&named(Some(name)), &observed()).unwrap_err();
            assert_eq!(denial.code, Code::UnknownLoadBalancer);
            assert!(denial.message.contains(name), "{}", denial.message);
        }
        assert!(removable(&named(None), &seen([].into())).is_ok(), "all of none");
    }

    #[test]
    fn a_removal_means_the_named_one_or_all_of_the_owners() {
        let observed = observed();
        let Reading::Known(balancing) = &observed.balancing else { panic!() };
        let names = |name| meant_by(&named(name), balancing).into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(Some("old")), ["old"]);
        assert_eq!(names(None), ["gone", "new", "old"]);
    }
}
