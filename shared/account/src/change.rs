//! Calls that change or remove something. Each may be made again: AWS answers the same, or that it is done.

use aws_sdk_elasticloadbalancingv2::types::{
    self as elb, EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnum as Enforce,
};
use enclave_core::aws::{AwsFailure, ErrorClass};
use enclave_core::reconcile::{
    BalancerSecurity, BalancerSettings, HealthCheckSettings, ListenerSettings, ObservedBalancing, Step,
    TargetGroupSettings,
};
use enclave_protocol::names::HostId;

use crate::Account;
use crate::create::forward_to;
use crate::settings::{
    TRAFFIC_PORT, balancer_attributes, health_check_protocol, listener_attributes, target_group_attributes,
};

impl Account {
    /// Takes a step that creates nothing; `observed` holds the ARNs of what the step names.
    ///
    /// What is gone already is success for a step that removes it. Creating steps go through [`Account::create`].
    pub async fn change(&self, step: &Step, observed: &ObservedBalancing) -> Result<(), AwsFailure> {
        match step {
            Step::Terminate { hosts } => self.terminate(hosts).await,
            Step::ConfigureTargetGroup { name, settings } => {
                self.configure_target_group(target_group_arn(observed, name)?, *settings).await
            }
            Step::ConfigureHealthCheck { target_group, check } => {
                self.configure_health_check(target_group_arn(observed, target_group)?, check).await
            }
            Step::ConfigureBalancer { name, settings } => {
                self.configure_balancer(load_balancer_arn(observed, name)?, *settings).await
            }
            Step::SecureBalancer { name, security } => {
                self.secure_balancer(load_balancer_arn(observed, name)?, security).await
            }
            Step::ConfigureListener { balancer, port, settings } => {
                self.configure_listener(listener_arn(observed, balancer, *port)?, *settings).await
            }
            Step::PointListener { balancer, port, target_group } => {
                let target_group = target_group_arn(observed, target_group)?;
                self.point_listener(listener_arn(observed, balancer, *port)?, target_group).await
            }
            Step::RegisterTargets { target_group, hosts } => {
                self.register(target_group_arn(observed, target_group)?, hosts).await
            }
            Step::DeregisterTargets { target_group, hosts } => {
                self.deregister(target_group_arn(observed, target_group)?, hosts).await
            }
            Step::DeleteListener { balancer, port } => {
                self.delete_listener(listener_arn(observed, balancer, *port)?).await
            }
            Step::DeleteBalancer { name } => {
                self.delete_load_balancer(load_balancer_arn(observed, name)?).await
            }
            Step::DeleteTargetGroup { name } => {
                self.delete_target_group(target_group_arn(observed, name)?).await
            }
            Step::ConfigureEndpointService { service, acceptance_required, add_ip_address_types } => {
                self.configure_endpoint_service(service, *acceptance_required, add_ip_address_types).await
            }
            Step::ChangePrincipals { service, add, remove } => {
                self.change_principals(service, add, remove).await
            }
            Step::RejectConnections { service, endpoints } => {
                self.reject_connections(service, endpoints).await
            }
            Step::DeleteEndpointService { service } => self.delete_endpoint_service(service).await,
            Step::Launch { .. }
            | Step::CreateEndpointService { .. }
            | Step::ReplaceRootVolume { .. }
            | Step::CreateTargetGroup { .. }
            | Step::CreateBalancer { .. }
            | Step::CreateListener { .. } => Err(AwsFailure {
                call: step.kind().to_owned(),
                class: ErrorClass::BadInput,
                code: "CreatesSomething".to_owned(),
                message: "a creating call is made from the ledger only".to_owned(),
            }),
        }
    }

    async fn terminate(&self, hosts: &[HostId]) -> Result<(), AwsFailure> {
        self.pacer
            .call(
                "TerminateInstances",
                self.ec2
                    .terminate_instances()
                    .set_instance_ids(Some(hosts.iter().map(HostId::to_string).collect()))
                    .send(),
            )
            .await
            .map(drop)
    }

    async fn configure_target_group(
        &self,
        arn: &str,
        settings: TargetGroupSettings,
    ) -> Result<(), AwsFailure> {
        let attributes = target_group_attributes(settings)
            .map(|(key, value)| elb::TargetGroupAttribute::builder().key(key).value(value).build());
        self.pacer
            .call(
                "ModifyTargetGroupAttributes",
                self.elb
                    .modify_target_group_attributes()
                    .target_group_arn(arn)
                    .set_attributes(Some(attributes.into()))
                    .send(),
            )
            .await
            .map(drop)
    }

    async fn configure_health_check(&self, arn: &str, check: &HealthCheckSettings) -> Result<(), AwsFailure> {
        let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        self.pacer
            .call(
                "ModifyTargetGroup",
                self.elb
                    .modify_target_group()
                    .target_group_arn(arn)
                    .health_check_protocol(health_check_protocol(check.protocol))
                    .health_check_port(
                        check.port.map_or_else(|| TRAFFIC_PORT.to_owned(), |port| port.to_string()),
                    )
                    .set_health_check_path(check.path.clone())
                    .health_check_interval_seconds(number(check.interval_seconds))
                    .health_check_timeout_seconds(number(check.timeout_seconds))
                    .healthy_threshold_count(number(check.healthy_threshold))
                    .unhealthy_threshold_count(number(check.unhealthy_threshold))
                    .send(),
            )
            .await
            .map(drop)
    }

    async fn configure_balancer(&self, arn: &str, settings: BalancerSettings) -> Result<(), AwsFailure> {
        let attributes = balancer_attributes(settings)
            .map(|(key, value)| elb::LoadBalancerAttribute::builder().key(key).value(value).build());
        self.pacer
            .call(
                "ModifyLoadBalancerAttributes",
                self.elb
                    .modify_load_balancer_attributes()
                    .load_balancer_arn(arn)
                    .set_attributes(Some(attributes.into()))
                    .send(),
            )
            .await
            .map(drop)
    }

    async fn secure_balancer(&self, arn: &str, security: &BalancerSecurity) -> Result<(), AwsFailure> {
        let enforced = if security.enforced_on_private_link { Enforce::On } else { Enforce::Off };
        self.pacer
            .call(
                "SetSecurityGroups",
                self.elb
                    .set_security_groups()
                    .load_balancer_arn(arn)
                    .set_security_groups(Some(security.security_group_ids.iter().cloned().collect()))
                    .enforce_security_group_inbound_rules_on_private_link_traffic(enforced)
                    .send(),
            )
            .await
            .map(drop)
    }

    async fn configure_listener(&self, arn: &str, settings: ListenerSettings) -> Result<(), AwsFailure> {
        let attributes = listener_attributes(settings)
            .map(|(key, value)| elb::ListenerAttribute::builder().key(key).value(value).build());
        self.pacer
            .call(
                "ModifyListenerAttributes",
                self.elb
                    .modify_listener_attributes()
                    .listener_arn(arn)
                    .set_attributes(Some(attributes.into()))
                    .send(),
            )
            .await
            .map(drop)
    }

    async fn point_listener(&self, arn: &str, target_group_arn: &str) -> Result<(), AwsFailure> {
        self.pacer
            .call(
                "ModifyListener",
                self.elb
                    .modify_listener()
                    .listener_arn(arn)
                    .default_actions(forward_to(target_group_arn))
                    .send(),
            )
            .await
            .map(drop)
    }

    async fn register(&self, arn: &str, hosts: &[HostId]) -> Result<(), AwsFailure> {
        self.pacer
            .call(
                "RegisterTargets",
                self.elb.register_targets().target_group_arn(arn).set_targets(Some(targets(hosts))).send(),
            )
            .await
            .map(drop)
    }

    async fn deregister(&self, arn: &str, hosts: &[HostId]) -> Result<(), AwsFailure> {
        self.pacer
            .call(
                "DeregisterTargets",
                self.elb.deregister_targets().target_group_arn(arn).set_targets(Some(targets(hosts))).send(),
            )
            .await
            .map(drop)
    }

    async fn delete_listener(&self, arn: &str) -> Result<(), AwsFailure> {
        let delete = self.elb.delete_listener().listener_arn(arn).send();
        gone_is_done(self.pacer.call("DeleteListener", delete).await.map(drop))
    }

    async fn delete_load_balancer(&self, arn: &str) -> Result<(), AwsFailure> {
        let delete = self.elb.delete_load_balancer().load_balancer_arn(arn).send();
        gone_is_done(self.pacer.call("DeleteLoadBalancer", delete).await.map(drop))
    }

    async fn delete_target_group(&self, arn: &str) -> Result<(), AwsFailure> {
        let delete = self.elb.delete_target_group().target_group_arn(arn).send();
        gone_is_done(self.pacer.call("DeleteTargetGroup", delete).await.map(drop))
    }
}

fn targets(hosts: &[HostId]) -> Vec<elb::TargetDescription> {
    hosts.iter().map(|host| elb::TargetDescription::builder().id(host.as_str()).build()).collect()
}

fn gone_is_done(result: Result<(), AwsFailure>) -> Result<(), AwsFailure> {
    match result {
        Err(failure) if failure.class == ErrorClass::NotFound => Ok(()),
        other => other,
    }
}

fn load_balancer_arn<'a>(observed: &'a ObservedBalancing, name: &str) -> Result<&'a str, AwsFailure> {
    let found = observed.load_balancers.get(name).map(|balancer| balancer.arn.as_str());
    found.ok_or_else(|| unseen("load balancer", name))
}

fn target_group_arn<'a>(observed: &'a ObservedBalancing, name: &str) -> Result<&'a str, AwsFailure> {
    let found = observed.target_groups.get(name).map(|group| group.arn.as_str());
    found.ok_or_else(|| unseen("target group", name))
}

fn listener_arn<'a>(
    observed: &'a ObservedBalancing,
    balancer: &str,
    port: u16,
) -> Result<&'a str, AwsFailure> {
    let listeners = observed.load_balancers.get(balancer).map(|balancer| &balancer.listeners);
    let found = listeners.and_then(|listeners| listeners.get(&port)).map(|listener| listener.arn.as_str());
    found.ok_or_else(|| unseen("listener", &format!("{balancer}:{port}")))
}

/// A step names what the last look did not show: look again.
fn unseen(kind: &str, name: &str) -> AwsFailure {
    AwsFailure {
        call: "look".to_owned(),
        class: ErrorClass::Transient,
        code: "NotSeen".to_owned(),
        message: format!("the last look did not show {kind} {name}"),
    }
}
