//! `describe`: what there is in the zone, as seen in the account.

use std::collections::BTreeMap;

use enclave_core::ledger::HostRecord;
use enclave_core::reconcile::{Observed, ObservedLoadBalancer, Reading};
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{
    HostState, Inventory, InventoryHost, InventoryLoadBalancer, MAX_INVENTORY_HOSTS,
};
use enclave_protocol::request::{ActionName, Describe, REQUEST_PAYLOAD_TYPE};

use crate::balancers::listed;
use crate::result::host_state;
use crate::tenant::Rules;

/// The inventory after `order.after`. Hosts that have ended are not part of it.
pub(crate) fn inventory(order: &Describe, observed: &Observed, rules: &Rules) -> Inventory {
    let mut hosts: Vec<InventoryHost> = match &observed.hosts {
        Reading::Unknown(_) => Vec::new(),
        Reading::Known(hosts) => hosts
            .iter()
            .filter(|(id, host)| host.state.is_live() && order.after.as_ref().is_none_or(|after| *id > after))
            .take(MAX_INVENTORY_HOSTS + 1)
            .map(|(id, host)| InventoryHost {
                application: host.owner.application.clone(),
                cluster: host.owner.cluster.clone(),
                host_id: id.clone(),
                state: host_state(host.state),
                instance_type: host.instance_type.clone(),
                availability_zone: host.availability_zone.clone(),
                image: host.image.clone(),
                ipv6_address: host.primary_ipv6,
            })
            .collect(),
    };
    let truncated = hosts.len() > MAX_INVENTORY_HOSTS;
    hosts.truncate(MAX_INVENTORY_HOSTS);
    Inventory {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        payload_types: vec![REQUEST_PAYLOAD_TYPE.to_owned()],
        actions: ActionName::ALL.to_vec(),
        images: rules.images(),
        hosts,
        load_balancers: match &observed.balancing {
            Reading::Unknown(_) => Vec::new(),
            Reading::Known(balancing) => {
                let balancers = balancing.load_balancers.iter();
                let row = |(name, balancer): (&String, &ObservedLoadBalancer)| {
                    let owner = balancer.owner.clone()?;
                    Some(InventoryLoadBalancer {
                        application: owner.application,
                        cluster: owner.cluster,
                        load_balancer: listed(name, balancer, balancing)?,
                    })
                };
                balancers.filter_map(row).collect()
            }
        },
        truncated,
    }
}

/// Running hosts that the ledger knows as handed over are ready.
pub(crate) fn mark_ready(inventory: &mut Inventory, records: &BTreeMap<HostId, HostRecord>) {
    for host in &mut inventory.hosts {
        let attested = records.get(&host.host_id).is_some_and(|record| record.attested_at.is_some());
        if host.state == HostState::Running && attested {
            host.state = HostState::Ready;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use enclave_core::reconcile::{InstanceState, ObservedBalancing, ObservedHost};
    use enclave_gate::Gate;
    use enclave_gate::rules::{Limits, Revocations};
    use enclave_protocol::reply::HostState;
    use enclave_protocol::request::Scheme;

    use super::*;
    use crate::fixtures::{
        foundation, host, image, in_states, observed_balancer, observed_host, owner, seen,
    };

    fn rules() -> Rules {
        let gate = Gate {
            schema: 1,
            trust_roots: Vec::new(),
            identities: Vec::new(),
            revocations: Revocations::default(),
            limits: Limits { max_hosts: 10, images: None, destruction: None },
        };
        Rules { foundation: foundation(), gate, roots: Vec::new() }
    }

    fn running(count: u32) -> BTreeMap<HostId, ObservedHost> {
        (0..count).map(|number| (host(number), observed_host(InstanceState::Running, 9))).collect()
    }

    fn page(count: u32, after: Option<u32>) -> (Vec<HostId>, bool) {
        let order = Describe { after: after.map(host) };
        let inventory = inventory(&order, &seen(running(count)), &rules());
        (inventory.hosts.into_iter().map(|host| host.host_id).collect(), inventory.truncated)
    }

    #[test]
    fn a_page_lists_a_thousand_hosts_and_says_whether_more_follow() {
        for (count, listed, truncated) in
            [(0, 0, false), (999, 999, false), (1000, 1000, false), (1001, 1000, true), (2500, 1000, true)]
        {
            let (hosts, more) = page(count, None);
            assert_eq!((hosts.len(), more), (listed, truncated), "{count}");
        }
    }

    #[test]
    fn pages_put_together_list_every_host_once_in_order() {
        let (mut all, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let (hosts, more) = page(2500, after);
            all.extend(hosts);
            pages += 1;
            if !more {
                break;
            }
            after = Some(u32::try_from(all.len()).unwrap() - 1);
        }
        assert_eq!(all, (0..2500).map(host).collect::<Vec<_>>());
        assert_eq!(pages, 3);
    }

    #[test]
    fn a_page_continues_after_a_host_that_has_gone_meanwhile() {
        assert_eq!(page(5, Some(3)), (vec![host(4)], false));
        assert_eq!(page(5, Some(9)), (vec![], false));
    }

    #[test]
    fn hosts_that_end_or_have_ended_are_not_listed() {
        use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
        let states = [Pending, Running, Stopping, Stopped, ShuttingDown, Terminated].map(Some);
        let listed = inventory(&Describe::default(), &seen(in_states(&states)), &rules()).hosts;
        let states: Vec<HostState> = listed.iter().map(|host| host.state).collect();
        assert_eq!(states, [HostState::Starting, HostState::Running, HostState::Stopped, HostState::Stopped],);
    }

    #[test]
    fn only_balancers_of_ours_are_listed_of_either_scheme() {
        let balancer = |owner, scheme| ObservedLoadBalancer { owner, scheme, ..observed_balancer() };
        let balancing = ObservedBalancing {
            load_balancers: [
                ("ours".to_owned(), balancer(Some(owner()), Some(Scheme::Public))),
                ("foreign".to_owned(), balancer(None, Some(Scheme::Public))),
                ("private".to_owned(), balancer(Some(owner()), Some(Scheme::Private))),
                ("strange".to_owned(), balancer(Some(owner()), None)),
            ]
            .into(),
            ..ObservedBalancing::default()
        };
        let observed = Observed { balancing: Reading::Known(balancing), ..seen([].into()) };
        let listed = inventory(&Describe::default(), &observed, &rules());
        let [ours, private] = listed.load_balancers.as_slice() else { panic!("{:?}", listed.load_balancers) };
        assert_eq!((&ours.application, &ours.cluster), (&owner().application, &owner().cluster));
        let told = |row: &InventoryLoadBalancer| (row.load_balancer.name.clone(), row.load_balancer.scheme);
        assert_eq!(told(ours), ("ours".to_owned(), Scheme::Public));
        assert_eq!(told(private), ("private".to_owned(), Scheme::Private));
        assert_eq!(listed.images, [image()]);
    }

    #[test]
    fn a_full_page_fits_a_message_of_one_mebibyte() {
        let inventory = inventory(&Describe::default(), &seen(running(1001)), &rules());
        let bytes = serde_json::to_string(&inventory).unwrap().len();
        assert!(bytes < 1_048_576, "{bytes}");
    }
}
