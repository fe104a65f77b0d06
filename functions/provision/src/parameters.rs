//! The exact parameters of a creating step.

use enclave_core::creation::{
    CreateListener, CreateLoadBalancer, CreateTargetGroup, Creation, RunInstances, client_token,
};
use enclave_core::foundation::Foundation;
use enclave_core::reconcile::{ObservedBalancing, Step};
use enclave_core::tags;
use uuid::Uuid;

/// The call that a step creates with; none for a step that creates nothing, or whose ground is not there (yet).
pub(crate) fn creation(
    step: &Step,
    request_id: Uuid,
    foundation: &Foundation,
    observed: Option<&ObservedBalancing>,
) -> Option<Creation> {
    let audience = &foundation.audience;
    let tags = |owner: &tags::Owner| owner.to_tags(&audience.enclave_id, &audience.zone, request_id);
    match step {
        Step::Launch { request_id, owner, pool, attempt, count, image } => {
            let zone = foundation.availability_zones.get(&pool.availability_zone)?;
            Some(Creation::RunInstances(RunInstances {
                client_token: client_token(*request_id, *attempt, pool),
                pool: pool.clone(),
                launch_template_id: zone.launch_template_id.clone(),
                launch_template_version: zone.launch_template_version,
                image: image.clone(),
                max_count: *count,
                tags: tags(owner),
            }))
        }
        Step::CreateTargetGroup { name, owner, balancer, port } => {
            let mut tags = tags(owner);
            tags.insert(tags::LOAD_BALANCER.to_owned(), balancer.clone());
            Some(Creation::CreateTargetGroup(CreateTargetGroup {
                name: name.clone(),
                port: *port,
                vpc_id: foundation.vpc_id.clone(),
                tags,
            }))
        }
        Step::CreateBalancer { name, owner, scheme } => {
            let subnets = foundation.availability_zones.values().map(|zone| zone.balancer_subnet_id.clone());
            Some(Creation::CreateLoadBalancer(CreateLoadBalancer {
                name: name.clone(),
                scheme: *scheme,
                subnet_ids: subnets.collect(),
                security_group_id: foundation.balancer_security_group_id.clone(),
                tags: tags(owner),
            }))
        }
        Step::CreateListener { balancer, owner, port, target_group } => {
            let observed = observed?;
            Some(Creation::CreateListener(CreateListener {
                load_balancer_arn: observed.load_balancers.get(balancer)?.arn.clone(),
                port: *port,
                target_group_arn: observed.target_groups.get(target_group)?.arn.clone(),
                tags: tags(owner),
            }))
        }
        _ => None,
    }
}
