//! What the ledger says of rebuilds.

use enclave_protocol::names::{HostId, ImageId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RequestRecord;
use crate::creation::{Creation, ReplaceRootVolume, StoredCall};

/// A rebuild of a host that was begun and has not ended well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebuildMark {
    /// The request that rebuilds it.
    pub request_id: Uuid,
    /// The image it is to run from.
    pub image: ImageId,
    /// When it began.
    pub began_at: Timestamp,
    /// When the host had been attested, if it was handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested_before: Option<Timestamp>,
    /// How it ended; none while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<RebuildEnd>,
}

/// How a rebuild ended that did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RebuildEnd {
    /// The original root volume is there.
    NotRebuilt,
    /// There is no root volume.
    Detached,
    /// The root volume was replaced; the host did not pass attestation.
    Unfit,
}

impl RequestRecord {
    /// The rebuilds so far, each with the call that holds its answer.
    pub fn rebuilds(&self) -> impl Iterator<Item = (&ReplaceRootVolume, &StoredCall)> {
        self.calls.iter().filter_map(|call| match &call.creation {
            Creation::CreateReplaceRootVolumeTask(rebuild) => Some((rebuild, call)),
            _ => None,
        })
    }

    /// The last rebuild of a host.
    pub fn rebuild_of(&self, host: &HostId) -> Option<(&ReplaceRootVolume, &StoredCall)> {
        self.rebuilds().filter(|(rebuild, _)| rebuild.host == *host).last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::HostRecord;

    /// As the version before `rebuild_hosts` wrote them.
    #[test]
    fn objects_of_the_previous_version_are_read() {
        let host = r#"{"application":"acme.shop.default","cluster":"content",
            "request_id":"01938d2c-5e2a-7c3b-8f10-3a5b6c7d8e9f","instance_type":"m7g.large",
            "availability_zone":"us-east-1a","image":"ami-0123456789abcdef0",
            "launched_at":"2026-06-01T12:00:00Z","desired":"running","attested_at":"2026-06-01T12:01:00Z"}"#;
        let record: HostRecord = serde_json::from_str(host).unwrap();
        assert_eq!(record.rebuild, None);
        assert!(record.attested_at.is_some());
        let request = r#"{"envelope":"{}","envelope_sha256":"aa","sent_at":"2026-06-01T12:00:00Z",
            "claimed_at":"2026-06-01T12:00:00Z","deadline_at":"2026-06-01T12:30:00Z","accepted":true,"calls":[],
            "hosts":{"i-0123456789abcdef0":{"stage":"ready","since":"2026-06-01T12:00:00Z"}},
            "events":[],"replies":[],"finished":true}"#;
        let record: RequestRecord = serde_json::from_str(request).unwrap();
        assert_eq!(record.hosts.len(), 1);
    }
}
