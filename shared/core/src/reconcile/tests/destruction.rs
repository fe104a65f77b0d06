//! The destruction budget bounds what a plan terminates.

use std::collections::BTreeSet;

use enclave_protocol::names::HostId;
use proptest::collection::btree_set;
use proptest::prelude::*;
use uuid::Uuid;

use super::generate::{NOW, at, host, known, observed_host, owner, states};
use crate::reconcile::{
    Desired, DestructionBudget, Finding, InstanceState, Limits, Observed, ObservedBalancing, Plan, Step,
    effect, plan, preview,
};

fn limits(remaining: usize, counted: &BTreeSet<HostId>) -> Limits {
    let budget = DestructionBudget { remaining, counted: counted.clone() };
    Limits { destruction: Some(budget), ..Limits::default() }
}

fn running(count: u32) -> Observed {
    let running = observed_host(InstanceState::Running, Uuid::from_u128(1), &owner(0));
    known((0..count).map(|id| (host(id), running.clone())).collect(), ObservedBalancing::default())
}

fn terminated(plan: &Plan) -> Vec<HostId> {
    let hosts = |step: &Step| match step {
        Step::Terminate { hosts } => hosts.clone(),
        other => panic!("{other:?}"),
    };
    plan.steps.iter().flat_map(hosts).collect()
}

fn all(count: u32) -> Desired {
    Desired { terminated: (0..count).map(host).collect(), ..Desired::default() }
}

#[test]
fn a_plan_terminates_what_the_budget_leaves_and_says_how_many_wait() {
    let planned = plan(&all(5), &running(5), &limits(2, &[].into()), at(NOW));
    assert_eq!(terminated(&planned), [host(0), host(1)]);
    assert_eq!(planned.findings, [Finding::BudgetExceeded { held_back: 3 }]);
    let none = plan(&all(5), &running(5), &limits(0, &[].into()), at(NOW));
    assert_eq!((none.steps, none.findings), (vec![], vec![Finding::BudgetExceeded { held_back: 5 }]));
    let enough = plan(&all(5), &running(5), &limits(5, &[].into()), at(NOW));
    assert_eq!((terminated(&enough).len(), enough.findings), (5, vec![]));
}

#[test]
fn a_host_that_was_counted_is_terminated_again_for_nothing() {
    let planned = plan(&all(3), &running(3), &limits(0, &[host(2)].into()), at(NOW));
    assert_eq!(terminated(&planned), [host(2)]);
    assert_eq!(planned.findings, [Finding::BudgetExceeded { held_back: 2 }]);
}

#[test]
fn a_preview_spends_the_budget_once_over_all_its_waves() {
    let planned = preview(&all(5), &running(5), &limits(2, &[].into()), at(NOW));
    assert_eq!(terminated(&planned), [host(0), host(1)]);
    assert_eq!(planned.findings, [Finding::BudgetExceeded { held_back: 3 }]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_plan_goes_beyond_the_budget_and_none_stays_needlessly_below_it(
        states in proptest::collection::vec(states(), 9),
        wanted in btree_set(0..9_u32, 0..9),
        counted in btree_set(0..9_u32, 0..9),
        remaining in 0..9_usize,
    ) {
        let request = Uuid::from_u128(1);
        let hosts = (0..).zip(&states).map(|(id, state)| (host(id), observed_host(*state, request, &owner(0))));
        let seen = known(hosts.collect(), ObservedBalancing::default());
        let counted: BTreeSet<HostId> = counted.into_iter().map(host).collect();
        let live: BTreeSet<HostId> =
            wanted.iter().filter(|id| states[**id as usize].is_live()).map(|id| host(*id)).collect();
        let desired = Desired { terminated: wanted.into_iter().map(host).collect(), ..Desired::default() };
        let planned = plan(&desired, &seen, &limits(remaining, &counted), at(NOW));
        let ended: BTreeSet<HostId> = terminated(&planned).into_iter().collect();
        let paid = ended.difference(&counted).count();
        let owed = live.difference(&counted).count();
        prop_assert!(ended.is_subset(&live));
        prop_assert!(live.intersection(&counted).all(|host| ended.contains(host)));
        prop_assert_eq!(paid, owed.min(remaining));
        let held_back = planned.findings.contains(&Finding::BudgetExceeded { held_back: owed - paid });
        prop_assert_eq!(held_back, owed > paid);
        let then = planned.steps.iter().fold(seen, effect);
        let spent = counted.union(&ended).cloned().collect();
        let next = plan(&desired, &then, &limits(remaining - paid, &spent), at(NOW));
        prop_assert!(next.steps.is_empty(), "more than the budget over two waves: {:?}", next.steps);
    }
}
