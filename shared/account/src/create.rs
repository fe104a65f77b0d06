//! Calls that create something, exactly as the ledger holds them.

use std::collections::BTreeMap;

use aws_sdk_ec2::types as ec2;
use aws_sdk_elasticloadbalancingv2::types as elb;
use enclave_core::aws::AwsFailure;
use enclave_core::creation::{CreateListener, CreateLoadBalancer, CreateTargetGroup, Creation, RunInstances};
use enclave_protocol::names::HostId;
use enclave_protocol::request::Scheme;

use crate::Account;

/// What a creating call made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// Instances.
    Hosts(Vec<HostId>),
    /// A root volume replacement task, by its id.
    Task(String),
    /// Something with an ARN, or an endpoint service by its id.
    Arn(String),
}

impl Account {
    /// Makes the call. Made again with the same parameters it returns what the first one made: the EC2 calls by their
    /// client token, the `ELBv2` calls by their names and settings.
    pub async fn create(&self, creation: &Creation) -> Result<Made, AwsFailure> {
        match creation {
            Creation::RunInstances(launch) => self.run_instances(launch).await.map(Made::Hosts),
            Creation::CreateReplaceRootVolumeTask(rebuild) => {
                self.replace_root_volume(rebuild).await.map(Made::Task)
            }
            Creation::CreateTargetGroup(group) => self.create_target_group(group).await.map(Made::Arn),
            Creation::CreateLoadBalancer(balancer) => {
                self.create_load_balancer(balancer).await.map(Made::Arn)
            }
            Creation::CreateListener(listener) => self.create_listener(listener).await.map(Made::Arn),
            Creation::CreateVpcEndpointServiceConfiguration(service) => {
                self.create_endpoint_service(service).await.map(Made::Arn)
            }
        }
    }

    async fn run_instances(&self, launch: &RunInstances) -> Result<Vec<HostId>, AwsFailure> {
        let call = "RunInstances";
        let template = ec2::LaunchTemplateSpecification::builder()
            .launch_template_id(&launch.launch_template_id)
            .version(launch.launch_template_version.to_string())
            .build();
        let max_count = i32::try_from(launch.max_count).unwrap_or(i32::MAX);
        let run = self
            .ec2
            .run_instances()
            .client_token(&launch.client_token)
            .launch_template(template)
            .image_id(launch.image.as_str())
            .instance_type(ec2::InstanceType::from(launch.pool.instance_type.as_str()))
            .min_count(1)
            .max_count(max_count)
            .tag_specifications(tag_specification(ec2::ResourceType::Instance, &launch.tags))
            .tag_specifications(tag_specification(ec2::ResourceType::Volume, &launch.tags))
            .tag_specifications(tag_specification(ec2::ResourceType::NetworkInterface, &launch.tags));
        let output = self.pacer.call(call, run.send()).await?;
        let hosts: Vec<HostId> =
            output.instances().iter().filter_map(|instance| instance.instance_id()?.parse().ok()).collect();
        if hosts.is_empty() || hosts.len() != output.instances().len() {
            return Err(AwsFailure::incomplete(call, "instance ids"));
        }
        Ok(hosts)
    }

    async fn create_target_group(&self, group: &CreateTargetGroup) -> Result<String, AwsFailure> {
        let call = "CreateTargetGroup";
        let output = self
            .pacer
            .call(
                call,
                self.elb
                    .create_target_group()
                    .name(&group.name)
                    .protocol(elb::ProtocolEnum::Tcp)
                    .port(i32::from(group.port))
                    .vpc_id(&group.vpc_id)
                    .target_type(elb::TargetTypeEnum::Instance)
                    .ip_address_type(elb::TargetGroupIpAddressTypeEnum::Ipv6)
                    .set_tags(Some(elb_tags(&group.tags)))
                    .send(),
            )
            .await?;
        arn(call, output.target_groups().first().and_then(|group| group.target_group_arn()))
    }

    async fn create_load_balancer(&self, balancer: &CreateLoadBalancer) -> Result<String, AwsFailure> {
        let call = "CreateLoadBalancer";
        let scheme = match balancer.scheme {
            Scheme::Public => elb::LoadBalancerSchemeEnum::InternetFacing,
            Scheme::Private => elb::LoadBalancerSchemeEnum::Internal,
        };
        let output = self
            .pacer
            .call(
                call,
                self.elb
                    .create_load_balancer()
                    .name(&balancer.name)
                    .r#type(elb::LoadBalancerTypeEnum::Network)
                    .scheme(scheme)
                    .ip_address_type(elb::IpAddressType::Dualstack)
                    .set_subnets(Some(balancer.subnet_ids.clone()))
                    .security_groups(&balancer.security_group_id)
                    .set_tags(Some(elb_tags(&balancer.tags)))
                    .send(),
            )
            .await?;
        arn(call, output.load_balancers().first().and_then(|balancer| balancer.load_balancer_arn()))
    }

    async fn create_listener(&self, listener: &CreateListener) -> Result<String, AwsFailure> {
        let call = "CreateListener";
        let output = self
            .pacer
            .call(
                call,
                self.elb
                    .create_listener()
                    .load_balancer_arn(&listener.load_balancer_arn)
                    .protocol(elb::ProtocolEnum::Tcp)
                    .port(i32::from(listener.port))
                    .default_actions(forward_to(&listener.target_group_arn))
                    .set_tags(Some(elb_tags(&listener.tags)))
                    .send(),
            )
            .await?;
        arn(call, output.listeners().first().and_then(|listener| listener.listener_arn()))
    }
}

/// A listener's action: all of it to one target group.
pub(crate) fn forward_to(target_group_arn: &str) -> elb::Action {
    elb::Action::builder().r#type(elb::ActionTypeEnum::Forward).target_group_arn(target_group_arn).build()
}

pub(crate) fn tag_specification(
    resource: ec2::ResourceType,
    tags: &BTreeMap<String, String>,
) -> ec2::TagSpecification {
    let tags = tags.iter().map(|(key, value)| ec2::Tag::builder().key(key).value(value).build()).collect();
    ec2::TagSpecification::builder().resource_type(resource).set_tags(Some(tags)).build()
}

fn elb_tags(tags: &BTreeMap<String, String>) -> Vec<elb::Tag> {
    tags.iter().map(|(key, value)| elb::Tag::builder().key(key).value(value).build()).collect()
}

fn arn(call: &str, found: Option<&str>) -> Result<String, AwsFailure> {
    found.map(str::to_owned).ok_or_else(|| AwsFailure::incomplete(call, "ARN"))
}
