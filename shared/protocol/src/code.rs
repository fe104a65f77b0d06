//! Stable codes: what a program may branch on. A code never changes its meaning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a request ended, or stands, as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    // Nothing to complain about.
    /// The order is carried out, or the plan or description is complete.
    Done,
    /// Work goes on; a final reply follows.
    InProgress,

    // The message is no envelope.
    /// Larger than 64 KiB; refused unparsed.
    MessageTooLarge,
    /// Nested deeper than is ever needed.
    NestedTooDeep,
    /// Not a DSSE envelope, or not JSON at all.
    MalformedEnvelope,
    /// The envelope carries another kind of payload.
    WrongPayloadType,
    /// Not exactly one signature.
    WrongSignatureCount,
    /// No certificate, or more than four.
    WrongCertificateCount,
    /// A certificate is larger than 4 KiB.
    CertificateTooLarge,

    // The envelope cannot be opened.
    /// A certificate cannot be read, or carries no usable identity.
    MalformedCertificate,
    /// The chain does not lead to a trusted root, or is out of order.
    UntrustedCertificate,
    /// A certificate was not valid when the message was sent.
    CertificateExpired,
    /// The leaf is not for client authentication.
    CertificateNotForClients,
    /// The identity's trust domain is not its root's.
    WrongTrustDomain,
    /// The key's type or size is not accepted.
    UnsupportedKey,
    /// The signature does not fit the payload and the leaf's key.
    BadSignature,

    // The payload is no request.
    /// Not a request; the message names the field.
    MalformedRequest,
    /// An action this version does not speak.
    UnknownAction,
    /// A field is out of its bounds.
    InvalidRequest,

    // The request is not bound to this enclave, signer or time.
    /// Meant for another AWS account.
    WrongAccount,
    /// Meant for another region.
    WrongRegion,
    /// Meant for another zone.
    WrongZone,
    /// Meant for another installation of this zone.
    WrongEnclave,
    /// For another tenant than the one the account is registered to.
    WrongTenant,
    /// Names another certificate than the one that came with it.
    CertificateMismatch,
    /// Sent after `expires_at`.
    Expired,
    /// `issued_at` is more than the allowed clock skew ahead of the time it was sent.
    IssuedInFuture,
    /// Valid for longer than 15 minutes, or for no time at all.
    InvalidValidity,
    /// The request id was used for another order.
    RequestIdReused,

    // The tenant's rules say no.
    /// The gate is missing or cannot be read as one: everything is denied.
    GateInvalid,
    /// The tenant has frozen changes.
    Frozen,
    /// The identity, its key, or everything it issued before a time is revoked.
    Revoked,
    /// The identity is not registered, or may not give orders.
    UnknownIdentity,
    /// The image is not on the tenant's list.
    ImageNotAllowed,
    /// More hosts than the tenant allows.
    CapExceeded,

    // The order does not fit the account.
    /// An availability zone that this zone does not have.
    UnknownAvailabilityZone,
    /// No instance type, or no root volume, is as large as what was asked for.
    NoInstanceType,
    /// A host that the application and cluster do not have.
    UnknownHost,
    /// A host that is not running, or was not handed over, can be neither a target nor rebuilt.
    HostNotRunning,
    /// A load balancer that the application and cluster do not have.
    UnknownLoadBalancer,
    /// A load balancer of that name exists and is not ours.
    NameConflict,

    // It was tried and did not work.
    /// Not all was done before the deadline; the reply says what exists.
    DeadlineExceeded,
    /// No pool had room for all hosts; the reply says which exist.
    InsufficientCapacity,
    /// A host did not pass attestation: one just launched was terminated, a rebuilt one was kept.
    AttestationFailed,
    /// A host ended before it was handed over, or handed over again.
    HostLost,
    /// The root volume of a host could not be replaced; no further host was begun.
    RebuildFailed,
    /// The tenant's destruction budget did not let all hosts be terminated before the deadline; the reply says which.
    DestructionBudgetExceeded,
    /// AWS refused a call for good; the message names the call and AWS's code.
    AwsRefused,
}

impl Code {
    /// The code as it stands on the wire.
    pub fn as_str(self) -> String {
        // A unit variant always serialises to a string.
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.as_str())
    }
}
