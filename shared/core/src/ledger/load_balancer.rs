//! The ledger's object of one load balancer.

use enclave_protocol::names::{ApplicationId, ClusterId, HostId};
use enclave_protocol::request::{ConfigureLoadBalancer, Endpoint, Scheme};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One load balancer that this enclave keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancerRecord {
    /// The application served.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// The request that last configured it.
    pub request_id: Uuid,
    /// The whole order; none where the object is from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<ConfigureLoadBalancer>,
    /// Its ports, where the order is not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// The hosts behind it, where the order is not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<HostId>,
    /// Whether it should exist.
    pub present: bool,
}

impl LoadBalancerRecord {
    /// What `request_id` orders.
    pub fn wanted(request_id: Uuid, order: &ConfigureLoadBalancer) -> Self {
        Self {
            application: order.application.clone(),
            cluster: order.cluster.clone(),
            request_id,
            order: Some(order.clone()),
            endpoints: Vec::new(),
            targets: Vec::new(),
            present: true,
        }
    }

    /// The whole order. Before it was kept, every balancer was public, with the settings that are the defaults now.
    pub fn order(&self) -> ConfigureLoadBalancer {
        self.order.clone().unwrap_or_else(|| {
            let (application, cluster) = (self.application.clone(), self.cluster.clone());
            let (endpoints, targets) = (self.endpoints.clone(), self.targets.clone());
            ConfigureLoadBalancer::new(application, cluster, Scheme::Public, endpoints, targets)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::creation::{Creation, StoredCall};

    /// As they were written before the whole order was kept.
    #[test]
    fn a_balancer_and_its_calls_of_the_version_before_are_read_and_mean_the_same() {
        let record: LoadBalancerRecord = serde_json::from_str(
            r#"{"application":"acme.shop.default","cluster":"content",
                "request_id":"01938d2c-5e2a-7c3b-8f10-3a5b6c7d8e9f",
                "endpoints":[{"port":443,"protocol":"tcp","target_port":8443}],
                "targets":["i-0123456789abcdef0"],"present":true}"#,
        )
        .unwrap();
        let order = record.order();
        assert_eq!((order.scheme, order.endpoints.len(), order.targets.len()), (Scheme::Public, 1, 1));
        assert_eq!((order.private_link, order.health_check, order.cross_zone), (None, None, None));

        let call: StoredCall = serde_json::from_str(
            r#"{"creation":{"call":"CreateLoadBalancer","name":"enc-1","scheme":"public",
                "subnet_ids":["subnet-1"],"security_group_id":"sg-1","tags":{}},
                "decided_at":"2026-06-01T12:00:00Z","tries":1}"#,
        )
        .unwrap();
        assert!(matches!(call.creation, Creation::CreateLoadBalancer(made) if made.scheme == Scheme::Public));
    }

    #[test]
    fn a_balancers_record_keeps_the_whole_order() {
        let order: ConfigureLoadBalancer = serde_json::from_str(
            r#"{"application":"acme.shop.default","cluster":"content","scheme":"private",
                "endpoints":[{"port":443,"protocol":"tls","target_port":8443}],"targets":[],
                "private_link":{"allowed_principals":["arn:aws:iam::123456789012:root"]},
                "health_check":{"protocol":"https","path":"/ok","interval_seconds":10,
                "healthy_threshold":2,"unhealthy_threshold":3},
                "deregistration_delay_seconds":0,"idle_timeout_seconds":60,"cross_zone":false}"#,
        )
        .unwrap();
        let record = LoadBalancerRecord::wanted(Uuid::from_u128(1), &order);
        let json = serde_json::to_string(&record).unwrap();
        let read: LoadBalancerRecord = serde_json::from_str(&json).unwrap();
        assert_eq!(read.order(), order);
        assert!(order.private_link.unwrap().acceptance_required, "the default");
    }
}
