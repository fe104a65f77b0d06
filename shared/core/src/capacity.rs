//! Where hosts can be launched from: instance types that fit what is asked for, and pools without room.

use enclave_protocol::names::InstanceType;
use enclave_protocol::request::{Architecture, MAX_INSTANCE_TYPES, Resources};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::creation::Pool;

/// How long a pool that had no room is left alone, by every request (`aws/karpenter-provider-aws`,
/// `pkg/cache/cache.go`).
pub const POOL_MEMORY: SignedDuration = SignedDuration::from_mins(3);

/// How long what AWS says of its instance types is believed.
const CATALOGUE_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// An instance type has at most this many times the processors and the memory asked for: a lack of room never buys
/// machines of another size.
const MOST_TIMES_LARGER: u64 = 2;

/// Key of what is known of a pool's room.
pub fn pool_key(pool: &Pool) -> String {
    format!("state/v1/capacity/{}.{}.json", pool.instance_type, pool.availability_zone)
}

/// Key of the catalogue of instance types.
pub const CATALOGUE_KEY: &str = "state/v1/instance-types.json";

/// A pool that is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosedPool {
    /// The pool.
    pub pool: Pool,
    /// Until when it is believed to have no room.
    pub until: Timestamp,
    /// What AWS said.
    pub why: String,
}

impl ClosedPool {
    /// The pool had no room at `at`.
    pub fn at(pool: Pool, at: Timestamp, why: impl Into<String>) -> Self {
        Self { pool, until: at + POOL_MEMORY, why: why.into() }
    }
}

/// What AWS offers in the region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// When it was read.
    pub read_at: Timestamp,
    /// The instance types that can be hosts.
    pub instance_types: Vec<InstanceTypeFacts>,
}

impl Catalogue {
    /// Whether it has to be read anew.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        now.duration_since(self.read_at) > CATALOGUE_LIFETIME
    }
}

/// What a choice of instance types stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceTypeFacts {
    /// Its name.
    pub name: InstanceType,
    /// Virtual processors.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Its own disks together, in GB; 0 where it has none.
    pub disk_gb: u64,
    /// What it runs.
    pub architecture: Architecture,
}

/// The instance types that fit, at most 16: the smallest first, of equal size the newest, then the plainest.
///
/// `root_volume_gib` is the smallest root volume among the availability zones that may be used: where it is too small,
/// only types with enough disk of their own fit.
pub fn choose(
    resources: &Resources,
    root_volume_gib: u32,
    catalogue: &[InstanceTypeFacts],
) -> Vec<InstanceType> {
    let vcpu = u64::from(resources.vcpu);
    let memory_mib = u64::from(resources.memory_gib) * 1024;
    let fits = |facts: &&InstanceTypeFacts| {
        facts.architecture == resources.architecture
            && (vcpu..=vcpu * MOST_TIMES_LARGER).contains(&u64::from(facts.vcpu))
            && (memory_mib..=memory_mib * MOST_TIMES_LARGER).contains(&facts.memory_mib)
            && (holds(root_volume_gib, resources.disk_gb) || facts.disk_gb >= u64::from(resources.disk_gb))
    };
    let mut fitting: Vec<&InstanceTypeFacts> = catalogue.iter().filter(fits).collect();
    fitting.sort_by_key(|facts| {
        let name = facts.name.as_str();
        (facts.vcpu, facts.memory_mib, std::cmp::Reverse(generation(name)), name.len(), name.to_owned())
    });
    fitting.into_iter().take(MAX_INSTANCE_TYPES).map(|facts| facts.name.clone()).collect()
}

fn holds(volume_gib: u32, disk_gb: u32) -> bool {
    u64::from(volume_gib) << 30 >= u64::from(disk_gb) * 1_000_000_000
}

/// The generation in a type's name: 7 of `m7g.large`, the first number after the family's letters
/// (<https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>).
fn generation(name: &str) -> u32 {
    let digits = name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit);
    digits.filter_map(|digit| digit.to_digit(10)).fold(0, |number, digit| number * 10 + digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts(name: &str, vcpu: u32, memory_gib: u64, disk_gb: u64) -> InstanceTypeFacts {
        let architecture = if name.split('.').next().unwrap().contains('g') {
            Architecture::Arm64
        } else {
            Architecture::X86_64
        };
        InstanceTypeFacts {
            name: name.parse().unwrap(),
            vcpu,
            memory_mib: memory_gib * 1024,
            disk_gb,
            architecture,
        }
    }

    fn catalogue() -> Vec<InstanceTypeFacts> {
        vec![
            facts("r7g.xlarge", 4, 32, 0),
            facts("m7gd.xlarge", 4, 16, 237),
            facts("c7g.2xlarge", 8, 16, 0),
            facts("m6g.xlarge", 4, 16, 0),
            facts("m7i.xlarge", 4, 16, 0),
            facts("m7g.xlarge", 4, 16, 0),
            facts("m7g.4xlarge", 16, 64, 0),
        ]
    }

    fn asked(vcpu: u32, memory_gib: u32, disk_gb: u32) -> Resources {
        Resources { vcpu, memory_gib, disk_gb, architecture: Architecture::Arm64 }
    }

    fn chosen(resources: &Resources, root_volume_gib: u32) -> Vec<String> {
        choose(resources, root_volume_gib, &catalogue()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_smallest_come_first_then_the_newest_then_the_plainest() {
        let all = ["m7g.xlarge", "m7gd.xlarge", "m6g.xlarge", "r7g.xlarge", "c7g.2xlarge"];
        assert_eq!(chosen(&asked(4, 16, 50), 50), all);
    }

    #[test]
    fn where_the_root_volume_is_too_small_the_types_own_disk_must_do() {
        // 50 GiB are 53.7 GB.
        assert_eq!(chosen(&asked(4, 16, 53), 50).len(), 5);
        assert_eq!(chosen(&asked(4, 16, 54), 50), ["m7gd.xlarge"]);
        assert_eq!(chosen(&asked(4, 16, 238), 50), Vec::<String>::new());
    }

    #[test]
    fn another_architecture_is_never_chosen() {
        let x86 = Resources { architecture: Architecture::X86_64, ..asked(4, 16, 10) };
        assert_eq!(chosen(&x86, 50), ["m7i.xlarge"]);
    }

    #[test]
    fn a_generation_is_the_first_number_of_a_name() {
        for (name, expected) in
            [("m7g.large", 7), ("u-6tb1.112xlarge", 6), ("m10g.2xlarge", 10), ("x.large", 0)]
        {
            assert_eq!(generation(name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_chosen_is_large_enough_and_at_most_twice_as_large(
            sizes in prop::collection::vec((1_u32..64, 1_u64..256, 0_u64..500), 0..40),
            vcpu in 1_u32..64, memory_gib in 1_u32..256, disk_gb in 1_u32..500, root in 1_u32..400,
        ) {
            let catalogue: Vec<_> = (0..)
                .zip(&sizes)
                .map(|(i, (vcpu, gib, disk))| facts(&format!("m7g{i}.large"), *vcpu, *gib, *disk))
                .collect();
            let asked = asked(vcpu, memory_gib, disk_gb);
            let names = choose(&asked, root, &catalogue);
            prop_assert!(names.len() <= MAX_INSTANCE_TYPES);
            for name in names {
                let found = catalogue.iter().find(|facts| facts.name == name).unwrap();
                prop_assert!((vcpu..=2 * vcpu).contains(&found.vcpu));
                let gib = u32::try_from(found.memory_mib / 1024).unwrap();
                prop_assert!((memory_gib..=2 * memory_gib).contains(&gib));
                let root_gb = f64::from(root) * 1.073_741_824;
                prop_assert!(root_gb >= f64::from(disk_gb) || found.disk_gb >= u64::from(disk_gb));
            }
        }
    }
}
