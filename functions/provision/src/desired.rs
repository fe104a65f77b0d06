//! What one request wants, as the reconcile core understands it.

use std::collections::{BTreeMap, BTreeSet};

use enclave_core::aws::ErrorClass;
use enclave_core::capacity::POOL_MEMORY;
use enclave_core::creation::{Answer, Creation, Pool};
use enclave_core::foundation::Foundation;
use enclave_core::ledger::{HostStage, RequestRecord};
use enclave_core::reconcile::{
    BalancerNames, Desired, DesiredLaunch, DesiredLoadBalancer, DesiredPrivateLink, DesiredSettings,
    UnwantedLoadBalancers,
};
use enclave_core::tags::Owner;
use enclave_protocol::names::{AvailabilityZone, HostId};
use enclave_protocol::request::{ConfigureLoadBalancer, Order, ProvisionHosts, RemoveLoadBalancer, Request};
use jiff::Timestamp;

use crate::rebuild::desired_rebuild;

/// What the request wants, given how far it has come.
pub(crate) fn desired(request: &Request, record: &RequestRecord, foundation: &Foundation) -> Desired {
    let at_stage = |wanted: HostStage| -> BTreeSet<HostId> {
        let hosts = record.hosts.iter().filter(|(_, progress)| progress.stage == wanted);
        hosts.map(|(id, _)| id.clone()).collect()
    };
    match &request.order {
        Order::ProvisionHosts(order) => Desired {
            launches: vec![desired_launch(request, order, record, foundation)],
            terminated: at_stage(HostStage::Unfit),
            ..Desired::default()
        },
        Order::DeprovisionHosts(_) => {
            Desired { terminated: at_stage(HostStage::Unwanted), ..Desired::default() }
        }
        Order::RebuildHosts(order) => {
            Desired { rebuilds: vec![desired_rebuild(request, order, record)], ..Desired::default() }
        }
        Order::ConfigureLoadBalancer(order) => {
            Desired { load_balancers: vec![desired_load_balancer(order, foundation)], ..Desired::default() }
        }
        Order::RemoveLoadBalancer(order) => {
            Desired { without_load_balancer: BTreeSet::from([unwanted(order)]), ..Desired::default() }
        }
        Order::Describe(_) => Desired::default(),
    }
}

pub(crate) fn owner(
    application: &enclave_protocol::names::ApplicationId,
    cluster: &enclave_protocol::names::ClusterId,
) -> Owner {
    Owner { application: application.clone(), cluster: cluster.clone() }
}

/// The load balancers that an order removes.
pub(crate) fn unwanted(order: &RemoveLoadBalancer) -> UnwantedLoadBalancers {
    UnwantedLoadBalancers {
        owner: owner(&order.application, &order.cluster),
        name: order.name.as_ref().map(ToString::to_string),
    }
}

fn desired_launch(
    request: &Request,
    order: &ProvisionHosts,
    record: &RequestRecord,
    foundation: &Foundation,
) -> DesiredLaunch {
    let mut launched = BTreeSet::new();
    let mut exhausted: BTreeMap<Pool, Timestamp> = BTreeMap::new();
    let mut close = |pool: &Pool, until: Timestamp| {
        let known = exhausted.entry(pool.clone()).or_insert(until);
        *known = until.max(*known);
    };
    for closed in &record.closed_pools {
        close(&closed.pool, closed.until);
    }
    let mut attempts: BTreeMap<Pool, u32> = BTreeMap::new();
    for (launch, answer) in record.launches() {
        let Some(answer) = answer else { continue };
        *attempts.entry(launch.pool.clone()).or_default() += 1;
        match answer {
            Answer::Launched { hosts, at } => {
                launched.extend(hosts.iter().cloned());
                // Fewer than asked for: the pool gave all it had.
                if hosts.len() < launch.max_count as usize {
                    close(&launch.pool, *at + POOL_MEMORY);
                }
            }
            Answer::Refused { at, .. } => close(&launch.pool, *at + POOL_MEMORY),
            Answer::Replacing { .. } | Answer::Created { .. } => {}
        }
    }
    // A launch that AWS refuses for good would be refused from every pool.
    let count = if refusal(record).is_some() {
        u32::try_from(launched.len()).unwrap_or(u32::MAX)
    } else {
        order.count
    };
    DesiredLaunch {
        request_id: request.request_id,
        owner: owner(&order.application, &order.cluster),
        count,
        launched,
        pools: pools(order, record, foundation),
        exhausted,
        attempts,
        image: order.image.clone(),
    }
}

/// The failure of the first creating call that AWS refused for good, where there is one.
pub(crate) fn refusal(record: &RequestRecord) -> Option<&enclave_core::aws::AwsFailure> {
    record.calls.iter().find_map(|call| match &call.answer {
        Some(Answer::Refused { failure, .. })
            if failure.class != ErrorClass::Capacity
                || !matches!(call.creation, Creation::RunInstances(_)) =>
        {
            Some(failure)
        }
        _ => None,
    })
}

/// The availability zones that the order may use.
pub(crate) fn zones<'a>(order: &'a ProvisionHosts, foundation: &'a Foundation) -> Vec<&'a AvailabilityZone> {
    match &order.availability_zones {
        Some(zones) => zones.iter().collect(),
        None => foundation.availability_zones.keys().collect(),
    }
}

/// Instance types in the order's preference, or as they were chosen for it; for each, the zones it may use.
pub(crate) fn pools(
    order: &ProvisionHosts,
    record: &RequestRecord,
    foundation: &Foundation,
) -> Vec<Vec<Pool>> {
    let zones = zones(order, foundation);
    let pool = |instance_type: &enclave_protocol::names::InstanceType| {
        let in_zone = |zone: &&AvailabilityZone| Pool {
            instance_type: instance_type.clone(),
            availability_zone: (*zone).clone(),
        };
        zones.iter().map(in_zone).collect()
    };
    let named = if order.resources.is_some() { &record.instance_types } else { &order.instance_types };
    named.iter().map(pool).collect()
}

pub(crate) fn desired_load_balancer(
    order: &ConfigureLoadBalancer,
    foundation: &Foundation,
) -> DesiredLoadBalancer {
    let owner = owner(&order.application, &order.cluster);
    let names = BalancerNames::new(&foundation.audience.enclave_id);
    DesiredLoadBalancer {
        name: names.load_balancer(&owner, order.scheme, &foundation.balancer_security_group_id),
        owner,
        scheme: order.scheme,
        endpoints: order.endpoints.clone(),
        targets: order.targets.iter().cloned().collect(),
        settings: DesiredSettings::of(order, &foundation.balancer_security_group_id),
        private_link: order.private_link.as_ref().map(|link| DesiredPrivateLink {
            allowed_principals: link.allowed_principals.iter().cloned().collect(),
            acceptance_required: link.acceptance_required,
            own_account: foundation.audience.account.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use enclave_core::capacity::ClosedPool;
    use enclave_core::ledger::HostStage::{Gone, Launched, Ready, Unfit, Unwanted};
    use enclave_core::reconcile::{Limits, Step, plan};
    use enclave_protocol::request::{Architecture, Resources};

    use super::*;
    use crate::fixtures::{
        CLAIMED, at, configure, deprovision, foundation, host, id, launch, launched, pool, provision, record,
        refused, remove, request, seen, target_group_call, with_hosts,
    };

    fn a() -> Pool {
        pool("m7g.large", "us-east-1a")
    }

    fn b() -> Pool {
        pool("m7g.large", "us-east-1b")
    }

    fn wanted(calls: Vec<enclave_core::creation::StoredCall>) -> DesiredLaunch {
        let mut record = record();
        record.calls = calls;
        desired(&request(provision(5)), &record, &foundation()).launches.remove(0)
    }

    #[test]
    fn a_new_order_wants_all_its_hosts_type_by_type_in_every_zone() {
        let launch = wanted(vec![]);
        assert_eq!((launch.request_id, launch.count), (id(1), 5));
        assert_eq!(
            launch.pools,
            [vec![a(), b()], vec![pool("m6g.large", "us-east-1a"), pool("m6g.large", "us-east-1b")],],
        );
        assert!(launch.launched.is_empty() && launch.exhausted.is_empty() && launch.attempts.is_empty());
    }

    #[test]
    fn the_zones_that_the_order_names_are_used_in_its_order() {
        let mut order = request(provision(5));
        let Order::ProvisionHosts(hosts) = &mut order.order else { panic!() };
        hosts.availability_zones = Some(vec!["us-east-1b".parse().unwrap()]);
        let launch = desired(&order, &record(), &foundation()).launches.remove(0);
        assert_eq!(launch.pools, [vec![b()], vec![pool("m6g.large", "us-east-1b")]]);
    }

    #[test]
    fn a_pool_that_refused_or_gave_less_is_left_alone_for_three_minutes() {
        let launch = wanted(vec![
            launch(a(), 3, launched(&[1, 2], CLAIMED)),
            launch(b(), 2, refused(ErrorClass::Capacity, CLAIMED + 5)),
        ]);
        assert_eq!(launch.exhausted, BTreeMap::from([(a(), at(CLAIMED + 180)), (b(), at(CLAIMED + 185))]));
        assert_eq!(launch.launched, BTreeSet::from([host(1), host(2)]));
        assert_eq!(launch.count, 5, "the rest is still wanted");
    }

    #[test]
    fn a_pool_that_another_request_found_without_room_is_left_alone_for_as_long_as_the_later_says() {
        let closed = |until| ClosedPool { pool: a(), until: at(until), why: "full".to_owned() };
        let exhausted = |own, others| {
            let mut record = record();
            record.calls = vec![launch(a(), 1, refused(ErrorClass::Capacity, own))];
            record.closed_pools = vec![closed(others)];
            desired(&request(provision(5)), &record, &foundation()).launches.remove(0).exhausted
        };
        assert_eq!(exhausted(CLAIMED, CLAIMED + 100), BTreeMap::from([(a(), at(CLAIMED + 180))]));
        assert_eq!(exhausted(CLAIMED, CLAIMED + 200), BTreeMap::from([(a(), at(CLAIMED + 200))]));
    }

    #[test]
    fn an_order_for_resources_launches_the_types_that_were_chosen_for_it() {
        let mut order = request(provision(5));
        let Order::ProvisionHosts(hosts) = &mut order.order else { panic!() };
        hosts.instance_types.clear();
        hosts.resources =
            Some(Resources { vcpu: 2, memory_gib: 8, disk_gb: 20, architecture: Architecture::Arm64 });
        let mut record = record();
        assert_eq!(desired(&order, &record, &foundation()).launches.remove(0).pools, Vec::<Vec<Pool>>::new());
        record.instance_types = vec!["m7g.large".parse().unwrap()];
        assert_eq!(desired(&order, &record, &foundation()).launches.remove(0).pools, [vec![a(), b()]]);
    }

    #[test]
    fn a_pool_that_gave_all_it_was_asked_for_stays_open() {
        assert_eq!(wanted(vec![launch(a(), 2, launched(&[1, 2], CLAIMED))]).exhausted, BTreeMap::new());
    }

    #[test]
    fn an_attempt_counts_from_its_definite_answer() {
        let calls = vec![
            launch(a(), 2, launched(&[1, 2], CLAIMED)),
            launch(a(), 2, refused(ErrorClass::Capacity, CLAIMED)),
            launch(b(), 2, None),
        ];
        let launch = wanted(calls);
        assert_eq!(launch.attempts, BTreeMap::from([(a(), 2)]));
    }

    #[test]
    fn a_refusal_for_good_wants_no_more_hosts_than_there_are() {
        for class in [ErrorClass::Refused, ErrorClass::BadInput, ErrorClass::Unknown, ErrorClass::NotFound] {
            let calls =
                vec![launch(a(), 3, launched(&[1, 2], CLAIMED)), launch(b(), 2, refused(class, CLAIMED))];
            assert_eq!(wanted(calls).count, 2, "{class:?}");
        }
    }

    #[test]
    fn only_a_launch_may_lack_capacity() {
        let refusal_of = |call| {
            let mut record = record();
            record.calls = vec![call];
            refusal(&record).map(|failure| failure.class)
        };
        assert_eq!(refusal_of(launch(a(), 1, refused(ErrorClass::Capacity, 0))), None);
        assert_eq!(refusal_of(launch(a(), 1, None)), None);
        let refused_for_good = launch(a(), 1, refused(ErrorClass::Refused, 0));
        assert_eq!(refusal_of(refused_for_good), Some(ErrorClass::Refused));
        let group = target_group_call(refused(ErrorClass::Capacity, 0));
        assert_eq!(refusal_of(group), Some(ErrorClass::Capacity));
    }

    #[test]
    fn only_unfit_and_unwanted_hosts_are_to_be_terminated() {
        let record = with_hosts(&[Launched, Ready, Unfit, Unwanted, Gone]);
        let of = |order| desired(&request(order), &record, &foundation()).terminated;
        assert_eq!(of(provision(5)), BTreeSet::from([host(3)]));
        assert_eq!(of(deprovision(&[1, 2, 3, 4, 5])), BTreeSet::from([host(4)]));
        assert_eq!(of(configure()), BTreeSet::new());
        assert_eq!(of(remove()), BTreeSet::new());
    }

    #[test]
    fn a_balancer_order_wants_its_balancer_and_a_removal_wants_none() {
        let order = desired(&request(configure()), &record(), &foundation());
        let [balancer] = order.load_balancers.as_slice() else { panic!() };
        assert_eq!(balancer.targets, BTreeSet::from([host(1)]));
        assert!(balancer.name.starts_with("enc-") && order.without_load_balancer.is_empty());
        let removal = desired(&request(remove()), &record(), &foundation());
        let all = UnwantedLoadBalancers { owner: crate::fixtures::owner(), name: None };
        assert_eq!(removal.without_load_balancer, BTreeSet::from([all]));
        assert!(removal.load_balancers.is_empty());
    }

    /// From ledger to step: a pool without room is passed over, a new attempt has a new number.
    #[test]
    fn what_is_launched_next_follows_from_the_answers_so_far() {
        let mut record = record();
        record.calls =
            vec![launch(a(), 3, launched(&[1, 2], CLAIMED)), launch(b(), 2, launched(&[3, 4], CLAIMED))];
        let next = |second| {
            let desired = desired(&request(provision(5)), &record, &foundation());
            let steps = plan(&desired, &seen(BTreeMap::new()), &Limits::default(), at(second)).steps;
            let launch = |step: &Step| match step {
                Step::Launch { pool, attempt, count, .. } => (pool.clone(), *attempt, *count),
                other => panic!("{other:?}"),
            };
            steps.iter().map(launch).collect::<Vec<_>>()
        };
        assert_eq!(next(CLAIMED + 179), [(b(), 1, 1)]);
        assert_eq!(next(CLAIMED + 180), [(a(), 1, 1)]);
    }
}
