//! Looking at what AWS means to do with hosts: scheduled work, and spot instances that it takes back.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::InstanceStatusEvent;
use enclave_core::reconcile::{ObservedHost, Reading, ScheduledEvent};
use enclave_core::watch::{MAX_EVENT_NAME, Maintenance};
use enclave_protocol::names::HostId;
use enclave_protocol::notice::{MAX_NOTICE_TEXT, MaintenanceStatus, SpotAction};

use crate::Account;
use crate::hosts::{VALUES_PER_FILTER, filter, timestamp};

/// Largest page of `DescribeInstanceStatus`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceStatus.html>).
const STATUSES_PER_PAGE: i32 = 1000;

/// Status codes of a spot request whose instance is about to be taken back
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html>).
const MARKED_FOR_TERMINATION: &str = "marked-for-termination";
const MARKED_FOR_STOP: &str = "marked-for-stop";

impl Account {
    /// Scheduled work of every running instance: one call per 1000. The call takes no tags, so instances of others are
    /// among them; an instance without work has an empty list.
    pub async fn scheduled_events(&self) -> Reading<BTreeMap<HostId, Vec<ScheduledEvent>>> {
        let mut pages =
            self.ec2.describe_instance_status().max_results(STATUSES_PER_PAGE).into_paginator().send();
        let mut found = BTreeMap::new();
        loop {
            let page = match self.pacer.call("DescribeInstanceStatus", pages.try_next()).await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(failure) => return Reading::Unknown(failure.to_string()),
            };
            for status in page.instance_statuses() {
                if let Some(id) = status.instance_id().and_then(|id| id.parse().ok()) {
                    found.insert(id, status.events().iter().filter_map(scheduled_event).collect());
                }
            }
        }
        Reading::Known(found)
    }

    /// Those of the hosts that are spot instances and that AWS takes back. No call where none is one.
    pub async fn spot_marks(
        &self,
        hosts: &BTreeMap<HostId, ObservedHost>,
    ) -> Reading<BTreeMap<HostId, SpotAction>> {
        let live = hosts.values().filter(|host| host.state.is_live());
        let requests: Vec<String> = live.filter_map(|host| host.spot_request.clone()).collect();
        let mut marked = BTreeMap::new();
        for chunk in requests.chunks(VALUES_PER_FILTER) {
            let mut pages = self
                .ec2
                .describe_spot_instance_requests()
                .filters(filter("spot-instance-request-id", chunk.iter().cloned()))
                .into_paginator()
                .send();
            loop {
                let page = match self.pacer.call("DescribeSpotInstanceRequests", pages.try_next()).await {
                    Ok(Some(page)) => page,
                    Ok(None) => break,
                    Err(failure) => return Reading::Unknown(failure.to_string()),
                };
                for request in page.spot_instance_requests() {
                    let id = request.instance_id().and_then(|id| id.parse().ok());
                    let action = match request.status().and_then(|status| status.code()) {
                        Some(MARKED_FOR_TERMINATION) => Some(SpotAction::Terminate),
                        Some(MARKED_FOR_STOP) => Some(SpotAction::Stop),
                        _ => None,
                    };
                    marked.extend(id.zip(action));
                }
            }
        }
        Reading::Known(marked)
    }
}

/// AWS marks what is done by the words a description begins with; none where the work has no code.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceStatusEvent.html>
fn scheduled_event(event: &InstanceStatusEvent) -> Option<ScheduledEvent> {
    let code = bounded(event.code()?.as_str(), MAX_EVENT_NAME);
    let description = event.description();
    let status = match description {
        Some(text) if text.starts_with("[Completed]") => MaintenanceStatus::Completed,
        Some(text) if text.starts_with("[Canceled]") => MaintenanceStatus::Withdrawn,
        _ => MaintenanceStatus::Scheduled,
    };
    let not_before = event.not_before().and_then(timestamp);
    let id = match (event.instance_event_id(), not_before) {
        (Some(id), _) => bounded(id, MAX_EVENT_NAME),
        (None, Some(time)) => bounded(&format!("{code} at {time}"), MAX_EVENT_NAME),
        (None, None) => code.clone(),
    };
    let not_after = event.not_after().and_then(timestamp);
    Some(ScheduledEvent {
        event: Maintenance { id, code, not_before, not_after },
        description: description.map(|text| bounded(text, MAX_NOTICE_TEXT)),
        status,
    })
}

/// A text of AWS's, cut and without control characters.
pub(crate) fn bounded(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::primitives::DateTime;
    use aws_sdk_ec2::types::EventCode;

    use super::*;

    fn event(id: Option<&str>, description: &str) -> InstanceStatusEvent {
        InstanceStatusEvent::builder()
            .set_instance_event_id(id.map(str::to_owned))
            .code(EventCode::SystemReboot)
            .description(description)
            .not_before(DateTime::from_secs(1_800_000_000))
            .build()
    }

    #[test]
    fn work_that_is_done_or_called_off_is_told_by_its_description() {
        let status = |text| scheduled_event(&event(Some("e"), text)).unwrap().status;
        assert_eq!(status("The instance is scheduled for reboot"), MaintenanceStatus::Scheduled);
        assert_eq!(status("[Completed] scheduled reboot"), MaintenanceStatus::Completed);
        assert_eq!(status("[Canceled] scheduled reboot"), MaintenanceStatus::Withdrawn);
    }

    #[test]
    fn work_without_an_id_is_named_by_its_code_and_time_and_all_text_is_bounded() {
        let found = scheduled_event(&event(None, &"\u{1b}x".repeat(1000))).unwrap();
        assert_eq!(found.event.id, "system-reboot at 2027-01-15T08:00:00Z");
        assert_eq!(found.description.unwrap(), " x".repeat(MAX_NOTICE_TEXT / 2));
        let long = scheduled_event(&event(Some(&"i".repeat(999)), "")).unwrap();
        assert_eq!(long.event.id.len(), MAX_EVENT_NAME);
        assert_eq!(scheduled_event(&InstanceStatusEvent::builder().build()), None);
    }
}
