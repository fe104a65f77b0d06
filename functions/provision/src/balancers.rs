//! What a reply says of a load balancer, from what was seen of it.

use std::collections::BTreeSet;

use enclave_core::reconcile::{
    BalancerState, EndpointServiceState, ObservedBalancing, ObservedEndpointService, ObservedLoadBalancer,
    service_of, target_group_name,
};
use enclave_core::tags::Owner;
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{LoadBalancerResult, LoadBalancerState, PrivateLinkResult, PrivateLinkState};
use enclave_protocol::request::{ConfigureLoadBalancer, Endpoint, EndpointProtocol};

/// The load balancer of an order: its ports and hosts as ordered, the rest as seen.
pub(crate) fn ordered(
    name: &str,
    order: &ConfigureLoadBalancer,
    owner: &Owner,
    balancing: Option<&ObservedBalancing>,
) -> LoadBalancerResult {
    let ordered = LoadBalancerResult {
        name: name.to_owned(),
        arn: None,
        dns_name: None,
        state: LoadBalancerState::Absent,
        scheme: order.scheme,
        endpoints: order.endpoints.clone(),
        targets: order.targets.clone(),
        health_check: None,
        deregistration_delay_seconds: None,
        idle_timeout_seconds: None,
        cross_zone: None,
        private_link: None,
        superseded: Vec::new(),
    };
    let Some(balancing) = balancing else { return ordered };
    let superseded = superseded(name, owner, balancing);
    let seen = balancing.load_balancers.get(name).and_then(|found| listed(name, found, balancing));
    match seen {
        None => LoadBalancerResult { superseded, ..ordered },
        Some(seen) => LoadBalancerResult {
            scheme: ordered.scheme,
            endpoints: ordered.endpoints,
            targets: ordered.targets,
            superseded,
            ..seen
        },
    }
}

/// The owner's other load balancers.
pub(crate) fn superseded(name: &str, owner: &Owner, balancing: &ObservedBalancing) -> Vec<String> {
    let others = balancing
        .load_balancers
        .iter()
        .filter(|(other, found)| *other != name && found.owner.as_ref() == Some(owner));
    others.map(|(name, _)| name.clone()).collect()
}

/// A load balancer as it was seen; none where it is not this enclave's.
pub(crate) fn listed(
    name: &str,
    balancer: &ObservedLoadBalancer,
    balancing: &ObservedBalancing,
) -> Option<LoadBalancerResult> {
    let owner = balancer.owner.as_ref()?;
    let mut targets: BTreeSet<HostId> = BTreeSet::new();
    let mut endpoints = Vec::new();
    let mut groups = Vec::new();
    for (port, listener) in &balancer.listeners {
        let found =
            listener.target_group.as_ref().and_then(|name| balancing.target_groups.get_key_value(name));
        if let Some((group_name, group)) = found {
            targets.extend(group.targets.iter().cloned());
            let protocol = protocol(name, group_name, group.port);
            endpoints.push(Endpoint { port: *port, protocol, target_port: group.port });
            groups.push(group);
        }
    }
    let group_settings = agreed(groups.iter().map(|group| group.settings));
    Some(LoadBalancerResult {
        name: name.to_owned(),
        arn: Some(balancer.arn.clone()),
        dns_name: Some(balancer.dns_name.clone()),
        state: load_balancer_state(balancer.state),
        scheme: balancer.scheme?,
        endpoints,
        targets: targets.into_iter().collect(),
        health_check: agreed(groups.iter().map(|group| group.health_check.as_ref())).map(|it| it.to_order()),
        deregistration_delay_seconds: group_settings.map(|it| it.deregistration_delay_seconds),
        idle_timeout_seconds: agreed(balancer.listeners.values().map(|listener| listener.settings))
            .map(|it| it.idle_timeout_seconds),
        cross_zone: balancer.settings.map(|it| it.cross_zone),
        private_link: service_of(owner, name, balancing).map(|(id, service)| private_link(id, service)),
        superseded: Vec::new(),
    })
}

/// What all say, where all say the same.
fn agreed<T: PartialEq>(mut said: impl Iterator<Item = Option<T>>) -> Option<T> {
    let first = said.next()??;
    said.all(|next| next.as_ref() == Some(&first)).then_some(first)
}

/// AWS sees TCP in either case; which it is stands in the target group's name.
fn protocol(balancer: &str, group: &str, port: u16) -> EndpointProtocol {
    let named = |protocol: &EndpointProtocol| target_group_name(balancer, *protocol, port) == group;
    EndpointProtocol::ALL.into_iter().find(named).unwrap_or(EndpointProtocol::Tcp)
}

fn private_link(id: &str, service: &ObservedEndpointService) -> PrivateLinkResult {
    PrivateLinkResult {
        service_id: id.to_owned(),
        service_name: service.service_name.clone(),
        state: match service.state {
            EndpointServiceState::Pending => PrivateLinkState::Pending,
            EndpointServiceState::Available => PrivateLinkState::Available,
            EndpointServiceState::Deleting => PrivateLinkState::Deleting,
            EndpointServiceState::Failed => PrivateLinkState::Failed,
        },
        allowed_principals: service.allowed_principals.iter().cloned().collect(),
        acceptance_required: service.acceptance_required,
    }
}

fn load_balancer_state(state: BalancerState) -> LoadBalancerState {
    match state {
        BalancerState::Provisioning => LoadBalancerState::Provisioning,
        BalancerState::Active => LoadBalancerState::Active,
        BalancerState::Failed => LoadBalancerState::Failed,
    }
}

#[cfg(test)]
mod tests {
    use enclave_core::reconcile::{
        ListenerSettings, ObservedListener, ObservedTargetGroup, TargetGroupSettings,
    };
    use enclave_protocol::request::{Order, Scheme};

    use super::*;
    use crate::fixtures::{configure, desired_of, host, observed_balancer, observed_service, owner};

    /// The balancer `ours` with a TCP and a TLS port on one target port, and one port that leads nowhere.
    fn balancing() -> ObservedBalancing {
        let listener = |target_group: Option<String>, idle_timeout_seconds| ObservedListener {
            arn: "arn".to_owned(),
            target_group,
            settings: Some(ListenerSettings { idle_timeout_seconds }),
        };
        let group = |number: u32| ObservedTargetGroup {
            arn: "arn".to_owned(),
            owner: Some(owner()),
            balancer: Some("ours".to_owned()),
            port: 8080,
            targets: [host(number)].into(),
            settings: Some(TargetGroupSettings {
                deregistration_delay_seconds: 7,
                preserve_client_ip: false,
            }),
            health_check: Some(desired_of(configure()).settings.health_check),
        };
        let [tcp, tls] = EndpointProtocol::ALL.map(|protocol| target_group_name("ours", protocol, 8080));
        let ours = ObservedLoadBalancer {
            listeners: [
                (80, listener(Some(tcp.clone()), 60)),
                (443, listener(Some(tls.clone()), 60)),
                (444, listener(None, 60)),
            ]
            .into(),
            ..observed_balancer()
        };
        ObservedBalancing {
            load_balancers: [("ours".to_owned(), ours), ("old".to_owned(), observed_balancer())].into(),
            target_groups: [(tcp, group(2)), (tls, group(1))].into(),
            endpoint_services: [("vpce-svc-1".to_owned(), observed_service("ours"))].into(),
        }
    }

    fn of(balancing: &ObservedBalancing) -> LoadBalancerResult {
        listed("ours", &balancing.load_balancers["ours"], balancing).unwrap()
    }

    #[test]
    fn a_balancer_is_listed_with_its_ports_hosts_settings_and_service() {
        let found = of(&balancing());
        let endpoint = |port, protocol| Endpoint { port, protocol, target_port: 8080 };
        assert_eq!(
            found.endpoints,
            [endpoint(80, EndpointProtocol::Tcp), endpoint(443, EndpointProtocol::Tls)]
        );
        assert_eq!(found.targets, [host(1), host(2)]);
        assert_eq!((found.deregistration_delay_seconds, found.idle_timeout_seconds), (Some(7), Some(60)));
        assert_eq!(found.health_check.unwrap().timeout_seconds, Some(10));
        let link = found.private_link.unwrap();
        assert_eq!((link.service_id.as_str(), link.state), ("vpce-svc-1", PrivateLinkState::Available));
        assert_eq!(link.service_name, "com.amazonaws.vpce.us-east-1.vpce-svc-1");
        assert_eq!(link.allowed_principals, ["arn:aws:iam::111122223333:root"]);
    }

    #[test]
    fn a_setting_in_which_ports_differ_is_not_told() {
        let mut mixed = balancing();
        for group in mixed.target_groups.values_mut().take(1) {
            group.settings = None;
            group.health_check = None;
        }
        let balancer = mixed.load_balancers.get_mut("ours").unwrap();
        balancer.listeners.get_mut(&80).unwrap().settings =
            Some(ListenerSettings { idle_timeout_seconds: 61 });
        let found = of(&mixed);
        assert_eq!((found.deregistration_delay_seconds, found.idle_timeout_seconds), (None, None));
        assert_eq!(found.health_check, None);
    }

    #[test]
    fn an_order_is_answered_with_what_it_superseded() {
        let Order::ConfigureLoadBalancer(mut order) = configure() else { panic!() };
        order.scheme = Scheme::Private;
        let found = ordered("ours", &order, &owner(), Some(&balancing()));
        assert_eq!(found.superseded, ["old"]);
        assert_eq!(found.endpoints, order.endpoints);
        assert_eq!(found.scheme, Scheme::Private);
        assert_eq!(found.dns_name.as_deref(), Some("dns"));
        let absent = ordered("new", &order, &owner(), Some(&balancing()));
        assert_eq!(
            (absent.state, absent.superseded),
            (LoadBalancerState::Absent, vec!["old".into(), "ours".into()])
        );
    }
}
