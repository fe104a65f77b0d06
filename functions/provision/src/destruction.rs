//! The tenant's destruction budget: what is left of it, and the count that comes before each termination.

use std::collections::BTreeMap;

use enclave_core::reconcile::{DestructionBudget, ObservedHost};
use enclave_core::store::{Created, Store, StoreError, Stored};
use enclave_core::watch::{DESTRUCTIONS_KEY, Destructions};
use enclave_gate::Gate;
use enclave_protocol::names::HostId;
use jiff::Timestamp;

/// What may be destroyed now, given the hosts that there are.
pub(crate) async fn budget(
    store: &Store,
    gate: &Gate,
    hosts: &BTreeMap<HostId, ObservedHost>,
    now: Timestamp,
) -> Result<DestructionBudget, StoreError> {
    let counted = store.read::<Destructions>(DESTRUCTIONS_KEY).await?;
    Ok(left(gate, counted.map(|counted| counted.value).unwrap_or_default(), hosts, now))
}

/// Counts hosts that are about to be terminated. A termination that then fails has been counted all the same.
pub(crate) async fn count(store: &Store, hosts: &[HostId], now: Timestamp) -> Result<(), StoreError> {
    let mut counted: Stored<Destructions> = match store.read(DESTRUCTIONS_KEY).await? {
        Some(counted) => counted,
        None => match store.create(DESTRUCTIONS_KEY, Destructions::default()).await? {
            Created::New(counted) | Created::Existing(counted) => counted,
        },
    };
    counted.value.prune(now);
    if counted.value.count(hosts, now) {
        store.update(&mut counted).await?;
    }
    Ok(())
}

fn left(
    gate: &Gate,
    mut counted: Destructions,
    hosts: &BTreeMap<HostId, ObservedHost>,
    now: Timestamp,
) -> DestructionBudget {
    counted.prune(now);
    let live = hosts.iter().filter(|(_, host)| host.state.is_live()).map(|(id, _)| id);
    let in_an_hour = gate.limits.destruction.unwrap_or_default().in_an_hour(counted.hosts_at_first(live));
    DestructionBudget {
        remaining: (in_an_hour as usize).saturating_sub(counted.hosts.len()),
        counted: counted.hosts.into_keys().collect(),
    }
}

#[cfg(test)]
mod tests {
    use enclave_core::reconcile::InstanceState::{Running, Terminated};
    use enclave_gate::rules::Destruction;

    use super::*;
    use crate::fixtures::{at, host, in_states};

    fn remaining(limit: Option<Destruction>, live: usize, counted: &[(u32, i64)], now: i64) -> usize {
        let mut gate = Gate::closed();
        gate.limits.destruction = limit;
        let counted = Destructions {
            hosts: counted.iter().map(|(number, second)| (host(*number), at(*second))).collect(),
        };
        let mut hosts = in_states(&vec![Some(Running); live]);
        hosts.extend((9000..9100).zip(in_states(&[Some(Terminated); 100])).map(|(n, (_, it))| (host(n), it)));
        left(&gate, counted, &hosts, at(now)).remaining
    }

    #[test]
    fn a_zone_of_ten_may_go_at_once_and_of_a_hundred_a_quarter() {
        assert_eq!(remaining(None, 10, &[], 0), 10);
        assert_eq!(remaining(None, 100, &[], 0), 25);
        assert_eq!(remaining(None, 1000, &[], 0), 100);
    }

    #[test]
    fn what_was_destroyed_within_the_hour_is_taken_off_and_counts_as_having_been_there() {
        let gone: Vec<(u32, i64)> = (5000..5020).map(|number| (number, 0)).collect();
        // 100 at first, of which 20 are gone.
        assert_eq!(remaining(None, 80, &gone, 3599), 5);
        // An hour later the 80 that are left are the hosts of a new hour.
        assert_eq!(remaining(None, 80, &gone, 3600), 20);
        let none = Some(Destruction { hosts_per_hour: 0, share_per_hour_percent: 100 });
        assert_eq!(remaining(none, 80, &gone, 0), 0);
    }
}
