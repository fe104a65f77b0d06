//! Which of the received messages is our answer, and what to do with the others. Pure.

use enclave_protocol::envelope::Envelope;
use enclave_protocol::notice::{FromEnclave, Notice};
use enclave_protocol::reply::Reply;
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

use crate::description::EnclaveDescription;

/// A message for somebody else that was read more often than this has nobody who comes for it.
const PATIENCE: u32 = 2;

/// How long received messages stay hidden from all readers, in seconds; time enough to delete our own.
const SHORT_HIDDEN_SECONDS: u32 = 2;

/// The same where nothing but abandoned messages is seen, at most.
const LONG_HIDDEN_SECONDS: u32 = 32;

/// What was sent, as far as its reply can be told by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The request's id, where the message holds one.
    pub request_id: Option<Uuid>,
    /// Hash of what was signed, where the message is an envelope; lower-case hexadecimal.
    pub envelope_sha256: Option<String>,
    /// SHA-256 of the message's body, in lower-case hexadecimal.
    pub body_sha256: String,
}

impl Sent {
    /// What this message's reply will be told by.
    pub fn of(body: &str) -> Self {
        #[derive(serde::Deserialize)]
        struct Named {
            request_id: Uuid,
        }
        let envelope = Envelope::parse(body).ok();
        let named = envelope.as_ref().and_then(|e| serde_json::from_slice::<Named>(&e.payload).ok());
        Self {
            request_id: named.map(|named| named.request_id),
            envelope_sha256: envelope.map(|envelope| envelope.sha256()),
            body_sha256: hex::encode(Sha256::digest(body)),
        }
    }

    /// The request's id, or the body's hash where there is none: for people.
    pub fn name(&self) -> String {
        self.request_id.map_or_else(|| self.body_sha256.clone(), |id| id.to_string())
    }
}

/// Why a reply does not answer what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// It answers something else.
    #[error("the reply answers {answered}, not {sent}")]
    OtherRequest {
        /// What it answers.
        answered: String,
        /// What was sent.
        sent: String,
    },
    /// It answers another order of the same id.
    #[error("the reply is to envelope {answered:?}, sent was {sent:?}")]
    OtherEnvelope {
        /// Hash of the envelope answered.
        answered: Option<String>,
        /// Hash of the envelope sent.
        sent: Option<String>,
    },
    /// Another zone or installation answers.
    #[error("the reply is from zone {zone:?}, installation {enclave_id:?}")]
    OtherEnclave {
        /// The zone that answers.
        zone: String,
        /// The installation that answers.
        enclave_id: String,
    },
}

/// Whether a reply answers what was sent to this enclave.
///
/// # Errors
/// What differs: the request, the envelope, or the enclave.
pub fn verify(reply: &Reply, sent: &Sent, enclave: &EnclaveDescription) -> Result<(), Mismatch> {
    // An envelope that could not be opened is answered by its body's hash alone.
    let by_request = reply.request_id.is_some() && reply.request_id == sent.request_id;
    let by_body = reply.request_id.is_none() && reply.body_sha256.as_ref() == Some(&sent.body_sha256);
    if !by_request && !by_body {
        let answered = reply.request_id.map(|id| id.to_string()).or_else(|| reply.body_sha256.clone());
        return Err(Mismatch::OtherRequest { answered: answered.unwrap_or_default(), sent: sent.name() });
    }
    if (by_request || reply.envelope_sha256.is_some()) && reply.envelope_sha256 != sent.envelope_sha256 {
        return Err(Mismatch::OtherEnvelope {
            answered: reply.envelope_sha256.clone(),
            sent: sent.envelope_sha256.clone(),
        });
    }
    if reply.zone != enclave.zone || reply.enclave_id != enclave.enclave_id {
        return Err(Mismatch::OtherEnclave {
            zone: reply.zone.clone(),
            enclave_id: reply.enclave_id.clone(),
        });
    }
    Ok(())
}

/// Whose a received message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// It answers what was sent.
    Ours(Box<Reply>),
    /// For somebody else, who may be about to read it.
    Others,
    /// For somebody who does not come for it.
    Abandoned,
}

/// Tells our reply from others', of which `received` says how often they have been read so far.
pub(crate) fn whose(body: &str, received: u32, sent: &Sent, enclave: &EnclaveDescription) -> Whose {
    match FromEnclave::parse(body) {
        Ok(FromEnclave::Reply(reply)) => match verify(&reply, sent, enclave) {
            Ok(()) => return Whose::Ours(reply),
            Err(Mismatch::OtherRequest { .. }) => {}
            Err(mismatch) => tracing::warn!(%mismatch, "a reply that names our request is not ours"),
        },
        // For whoever watches the hosts.
        Ok(FromEnclave::Notice(_)) => {}
        Err(error) => tracing::debug!(%error, "a message on the results queue is no reply"),
    }
    passed_by(received)
}

/// Tells a notice of this enclave from all else, of which `received` says how often it has been read so far.
pub(crate) fn notice(body: &str, received: u32, enclave: &EnclaveDescription) -> Result<Box<Notice>, Whose> {
    match FromEnclave::parse(body) {
        Ok(FromEnclave::Notice(notice)) if is_from(&notice, enclave) => Ok(notice),
        Ok(FromEnclave::Notice(notice)) => {
            let (zone, enclave_id) = (&notice.zone, &notice.enclave_id);
            tracing::warn!(zone, enclave_id, "a notice of another enclave");
            Err(passed_by(received))
        }
        Ok(FromEnclave::Reply(_)) | Err(_) => Err(passed_by(received)),
    }
}

fn is_from(notice: &Notice, enclave: &EnclaveDescription) -> bool {
    notice.zone == enclave.zone && notice.enclave_id == enclave.enclave_id
}

fn passed_by(received: u32) -> Whose {
    if received > PATIENCE { Whose::Abandoned } else { Whose::Others }
}

/// How the next receive is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Seconds that what is received stays hidden from all readers.
    pub(crate) hidden: u32,
    /// Whether to let the others read first.
    pub(crate) yields: bool,
}

impl Pace {
    /// How the first receive is made.
    pub(crate) const FIRST: Self = Self { hidden: SHORT_HIDDEN_SECONDS, yields: false };

    /// After what of the last receive was not ours. Where all of that is abandoned, it is hidden for longer and
    /// longer, so that any number of it is seen past; where others may be waiting, they are let read first.
    pub(crate) fn after(self, others: &[Whose]) -> Self {
        if others.contains(&Whose::Others) {
            return Self { hidden: SHORT_HIDDEN_SECONDS, yields: true };
        }
        if others.contains(&Whose::Abandoned) {
            return Self { hidden: (self.hidden * 2).min(LONG_HIDDEN_SECONDS), yields: false };
        }
        Self::FIRST
    }
}

#[cfg(test)]
mod tests {
    use enclave_protocol::code::Code;
    use enclave_protocol::reply::Status;
    use serde_json::json;

    use super::*;

    fn enclave() -> EnclaveDescription {
        serde_json::from_value(json!({
            "region": "us-east-1", "account": "123456789012", "zone": "z", "enclave_id": "e", "tenant": "acme",
            "requests_queue_url": "r", "results_queue_url": "s",
        }))
        .unwrap()
    }

    fn sent() -> Sent {
        Sent {
            request_id: Some(Uuid::from_u128(1)),
            envelope_sha256: Some("aa".to_owned()),
            body_sha256: "bb".to_owned(),
        }
    }

    fn reply() -> Reply {
        serde_json::from_value(json!({
            "request_id": Uuid::from_u128(1), "envelope_sha256": "aa", "zone": "z", "enclave_id": "e",
            "status": "done", "code": "done", "message": "Done.", "decided_at": "2026-06-01T12:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn a_reply_is_ours_by_request_envelope_and_enclave() {
        assert_eq!(verify(&reply(), &sent(), &enclave()), Ok(()));
        let other_id = Reply { request_id: Some(Uuid::from_u128(2)), ..reply() };
        assert!(matches!(verify(&other_id, &sent(), &enclave()), Err(Mismatch::OtherRequest { .. })));
        for hash in [None, Some("cc".to_owned())] {
            let other = Reply { envelope_sha256: hash, ..reply() };
            assert!(matches!(verify(&other, &sent(), &enclave()), Err(Mismatch::OtherEnvelope { .. })));
        }
        let other_zone = Reply { zone: "y".to_owned(), ..reply() };
        let other_enclave = Reply { enclave_id: "f".to_owned(), ..reply() };
        for other in [other_zone, other_enclave] {
            assert!(matches!(verify(&other, &sent(), &enclave()), Err(Mismatch::OtherEnclave { .. })));
        }
    }

    #[test]
    fn what_could_not_be_opened_is_answered_by_its_body() {
        let by_body =
            Reply { request_id: None, envelope_sha256: None, body_sha256: Some("bb".into()), ..reply() };
        assert_eq!(verify(&by_body, &sent(), &enclave()), Ok(()));
        let with_hash = Reply { envelope_sha256: Some("aa".into()), ..by_body.clone() };
        assert_eq!(verify(&with_hash, &sent(), &enclave()), Ok(()));
        let wrong_hash = Reply { envelope_sha256: Some("cc".into()), ..by_body.clone() };
        assert!(verify(&wrong_hash, &sent(), &enclave()).is_err());
        let other_body = Reply { body_sha256: Some("dd".into()), ..by_body };
        assert!(verify(&other_body, &sent(), &enclave()).is_err());
        let nothing = Reply { request_id: None, body_sha256: None, ..reply() };
        assert!(verify(&nothing, &Sent { request_id: None, ..sent() }, &enclave()).is_err());
    }

    #[test]
    fn others_messages_are_told_from_abandoned_ones() {
        let tell = |body: &str, received| whose(body, received, &sent(), &enclave());
        let ours = serde_json::to_string(&reply()).unwrap();
        let other = serde_json::to_string(&Reply { request_id: Some(Uuid::nil()), ..reply() }).unwrap();
        assert!(
            matches!(tell(&ours, 9), Whose::Ours(ours) if ours.status == Status::Done && ours.code == Code::Done)
        );
        assert_eq!(tell(&other, 1), Whose::Others);
        assert_eq!(tell(&other, PATIENCE), Whose::Others);
        assert_eq!(tell(&other, PATIENCE + 1), Whose::Abandoned);
        assert_eq!(tell("not a reply", PATIENCE + 1), Whose::Abandoned);
    }

    #[test]
    fn notices_and_replies_are_told_apart_and_each_leaves_the_other_alone() {
        let notice_of = |zone: &str| {
            json!({
                "zone": zone, "enclave_id": "e", "host_id": "i-01234567", "application": "acme.shop.default",
                "cluster": "content", "seen_at": "2026-06-01T12:00:00Z", "message": "It stopped.",
                "event": {"kind": "host_state_changed", "state": "stopped", "previous": "running"},
            })
            .to_string()
        };
        let (ours, reply) = (notice_of("z"), serde_json::to_string(&reply()).unwrap());
        assert_eq!(notice(&ours, 9, &enclave()).unwrap().message, "It stopped.");
        assert_eq!(notice(&notice_of("y"), 1, &enclave()), Err(Whose::Others));
        assert_eq!(notice(&reply, 1, &enclave()), Err(Whose::Others));
        assert_eq!(notice(&reply, PATIENCE + 1, &enclave()), Err(Whose::Abandoned));
        assert_eq!(whose(&ours, 1, &sent(), &enclave()), Whose::Others);
    }

    #[test]
    fn the_pace_yields_to_others_and_looks_past_the_abandoned() {
        let yields = Pace::FIRST.after(&[Whose::Abandoned, Whose::Others]);
        assert_eq!(yields, Pace { hidden: SHORT_HIDDEN_SECONDS, yields: true });
        let mut pace = yields;
        for _ in 0..10 {
            let next = pace.after(&[Whose::Abandoned]);
            assert!(!next.yields && next.hidden >= pace.hidden);
            pace = next;
        }
        assert_eq!(pace.hidden, LONG_HIDDEN_SECONDS);
        assert_eq!(pace.after(&[]), Pace::FIRST);
    }

    #[test]
    fn what_was_sent_is_known_by_all_it_holds() {
        let none = Sent::of("hello");
        assert_eq!((none.request_id, none.envelope_sha256.clone()), (None, None));
        assert_eq!(none.name(), none.body_sha256);
        let envelope = Envelope {
            payload_type: enclave_protocol::request::REQUEST_PAYLOAD_TYPE.to_owned(),
            payload: json!({ "request_id": Uuid::from_u128(7) }).to_string().into_bytes(),
            signature: vec![],
            certificate_chain: vec![vec![]],
        };
        let known = Sent::of(&envelope.to_json());
        assert_eq!(known.request_id, Some(Uuid::from_u128(7)));
        assert_eq!(known.envelope_sha256, Some(envelope.sha256()));
    }
}
