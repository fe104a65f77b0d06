//! Steps for endpoint services, by example.

use super::balancing::{kinds, name, planned, removing, removing_only, there, wanting};
use super::generate::owner;
use super::generate_balancing::{OWN_ACCOUNT, principal};
use crate::reconcile::{
    BalancerState, Desired, DesiredPrivateLink, EndpointConnection, EndpointServiceState, Finding,
    ObservedBalancing, ObservedEndpointService, Plan, Step,
};

const SERVICE: &str = "vpce-svc-1";
const A: &str = "111111111111";
const B: &str = "222222222222";

fn linked(accounts: &[&str]) -> Desired {
    let mut desired = wanting(&[(443, 8080)], &[1]);
    desired.load_balancers[0].private_link = Some(DesiredPrivateLink {
        allowed_principals: accounts.iter().map(|account| principal(account)).collect(),
        acceptance_required: true,
        own_account: OWN_ACCOUNT.to_owned(),
    });
    desired
}

fn service(accounts: &[&str], connections: &[(&str, &str, bool)]) -> ObservedEndpointService {
    let connection = |(id, account, is_open): &(&str, &str, bool)| {
        ((*id).to_owned(), EndpointConnection { account: (*account).to_owned(), is_open: *is_open })
    };
    ObservedEndpointService {
        service_name: "com.amazonaws.vpce.us-east-1.vpce-svc-1".to_owned(),
        state: EndpointServiceState::Available,
        owner: Some(owner(0)),
        balancer: Some(name()),
        acceptance_required: true,
        ip_address_types: ["ipv4", "ipv6"].map(str::to_owned).into(),
        allowed_principals: accounts.iter().map(|account| principal(account).to_string()).collect(),
        connections: connections.iter().map(connection).collect(),
    }
}

/// The owner's balancer as wanted, with this service before it.
fn served(service: ObservedEndpointService) -> ObservedBalancing {
    let mut balancing = there(&[(443, 8080)], &[1]);
    balancing.endpoint_services.insert(SERVICE.to_owned(), service);
    balancing
}

fn change(add: &[&str], remove: &[&str]) -> Step {
    Step::ChangePrincipals {
        service: SERVICE.to_owned(),
        add: add.iter().map(|account| principal(account)).collect(),
        remove: remove.iter().map(|account| principal(account).to_string()).collect(),
    }
}

fn reject(endpoints: &[&str]) -> Step {
    let endpoints = endpoints.iter().map(|id| (*id).to_owned()).collect();
    Step::RejectConnections { service: SERVICE.to_owned(), endpoints }
}

fn waiting(on: &str) -> Plan {
    Plan { steps: vec![], findings: vec![Finding::Waiting { on: on.to_owned() }] }
}

#[test]
fn a_service_is_made_before_an_active_balancer_and_then_opened_to_its_principals() {
    assert_eq!(
        kinds(&linked(&[A]), there(&[(443, 8080)], &[1])),
        [["create_endpoint_service"], ["change_principals"]],
    );
    let mut provisioning = there(&[(443, 8080)], &[1]);
    provisioning.load_balancers.get_mut(&name()).unwrap().state = BalancerState::Provisioning;
    assert_eq!(planned(&linked(&[A]), provisioning).steps, []);
}

#[test]
fn a_service_that_is_as_wanted_needs_nothing() {
    let open = [("vpce-1", A, true), ("vpce-2", OWN_ACCOUNT, true), ("vpce-3", B, false)];
    assert!(planned(&linked(&[A]), served(service(&[A], &open))).is_converged());
}

#[test]
fn who_is_new_is_let_in_and_who_is_not_named_is_let_out_and_disconnected() {
    let open = [("vpce-1", A, true), ("vpce-2", B, true)];
    let planned = planned(&linked(&[B]), served(service(&[A], &open)));
    assert_eq!(planned.steps, [change(&[B], &[]), change(&[], &[A]), reject(&["vpce-1"])]);
}

#[test]
fn a_service_that_is_not_available_is_waited_for_and_not_opened() {
    let in_state = |state| served(ObservedEndpointService { state, ..service(&[], &[]) });
    assert_eq!(
        planned(&linked(&[A]), in_state(EndpointServiceState::Pending)),
        waiting("vpce-svc-1 to be available")
    );
    assert_eq!(
        planned(&linked(&[A]), in_state(EndpointServiceState::Failed)),
        waiting("vpce-svc-1, which AWS reports as failed")
    );
    assert_eq!(
        planned(&linked(&[A]), in_state(EndpointServiceState::Deleting)),
        waiting("vpce-svc-1 to be deleted")
    );
}

#[test]
fn whether_connections_are_accepted_by_hand_and_the_address_types_are_set_where_they_differ() {
    let types = ["ipv4".to_owned()].into();
    let found =
        ObservedEndpointService { acceptance_required: false, ip_address_types: types, ..service(&[A], &[]) };
    let configure = Step::ConfigureEndpointService {
        service: SERVICE.to_owned(),
        acceptance_required: true,
        add_ip_address_types: vec!["ipv6".to_owned()],
    };
    assert_eq!(planned(&linked(&[A]), served(found)).steps, [configure]);
}

#[test]
fn a_service_nobody_wants_any_more_goes_after_its_connections_and_the_balancer_stays() {
    let open = [("vpce-1", A, true), ("vpce-2", OWN_ACCOUNT, true), ("vpce-3", B, false)];
    let found = served(service(&[A, B], &open));
    let wanted = wanting(&[(443, 8080)], &[1]);
    assert_eq!(planned(&wanted, found.clone()).steps, [reject(&["vpce-1", "vpce-2"])]);
    assert_eq!(kinds(&wanted, found), [["reject_connections"], ["delete_endpoint_service"]]);
}

#[test]
fn a_removal_takes_the_service_before_the_listeners() {
    let found = served(service(&[A], &[("vpce-1", A, true)]));
    for removal in [removing(), removing_only(Some(name()))] {
        assert_eq!(
            kinds(&removal, found.clone()),
            [
                vec!["reject_connections"],
                vec!["delete_endpoint_service"],
                vec!["delete_listener"],
                vec!["delete_load_balancer"],
                vec!["delete_target_group"],
            ],
        );
    }
}

#[test]
fn a_service_that_is_being_deleted_is_waited_for_before_anything_of_its_balancer_goes() {
    let deleting = ObservedEndpointService { state: EndpointServiceState::Deleting, ..service(&[], &[]) };
    let planned = planned(&removing(), served(deleting));
    assert_eq!(planned.steps, []);
    assert!(!planned.is_converged());
}

#[test]
fn a_service_of_somebody_else_is_left_alone_and_what_it_holds_is_waited_for() {
    for foreign in [None, Some(owner(1))] {
        let found =
            served(ObservedEndpointService { owner: foreign, ..service(&[B], &[("vpce-1", B, true)]) });
        let planned = planned(&removing(), found);
        assert_eq!(planned.steps, []);
        assert!(!planned.is_converged());
    }
}

#[test]
fn of_two_services_the_second_goes() {
    let mut found = served(service(&[A], &[]));
    found.endpoint_services.insert("vpce-svc-2".to_owned(), service(&[A], &[]));
    let second = Step::DeleteEndpointService { service: "vpce-svc-2".to_owned() };
    assert_eq!(planned(&linked(&[A]), found).steps, [second]);
}

#[test]
fn an_orphaned_service_goes_with_a_removal_of_all() {
    let mut found = served(service(&[], &[]));
    found.load_balancers.clear();
    found.target_groups.clear();
    let delete = Step::DeleteEndpointService { service: SERVICE.to_owned() };
    assert_eq!(planned(&removing(), found.clone()).steps, [delete]);
    assert!(planned(&removing_only(Some("another".to_owned())), found).is_converged());
}

#[test]
fn many_connections_are_rejected_fifty_a_call() {
    let mut found = service(&[A], &[]);
    let connection = EndpointConnection { account: A.to_owned(), is_open: true };
    found.connections = (0..101).map(|id| (format!("vpce-{id:03}"), connection.clone())).collect();
    let sizes =
        planned(&wanting(&[(443, 8080)], &[1]), served(found)).steps.into_iter().map(|step| match step {
            Step::RejectConnections { endpoints, .. } => endpoints.len(),
            other => panic!("{other:?}"),
        });
    assert_eq!(sizes.collect::<Vec<_>>(), [50, 50, 1]);
}
