//! Attestation: what a running host must be before it is handed over.

use enclave_protocol::names::ImageId;

use super::ObservedHost;
use crate::creation::ReplaceRootVolume;
use crate::foundation::Foundation;

/// What a look at one host alone showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEvidence {
    /// Its volumes.
    pub volumes: Vec<VolumeEvidence>,
    /// SHA-256 of its user data (decoded), in hexadecimal.
    pub user_data_sha256: String,
}

/// One attached volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeEvidence {
    /// Its id.
    pub volume_id: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The key it is encrypted with.
    pub kms_key_arn: Option<String>,
    /// Its type, e.g. `gp3`.
    pub volume_type: String,
    /// Whether it goes with its host.
    pub goes_with_host: bool,
}

impl HostEvidence {
    /// Whether the look shows all of the host's volumes; reads of a new host can lag behind each other.
    pub fn is_complete_for(&self, host: &ObservedHost) -> bool {
        !host.volume_ids.is_empty()
            && host.volume_ids.iter().all(|id| self.volumes.iter().any(|volume| volume.volume_id == *id))
    }
}

/// Compares a running host with the foundation; says everything that is wrong with it.
///
/// `images` is the list in force: the foundation's, narrowed by the gate.
pub fn attest(
    host: &ObservedHost,
    evidence: &HostEvidence,
    foundation: &Foundation,
    images: &[ImageId],
) -> Result<(), Vec<String>> {
    let zone = foundation.availability_zones.get(&host.availability_zone);
    let came_from = zone.map(|zone| CameFrom {
        launch_template: Some((zone.launch_template_id.clone(), zone.launch_template_version)),
        user_data_sha256: &zone.user_data_sha256,
    });
    let faults = faults(host, evidence, foundation, images, came_from.as_ref());
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Compares a rebuilt host with the foundation, with the order, and with what it was before.
///
/// AWS says that the new root volume is of the type of the old one and goes with the host as that did, that it is
/// encrypted with the same key where the old one was encrypted, and that the instance then shows the new image
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/replace-root.html>). Launch template and user data are compared with
/// those before: the foundation's may have moved on since the host was launched.
pub fn attest_rebuilt(
    host: &ObservedHost,
    evidence: &HostEvidence,
    rebuild: &ReplaceRootVolume,
    foundation: &Foundation,
    images: &[ImageId],
) -> Result<(), Vec<String>> {
    let before = &rebuild.before;
    let came_from = CameFrom {
        launch_template: before.launch_template.clone(),
        user_data_sha256: &before.user_data_sha256,
    };
    let mut faults = faults(host, evidence, foundation, images, Some(&came_from));
    if host.image != rebuild.image {
        faults.push(format!("its image is {}, not {}", host.image, rebuild.image));
    }
    match host.root_volume_id.as_ref() {
        None => faults.push("it has no root volume".to_owned()),
        Some(id) if *id == before.root_volume_id => faults.push(format!("its root volume is still {id}")),
        Some(id) => {
            for volume in evidence.volumes.iter().filter(|volume| volume.volume_id == *id) {
                if volume.volume_type != before.root_volume_type {
                    let (is, was) = (&volume.volume_type, &before.root_volume_type);
                    faults.push(format!("its root volume {id} is of type {is}, not {was}"));
                }
                if volume.goes_with_host != before.root_volume_goes_with_host {
                    let word = if volume.goes_with_host { "would" } else { "would not" };
                    faults.push(format!("its root volume {id} {word} be deleted with it"));
                }
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What a host should have been launched with.
struct CameFrom<'a> {
    launch_template: Option<(String, u64)>,
    user_data_sha256: &'a str,
}

fn faults(
    host: &ObservedHost,
    evidence: &HostEvidence,
    foundation: &Foundation,
    images: &[ImageId],
    came_from: Option<&CameFrom<'_>>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut demand = |holds: bool, fault: String| {
        if !holds {
            faults.push(fault);
        }
    };

    let public = host.public_ipv4.as_deref();
    demand(public.is_none(), format!("it has the public IPv4 address {}", public.unwrap_or_default()));
    demand(host.primary_ipv6.is_some(), "it has no primary IPv6 address".to_owned());
    demand(host.interfaces == 1, format!("it has {} network interfaces", host.interfaces));
    demand(host.imds_token_required, "its metadata service does not require tokens (IMDSv2)".to_owned());
    let key_pair = host.key_pair.as_deref();
    demand(key_pair.is_none(), format!("it has the key pair {}", key_pair.unwrap_or_default()));
    demand(images.contains(&host.image), format!("its image {} is not on the list", host.image));
    let groups: Vec<&str> = host.security_group_ids.iter().map(String::as_str).collect();
    demand(
        groups == [foundation.host_security_group_id.as_str()],
        format!("its security groups are {groups:?}, not {:?}", foundation.host_security_group_id),
    );
    demand(
        host.instance_profile_arn.as_ref() == Some(&foundation.instance_profile_arn),
        format!("its instance profile is {:?}", host.instance_profile_arn),
    );
    match foundation.availability_zones.get(&host.availability_zone).zip(came_from) {
        None => demand(false, format!("it is in {}, which the zone does not have", host.availability_zone)),
        Some((zone, came_from)) => {
            let template = &came_from.launch_template;
            demand(
                host.launch_template == *template,
                format!("its launch template is {:?}, not {template:?}", host.launch_template),
            );
            demand(
                host.subnet_id == zone.host_subnet_id,
                format!("its subnet is {}, not {}", host.subnet_id, zone.host_subnet_id),
            );
            demand(
                evidence.user_data_sha256 == came_from.user_data_sha256,
                "its user data is not the template's".to_owned(),
            );
        }
    }
    demand(!evidence.volumes.is_empty(), "no volume of it can be seen".to_owned());
    for id in &host.volume_ids {
        let seen = evidence.volumes.iter().any(|volume| volume.volume_id == *id);
        demand(seen || evidence.volumes.is_empty(), format!("its volume {id} cannot be seen"));
    }
    for volume in &evidence.volumes {
        demand(volume.encrypted, format!("its volume {} is not encrypted", volume.volume_id));
        demand(
            volume.kms_key_arn.as_ref() == Some(&foundation.volume_kms_key_arn),
            format!("its volume {} is encrypted with {:?}", volume.volume_id, volume.kms_key_arn),
        );
    }
    faults
}
