//! Reading envelopes: bounds first, then shape.

use enclave_protocol::code::Code;
use enclave_protocol::envelope::{Envelope, MAX_CERTIFICATE_BYTES, MAX_MESSAGE_BYTES, pae};
use enclave_protocol::request::REQUEST_PAYLOAD_TYPE;
use serde_json::{Value, json};

fn sound() -> Value {
    json!({
        "payloadType": REQUEST_PAYLOAD_TYPE,
        "payload": "aGVsbG8=",
        "signatures": [{ "keyid": "ignored", "sig": "c2ln" }],
        "certificate_chain": ["bGVhZg=="],
    })
}

fn refused(body: &str) -> (Code, bool) {
    let error = Envelope::parse(body).unwrap_err();
    assert!(!error.message.is_empty() && error.message.len() < 400, "{}", error.message);
    (error.code, error.answerable())
}

fn changed(change: impl FnOnce(&mut Value)) -> (Code, bool) {
    let mut envelope = sound();
    change(&mut envelope);
    refused(&envelope.to_string())
}

#[test]
fn the_encoding_to_sign_is_that_of_the_dsse_specification() {
    // The test vector of https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md#test-vectors
    let encoded = pae("http://example.com/HelloWorld", b"hello world");
    assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
}

#[test]
fn a_sound_envelope_reads_and_writes_back() {
    let envelope = Envelope::parse(&sound().to_string()).unwrap();
    assert_eq!(envelope.payload, b"hello");
    assert_eq!(envelope.signature, b"sig");
    assert_eq!(envelope.certificate_chain, [b"leaf".to_vec()]);
    assert_eq!(envelope.pae(), pae(REQUEST_PAYLOAD_TYPE, b"hello"));
    assert_eq!(envelope.sha256().len(), 64);
    assert_eq!(Envelope::parse(&envelope.to_json()).unwrap(), envelope);
    let stored: Envelope = serde_json::from_str(&serde_json::to_string(&envelope).unwrap()).unwrap();
    assert_eq!(stored, envelope);
}

#[test]
fn the_largest_message_is_64_kib() {
    let padded = |length: usize| format!("{}{}", sound(), " ".repeat(length - sound().to_string().len()));
    Envelope::parse(&padded(MAX_MESSAGE_BYTES)).unwrap();
    assert_eq!(refused(&padded(MAX_MESSAGE_BYTES + 1)), (Code::MessageTooLarge, false));
}

#[test]
fn deep_nesting_is_refused_unparsed() {
    assert_eq!(refused(&"[".repeat(9)), (Code::NestedTooDeep, false));
    assert_eq!(refused(&"{\"a\":".repeat(10_000)), (Code::NestedTooDeep, false));
    let hidden = changed(|envelope| envelope["payload"] = json!("[".repeat(100)));
    assert_eq!(hidden, (Code::MalformedEnvelope, true));
}

#[test]
fn what_is_no_envelope_is_not_answered() {
    for body in ["", "hello", "null", "[]", "{}", "\u{feff}{}", "{\"payload\":\"\"}", "{\"kind\":\"tick\"}"] {
        assert_eq!(refused(body), (Code::MalformedEnvelope, false), "{body:?}");
    }
    assert_eq!(refused(&format!("{} {{}}", sound())), (Code::MalformedEnvelope, false));
}

#[test]
fn a_misshapen_envelope_is_answered() {
    let malformed = (Code::MalformedEnvelope, true);
    assert_eq!(changed(|e| e["extra"] = json!(1)), malformed);
    assert_eq!(changed(|e| e["signatures"][0]["alg"] = json!("none")), malformed);
    assert_eq!(changed(|e| e["signatures"] = json!("c2ln")), malformed);
    assert_eq!(changed(|e| e["payload"] = json!(7)), malformed);
    assert_eq!(changed(|e| drop(e.as_object_mut().unwrap().remove("certificate_chain"))), malformed);
    for text in ["aGVsbG8", "aGVsbG9=", "aGVs bG8=", "_-__", "aGVsbG8=\n"] {
        assert_eq!(changed(|e| e["payload"] = json!(text)), malformed, "{text:?}");
        assert_eq!(changed(|e| e["signatures"][0]["sig"] = json!(text)), malformed, "{text:?}");
        assert_eq!(changed(|e| e["certificate_chain"][0] = json!(text)), malformed, "{text:?}");
    }
    let twice = sound().to_string().replacen('{', "{\"payload\":\"\",", 1);
    assert_eq!(refused(&twice).0, Code::MalformedEnvelope);
}

#[test]
fn type_counts_and_sizes_have_codes_of_their_own() {
    let of_type = |text: &str| changed(|e| e["payloadType"] = json!(text));
    assert_eq!(of_type("application/vnd.enclave.request.v2+json"), (Code::WrongPayloadType, true));
    assert_eq!(of_type(""), (Code::WrongPayloadType, true));
    let signatures = |count| changed(|e| e["signatures"] = json!(vec![json!({ "sig": "c2ln" }); count]));
    assert_eq!(signatures(0), (Code::WrongSignatureCount, true));
    assert_eq!(signatures(2), (Code::WrongSignatureCount, true));
    let certificates = |count| changed(|e| e["certificate_chain"] = json!(vec!["bGVhZg=="; count]));
    assert_eq!(certificates(0), (Code::WrongCertificateCount, true));
    assert_eq!(certificates(5), (Code::WrongCertificateCount, true));

    let mut envelope = Envelope::parse(&sound().to_string()).unwrap();
    envelope.certificate_chain = vec![vec![0; MAX_CERTIFICATE_BYTES]; 4];
    Envelope::parse(&envelope.to_json()).unwrap();
    envelope.certificate_chain[3].push(0);
    assert_eq!(refused(&envelope.to_json()), (Code::CertificateTooLarge, true));
}
