//! Previews: all waves at once.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::generate::{NOW, at, desired, host, hosts, known, observed_host, owner};
use super::generate_balancing::balancing;
use crate::reconcile::{Desired, InstanceState, Limits, ObservedBalancing, Plan, effect, plan, preview};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_preview_is_all_waves_one_after_the_other(
        desired in desired(), hosts in hosts(), balancing in balancing(),
    ) {
        let limits = Limits::default();
        let seen = known(hosts, balancing);
        let mut expected = Plan::default();
        let mut observed = seen.clone();
        loop {
            let wave = plan(&desired, &observed, &limits, at(NOW));
            expected.findings.clone_from(&wave.findings);
            if wave.steps.is_empty() {
                break;
            }
            observed = wave.steps.iter().fold(observed, effect);
            expected.steps.extend(wave.steps);
        }
        prop_assert_eq!(&preview(&desired, &seen, &limits, at(NOW)), &expected);
    }
}

#[test]
fn a_preview_changes_nothing_that_was_seen() {
    let request = Uuid::from_u128(1);
    let seen = known(
        BTreeMap::from([(host(1), observed_host(InstanceState::Running, request, &owner(0)))]),
        ObservedBalancing::default(),
    );
    let wanted = Desired { terminated: [host(1)].into(), ..Desired::default() };
    let before = seen.clone();
    let planned = preview(&wanted, &seen, &Limits::default(), at(NOW));
    let summaries: Vec<String> = planned.steps.iter().map(super::super::Step::summary).collect();
    assert_eq!(summaries, ["terminate i-00000000000000001"]);
    assert_eq!(seen, before);
}
