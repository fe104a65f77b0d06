//! Payloads that were well signed, but are no request.

use anyhow::Result;
use enclave_client::Signer;
use enclave_protocol::code::Code;
use enclave_protocol::request::{MAX_DEPTH, MAX_HOSTS, Request};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::case::Case;
use crate::forge::{nested, signed_by};
use crate::orders::{balance, deprovision, describe, provision, stranger};
use crate::zone::Zone;

/// Makes cases: the same request, each time new, with one change.
struct Forger<'a> {
    signer: &'a Signer,
    request: &'a dyn Fn() -> Request,
    code: Code,
}

impl Forger<'_> {
    fn case(&self, name: &str, naming: &str, change: impl FnOnce(&mut Value)) -> Result<Case> {
        let body = signed_by(self.signer, (self.request)(), change)?.to_json();
        Ok(Case::by_body(name, body, self.code, naming))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_no_request_is_refused_by_the_name_of_the_field() -> Result<()> {
    let zone = Zone::start().await?;
    let signer = zone.server.signer();
    let request = || zone.server.request(provision(&zone, 1));
    let malformed = Forger { signer, request: &request, code: Code::MalformedRequest };
    let balanced = || zone.server.request(balance(&[]));
    let link = Forger { request: &balanced, ..malformed };
    let unknown = Forger { code: Code::UnknownAction, ..malformed };
    let deep = Forger { code: Code::NestedTooDeep, ..malformed };
    let raw = |name: &str, payload: &str| {
        let body = signer.sign_payload(payload.as_bytes().to_vec())?.to_json();
        anyhow::Ok(Case::by_body(name, body, Code::MalformedRequest, "not a request"))
    };
    let twice = serde_json::to_string(&request())?.replacen("\"count\":1", "\"count\":1,\"count\":2", 1);
    let trailing = format!("{}{{}}", serde_json::to_string(&request())?);
    let remove =
        |field: &'static str| move |payload: &mut Value| drop(payload.as_object_mut().unwrap().remove(field));
    zone.refuses([
        raw("not JSON", "launch a host, please")?,
        raw("empty", "")?,
        raw("an empty object", "{}")?,
        raw("not UTF-8 in its encoding", "\u{feff}{}")?,
        raw("a field twice", &twice)?,
        raw("something after the request", &trailing)?,
        malformed.case("an unknown field", "`colour`", |payload| payload["colour"] = json!("blue"))?,
        malformed.case("an unknown field of the order", "`disk_gb`", |payload| {
            payload["order"]["disk_gb"] = json!(8);
        })?,
        malformed.case("an unknown field of the audience", "`vpc`", |payload| {
            payload["audience"]["vpc"] = json!("");
        })?,
        malformed.case("no tenant", "`tenant`", remove("tenant"))?,
        malformed.case("no order", "`order`", remove("order"))?,
        malformed.case("no action", "`action`", |payload| {
            payload["order"].as_object_mut().unwrap().remove("action");
        })?,
        malformed.case("no mode", "`mode`", remove("mode"))?,
        malformed.case("an unknown mode", "`force`", |payload| payload["mode"] = json!("force"))?,
        malformed
            .case("a count in words", "\"three\"", |payload| payload["order"]["count"] = json!("three"))?,
        malformed.case("a negative count", "`-1`", |payload| payload["order"]["count"] = json!(-1))?,
        malformed.case("half a host", "`0.5`", |payload| payload["order"]["count"] = json!(0.5))?,
        malformed.case("a count beyond all numbers", "4294967297", |payload| {
            payload["order"]["count"] = json!(4_294_967_297_u64);
        })?,
        malformed.case("an image that is a path", "\"../ami\"", |payload| {
            payload["order"]["image"] = json!("../ami");
        })?,
        malformed.case("an application of two labels", "\"acme.shop\"", |payload| {
            payload["order"]["application"] = json!("acme.shop");
        })?,
        malformed.case("a tenant in capitals", "\"ACME\"", |payload| payload["tenant"] = json!("ACME"))?,
        malformed
            .case("an id that is none", "not a request", |payload| payload["request_id"] = json!("1"))?,
        malformed
            .case("a time that is none", "not a request", |payload| payload["issued_at"] = json!("today"))?,
        link.case("a link for everybody", "\"*\"", |payload| {
            payload["order"]["private_link"] = json!({ "allowed_principals": ["*"] });
        })?,
        link.case("a link for a pattern", "arn:aws:iam::*:root", |payload| {
            payload["order"]["private_link"] = json!({ "allowed_principals": ["arn:aws:iam::*:root"] });
        })?,
        link.case("an unknown field of a link", "`private_dns_name`", |payload| {
            payload["order"]["private_link"] = json!({ "private_dns_name": "a.example" });
        })?,
        unknown.case("an unknown action", "\"launch_missiles\"", |payload| {
            payload["order"]["action"] = json!("launch_missiles");
        })?,
        unknown.case("an action in capitals", "\"PROVISION_HOSTS\"", |payload| {
            payload["order"]["action"] = json!("PROVISION_HOSTS");
        })?,
        unknown.case("no action's name", "\"\"", |payload| payload["order"]["action"] = json!(""))?,
        deep.case("a deep payload", "deeper than 16 levels", |payload| payload["note"] = nested(MAX_DEPTH))?,
    ])
    .await?;
    zone.accepts("no fault at all", &zone.signed(zone.plan(provision(&zone, 1)))?).await?;
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_its_bounds_is_refused_by_the_value() -> Result<()> {
    let zone = Zone::start().await?;
    let signer = zone.server.signer();
    let launch = || zone.server.request(provision(&zone, 1));
    let terminate = || zone.server.request(deprovision(&[stranger()]));
    let balance = || zone.server.request(balance(&[]));
    let provision_hosts = Forger { signer, request: &launch, code: Code::InvalidRequest };
    let deprovision_hosts = Forger { request: &terminate, ..provision_hosts };
    let load_balancer = Forger { request: &balance, ..provision_hosts };
    let (old, nil) = (Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef), Uuid::nil());
    let hosts = |count: usize| -> Vec<String> { (0..count).map(|index| format!("i-{index:017x}")).collect() };
    let zones = |zones: Value| move |payload: &mut Value| payload["order"]["availability_zones"] = zones;
    let types = |types: Value| move |payload: &mut Value| payload["order"]["instance_types"] = types;
    let count = |count: u32| move |payload: &mut Value| payload["order"]["count"] = json!(count);
    zone.refuses([
        provision_hosts.case("count 0", "count must be 1 to 1000, got 0", count(0))?,
        provision_hosts.case("count 1001", "count must be 1 to 1000, got 1001", count(1001))?,
        provision_hosts.case("a count of all numbers", "got 4294967295", count(u32::MAX))?,
        provision_hosts.case(
            "no instance type",
            "instance_types must be 1 to 16, got 0",
            types(json!([])),
        )?,
        provision_hosts.case(
            "an instance type twice",
            "\"m7g.large\"",
            types(json!(["m7g.large", "m7g.large"])),
        )?,
        provision_hosts.case(
            "no availability zone",
            "availability_zones must be 1 to 16, got 0",
            zones(json!([])),
        )?,
        provision_hosts.case("a zone twice", "\"us-east-1a\"", zones(json!(["us-east-1a", "us-east-1a"])))?,
        provision_hosts.case("an id that is no UUIDv7", &old.to_string(), |payload| {
            payload["request_id"] = json!(old);
        })?,
        provision_hosts
            .case("the id of nothing", &nil.to_string(), |payload| payload["request_id"] = json!(nil))?,
        provision_hosts.case(
            "no time to finish",
            "deadline_seconds must be 1 to 86400, got 0",
            |payload| {
                payload["deadline_seconds"] = json!(0);
            },
        )?,
        provision_hosts.case("two days to finish", "got 172800", |payload| {
            payload["deadline_seconds"] = json!(172_800);
        })?,
        deprovision_hosts.case("no host", "host_ids must be 1 to 1000, got 0", |payload| {
            payload["order"]["host_ids"] = json!([]);
        })?,
        deprovision_hosts.case("a host twice", stranger().as_str(), |payload| {
            payload["order"]["host_ids"] = json!([stranger(), stranger()]);
        })?,
        deprovision_hosts.case("1001 hosts", "host_ids must be 1 to 1000, got 1001", |payload| {
            payload["order"]["host_ids"] = json!(hosts(MAX_HOSTS + 1));
        })?,
        load_balancer.case("no endpoint", "endpoints must be 1 to 50, got 0", |payload| {
            payload["order"]["endpoints"] = json!([]);
        })?,
        load_balancer.case("a port twice", "443", |payload| {
            let endpoint = payload["order"]["endpoints"][0].clone();
            payload["order"]["endpoints"] = json!([endpoint, endpoint]);
        })?,
        load_balancer
            .case("port 0", "got 0", |payload| payload["order"]["endpoints"][0]["port"] = json!(0))?,
        load_balancer.case("nobody to link to", "allowed_principals must be 1 to 50, got 0", |payload| {
            payload["order"]["private_link"] = json!({ "allowed_principals": [] });
        })?,
        load_balancer.case("an hour and a second of draining", "0 to 3600, got 3601", |payload| {
            payload["order"]["deregistration_delay_seconds"] = json!(3601);
        })?,
        load_balancer.case(
            "a timeout longer than the interval",
            "at most the interval of 5, got 6",
            |payload| {
                payload["order"]["health_check"] = json!({
                    "protocol": "tcp", "interval_seconds": 5, "timeout_seconds": 6,
                    "healthy_threshold": 2, "unhealthy_threshold": 2,
                });
            },
        )?,
        load_balancer.case("a target twice", stranger().as_str(), |payload| {
            payload["order"]["targets"] = json!([stranger(), stranger()]);
        })?,
    ])
    .await?;
    zone.accepts("no fault at all", &zone.signed(zone.plan(provision(&zone, 1)))?).await?;
    zone.accepts(
        "the least time to finish",
        &zone.forged(zone.server.request(describe()), |payload| {
            payload["deadline_seconds"] = json!(1);
        })?,
    )
    .await?;
    zone.end().await
}
