//! Lines as people type them, and the orders they stand for.

use clap::CommandFactory;
use serde_json::{Value, json};

use super::*;

fn parsed(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split_whitespace())
}

fn order(line: &str) -> Value {
    let Command::Request(request) = parsed(line).unwrap().command else { panic!("{line}") };
    serde_json::to_value(request.order()).unwrap()
}

const CLUSTER: &str = "--application acme.shop.default --cluster content";

#[test]
fn the_commands_are_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn each_action_stands_for_its_order() {
    let provision = format!(
        "enclavectl --enclave r.json request provision-hosts {CLUSTER} --count 3 --instance-type m7g.large \
         --instance-type m6g.large --image ami-0123456789abcdef0 --mode plan --json"
    );
    assert_eq!(
        order(&provision),
        json!({
            "action": "provision_hosts", "application": "acme.shop.default", "cluster": "content", "count": 3,
            "instance_types": ["m7g.large", "m6g.large"], "image": "ami-0123456789abcdef0",
        })
    );
    let needs = "--vcpu 4 --memory-gib 16 --disk-gb 100 --architecture arm64";
    let sized = format!(
        "enclavectl request provision-hosts {CLUSTER} --count 3 {needs} --image ami-0123456789abcdef0"
    );
    assert_eq!(
        order(&sized),
        json!({
            "action": "provision_hosts", "application": "acme.shop.default", "cluster": "content", "count": 3,
            "resources": {"vcpu": 4, "memory_gib": 16, "disk_gb": 100, "architecture": "arm64"},
            "image": "ami-0123456789abcdef0",
        })
    );
    assert!(parsed(&format!("{sized} --instance-type m7g.large")).is_err(), "types and resources");
    assert!(parsed(&sized.replace("--disk-gb 100", "")).is_err(), "half of the resources");
    let zones = format!("{provision} --availability-zone us-east-1a --availability-zone us-east-1b");
    assert_eq!(order(&zones)["availability_zones"], json!(["us-east-1a", "us-east-1b"]));
    assert_eq!(
        order(&format!("enclavectl request deprovision-hosts {CLUSTER} --host-id i-01234567")),
        json!({
            "action": "deprovision_hosts", "application": "acme.shop.default", "cluster": "content",
            "host_ids": ["i-01234567"],
        })
    );
    assert_eq!(
        order(&format!(
            "enclavectl request configure-load-balancer {CLUSTER} --endpoint 443:8443 --endpoint 80:8080/tcp \
             --target i-01234567"
        )),
        json!({
            "action": "configure_load_balancer", "application": "acme.shop.default", "cluster": "content",
            "endpoints": [
                { "port": 443, "protocol": "tcp", "target_port": 8443 },
                { "port": 80, "protocol": "tcp", "target_port": 8080 },
            ],
            "scheme": "public", "targets": ["i-01234567"],
        })
    );
    let remove = format!("enclavectl request remove-load-balancer {CLUSTER}");
    assert_eq!(order(&remove)["action"], "remove_load_balancer");
    assert_eq!(order(&remove).get("name"), None);
    assert_eq!(order(&format!("{remove} --name enc-0a1b2c-0123"))["name"], "enc-0a1b2c-0123");
    let rebuild = format!(
        "enclavectl request rebuild-hosts {CLUSTER} --host-id i-01234567 --host-id i-00000001 --image ami-01234567"
    );
    assert_eq!(
        order(&rebuild),
        json!({
            "action": "rebuild_hosts", "application": "acme.shop.default", "cluster": "content",
            "host_ids": ["i-01234567", "i-00000001"], "image": "ami-01234567",
        })
    );
    assert_eq!(order(&format!("{rebuild} --at-a-time 3"))["at_a_time"], 3);
    assert_eq!(order("enclavectl request describe"), json!({ "action": "describe" }));
    assert_eq!(order("enclavectl request describe --after i-01234567")["after"], "i-01234567");
}

#[test]
fn options_are_read_before_and_after_the_action() {
    for line in [
        "enclavectl --enclave r.json --json request --mode plan --deadline-seconds 90 describe",
        "enclavectl request describe --mode plan --deadline-seconds 90 --enclave r.json --json",
    ] {
        let arguments = parsed(line).unwrap();
        assert!(arguments.json);
        assert_eq!(arguments.enclave, Some("r.json".into()));
        let Command::Request(request) = arguments.command else { panic!("{line}") };
        assert_eq!(request.mode(), Mode::Plan);
        assert_eq!(request.deadline_seconds, Some(90));
        assert_eq!(request.wait_seconds(), 150);
    }
    let Command::Request(request) = parsed("enclavectl request describe").unwrap().command else { panic!() };
    assert_eq!((request.mode(), request.wait_seconds()), (Mode::Apply, 1860));
    let Command::Request(request) = parsed("enclavectl request describe --wait-seconds 5").unwrap().command
    else {
        panic!()
    };
    assert_eq!(request.wait_seconds(), 5);
}

#[test]
fn wrong_arguments_are_named() {
    let provision = format!(
        "enclavectl request provision-hosts {CLUSTER} --instance-type m7g.large --image ami-01234567 --count"
    );
    for (line, needle) in [
        (format!("{provision} 0"), "0 is not in 1..=1000"),
        (format!("{provision} 1001"), "1001 is not in 1..=1000"),
        (
            "enclavectl request deprovision-hosts --application acme --cluster c --host-id i-1".to_owned(),
            "\"acme\"",
        ),
        (format!("enclavectl request deprovision-hosts {CLUSTER}"), "--host-id"),
        (
            format!(
                "enclavectl request rebuild-hosts {CLUSTER} --host-id i-01234567 --image ami-01234567 --at-a-time 101"
            ),
            "101 is not in 1..=100",
        ),
        (format!("enclavectl request configure-load-balancer {CLUSTER} --endpoint 443"), "PORT:TARGET_PORT"),
        (
            format!("enclavectl request configure-load-balancer {CLUSTER} --endpoint 1:2 --private-link *"),
            "\"*\"",
        ),
        (format!("enclavectl request remove-load-balancer {CLUSTER} --name a_b"), "\"a_b\""),
        ("enclavectl request describe --mode dry-run".to_owned(), "dry-run"),
        ("enclavectl request describe --deadline-seconds 0".to_owned(), "0 is not in"),
        ("enclavectl watch --wait-seconds 0".to_owned(), "0 is not in"),
        ("enclavectl freeze --who me".to_owned(), "--why"),
        ("enclavectl freeze --who me --why x --until tomorrow".to_owned(), "tomorrow"),
    ] {
        let refused = parsed(&line).unwrap_err();
        assert!(refused.use_stderr());
        assert!(refused.to_string().contains(needle), "{line}: {refused}");
    }
    assert!(!parsed("enclavectl --help").unwrap_err().use_stderr());
}

#[test]
fn help_lists_the_exit_codes() {
    for line in ["enclavectl --help", "enclavectl request --help", "enclavectl -h"] {
        let help = parsed(line).unwrap_err().to_string();
        assert!(help.contains("4  no final reply in time"), "{help}");
    }
}
