//! Attestation: a right host passes, and each fault is named alone.

use std::collections::BTreeMap;

use enclave_protocol::names::ImageId;
use enclave_protocol::request::Audience;
use uuid::Uuid;

use super::generate::{observed_host, owner};
use crate::creation::{HostBefore, ReplaceRootVolume};
use crate::foundation::{Foundation, ZoneFoundation};
use crate::reconcile::{HostEvidence, InstanceState, ObservedHost, VolumeEvidence, attest, attest_rebuilt};

fn foundation() -> Foundation {
    let zone = |suffix: &str| ZoneFoundation {
        host_subnet_id: format!("subnet-{suffix}"),
        balancer_subnet_id: format!("subnet-lb-{suffix}"),
        launch_template_id: format!("lt-{suffix}"),
        launch_template_version: 7,
        user_data_sha256: "user-data".to_owned(),
        root_volume_gib: 50,
    };
    Foundation {
        schema: 1,
        tenant: "acme".parse().unwrap(),
        audience: Audience {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            zone: "test.aws-us-east-1a".to_owned(),
            enclave_id: "e-1".to_owned(),
        },
        vpc_id: "vpc".to_owned(),
        host_security_group_id: "sg-hosts".to_owned(),
        balancer_security_group_id: "sg-now".to_owned(),
        instance_profile_arn: "arn:profile".to_owned(),
        volume_kms_key_arn: "arn:key".to_owned(),
        availability_zones: BTreeMap::from([
            ("us-east-1a".parse().unwrap(), zone("a")),
            ("us-east-1b".parse().unwrap(), zone("b")),
        ]),
        images: images(),
    }
}

fn images() -> Vec<ImageId> {
    vec!["ami-0123456789abcdef0".parse().unwrap()]
}

fn right_host() -> ObservedHost {
    observed_host(InstanceState::Running, Uuid::from_u128(1), &owner(0))
}

fn volume(id: &str) -> VolumeEvidence {
    VolumeEvidence {
        volume_id: id.to_owned(),
        encrypted: true,
        kms_key_arn: Some("arn:key".to_owned()),
        volume_type: "gp3".to_owned(),
        goes_with_host: true,
    }
}

fn right_evidence() -> HostEvidence {
    HostEvidence { volumes: vec![volume("vol-1")], user_data_sha256: "user-data".to_owned() }
}

#[test]
fn a_host_that_is_as_it_must_be_passes() {
    assert_eq!(attest(&right_host(), &right_evidence(), &foundation(), &images()), Ok(()));
}

#[test]
fn each_single_fault_of_a_host_is_named_alone() {
    type Spoil = fn(&mut ObservedHost);
    let faults: [(Spoil, &str); 13] = [
        (|h| h.public_ipv4 = Some("192.0.2.1".to_owned()), "it has the public IPv4 address 192.0.2.1"),
        (|h| h.primary_ipv6 = None, "it has no primary IPv6 address"),
        (|h| h.interfaces = 2, "it has 2 network interfaces"),
        (|h| h.interfaces = 0, "it has 0 network interfaces"),
        (|h| h.imds_token_required = false, "its metadata service does not require tokens (IMDSv2)"),
        (|h| h.key_pair = Some("laptop".to_owned()), "it has the key pair laptop"),
        (
            |h| h.image = "ami-00000000000000bad".parse().unwrap(),
            "its image ami-00000000000000bad is not on the list",
        ),
        (
            |h| h.security_group_ids = ["sg-other".to_owned()].into(),
            r#"its security groups are ["sg-other"], not "sg-hosts""#,
        ),
        (
            |h| {
                h.security_group_ids.insert("sg-open".to_owned());
            },
            r#"its security groups are ["sg-hosts", "sg-open"], not "sg-hosts""#,
        ),
        (|h| h.instance_profile_arn = None, "its instance profile is None"),
        (
            |h| h.launch_template = Some(("lt-a".to_owned(), 8)),
            r#"its launch template is Some(("lt-a", 8)), not Some(("lt-a", 7))"#,
        ),
        (|h| h.launch_template = None, r#"its launch template is None, not Some(("lt-a", 7))"#),
        (|h| h.subnet_id = "subnet-public".to_owned(), "its subnet is subnet-public, not subnet-a"),
    ];
    for (spoil, fault) in faults {
        let mut host = right_host();
        spoil(&mut host);
        assert_eq!(attest(&host, &right_evidence(), &foundation(), &images()), Err(vec![fault.to_owned()]),);
    }
}

#[test]
fn each_single_fault_that_only_a_closer_look_shows_is_named_alone() {
    type Spoil = fn(&mut HostEvidence);
    let faults: [(Spoil, &str); 5] = [
        (|e| e.volumes.clear(), "no volume of it can be seen"),
        (|e| e.volumes[0].encrypted = false, "its volume vol-1 is not encrypted"),
        (
            |e| e.volumes[0].kms_key_arn = Some("arn:aws".to_owned()),
            r#"its volume vol-1 is encrypted with Some("arn:aws")"#,
        ),
        (
            |e| {
                e.volumes.push(volume("vol-2"));
                e.volumes[1].kms_key_arn = None;
            },
            "its volume vol-2 is encrypted with None",
        ),
        (|e| e.user_data_sha256 = "other".to_owned(), "its user data is not the template's"),
    ];
    for (spoil, fault) in faults {
        let mut evidence = right_evidence();
        spoil(&mut evidence);
        assert_eq!(attest(&right_host(), &evidence, &foundation(), &images()), Err(vec![fault.to_owned()]),);
    }
}

#[test]
fn a_host_in_a_zone_that_the_enclave_does_not_have_is_not_right() {
    let mut host = right_host();
    host.availability_zone = "us-east-1f".parse().unwrap();
    assert_eq!(
        attest(&host, &right_evidence(), &foundation(), &images()),
        Err(vec!["it is in us-east-1f, which the zone does not have".to_owned()]),
    );
}

#[test]
fn a_template_of_another_zone_of_the_enclave_is_not_the_hosts() {
    let mut host = right_host();
    host.availability_zone = "us-east-1b".parse().unwrap();
    let faults = attest(&host, &right_evidence(), &foundation(), &images()).unwrap_err();
    assert_eq!(
        faults,
        [
            r#"its launch template is Some(("lt-a", 7)), not Some(("lt-b", 7))"#,
            "its subnet is subnet-a, not subnet-b",
        ],
    );
}

#[test]
fn the_list_in_force_counts_and_not_the_foundations() {
    assert_eq!(
        attest(&right_host(), &right_evidence(), &foundation(), &[]),
        Err(vec!["its image ami-0123456789abcdef0 is not on the list".to_owned()]),
    );
}

#[test]
fn several_faults_are_all_named() {
    let mut host = right_host();
    host.primary_ipv6 = None;
    host.imds_token_required = false;
    let mut evidence = right_evidence();
    evidence.volumes[0].encrypted = false;
    assert_eq!(
        attest(&host, &evidence, &foundation(), &images()).unwrap_err(),
        [
            "it has no primary IPv6 address",
            "its metadata service does not require tokens (IMDSv2)",
            "its volume vol-1 is not encrypted",
        ],
    );
}

#[test]
fn a_volume_that_the_host_has_and_the_closer_look_did_not_show_is_not_vouched_for() {
    let mut host = right_host();
    host.volume_ids.push("vol-2".to_owned());
    assert!(attest(&host, &right_evidence(), &foundation(), &images()).is_err());
}

fn rebuild() -> ReplaceRootVolume {
    ReplaceRootVolume {
        client_token: "t".to_owned(),
        host: super::generate::host(1),
        image: images()[0].clone(),
        tags: BTreeMap::new(),
        before: HostBefore {
            root_volume_id: "vol-old".to_owned(),
            root_volume_type: "gp3".to_owned(),
            root_volume_goes_with_host: true,
            launch_template: Some(("lt-a".to_owned(), 7)),
            user_data_sha256: "user-data".to_owned(),
        },
    }
}

fn attested_again(
    spoil_host: fn(&mut ObservedHost),
    spoil_evidence: fn(&mut HostEvidence),
) -> Result<(), Vec<String>> {
    let (mut host, mut evidence) = (right_host(), right_evidence());
    spoil_host(&mut host);
    spoil_evidence(&mut evidence);
    attest_rebuilt(&host, &evidence, &rebuild(), &foundation(), &images())
}

#[test]
fn a_rebuilt_host_that_is_as_it_must_be_passes() {
    assert_eq!(attested_again(|_| (), |_| ()), Ok(()));
}

#[test]
fn each_single_fault_of_a_rebuilt_host_is_named_alone() {
    type Spoil = (fn(&mut ObservedHost), fn(&mut HostEvidence), &'static str);
    let faults: [Spoil; 8] = [
        (|_| (), |e| e.volumes[0].encrypted = false, "its volume vol-1 is not encrypted"),
        (
            |_| (),
            |e| e.volumes[0].kms_key_arn = Some("arn:aws".to_owned()),
            r#"its volume vol-1 is encrypted with Some("arn:aws")"#,
        ),
        (
            |_| (),
            |e| e.volumes[0].volume_type = "gp2".to_owned(),
            "its root volume vol-1 is of type gp2, not gp3",
        ),
        (
            |_| (),
            |e| e.volumes[0].goes_with_host = false,
            "its root volume vol-1 would not be deleted with it",
        ),
        (|h| h.root_volume_id = None, |_| (), "it has no root volume"),
        (
            |h| h.launch_template = Some(("lt-a".to_owned(), 8)),
            |_| (),
            r#"its launch template is Some(("lt-a", 8)), not Some(("lt-a", 7))"#,
        ),
        (|_| (), |e| e.user_data_sha256 = "other".to_owned(), "its user data is not the template's"),
        (|h| h.primary_ipv6 = None, |_| (), "it has no primary IPv6 address"),
    ];
    for (spoil_host, spoil_evidence, fault) in faults {
        assert_eq!(attested_again(spoil_host, spoil_evidence), Err(vec![fault.to_owned()]));
    }
}

#[test]
fn a_host_that_still_has_its_old_volume_or_image_is_not_rebuilt() {
    let mut old = rebuild();
    old.before.root_volume_id = "vol-1".to_owned();
    let judged =
        |rebuild| attest_rebuilt(&right_host(), &right_evidence(), &rebuild, &foundation(), &images());
    assert_eq!(judged(old), Err(vec!["its root volume is still vol-1".to_owned()]));
    let other = ReplaceRootVolume { image: "ami-00000002".parse().unwrap(), ..rebuild() };
    let fault = "its image is ami-0123456789abcdef0, not ami-00000002".to_owned();
    assert_eq!(judged(other), Err(vec![fault]));
}

#[test]
fn a_rebuilt_host_keeps_the_template_it_was_launched_from_when_the_foundation_moves_on() {
    let mut later = foundation();
    let zone = later.availability_zones.get_mut(&"us-east-1a".parse().unwrap()).unwrap();
    zone.launch_template_version = 8;
    zone.user_data_sha256 = "newer".to_owned();
    let judged = attest_rebuilt(&right_host(), &right_evidence(), &rebuild(), &later, &images());
    assert_eq!(judged, Ok(()));
    assert!(attest(&right_host(), &right_evidence(), &later, &images()).is_err(), "a new host must be of it");
}
