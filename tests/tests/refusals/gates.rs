//! Requests that were well signed and well bound, by somebody who may give no orders; and gates that let nobody in.

use std::sync::Arc;

use anyhow::Result;
use enclave_client::Signer;
use enclave_gate::GATE_KEY;
use enclave_gate::rules::{Gate, RegisteredIdentity, Role};
use enclave_protocol::code::Code;
use enclave_tests::operator_ca::{LeafOptions, TRUST_DOMAIN};
use jiff::{SignedDuration, Timestamp};
use rcgen::PublicKeyData;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::case::Case;
use crate::forge::{signed_by, signer};
use crate::orders::{describe, provision};
use crate::zone::Zone;

/// A name, what the refusal names, and what is done to a good gate.
type GateChange = (&'static str, &'static str, fn(&mut Value));

impl Zone {
    async fn gate(&self, change: impl FnOnce(&mut Gate)) -> Result<()> {
        let mut gate = self.enclave.made().gate.clone();
        change(&mut gate);
        self.tenant_puts(GATE_KEY, serde_json::to_vec(&gate)?).await
    }
}

fn claimed_by(zone: &Zone, signer: &Signer, name: &str, code: Code, naming: &str) -> Result<Case> {
    let body = signed_by(signer, zone.server.request(provision(zone, 1)), |_| ())?.to_json();
    Ok(Case::claimed(name, body, code, naming))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_registered_to_give_orders_is_refused() -> Result<()> {
    let zone = Zone::start().await?;
    let good = LeafOptions::configuration_server(&zone.server.enclave().zone);
    let uri = |path: &str| format!("spiffe://{TRUST_DOMAIN}/{path}");
    let named = |uri: &str| {
        let options = LeafOptions { uris: vec![uri.to_owned()], ..good.clone() };
        anyhow::Ok(signer(&zone.enclave.operator_ca().issue(options)?)?)
    };
    let (stranger, host, tenant) = (uri("configserver/other"), uri("host/1"), uri("tenant/admin"));
    let prefix = uri("configserver");
    let register = |identity: &str, role: Role| RegisteredIdentity { identity: identity.to_owned(), role };
    zone.gate(|gate| gate.identities.extend([register(&host, Role::Host), register(&tenant, Role::Tenant)]))
        .await?;

    let unknown = Code::UnknownIdentity;
    zone.refuses([
        claimed_by(&zone, &named(&stranger)?, "not registered", unknown, &stranger)?,
        claimed_by(&zone, &named(&prefix)?, "the beginning of a registered name", unknown, &prefix)?,
        claimed_by(&zone, &named(&host)?, "a host", unknown, &format!("{host} is a host"))?,
        // Not even what changes nothing.
        Case::claimed(
            "a host that only asks",
            signed_by(&named(&host)?, zone.server.request(describe()), |_| ())?.to_json(),
            unknown,
            &host,
        ),
        Case::claimed(
            "a stranger who only plans",
            signed_by(&named(&stranger)?, zone.plan(provision(&zone, 1)), |_| ())?.to_json(),
            unknown,
            &stranger,
        ),
    ])
    .await?;
    let twin =
        |signer: &Signer| anyhow::Ok(signed_by(signer, zone.plan(provision(&zone, 1)), |_| ())?.to_json());
    zone.accepts("the operator", &twin(zone.server.signer())?).await?;
    zone.accepts("the tenant", &twin(&named(&tenant)?)?).await?;
    // Registered now, the stranger is one no more.
    zone.gate(|gate| gate.identities.push(register(&stranger, Role::Operator))).await?;
    zone.accepts("registered since", &twin(&named(&stranger)?)?).await?;
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_revoked_is_refused() -> Result<()> {
    let zone = Zone::start().await?;
    let operator = zone.enclave.operator();
    let own = zone.enclave.made().gate.identities[0].identity.clone();
    let key = hex::encode(Sha256::digest(operator.key().subject_public_key_info()));
    let good = LeafOptions::configuration_server(&zone.server.enclave().zone);
    let renewed = signer(&zone.enclave.operator_ca().issue(good.clone())?)?;
    let same_key = signer(
        &zone.enclave.operator_ca().issue(LeafOptions { key: Some(Arc::clone(operator.key())), ..good })?,
    )?;
    let first = zone.server.signer();
    let refused =
        |signer: &Signer, name: &str, naming: &str| claimed_by(&zone, signer, name, Code::Revoked, naming);
    let plan =
        |signer: &Signer| anyhow::Ok(signed_by(signer, zone.plan(provision(&zone, 1)), |_| ())?.to_json());

    zone.accepts("before", &plan(first)?).await?;
    zone.gate(|gate| gate.revocations.identities.push(own.clone())).await?;
    zone.refuses([
        refused(first, "a revoked identity", &own)?,
        refused(&renewed, "a revoked identity with a new key", &own)?,
    ])
    .await?;

    for listed in [key.clone(), key.to_uppercase()] {
        zone.gate(|gate| gate.revocations.key_sha256.push(listed)).await?;
        zone.refuses([
            refused(first, "a revoked key", &key)?,
            refused(&same_key, "a revoked key in a new certificate", &key)?,
        ])
        .await?;
        zone.accepts("a new key", &plan(&renewed)?).await?;
    }

    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    zone.gate(|gate| gate.revocations.issued_before = Some(tomorrow)).await?;
    zone.refuses([refused(first, "everything issued before tomorrow", &tomorrow.to_string())?]).await?;
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    zone.gate(|gate| gate.revocations.issued_before = Some(yesterday)).await?;
    zone.accepts("issued since", &plan(first)?).await?;
    zone.gate(|_| ()).await?;
    zone.accepts("after", &plan(first)?).await?;
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_gate_everything_is_refused() -> Result<()> {
    let zone = Zone::start().await?;
    let good = serde_json::to_value(&zone.enclave.made().gate)?;
    let denied = |name: &str, naming: &str| {
        let body = zone.signed(zone.server.request(provision(&zone, 1)))?;
        anyhow::Ok(Case::by_body(name, body, Code::GateInvalid, naming).also_counted("GateInvalid"))
    };
    let accepted = async |name: &str| {
        zone.tenant_puts(GATE_KEY, good.to_string()).await?;
        zone.accepts(name, &zone.signed(zone.plan(provision(&zone, 1)))?).await
    };
    zone.tenant_deletes(GATE_KEY).await?;
    zone.refuses([denied("missing", "v1/gate.json is missing")?]).await?;
    // What cannot be opened anyway is told so, and a tick or a host event does not mind.
    zone.refuses([Case::unanswered(
        "missing, no envelope",
        "{}",
        Code::MalformedEnvelope,
        "not an envelope",
    )])
    .await?;
    assert!(zone.tick().await?.consumed);
    accepted("restored").await?;

    let raw = ["", "{", "[]", "null", "not JSON"];
    for text in raw {
        zone.tenant_puts(GATE_KEY, text).await?;
        zone.refuses([denied(&format!("gate {text:?}"), "the gate cannot be read")?]).await?;
    }
    let changes: [GateChange; 8] = [
        ("an unknown field", "`permit_all`", |gate| gate["permit_all"] = json!(true)),
        ("another schema", "schema 2", |gate| gate["schema"] = json!(2)),
        ("no root", "no trust root", |gate| gate["trust_roots"] = json!([])),
        ("no limits", "`limits`", |gate| drop(gate.as_object_mut().unwrap().remove("limits"))),
        ("an unknown role", "`admin`", |gate| gate["identities"][0]["role"] = json!("admin")),
        ("a root that is not base64", "trust root 0", |gate| {
            gate["trust_roots"][0]["certificate"] = json!("%");
        }),
        ("a root that is no certificate", "trust root 0", |gate| {
            gate["trust_roots"][0]["certificate"] = json!("Zm9v");
        }),
        ("a second root that is no certificate", "trust root 1", |gate| {
            let mut second = gate["trust_roots"][0].clone();
            second["certificate"] = json!("Zm9v");
            gate["trust_roots"].as_array_mut().unwrap().push(second);
        }),
    ];
    let mut faults = Vec::new();
    for (name, naming, change) in changes {
        let mut gate = good.clone();
        change(&mut gate);
        zone.tenant_puts(GATE_KEY, gate.to_string()).await?;
        if let Err(error) = zone.refuses([denied(name, naming)?]).await {
            faults.push(format!("{error:#}"));
        }
    }
    accepted("restored again").await?;
    zone.end().await?;
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}
