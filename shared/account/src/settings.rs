//! Settings as the AWS API says them: attributes by key, health checks by field.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, TargetGroup};
use enclave_core::reconcile::{BalancerSettings, HealthCheckSettings, ListenerSettings, TargetGroupSettings};
use enclave_protocol::request::HealthCheckProtocol;

/// How the API names the port that traffic goes to, as the port of a health check
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroup.html>).
pub(crate) const TRAFFIC_PORT: &str = "traffic-port";

// Keys: <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>,
// API_ListenerAttribute.html and API_TargetGroupAttribute.html.
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
const DENY_ALL_IGW_TRAFFIC: &str = "ipv6.deny_all_igw_traffic";
const TCP_IDLE_TIMEOUT: &str = "tcp.idle_timeout.seconds";
const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";
const PRESERVE_CLIENT_IP: &str = "preserve_client_ip.enabled";

/// Attributes by their key.
pub(crate) type Attributes = BTreeMap<String, String>;

/// Attributes as an answer lists them.
pub(crate) fn attributes<'a>(found: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> Attributes {
    found.filter_map(|(key, value)| Some((key?.to_owned(), value?.to_owned()))).collect()
}

/// A balancer's settings; none where an attribute is missing.
pub(crate) fn balancer_settings(found: &Attributes) -> Option<BalancerSettings> {
    Some(BalancerSettings {
        cross_zone: read(found, CROSS_ZONE)?,
        deny_all_igw_traffic: read(found, DENY_ALL_IGW_TRAFFIC)?,
    })
}

/// The attributes that make a balancer so.
pub(crate) fn balancer_attributes(settings: BalancerSettings) -> [(&'static str, String); 2] {
    [
        (CROSS_ZONE, settings.cross_zone.to_string()),
        (DENY_ALL_IGW_TRAFFIC, settings.deny_all_igw_traffic.to_string()),
    ]
}

/// A listener's settings; none where an attribute is missing.
pub(crate) fn listener_settings(found: &Attributes) -> Option<ListenerSettings> {
    Some(ListenerSettings { idle_timeout_seconds: read(found, TCP_IDLE_TIMEOUT)? })
}

/// The attributes that make a listener so.
pub(crate) fn listener_attributes(settings: ListenerSettings) -> [(&'static str, String); 1] {
    [(TCP_IDLE_TIMEOUT, settings.idle_timeout_seconds.to_string())]
}

/// A target group's settings; none where an attribute is missing.
pub(crate) fn target_group_settings(found: &Attributes) -> Option<TargetGroupSettings> {
    Some(TargetGroupSettings {
        deregistration_delay_seconds: read(found, DEREGISTRATION_DELAY)?,
        preserve_client_ip: read(found, PRESERVE_CLIENT_IP)?,
    })
}

/// The attributes that make a target group so.
pub(crate) fn target_group_attributes(settings: TargetGroupSettings) -> [(&'static str, String); 2] {
    [
        (DEREGISTRATION_DELAY, settings.deregistration_delay_seconds.to_string()),
        (PRESERVE_CLIENT_IP, settings.preserve_client_ip.to_string()),
    ]
}

fn read<T: std::str::FromStr>(found: &Attributes, key: &str) -> Option<T> {
    found.get(key)?.parse().ok()
}

/// A target group's health check; none where it is not one that orders can name.
pub(crate) fn health_check(group: &TargetGroup) -> Option<HealthCheckSettings> {
    let protocol = match group.health_check_protocol()? {
        ProtocolEnum::Tcp => HealthCheckProtocol::Tcp,
        ProtocolEnum::Http => HealthCheckProtocol::Http,
        ProtocolEnum::Https => HealthCheckProtocol::Https,
        _ => return None,
    };
    let port = match group.health_check_port()? {
        TRAFFIC_PORT => None,
        port => Some(port.parse().ok()?),
    };
    let count = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
    Some(HealthCheckSettings {
        protocol,
        port,
        // AWS keeps a path that a check by TCP does not use.
        path: match protocol {
            HealthCheckProtocol::Tcp => None,
            HealthCheckProtocol::Http | HealthCheckProtocol::Https => {
                Some(group.health_check_path()?.to_owned())
            }
        },
        interval_seconds: count(group.health_check_interval_seconds())?,
        timeout_seconds: count(group.health_check_timeout_seconds())?,
        healthy_threshold: count(group.healthy_threshold_count())?,
        unhealthy_threshold: count(group.unhealthy_threshold_count())?,
    })
}

/// A health check's protocol as the API says it.
pub(crate) fn health_check_protocol(protocol: HealthCheckProtocol) -> ProtocolEnum {
    match protocol {
        HealthCheckProtocol::Tcp => ProtocolEnum::Tcp,
        HealthCheckProtocol::Http => ProtocolEnum::Http,
        HealthCheckProtocol::Https => ProtocolEnum::Https,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written<const N: usize>(attributes: [(&'static str, String); N]) -> Attributes {
        attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        for flag in [true, false] {
            let balancer = BalancerSettings { cross_zone: flag, deny_all_igw_traffic: !flag };
            assert_eq!(balancer_settings(&written(balancer_attributes(balancer))), Some(balancer));
            let group = TargetGroupSettings { deregistration_delay_seconds: 7, preserve_client_ip: flag };
            assert_eq!(target_group_settings(&written(target_group_attributes(group))), Some(group));
        }
        let listener = ListenerSettings { idle_timeout_seconds: 60 };
        assert_eq!(listener_settings(&written(listener_attributes(listener))), Some(listener));
    }

    #[test]
    fn a_missing_or_strange_attribute_is_no_setting() {
        let mut found =
            written(balancer_attributes(BalancerSettings { cross_zone: true, deny_all_igw_traffic: true }));
        found.insert(CROSS_ZONE.to_owned(), "maybe".to_owned());
        assert_eq!(balancer_settings(&found), None);
        assert_eq!(listener_settings(&Attributes::new()), None);
    }

    fn checked(
        group: aws_sdk_elasticloadbalancingv2::types::builders::TargetGroupBuilder,
    ) -> Option<HealthCheckSettings> {
        let group = group.health_check_interval_seconds(30).health_check_timeout_seconds(10);
        health_check(&group.healthy_threshold_count(5).unhealthy_threshold_count(2).build())
    }

    #[test]
    fn a_health_check_is_read_with_its_port_and_the_path_only_where_one_is_used() {
        let group = || TargetGroup::builder().health_check_path("/ok").health_check_port(TRAFFIC_PORT);
        let tcp = checked(group().health_check_protocol(ProtocolEnum::Tcp)).unwrap();
        assert_eq!((tcp.port, tcp.path), (None, None));
        let http =
            checked(group().health_check_protocol(ProtocolEnum::Http).health_check_port("8081")).unwrap();
        assert_eq!((http.port, http.path.as_deref()), (Some(8081), Some("/ok")));
        assert_eq!(checked(group().health_check_protocol(ProtocolEnum::Udp)), None);
        assert_eq!(checked(TargetGroup::builder().health_check_protocol(ProtocolEnum::Tcp)), None, "no port");
    }
}
