//! What one request wants, as the reconcile core understands it.

use std::collections::{BTreeMap, BTreeSet};

use enclave_core::aws::ErrorClass;
use enclave_core::creation::{Answer, Creation, Pool};
use enclave_core::foundation::Foundation;
use enclave_core::ledger::{HostStage, RequestRecord};
use enclave_core::reconcile::{BalancerNames, Desired, DesiredLaunch, DesiredLoadBalancer};
use enclave_core::tags::Owner;
use enclave_protocol::names::{AvailabilityZone, HostId};
use enclave_protocol::request::{ConfigureLoadBalancer, Order, ProvisionHosts, Request};
use jiff::SignedDuration;

/// How long a pool that had no room is left alone (`aws/karpenter-provider-aws`, `pkg/cache/cache.go`).
const POOL_MEMORY: SignedDuration = SignedDuration::from_mins(3);

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
        Order::ConfigureLoadBalancer(order) => {
            Desired { load_balancers: vec![desired_load_balancer(order, foundation)], ..Desired::default() }
        }
        Order::RemoveLoadBalancer(order) => Desired {
            without_load_balancer: BTreeSet::from([owner(&order.application, &order.cluster)]),
            ..Desired::default()
        },
        Order::Describe(_) => Desired::default(),
    }
}

pub(crate) fn owner(
    application: &enclave_protocol::names::ApplicationId,
    cluster: &enclave_protocol::names::ClusterId,
) -> Owner {
    Owner { application: application.clone(), cluster: cluster.clone() }
}

fn desired_launch(
    request: &Request,
    order: &ProvisionHosts,
    record: &RequestRecord,
    foundation: &Foundation,
) -> DesiredLaunch {
    let mut launched = BTreeSet::new();
    let mut exhausted = BTreeMap::new();
    let mut attempts: BTreeMap<Pool, u32> = BTreeMap::new();
    for (launch, answer) in record.launches() {
        let Some(answer) = answer else { continue };
        *attempts.entry(launch.pool.clone()).or_default() += 1;
        match answer {
            Answer::Launched { hosts, at } => {
                launched.extend(hosts.iter().cloned());
                // Fewer than asked for: the pool gave all it had.
                if hosts.len() < launch.max_count as usize {
                    exhausted.insert(launch.pool.clone(), *at + POOL_MEMORY);
                }
            }
            Answer::Refused { at, .. } => {
                exhausted.insert(launch.pool.clone(), *at + POOL_MEMORY);
            }
            Answer::Created { .. } => {}
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
        pools: pools(order, foundation),
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

/// Instance types in the order's preference; for each, the availability zones it may use.
fn pools(order: &ProvisionHosts, foundation: &Foundation) -> Vec<Vec<Pool>> {
    let zones: Vec<&AvailabilityZone> = match &order.availability_zones {
        Some(zones) => zones.iter().collect(),
        None => foundation.availability_zones.keys().collect(),
    };
    let pool = |instance_type: &enclave_protocol::names::InstanceType| {
        let in_zone = |zone: &&AvailabilityZone| Pool {
            instance_type: instance_type.clone(),
            availability_zone: (*zone).clone(),
        };
        zones.iter().map(in_zone).collect()
    };
    order.instance_types.iter().map(pool).collect()
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
    }
}
