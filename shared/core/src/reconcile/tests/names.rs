//! Names in the account.

use enclave_protocol::request::{EndpointProtocol, Scheme};
use proptest::prelude::*;

use crate::reconcile::{BalancerNames, target_group_name};
use crate::tags::Owner;

fn owners() -> impl Strategy<Value = Owner> {
    ("[a-z][a-z0-9-]{0,9}", "[a-z][a-z0-9-]{0,9}", "[a-z][a-z0-9-]{0,9}", "[a-z][a-z0-9-]{0,62}").prop_map(
        |(tenant, application, instance, cluster)| Owner {
            application: format!("{tenant}.{application}.{instance}").parse().unwrap(),
            cluster: cluster.parse().unwrap(),
        },
    )
}

fn is_a_name(name: &str) -> bool {
    name.len() <= 32
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && !name.starts_with("internal-")
}

proptest! {
    #[test]
    fn every_name_is_one_that_aws_takes_and_begins_as_the_enclaves_do(
        enclave in ".{0,80}", owner in owners(), group in ".{0,30}", port in any::<u16>(),
    ) {
        let names = BalancerNames::new(&enclave);
        let balancer = names.load_balancer(&owner, Scheme::Public, &group);
        let target_group = target_group_name(&balancer, EndpointProtocol::Tcp, port);
        prop_assert!(is_a_name(&balancer), "{}", balancer);
        prop_assert!(is_a_name(&target_group), "{}", target_group);
        prop_assert!(names.contains(&balancer) && names.contains(&target_group));
        prop_assert_eq!(&balancer[..11], &target_group[..11]);
        prop_assert_ne!(&balancer, &target_group);
    }

    #[test]
    fn another_setting_that_cannot_be_changed_is_another_balancer(
        owner in owners(), other in owners(), group in "sg-[0-9a-f]{8}", other_group in "sg-[0-9a-f]{8}",
    ) {
        prop_assume!(owner.application != other.application && owner.cluster != other.cluster);
        prop_assume!(group != other_group);
        let names = BalancerNames::new("e-1");
        let base = names.load_balancer(&owner, Scheme::Public, &group);
        let application = Owner { application: other.application.clone(), cluster: owner.cluster.clone() };
        let cluster = Owner { application: owner.application.clone(), cluster: other.cluster };
        for changed in [
            names.load_balancer(&application, Scheme::Public, &group),
            names.load_balancer(&cluster, Scheme::Public, &group),
            names.load_balancer(&owner, Scheme::Public, &other_group),
        ] {
            prop_assert_ne!(&base, &changed);
        }
        prop_assert_eq!(&base, &names.load_balancer(&owner, Scheme::Public, &group));
    }

    #[test]
    fn another_port_or_balancer_is_another_target_group(a in any::<u16>(), b in any::<u16>()) {
        prop_assume!(a != b);
        let of = |balancer: &str, port| target_group_name(balancer, EndpointProtocol::Tcp, port);
        prop_assert_ne!(of("enc-012345-a", a), of("enc-012345-a", b));
        prop_assert_ne!(of("enc-012345-a", a), of("enc-012345-b", a));
    }

    #[test]
    fn the_names_of_another_enclave_are_not_contained(a in "[a-z]{1,20}", b in "[a-z]{1,20}", owner in owners()) {
        prop_assume!(a != b);
        let theirs = BalancerNames::new(&b).load_balancer(&owner, Scheme::Public, "sg-1");
        prop_assert!(!BalancerNames::new(&a).contains(&theirs));
    }
}

#[test]
fn a_name_that_only_resembles_ours_is_not_contained() {
    let names = BalancerNames::new("e-1");
    for name in ["", "enc-", "enc-000000-0123", "web", "ENC-e-1"] {
        assert!(!names.contains(name), "{name}");
    }
}

/// A change of the scheme of names would orphan every load balancer that exists.
#[test]
fn names_stay_what_they_were() {
    let owner =
        Owner { application: "acme.shop.default".parse().unwrap(), cluster: "content".parse().unwrap() };
    let balancer = BalancerNames::new("e-1").load_balancer(&owner, Scheme::Public, "sg-0123");
    let target_group = target_group_name(&balancer, EndpointProtocol::Tcp, 8080);
    assert_eq!(
        (balancer.as_str(), target_group.as_str()),
        ("enc-97c06d-4291ae8d74e083927f87", "enc-97c06d-02d56d1f094ea1576654")
    );
}
