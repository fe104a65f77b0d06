//! Settings of load balancers that can be changed in place: what an order makes of them, and what was seen.

use std::collections::BTreeSet;

use enclave_protocol::names::HealthCheckPath;
use enclave_protocol::request::{ConfigureLoadBalancer, HealthCheck, HealthCheckProtocol, Scheme};

/// Attributes of a load balancer
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalancerSettings {
    /// Whether targets of every availability zone serve every balancer node.
    pub cross_zone: bool,
    /// Whether nothing reaches it through an internet gateway by IPv6, where a private address does not prevent that.
    pub deny_all_igw_traffic: bool,
}

/// What guards a load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancerSecurity {
    /// Its security groups.
    pub security_group_ids: BTreeSet<String>,
    /// Whether their inbound rules hold for what comes through `PrivateLink`, too.
    pub enforced_on_private_link: bool,
}

/// Attributes of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Seconds an idle TCP flow is kept.
    pub idle_timeout_seconds: u32,
}

/// Attributes of a target group
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetGroupSettings {
    /// Seconds a target is drained.
    pub deregistration_delay_seconds: u32,
    /// Whether targets see the client's address.
    pub preserve_client_ip: bool,
}

/// A target group's health check, with nothing left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheckSettings {
    /// What is spoken.
    pub protocol: HealthCheckProtocol,
    /// The port asked; the target's own where there is none.
    pub port: Option<u16>,
    /// The path asked for; none with TCP.
    pub path: Option<String>,
    /// Seconds between two checks.
    pub interval_seconds: u32,
    /// Seconds without an answer that fail a check.
    pub timeout_seconds: u32,
    /// Good checks that make a target healthy.
    pub healthy_threshold: u32,
    /// Failed checks that make it unhealthy.
    pub unhealthy_threshold: u32,
}

/// All settings of one load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredSettings {
    /// Of the balancer.
    pub balancer: BalancerSettings,
    /// What guards it.
    pub security: BalancerSecurity,
    /// Of each listener.
    pub listener: ListenerSettings,
    /// Of each target group.
    pub target_group: TargetGroupSettings,
    /// Of each target group.
    pub health_check: HealthCheckSettings,
}

impl DesiredSettings {
    /// What an order makes of the settings; `security_group_id` is the balancers' security group.
    pub fn of(order: &ConfigureLoadBalancer, security_group_id: &str) -> Self {
        use enclave_protocol::balancing::{
            DEFAULT_DEREGISTRATION_DELAY_SECONDS, DEFAULT_IDLE_TIMEOUT_SECONDS,
        };
        Self {
            balancer: BalancerSettings {
                cross_zone: order.cross_zone.unwrap_or(true),
                deny_all_igw_traffic: order.scheme == Scheme::Private,
            },
            security: BalancerSecurity {
                security_group_ids: BTreeSet::from([security_group_id.to_owned()]),
                // The group is the tenant's: an order must not open a way around it. See
                // docs/decisions/load-balancers.md.
                enforced_on_private_link: true,
            },
            listener: ListenerSettings {
                idle_timeout_seconds: order.idle_timeout_seconds.unwrap_or(DEFAULT_IDLE_TIMEOUT_SECONDS),
            },
            target_group: TargetGroupSettings {
                deregistration_delay_seconds: order
                    .deregistration_delay_seconds
                    .unwrap_or(DEFAULT_DEREGISTRATION_DELAY_SECONDS),
                // With it on, a host that calls its own balancer times out
                // (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-troubleshooting.html>).
                preserve_client_ip: false,
            },
            health_check: HealthCheckSettings::of(&order.health_check.clone().unwrap_or_default()),
        }
    }
}

impl HealthCheckSettings {
    /// What an order's health check means.
    pub fn of(check: &HealthCheck) -> Self {
        let path = || check.path.as_ref().map_or_else(|| "/".to_owned(), ToString::to_string);
        Self {
            protocol: check.protocol,
            port: check.port,
            path: (check.protocol != HealthCheckProtocol::Tcp).then(path),
            interval_seconds: check.interval_seconds,
            timeout_seconds: check.timeout_seconds(),
            healthy_threshold: check.healthy_threshold,
            unhealthy_threshold: check.unhealthy_threshold,
        }
    }

    /// The same as orders and replies say it.
    pub fn to_order(&self) -> HealthCheck {
        HealthCheck {
            protocol: self.protocol,
            port: self.port,
            path: self.path.clone().and_then(|path| HealthCheckPath::try_from(path).ok()),
            interval_seconds: self.interval_seconds,
            timeout_seconds: Some(self.timeout_seconds),
            healthy_threshold: self.healthy_threshold,
            unhealthy_threshold: self.unhealthy_threshold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(more: &serde_json::Value) -> ConfigureLoadBalancer {
        let mut order = serde_json::json!({
            "application": "acme.shop.default", "cluster": "content", "scheme": "public", "targets": [],
            "endpoints": [{ "port": 443, "protocol": "tcp", "target_port": 8443 }],
        });
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(order).unwrap()
    }

    /// What balancers had before there was a choice: they must not change by an upgrade.
    #[test]
    fn an_order_that_says_nothing_gets_the_settings_there_always_were() {
        let settings = DesiredSettings::of(&order(&serde_json::json!({})), "sg-1");
        let expected = DesiredSettings {
            balancer: BalancerSettings { cross_zone: true, deny_all_igw_traffic: false },
            security: BalancerSecurity {
                security_group_ids: BTreeSet::from(["sg-1".to_owned()]),
                enforced_on_private_link: true,
            },
            listener: ListenerSettings { idle_timeout_seconds: 350 },
            target_group: TargetGroupSettings {
                deregistration_delay_seconds: 300,
                preserve_client_ip: false,
            },
            health_check: HealthCheckSettings {
                protocol: HealthCheckProtocol::Tcp,
                port: None,
                path: None,
                interval_seconds: 30,
                timeout_seconds: 10,
                healthy_threshold: 5,
                unhealthy_threshold: 2,
            },
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn a_private_balancer_is_closed_to_the_internet_gateway() {
        let settings = DesiredSettings::of(&order(&serde_json::json!({ "scheme": "private" })), "sg-1");
        assert!(settings.balancer.deny_all_igw_traffic);
    }

    #[test]
    fn a_check_without_a_timeout_waits_as_long_as_aws_would_and_never_longer_than_its_interval() {
        for (protocol, interval, timeout, expected) in [
            ("tcp", 30, None, 10),
            ("https", 30, None, 10),
            ("http", 30, None, 6),
            ("tcp", 5, None, 5),
            ("http", 5, None, 5),
            ("http", 30, Some(20), 20),
        ] {
            let check = serde_json::json!({ "health_check": {
                "protocol": protocol, "interval_seconds": interval, "timeout_seconds": timeout,
                "healthy_threshold": 2, "unhealthy_threshold": 2,
            } });
            let check = DesiredSettings::of(&order(&check), "sg-1").health_check;
            assert_eq!(check.timeout_seconds, expected, "{protocol} {interval}");
            assert_eq!(check.path.as_deref(), (protocol != "tcp").then_some("/"));
            assert_eq!(HealthCheckSettings::of(&check.to_order()), check);
        }
    }
}
