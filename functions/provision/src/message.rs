//! `receive`: what kind of message lies on the line.

use enclave_protocol::envelope::{Envelope, EnvelopeError, MAX_MESSAGE_BYTES};
use enclave_protocol::names::HostId;
use serde::Deserialize;
use serde_json::Value;

/// A message on the line.
#[derive(Debug)]
pub(crate) enum Message {
    /// Time to look again; carries no order.
    Tick,
    /// Something happened to a host; carries no order and is not believed, only looked after.
    HostEvent {
        /// EventBridge's name for it.
        detail_type: String,
        /// The host that it names.
        host: Option<HostId>,
    },
    /// A signed request, perhaps.
    Envelope(Result<Envelope, EnvelopeError>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tick {
    /// `EventBridge` Scheduler's execution id: makes each tick's body its own.
    #[serde(rename = "tick")]
    _execution_id: String,
}

#[derive(Deserialize)]
struct HostEvent {
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(rename = "source")]
    _source: String,
    /// Of any form: an event with a strange one is an event all the same.
    #[serde(default)]
    detail: Value,
}

/// Tells the kinds apart. Whatever is neither tick nor host event must be an envelope.
pub(crate) fn classify(body: &str) -> Message {
    if body.len() <= MAX_MESSAGE_BYTES {
        if serde_json::from_str::<Tick>(body).is_ok() {
            return Message::Tick;
        }
        if let Ok(event) = serde_json::from_str::<HostEvent>(body) {
            let host = event.detail["instance-id"].as_str().and_then(|id| id.parse().ok());
            return Message::HostEvent { detail_type: event.detail_type.chars().take(80).collect(), host };
        }
    }
    Message::Envelope(Envelope::parse(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_in_a_tick_or_host_event_is_dropped_with_the_rest_of_it() {
        let event =
            r#"{"detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","order":{}}"#;
        assert!(matches!(classify(event), Message::HostEvent { .. }));
        assert!(matches!(classify(r#"{"tick":"1"}"#), Message::Tick));
        assert!(matches!(classify(r#"{"tick":"1","order":{}}"#), Message::Envelope(Err(_))));
    }

    #[test]
    fn an_oversized_tick_is_not_even_parsed() {
        let body = format!(r#"{{"tick":"{}"}}"#, "x".repeat(MAX_MESSAGE_BYTES));
        assert!(matches!(classify(&body), Message::Envelope(Err(_))));
    }
    #[test]
    fn a_body_that_is_nothing_we_know_is_taken_for_an_envelope_and_refused_as_one() {
        for body in [
            "",
            "null",
            "{}",
            "[]",
            "hello",
            r#"{"tick":1}"#,
            r#"{"source":"aws.ec2"}"#,
            r#"{"detail-type":"x"}"#,
        ] {
            assert!(matches!(classify(body), Message::Envelope(Err(_))), "{body}");
        }
    }

    #[test]
    fn a_host_event_names_a_host_only_where_it_has_the_form_of_one() {
        let host = |detail: &str| {
            let body = format!(r#"{{"detail-type":"x","source":"aws.ec2","detail":{detail}}}"#);
            let Message::HostEvent { host, .. } = classify(&body) else { panic!("{body}") };
            host.map(|host| host.to_string())
        };
        assert_eq!(host(r#"{"instance-id":"i-01234567"}"#).as_deref(), Some("i-01234567"));
        for none in [r#"{"instance-id":"'; drop"}"#, r#"{"instance-id":7}"#, "{}", "[]", "7", "null"] {
            assert_eq!(host(none), None, "{none}");
        }
    }

    #[test]
    fn a_host_events_name_is_cut_before_it_reaches_a_log() {
        let body = format!(r#"{{"detail-type":"{}","source":"x"}}"#, "é".repeat(500));
        let Message::HostEvent { detail_type, .. } = classify(&body) else { panic!() };
        assert_eq!(detail_type.chars().count(), 80);
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_the_line_panic(body in ".{0,200}") {
            classify(&body);
        }
    }
}
