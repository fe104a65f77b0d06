//! Requests that must not be obeyed, each with one thing wrong.

use anyhow::{Context, Result};
use enclave_client::{DEFAULT_VALIDITY_SECONDS, Template, request_at};
use enclave_protocol::code::Code;
use enclave_protocol::envelope::Envelope;
use enclave_protocol::names::ImageId;
use enclave_protocol::request::Request;
use enclave_tests::configuration_server::ConfigurationServer;
use enclave_tests::enclave::LocalEnclave;
use enclave_tests::operator_ca::{Ca, LeafOptions};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::orders;

/// How long ago the late request was signed: longer than it is valid.
const LATE: SignedDuration = SignedDuration::from_mins(20);

/// One bad request.
pub(crate) struct Attack {
    /// Its name.
    pub(crate) name: &'static str,
    /// What is wrong with it.
    pub(crate) wrong: String,
    /// What is sent.
    pub(crate) envelope: Envelope,
    /// The code it must be refused with.
    pub(crate) expected: Code,
}

/// All that need nothing but the enclave.
pub(crate) fn all(
    enclave: &LocalEnclave,
    server: &ConfigurationServer,
    image: &ImageId,
) -> Result<Vec<Attack>> {
    Ok(vec![
        forged(enclave, server, image)?,
        altered(server, image)?,
        expired(server, image)?,
        misdirected(server, image)?,
        foreign(server, image)?,
    ])
}

/// The request id of `carried` with another body, signed by the registered configuration server.
pub(crate) fn reused(server: &ConfigurationServer, image: &ImageId, carried: &Envelope) -> Result<Attack> {
    let request_id = Request::parse(&carried.payload)?.request_id;
    let request = Request { request_id, ..server.request(orders::provision(5, image)?) };
    Ok(Attack {
        name: "reused id",
        wrong: "the request id of section 2, now for 5 hosts".to_owned(),
        envelope: server.sign(request)?,
        expected: Code::RequestIdReused,
    })
}

/// A valid chain and a valid signature, but of an authority that the tenant never registered.
fn forged(enclave: &LocalEnclave, server: &ConfigurationServer, image: &ImageId) -> Result<Attack> {
    let authority = Ca::root("another root")?.intermediate("another issuing authority")?;
    let identity = authority.issue(LeafOptions::configuration_server(&server.enclave().zone))?;
    let forger = ConfigurationServer::with_identity(enclave, &identity)?;
    Ok(Attack {
        name: "forged",
        wrong: "the right name in a certificate of another authority".to_owned(),
        envelope: forger.sign(forger.request(orders::provision(1, image)?))?,
        expected: Code::UntrustedCertificate,
    })
}

/// One byte of the payload is another than was signed.
fn altered(server: &ConfigurationServer, image: &ImageId) -> Result<Attack> {
    const FIELD: &[u8] = br#""count":1"#;
    let mut envelope = server.sign(server.request(orders::provision(1, image)?))?;
    let found = envelope.payload.windows(FIELD.len()).position(|bytes| bytes == FIELD);
    let digit = found.context("a request without its count")? + FIELD.len() - 1;
    *envelope.payload.get_mut(digit).context("a request without its count")? = b'9';
    Ok(Attack {
        name: "altered",
        wrong: "signed for 1 host, one byte changed to ask for 9".to_owned(),
        envelope,
        expected: Code::BadSignature,
    })
}

fn expired(server: &ConfigurationServer, image: &ImageId) -> Result<Attack> {
    let template = Template::new(server.enclave(), orders::provision(1, image)?);
    let request = request_at(template, Uuid::now_v7(), Timestamp::now() - LATE);
    Ok(Attack {
        name: "expired",
        wrong: format!("signed {} minutes ago, valid for {}", LATE.as_mins(), DEFAULT_VALIDITY_SECONDS / 60),
        envelope: server.sign(request)?,
        expected: Code::Expired,
    })
}

fn misdirected(server: &ConfigurationServer, image: &ImageId) -> Result<Attack> {
    let mut request = server.request(orders::provision(1, image)?);
    "prod.aws-us-east-1".clone_into(&mut request.audience.zone);
    Ok(Attack {
        name: "another zone's",
        wrong: format!("meant for zone {}", request.audience.zone),
        envelope: server.sign(request)?,
        expected: Code::WrongZone,
    })
}

fn foreign(server: &ConfigurationServer, image: &ImageId) -> Result<Attack> {
    let request = server.request(orders::provision_for("globex.shop.default", 1, image)?);
    let request = Request { tenant: "globex".parse()?, ..request };
    Ok(Attack {
        name: "another tenant's",
        wrong: format!("meant for tenant {}", request.tenant),
        envelope: server.sign(request)?,
        expected: Code::WrongTenant,
    })
}
