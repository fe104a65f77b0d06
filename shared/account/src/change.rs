//! Calls that change or remove something. Each may be made again: AWS answers the same, or that it is done.

use aws_sdk_elasticloadbalancingv2::types as elb;
use enclave_core::aws::{AwsFailure, ErrorClass};
use enclave_core::reconcile::{ObservedBalancing, Step};
use enclave_protocol::names::HostId;

use crate::Account;
use crate::create::forward_to;
use crate::settings::{CROSS_ZONE, DEREGISTRATION_DELAY, PRESERVE_CLIENT_IP, TCP_IDLE_TIMEOUT};

impl Account {
    /// Takes a step that creates nothing; `observed` holds the ARNs of what the step names.
    ///
    /// What is gone already is success for a step that removes it. Creating steps go through [`Account::create`].
    pub async fn change(&self, step: &Step, observed: &ObservedBalancing) -> Result<(), AwsFailure> {
        match step {
            Step::Terminate { hosts } => self.terminate(hosts).await,
            Step::ConfigureTargetGroup { name } => {
                self.configure_target_group(target_group_arn(observed, name)?).await
            }
            Step::ConfigureBalancer { name } => {
                self.configure_balancer(load_balancer_arn(observed, name)?).await
            }
            Step::ConfigureListener { balancer, port } => {
                self.configure_listener(listener_arn(observed, balancer, *port)?).await
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
            Step::Launch { .. }
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
        self.ec2
            .terminate_instances()
            .set_instance_ids(Some(hosts.iter().map(HostId::to_string).collect()))
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsFailure::new("TerminateInstances", &error))
    }

    async fn configure_target_group(&self, arn: &str) -> Result<(), AwsFailure> {
        let attributes = [DEREGISTRATION_DELAY, PRESERVE_CLIENT_IP]
            .map(|(key, value)| elb::TargetGroupAttribute::builder().key(key).value(value).build());
        self.elb
            .modify_target_group_attributes()
            .target_group_arn(arn)
            .set_attributes(Some(attributes.into()))
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsFailure::new("ModifyTargetGroupAttributes", &error))
    }

    async fn configure_balancer(&self, arn: &str) -> Result<(), AwsFailure> {
        let (key, value) = CROSS_ZONE;
        self.elb
            .modify_load_balancer_attributes()
            .load_balancer_arn(arn)
            .attributes(elb::LoadBalancerAttribute::builder().key(key).value(value).build())
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsFailure::new("ModifyLoadBalancerAttributes", &error))
    }

    async fn configure_listener(&self, arn: &str) -> Result<(), AwsFailure> {
        let (key, value) = TCP_IDLE_TIMEOUT;
        self.elb
            .modify_listener_attributes()
            .listener_arn(arn)
            .attributes(elb::ListenerAttribute::builder().key(key).value(value).build())
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsFailure::new("ModifyListenerAttributes", &error))
    }

    async fn point_listener(&self, arn: &str, target_group_arn: &str) -> Result<(), AwsFailure> {
        self.elb
            .modify_listener()
            .listener_arn(arn)
            .default_actions(forward_to(target_group_arn))
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsFailure::new("ModifyListener", &error))
    }

    async fn register(&self, arn: &str, hosts: &[HostId]) -> Result<(), AwsFailure> {
        self.elb
            .register_targets()
            .target_group_arn(arn)
            .set_targets(Some(targets(hosts)))
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsFailure::new("RegisterTargets", &error))
    }

    async fn deregister(&self, arn: &str, hosts: &[HostId]) -> Result<(), AwsFailure> {
        self.elb
            .deregister_targets()
            .target_group_arn(arn)
            .set_targets(Some(targets(hosts)))
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsFailure::new("DeregisterTargets", &error))
    }

    async fn delete_listener(&self, arn: &str) -> Result<(), AwsFailure> {
        let result = self.elb.delete_listener().listener_arn(arn).send().await;
        gone_is_done(result.map(drop).map_err(|error| AwsFailure::new("DeleteListener", &error)))
    }

    async fn delete_load_balancer(&self, arn: &str) -> Result<(), AwsFailure> {
        let result = self.elb.delete_load_balancer().load_balancer_arn(arn).send().await;
        gone_is_done(result.map(drop).map_err(|error| AwsFailure::new("DeleteLoadBalancer", &error)))
    }

    async fn delete_target_group(&self, arn: &str) -> Result<(), AwsFailure> {
        let result = self.elb.delete_target_group().target_group_arn(arn).send().await;
        gone_is_done(result.map(drop).map_err(|error| AwsFailure::new("DeleteTargetGroup", &error)))
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
