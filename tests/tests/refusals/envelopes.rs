//! Messages that are no envelope, or none that can be opened.

use anyhow::Result;
use enclave_protocol::code::Code;
use enclave_protocol::envelope::{Envelope, MAX_CERTIFICATES, MAX_ENVELOPE_DEPTH, MAX_MESSAGE_BYTES};
use enclave_protocol::request::REQUEST_PAYLOAD_TYPE;
use serde_json::{Value, json};

use crate::case::Case;
use crate::forge::{altered, nested};
use crate::orders::{describe, provision};
use crate::zone::Zone;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_envelope_is_logged_and_counted_and_never_answered() -> Result<()> {
    let zone = Zone::start().await?;
    let good = || zone.server.sign(zone.server.request(describe()));
    let provision = zone.server.sign(zone.server.request(provision(&zone, 1)))?;
    let unsigned = String::from_utf8(provision.payload.clone())?;
    let not =
        |name: &str, body: &str| Case::unanswered(name, body, Code::MalformedEnvelope, "not an envelope");
    let large = padded(&good()?, MAX_MESSAGE_BYTES + 1);
    let deep = altered(&good()?, |body| body["note"] = nested(MAX_ENVELOPE_DEPTH))?;
    let without = |field: &str| altered(&good()?, |body| drop(body.as_object_mut().unwrap().remove(field)));
    zone.refuses([
        not("not JSON", "launch a host, please"),
        not("half an envelope", &provision.to_json()[..200]),
        not("two envelopes", &format!("{}{}", good()?.to_json(), good()?.to_json())),
        not("a text", "\"provision_hosts\""),
        not("a number", "42"),
        not("null", "null"),
        not("a list", "[]"),
        not("an envelope in a list", &json!([provision]).to_string()),
        not("an empty object", "{}"),
        not("an unsigned request", &unsigned),
        not("no payload", &without("payload")?),
        not("no payload type", &without("payloadType")?),
        not("no signatures", &without("signatures")?),
        not(
            "a tick with an order",
            &json!({ "tick": "1", "order": { "action": "provision_hosts" } }).to_string(),
        ),
        Case::unanswered(
            "64 KiB and one byte",
            large,
            Code::MessageTooLarge,
            "at most 65536 bytes, got 65537",
        ),
        Case::unanswered("a large tick", large_tick(), Code::MessageTooLarge, "at most 65536 bytes, got"),
        Case::unanswered("a deep envelope", deep, Code::NestedTooDeep, "deeper than 8 levels"),
        Case::unanswered(
            "30000 open brackets",
            "[".repeat(30_000),
            Code::NestedTooDeep,
            "deeper than 8 levels",
        ),
    ])
    .await?;

    zone.accepts("no fault at all", &good()?.to_json()).await?;
    zone.accepts("64 KiB exactly", &padded(&good()?, MAX_MESSAGE_BYTES)).await?;
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_that_is_faulty_is_answered_by_the_hash_of_its_body() -> Result<()> {
    let zone = Zone::start().await?;
    // An order, so that an envelope wrongly taken would show.
    let good = || zone.server.sign(zone.server.request(provision(&zone, 1)));
    let with = |change: &dyn Fn(&mut Value)| altered(&good()?, change);
    let malformed = |name: &str, naming: &str, change: &dyn Fn(&mut Value)| {
        anyhow::Ok(Case::by_body(name, with(change)?, Code::MalformedEnvelope, naming))
    };
    let second = good()?;
    let signature = |body: &Value| body["signatures"][0].clone();
    let types = ["application/vnd.enclave.request.v2+json", "application/json", ""];
    for other in types {
        let body = with(&|body| body["payloadType"] = json!(other))?;
        zone.refuses([Case::by_body(
            &format!("payload type {other:?}"),
            body,
            Code::WrongPayloadType,
            format!("got {other:?}"),
        )])
        .await?;
    }
    let two = with(&|body| body["signatures"] = json!([signature(body), signature(body)]))?;
    let of_another = altered(&good()?, |body| {
        let other = serde_json::to_value(&second).unwrap();
        body["signatures"].as_array_mut().unwrap().push(signature(&other));
    })?;
    let none = with(&|body| body["signatures"] = json!([]))?;
    let no_certificate = with(&|body| body["certificate_chain"] = json!([]))?;
    let five = with(&|body| {
        let chain = body["certificate_chain"].as_array_mut().unwrap();
        let last = chain.last().unwrap().clone();
        chain.resize(MAX_CERTIFICATES + 1, last);
    })?;
    zone.refuses([
        Case::by_body("two signatures", two, Code::WrongSignatureCount, "got 2"),
        Case::by_body("a second, other signature", of_another, Code::WrongSignatureCount, "got 2"),
        Case::by_body("no signature", none, Code::WrongSignatureCount, "got 0"),
        Case::by_body("no certificate", no_certificate, Code::WrongCertificateCount, "got 0"),
        Case::by_body("five certificates", five, Code::WrongCertificateCount, "got 5"),
        malformed("an unknown field", "`colour`", &|body| body["colour"] = json!("blue"))?,
        malformed("an unknown field in the signature", "`algorithm`", &|body| {
            body["signatures"][0]["algorithm"] = json!("none");
        })?,
        malformed("no certificate chain", "`certificate_chain`", &|body| {
            body.as_object_mut().unwrap().remove("certificate_chain");
        })?,
        malformed("a payload that is not base64", "payload is not standard base64", &|body| {
            body["payload"] = json!("{\"order\":{}}");
        })?,
        malformed("a payload in lax base64", "payload is not standard base64", &|body| {
            body["payload"] = json!(format!("{}\n", body["payload"].as_str().unwrap()));
        })?,
        malformed("a signature that is not base64", "sig is not standard base64", &|body| {
            body["signatures"][0]["sig"] = json!("-_-_");
        })?,
        malformed("a certificate in PEM", "certificate_chain[1] is not standard base64", &|body| {
            body["certificate_chain"][1] = json!(zone.enclave.operator_ca().certificate_pem());
        })?,
        malformed("a payload that is an object", "invalid type: map", &|body| body["payload"] = json!({}))?,
        malformed("a signature that is a text", "invalid type: string", &|body| {
            body["signatures"] = json!("signed");
        })?,
    ])
    .await?;

    let plan = zone.server.sign(zone.plan(provision(&zone, 1)))?;
    zone.accepts("no fault at all", &plan.to_json()).await?;
    let keyid = altered(&zone.server.sign(zone.plan(provision(&zone, 1)))?, |body| {
        body["signatures"][0]["keyid"] = json!("is ignored");
        assert_eq!(body["payloadType"], REQUEST_PAYLOAD_TYPE);
    })?;
    zone.accepts("a key id", &keyid).await?;
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_altered_after_it_was_signed_is_refused() -> Result<()> {
    let zone = Zone::start().await?;
    let good = || zone.server.sign(zone.plan(provision(&zone, 1)));
    let forged = |name: &str, change: &dyn Fn(&mut Envelope)| {
        let mut envelope = good()?;
        change(&mut envelope);
        anyhow::Ok(Case::by_body(name, envelope.to_json(), Code::BadSignature, "the signature does not fit"))
    };
    let other = good()?;
    zone.refuses([
        forged("mode apply instead of plan", &|envelope| {
            let payload = String::from_utf8(envelope.payload.clone()).unwrap();
            let apply = payload.replace("\"mode\":\"plan\"", "\"mode\":\"apply\"");
            assert_ne!(apply, payload);
            envelope.payload = apply.into_bytes();
        })?,
        forged("one space more in the payload", &|envelope| envelope.payload.push(b' '))?,
        forged("no payload", &|envelope| envelope.payload.clear())?,
        forged("a bit of the signature", &|envelope| *envelope.signature.last_mut().unwrap() ^= 1)?,
        forged("a byte after the signature", &|envelope| envelope.signature.push(0))?,
        forged("half a signature", &|envelope| envelope.signature.truncate(envelope.signature.len() / 2))?,
        forged("no bytes of signature", &|envelope| envelope.signature.clear())?,
        forged("the signature of another request", &|envelope| {
            envelope.signature.clone_from(&other.signature);
        })?,
    ])
    .await?;
    zone.accepts("no fault at all", &good()?.to_json()).await?;
    zone.end().await
}

/// An envelope with as much space behind it as makes it so long.
fn padded(envelope: &Envelope, bytes: usize) -> String {
    let body = envelope.to_json();
    let space = " ".repeat(bytes - body.len());
    body + &space
}

fn large_tick() -> String {
    json!({ "tick": "x".repeat(MAX_MESSAGE_BYTES) }).to_string()
}
