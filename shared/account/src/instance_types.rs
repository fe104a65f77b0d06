//! Reading what AWS offers in the region.

use aws_sdk_ec2::types::{ArchitectureType, Filter, InstanceTypeInfo};
use enclave_core::aws::AwsFailure;
use enclave_core::capacity::InstanceTypeFacts;
use enclave_protocol::request::Architecture;

use crate::Account;

/// Largest page of `DescribeInstanceTypes`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html>).
const PER_PAGE: i32 = 100;

impl Account {
    /// The instance types that can be hosts: of the current generation, virtual, bought on demand, started from an
    /// encrypted volume, with IPv6. Burstable ones and those with accelerators are for other work.
    pub async fn instance_types(&self) -> Result<Vec<InstanceTypeFacts>, AwsFailure> {
        let only = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let mut pages = self
            .ec2
            .describe_instance_types()
            .filters(only("current-generation", "true"))
            .filters(only("bare-metal", "false"))
            .filters(only("burstable-performance-supported", "false"))
            .filters(only("supported-usage-class", "on-demand"))
            .filters(only("supported-root-device-type", "ebs"))
            .filters(only("network-info.ipv6-supported", "true"))
            .filters(only("ebs-info.encryption-support", "supported"))
            .max_results(PER_PAGE)
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = self.pacer.call("DescribeInstanceTypes", pages.try_next()).await? {
            found.extend(page.instance_types().iter().filter(|info| !is_accelerated(info)).filter_map(facts));
        }
        Ok(found)
    }
}

fn is_accelerated(info: &InstanceTypeInfo) -> bool {
    info.gpu_info().is_some()
        || info.fpga_info().is_some()
        || info.inference_accelerator_info().is_some()
        || info.neuron_info().is_some()
        || info.media_accelerator_info().is_some()
}

fn facts(info: &InstanceTypeInfo) -> Option<InstanceTypeFacts> {
    let architectures = info.processor_info()?.supported_architectures();
    let architecture = if architectures.contains(&ArchitectureType::Arm64) {
        Architecture::Arm64
    } else if architectures.contains(&ArchitectureType::X8664) {
        Architecture::X86_64
    } else {
        return None;
    };
    Some(InstanceTypeFacts {
        name: info.instance_type()?.as_str().parse().ok()?,
        vcpu: info.v_cpu_info()?.default_v_cpus()?.try_into().ok()?,
        memory_mib: info.memory_info()?.size_in_mib()?.try_into().ok()?,
        disk_gb: info
            .instance_storage_info()
            .and_then(|storage| storage.total_size_in_gb())
            .and_then(|size| size.try_into().ok())
            .unwrap_or(0),
        architecture,
    })
}
