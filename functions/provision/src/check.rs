//! Whether an order fits what there is in the zone: asked once, before it is accepted.

use enclave_core::ledger::{DesiredHost, HostRecord};
use enclave_core::reconcile::{InstanceState, Observed, Reading};
use enclave_core::store::{Store, StoreError};
use enclave_core::tags::Owner;
use enclave_gate::Denial;
use enclave_protocol::code::Code;
use enclave_protocol::names::{AvailabilityZone, HostId, InstanceType};
use enclave_protocol::request::{Order, ProvisionHosts, Resources};

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
        Order::ConfigureLoadBalancer(order) => {
            let owner = owner(&order.application, &order.cluster);
            let records = host_records::read(store, &order.targets).await?;
            Ok(order
                .targets
                .iter()
                .try_for_each(|id| owned(id, records.get(id), &owner).and_then(|r| running(id, r, observed))))
        }
        Order::RemoveLoadBalancer(_) | Order::Describe(_) => Ok(Ok(())),
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

fn owned<'a>(id: &HostId, record: Option<&'a HostRecord>, owner: &Owner) -> Result<&'a HostRecord, Denial> {
    record
        .filter(|record| record.application == owner.application && record.cluster == owner.cluster)
        .ok_or_else(|| Denial {
            code: Code::UnknownHost,
            message: format!("{id} is no host of {} {}", owner.application, owner.cluster),
        })
}

fn running(id: &HostId, record: &HostRecord, observed: &Observed) -> Result<(), Denial> {
    let state = match &observed.hosts {
        Reading::Known(hosts) => hosts.get(id).map(|host| host.state),
        Reading::Unknown(_) => None,
    };
    let why = match state {
        _ if record.desired == DesiredHost::Terminated => "it is to be terminated",
        _ if record.attested_at.is_none() => "it was not handed over",
        Some(InstanceState::Running) => return Ok(()),
        Some(_) => "it is not running",
        None => "it is not there",
    };
    deny(Code::HostNotRunning, format!("{id} cannot be a target: {why}"))
}

fn names<'a>(zones: impl Iterator<Item = &'a AvailabilityZone>) -> String {
    zones.map(AvailabilityZone::as_str).collect::<Vec<_>>().join(", ")
}

fn deny(code: Code, message: String) -> Result<(), Denial> {
    Err(Denial { code, message })
}
