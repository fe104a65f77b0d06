//! The exact parameters of a creating step.

use enclave_core::creation::{
    CreateEndpointService, CreateListener, CreateLoadBalancer, CreateTargetGroup, Creation, RunInstances,
    client_token, endpoint_service_token,
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
        Step::CreateEndpointService { balancer, owner, acceptance_required } => {
            let load_balancer_arn = observed?.load_balancers.get(balancer)?.arn.clone();
            let mut tags = tags(owner);
            tags.insert(tags::LOAD_BALANCER.to_owned(), balancer.clone());
            Some(Creation::CreateVpcEndpointServiceConfiguration(CreateEndpointService {
                client_token: endpoint_service_token(request_id, &load_balancer_arn),
                load_balancer_arn,
                acceptance_required: *acceptance_required,
                tags,
            }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use enclave_core::reconcile::ObservedTargetGroup;
    use enclave_protocol::request::Scheme;

    use super::*;
    use crate::fixtures::{
        configure, desired_of, foundation, host, id, image, observed_balancer, owner, pool,
    };

    fn tags(more: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
        [
            ("enclave:application", "acme.shop.default"),
            ("enclave:cluster", "content"),
            ("enclave:id", "e-1"),
            ("enclave:request-id", "00000000-0000-0000-0000-000000000001"),
            ("enclave:zone", "test.aws-us-east-1a"),
        ]
        .iter()
        .chain(more)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
    }

    fn created(step: &Step, observed: Option<&ObservedBalancing>) -> Option<Creation> {
        creation(step, id(1), &foundation(), observed)
    }

    fn launch(zone: &str) -> Step {
        Step::Launch {
            request_id: id(1),
            owner: owner(),
            pool: pool("m7g.large", zone),
            attempt: 2,
            count: 3,
            image: image(),
        }
    }

    #[test]
    fn a_launch_takes_its_zones_template_at_the_pinned_version_and_its_attempts_token() {
        let expected = RunInstances {
            client_token: "adb0da6e572a70348a3808803ea6c2ca80712885d8e5043319df347b10f883b4".to_owned(),
            pool: pool("m7g.large", "us-east-1b"),
            launch_template_id: "lt-b".to_owned(),
            launch_template_version: 9,
            image: image(),
            max_count: 3,
            tags: tags(&[]),
        };
        assert_eq!(created(&launch("us-east-1b"), None), Some(Creation::RunInstances(expected)));
    }

    #[test]
    fn a_zone_without_a_template_launches_nothing() {
        assert_eq!(created(&launch("us-east-1f"), None), None);
    }

    #[test]
    fn a_target_group_names_its_balancer_in_its_tags() {
        let step = Step::CreateTargetGroup {
            name: "group".to_owned(),
            owner: owner(),
            balancer: "balancer".to_owned(),
            port: 8080,
        };
        let expected = CreateTargetGroup {
            name: "group".to_owned(),
            port: 8080,
            vpc_id: "vpc-1".to_owned(),
            tags: tags(&[("enclave:load-balancer", "balancer")]),
        };
        assert_eq!(created(&step, None), Some(Creation::CreateTargetGroup(expected)));
    }

    #[test]
    fn a_balancer_stands_in_every_zones_balancer_subnet_with_the_balancers_security_group() {
        let step =
            Step::CreateBalancer { name: "balancer".to_owned(), owner: owner(), scheme: Scheme::Public };
        let expected = CreateLoadBalancer {
            name: "balancer".to_owned(),
            scheme: Scheme::Public,
            subnet_ids: vec!["subnet-lb-a".to_owned(), "subnet-lb-b".to_owned()],
            security_group_id: "sg-balancers".to_owned(),
            tags: tags(&[]),
        };
        assert_eq!(created(&step, None), Some(Creation::CreateLoadBalancer(expected)));
    }

    #[test]
    fn a_listener_is_made_only_on_a_balancer_and_group_that_were_seen() {
        let step = Step::CreateListener {
            balancer: "balancer".to_owned(),
            owner: owner(),
            port: 443,
            target_group: "group".to_owned(),
        };
        let mut seen = ObservedBalancing::default();
        assert_eq!(created(&step, None), None, "nothing could be read");
        assert_eq!(created(&step, Some(&seen)), None, "no balancer");
        let balancer = observed_balancer();
        seen.load_balancers.insert("balancer".to_owned(), balancer);
        assert_eq!(created(&step, Some(&seen)), None, "no group");
        let group = ObservedTargetGroup {
            arn: "arn:group".to_owned(),
            owner: Some(owner()),
            balancer: Some("balancer".to_owned()),
            port: 8080,
            targets: [].into(),
            settings: None,
            health_check: None,
        };
        seen.target_groups.insert("group".to_owned(), group);
        let expected = CreateListener {
            load_balancer_arn: "arn:balancer".to_owned(),
            port: 443,
            target_group_arn: "arn:group".to_owned(),
            tags: tags(&[]),
        };
        assert_eq!(created(&step, Some(&seen)), Some(Creation::CreateListener(expected)));
    }

    #[test]
    fn an_endpoint_service_stands_before_the_balancer_that_was_seen_and_has_the_requests_token() {
        let step = Step::CreateEndpointService {
            balancer: "balancer".to_owned(),
            owner: owner(),
            acceptance_required: true,
        };
        let mut seen = ObservedBalancing::default();
        assert_eq!(created(&step, Some(&seen)), None, "no balancer");
        seen.load_balancers.insert("balancer".to_owned(), observed_balancer());
        let expected = CreateEndpointService {
            client_token: "709c9f3fe802b8d10e08507ff02600a10a6bb908acaedff2e2a10e5b8c7faa5c".to_owned(),
            load_balancer_arn: "arn:balancer".to_owned(),
            acceptance_required: true,
            tags: tags(&[("enclave:load-balancer", "balancer")]),
        };
        assert_eq!(
            created(&step, Some(&seen)),
            Some(Creation::CreateVpcEndpointServiceConfiguration(expected))
        );
    }

    #[test]
    fn a_step_that_creates_nothing_has_no_creating_call() {
        let name = || "a".to_owned();
        for step in [
            Step::Terminate { hosts: vec![host(1)] },
            Step::ConfigureTargetGroup {
                name: name(),
                settings: desired_of(configure()).settings.target_group,
            },
            Step::RegisterTargets { target_group: name(), hosts: vec![host(1)] },
            Step::DeleteListener { balancer: name(), port: 1 },
            Step::DeleteBalancer { name: name() },
            Step::DeleteTargetGroup { name: name() },
            Step::RejectConnections { service: name(), endpoints: vec![name()] },
            Step::DeleteEndpointService { service: name() },
        ] {
            assert_eq!(created(&step, Some(&ObservedBalancing::default())), None, "{step:?}");
        }
    }
}
