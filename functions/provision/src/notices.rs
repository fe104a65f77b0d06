//! A notice's words and bytes.

use enclave_core::foundation::Foundation;
use enclave_core::reconcile::Report;
use enclave_core::tags::Owner;
use enclave_core::watch::{Leftover, Outgoing};
use enclave_protocol::names::HostId;
use enclave_protocol::notice::{MAX_NOTICE_TEXT, MaintenanceStatus, Notice, NoticeEvent, SpotAction};
use enclave_protocol::reply::HostState;
use jiff::Timestamp;

/// What is told of a leftover that was terminated.
pub(crate) fn collected(host_id: &HostId, leftover: &Leftover) -> Report {
    Report {
        host_id: host_id.clone(),
        owner: Owner { application: leftover.application.clone(), cluster: leftover.cluster.clone() },
        event: NoticeEvent::LeftoverCollected { launched_at: leftover.launched_at },
    }
}

/// The notice of a report, as it is stored and then sent.
pub(crate) fn outgoing(
    report: Report,
    foundation: &Foundation,
    seen_at: Timestamp,
) -> Result<Outgoing, serde_json::Error> {
    let Report { host_id, owner, event } = report;
    let notice = Notice {
        zone: foundation.audience.zone.clone(),
        enclave_id: foundation.audience.enclave_id.clone(),
        message: sentence(&host_id, &owner, &event),
        host_id: host_id.clone(),
        application: owner.application,
        cluster: owner.cluster,
        seen_at,
        event,
    };
    Ok(Outgoing { host_id, body: serde_json::to_string(&notice)? })
}

fn sentence(host: &HostId, owner: &Owner, event: &NoticeEvent) -> String {
    let of = format!("{host} of {} {}", owner.application, owner.cluster);
    let sentence = match event {
        NoticeEvent::HostStateChanged { state, reason, .. } => {
            let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            match state {
                HostState::Running | HostState::Ready | HostState::Starting => {
                    format!("{of} runs again{why}")
                }
                HostState::Stopped => format!("{of} has stopped, which no request asked for{why}"),
                HostState::Terminating | HostState::Terminated => {
                    format!("{of} has ended, which no request asked for; it is not replaced{why}")
                }
            }
        }
        NoticeEvent::HostSpotInterruption { action } => {
            let what = match action {
                SpotAction::Terminate => "end",
                SpotAction::Stop => "stop",
            };
            format!("{of} is about to {what}: AWS takes the spot instance back")
        }
        NoticeEvent::HostMaintenance { status, code, not_before, .. } => {
            let when = not_before.map(|time| format!(", not before {time:.0}")).unwrap_or_default();
            match status {
                MaintenanceStatus::Scheduled => format!("AWS has scheduled {code} on {of}{when}"),
                MaintenanceStatus::Completed => format!("AWS has completed {code} on {of}"),
                MaintenanceStatus::Withdrawn => format!("AWS has withdrawn {code} on {of}"),
            }
        }
        NoticeEvent::LeftoverCollected { launched_at } => format!(
            "{of} was terminated: it was launched at {launched_at:.0} by a request that had ended without it"
        ),
    };
    sentence.chars().take(MAX_NOTICE_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, foundation, host, owner};

    fn message(event: NoticeEvent) -> String {
        let report = Report { host_id: host(1), owner: owner(), event };
        let sent = outgoing(report, &foundation(), at(1_800_000_000)).unwrap();
        serde_json::from_str::<Notice>(&sent.body).unwrap().message
    }

    #[test]
    fn a_host_that_ended_by_itself_is_told_with_awss_reason() {
        let event = NoticeEvent::HostStateChanged {
            state: HostState::Terminating,
            previous: HostState::Running,
            reason: Some("Client.UserInitiatedShutdown: User initiated shutdown".to_owned()),
        };
        assert_eq!(
            message(event),
            "i-00000000000000001 of acme.shop.default content has ended, which no request asked for; it is not \
             replaced: Client.UserInitiatedShutdown: User initiated shutdown"
        );
    }

    #[test]
    fn a_sentence_keeps_its_bound_whatever_aws_says() {
        let event = NoticeEvent::HostStateChanged {
            state: HostState::Stopped,
            previous: HostState::Running,
            reason: Some("é".repeat(MAX_NOTICE_TEXT)),
        };
        assert_eq!(message(event).chars().count(), MAX_NOTICE_TEXT);
    }

    #[test]
    fn what_is_sent_names_the_zone_and_the_same_report_has_the_same_bytes() {
        let event = NoticeEvent::HostSpotInterruption { action: SpotAction::Stop };
        let report = Report { host_id: host(1), owner: owner(), event };
        let sent = outgoing(report.clone(), &foundation(), at(1_800_000_000)).unwrap();
        let notice: Notice = serde_json::from_str(&sent.body).unwrap();
        assert_eq!((notice.zone.as_str(), notice.enclave_id.as_str()), ("test.aws-us-east-1a", "e-1"));
        assert_eq!((sent.host_id.clone(), notice.host_id), (host(1), host(1)));
        assert_eq!(sent, outgoing(report, &foundation(), at(1_800_000_000)).unwrap());
    }
}
