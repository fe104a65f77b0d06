//! Each promise is broken once.

use serde_json::json;

use super::*;
use crate::account::{SeenBalancer, SeenHost, SeenVolume};

const HOST: &str = "i-01234567";

fn account() -> Snapshot {
    let host = SeenHost {
        state: "running".to_owned(),
        primary_ipv6: Some("2001:db8::1".parse().unwrap()),
        public_ipv4: None,
        imdsv2_required: true,
    };
    let volume = SeenVolume { encrypted: true, key: Some("key".to_owned()), hosts: [HOST.to_owned()].into() };
    let balancer = SeenBalancer {
        state: "active".to_owned(),
        scheme: "internet-facing".to_owned(),
        listeners: [(443, "group".to_owned())].into(),
    };
    Snapshot {
        hosts: [(HOST.to_owned(), host)].into(),
        volumes: [("vol-1".to_owned(), volume)].into(),
        balancers: [("balancer".to_owned(), balancer)].into(),
        target_groups: [("group".to_owned(), [HOST.to_owned()].into())].into(),
    }
}

fn checks(seen: &Snapshot) -> Vec<Check> {
    let host = json!({ "host_id": HOST, "state": "ready", "ipv6_address": "2001:db8::1" });
    let balancer = json!({
        "name": "b", "arn": "balancer", "state": "active", "scheme": "public", "targets": [HOST],
        "endpoints": [{ "port": 443, "protocol": "tcp", "target_port": 8443 }],
    });
    let hosts = of_hosts(seen, &[serde_json::from_value(host).unwrap()], "key");
    hosts.into_iter().chain(of_balancer(seen, &serde_json::from_value(balancer).unwrap())).collect()
}

/// The promises broken by one change to a good account.
fn broken(change: impl FnOnce(&mut Snapshot)) -> Vec<String> {
    let mut seen = account();
    change(&mut seen);
    checks(&seen).into_iter().filter(|check| check.fault.is_some()).map(|check| check.promise).collect()
}

fn change_host(change: impl FnOnce(&mut SeenHost)) -> Vec<String> {
    broken(|seen| change(seen.hosts.get_mut(HOST).unwrap()))
}

fn change_volume(change: impl FnOnce(&mut SeenVolume)) -> Vec<String> {
    broken(|seen| change(seen.volumes.get_mut("vol-1").unwrap()))
}

fn change_balancer(change: impl FnOnce(&mut SeenBalancer)) -> Vec<String> {
    broken(|seen| change(seen.balancers.get_mut("balancer").unwrap()))
}

#[test]
fn a_good_account_keeps_every_promise() {
    assert_eq!(broken(|_| ()), Vec::<String>::new());
}

#[test]
fn every_promise_about_hosts_can_be_broken() {
    assert_eq!(change_host(|host| host.state = "pending".to_owned()), ["every one of them is running"]);
    let address = ["every one has a primary IPv6 address, the one its reply named"];
    assert_eq!(change_host(|host| host.primary_ipv6 = None), address);
    assert_eq!(change_host(|host| host.primary_ipv6 = Some("2001:db8::2".parse().unwrap())), address);
    let public = change_host(|host| host.public_ipv4 = Some("192.0.2.1".to_owned()));
    assert_eq!(public, ["none has a public IPv4 address"]);
    assert_eq!(change_host(|host| host.imdsv2_required = false), ["every one requires IMDSv2"]);
    let stranger = broken(|seen| drop(seen.hosts.insert("i-89abcdef".to_owned(), seen.hosts[HOST].clone())));
    assert!(stranger[0].starts_with("EC2 has exactly"), "{stranger:?}");
}

#[test]
fn the_promise_about_volumes_can_be_broken() {
    let promise = ["every volume (1) is encrypted with the tenant's key"];
    assert_eq!(change_volume(|volume| volume.encrypted = false), promise);
    assert_eq!(change_volume(|volume| volume.key = Some("another".to_owned())), promise);
    assert_eq!(change_volume(|volume| volume.hosts.clear()), promise);
}

#[test]
fn every_promise_about_the_balancer_can_be_broken() {
    let state = ["it is active and faces the internet"];
    assert_eq!(change_balancer(|balancer| balancer.state = "provisioning".to_owned()), state);
    assert_eq!(change_balancer(|balancer| balancer.scheme = "internal".to_owned()), state);
    let ports = change_balancer(|balancer| drop(balancer.listeners.insert(80, "group".to_owned())));
    assert!(ports[0].starts_with("it listens on exactly"), "{ports:?}");
    let another = broken(|seen| drop(seen.balancers.insert("another".to_owned(), SeenBalancer::default())));
    assert_eq!(another, ["ELBv2 has exactly the load balancer that the reply named"]);
    let group = broken(|seen| drop(seen.target_groups.insert("another".to_owned(), BTreeSet::new())));
    assert_eq!(group, ["there is no target group beside its own"]);
    let targets = broken(|seen| seen.target_groups.get_mut("group").unwrap().clear());
    assert_eq!(targets, ["behind them are exactly the hosts that were named"]);
}

#[test]
fn whatever_is_left_is_found() {
    let line = Line::default();
    assert!(nothing_left(&Snapshot::default(), &line).iter().all(|check| check.fault.is_none()));
    let broken = nothing_left(&account(), &line).into_iter().filter(|check| check.fault.is_some()).count();
    assert_eq!(broken, 4);
}
