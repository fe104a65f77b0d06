//! The tenant's objects: `v1/zone.json` and `v1/gate.json`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use enclave_core::foundation::{Foundation, ZONE_KEY, ZoneFoundation};
use enclave_gate::rules::{
    Destruction, GATE_KEY, Gate, Limits, RegisteredIdentity, Revocations, Role, TrustRootEntry,
};
use enclave_protocol::request::Audience;
use serde::Serialize;

use super::{Hosts, Keys, Network, Wanted};

/// The foundation as the functions read it.
pub(super) fn foundation(
    wanted: &Wanted,
    audience: Audience,
    network: &Network,
    keys: &Keys,
    hosts: &Hosts,
) -> Result<Foundation> {
    let mut availability_zones = BTreeMap::new();
    for (zone, subnets) in &network.subnets {
        let template =
            hosts.launch_templates.get(zone).context("an availability zone without a launch template")?;
        availability_zones.insert(
            zone.clone(),
            ZoneFoundation {
                host_subnet_id: subnets.host.clone(),
                balancer_subnet_id: subnets.balancer.clone(),
                launch_template_id: template.id.clone(),
                launch_template_version: template.version,
                user_data_sha256: hosts.user_data_sha256.clone(),
                root_volume_gib: hosts.root_volume_gib,
            },
        );
    }
    Ok(Foundation {
        schema: 1,
        tenant: wanted.tenant.clone(),
        audience,
        vpc_id: network.vpc_id.clone(),
        host_security_group_id: network.host_security_group_id.clone(),
        balancer_security_group_id: network.balancer_security_group_id.clone(),
        instance_profile_arn: hosts.instance_profile_arn.clone(),
        volume_kms_key_arn: keys.volumes.clone(),
        availability_zones,
        images: hosts.images.clone(),
    })
}

/// The tenant's rules: one root, one operator, a cap.
pub(super) fn gate(wanted: &Wanted) -> Gate {
    Gate {
        schema: 1,
        trust_roots: vec![TrustRootEntry {
            certificate: STANDARD.encode(&wanted.operator_root),
            trust_domain: wanted.trust_domain.clone(),
            accept_athenz_common_name: false,
        }],
        identities: vec![RegisteredIdentity {
            identity: wanted.operator_identity.clone(),
            role: Role::Operator,
        }],
        revocations: Revocations::default(),
        limits: Limits {
            max_hosts: wanted.max_hosts,
            images: None,
            // Hosts come and go here all the time; suites about the budget set their own.
            destruction: Some(Destruction { hosts_per_hour: 10_000, share_per_hour_percent: 100 }),
        },
    }
}

/// Writes both.
pub(super) async fn write(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    foundation: &Foundation,
    gate: &Gate,
) -> Result<()> {
    put(s3, bucket, ZONE_KEY, foundation).await?;
    put(s3, bucket, GATE_KEY, gate).await
}

async fn put(s3: &aws_sdk_s3::Client, bucket: &str, key: &str, object: &impl Serialize) -> Result<()> {
    let body = serde_json::to_vec_pretty(object)?;
    s3.put_object()
        .bucket(bucket)
        .key(key)
        .content_type("application/json")
        .body(body.into())
        .send()
        .await
        .with_context(|| format!("cannot write {key}"))?;
    Ok(())
}
