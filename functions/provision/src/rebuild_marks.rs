//! What the ledger's objects of hosts say of a rebuild: written before the call, and again when its end is known.

use enclave_core::ledger::{DesiredHost, HostRecord, OpenRequest, RebuildEnd, RebuildMark, host_key};
use enclave_core::store::{Store, StoreError};
use enclave_protocol::names::{HostId, ImageId};
use futures::stream::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use uuid::Uuid;

/// Objects written at a time.
const CONCURRENCY: usize = 16;

/// Whether a host may be rebuilt now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Begin {
    /// It is marked for the request, and not handed over until it is attested again.
    Marked,
    /// It is not, and why.
    Later(String),
}

/// How the rebuild of a host ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It runs from the image of the order and was attested.
    Rebuilt,
    /// Its original volume is there; whether the host was seen with it.
    NotRebuilt {
        /// Then it is what it was, and handed over if it was before.
        seen: bool,
    },
    /// It has no root volume.
    Detached,
    /// It did not pass attestation; it was seen with this image.
    Unfit(ImageId),
}

/// Marks a host for a request, unless another open request is at it or it is to be terminated.
pub(crate) async fn begin(
    store: &Store,
    id: &HostId,
    request_id: Uuid,
    image: &ImageId,
    open: &[OpenRequest],
    now: Timestamp,
) -> Result<Begin, StoreError> {
    let Some(mut record) = store.read::<HostRecord>(&host_key(id)).await? else {
        return Ok(Begin::Later(format!("{id} is not in the ledger")));
    };
    if record.value.desired == DesiredHost::Terminated {
        return Ok(Begin::Later(format!("{id} is to be terminated")));
    }
    if let Some(mark) = &record.value.rebuild {
        if mark.request_id == request_id {
            return Ok(Begin::Marked);
        }
        if mark.end.is_none() && open.iter().any(|open| open.request_id == mark.request_id) {
            return Ok(Begin::Later(format!("{id} is being rebuilt by request {}", mark.request_id)));
        }
    }
    record.value.rebuild = Some(RebuildMark {
        request_id,
        image: image.clone(),
        began_at: now,
        attested_before: record.value.attested_at.take(),
        end: None,
    });
    store.update(&mut record).await?;
    Ok(Begin::Marked)
}

/// Notes how the rebuild ended that the request had marked. Noting it again changes nothing.
pub(crate) async fn end(
    store: &Store,
    id: &HostId,
    request_id: Uuid,
    end: &End,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(mut record) = store.read::<HostRecord>(&host_key(id)).await? else { return Ok(()) };
    if !ended(&mut record.value, request_id, end, now) {
        return Ok(());
    }
    store.update(&mut record).await
}

/// Takes marks of the request back where nothing was begun: the hosts are handed over as they were.
pub(crate) async fn hand_back(store: &Store, hosts: &[HostId], request_id: Uuid) -> Result<(), StoreError> {
    futures::stream::iter(hosts)
        .map(|id| async move {
            let Some(mut record) = store.read::<HostRecord>(&host_key(id)).await? else { return Ok(()) };
            if !handed_back(&mut record.value, request_id) {
                return Ok(());
            }
            store.update(&mut record).await
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}

/// Says whether that changes anything.
fn ended(record: &mut HostRecord, request_id: Uuid, end: &End, now: Timestamp) -> bool {
    let Some(mark) = &mut record.rebuild else { return false };
    if mark.request_id != request_id || mark.end.is_some() {
        return false;
    }
    match end {
        End::Rebuilt => {
            record.image = mark.image.clone();
            record.attested_at = Some(now);
            record.rebuild = None;
        }
        End::NotRebuilt { seen } => {
            mark.end = Some(RebuildEnd::NotRebuilt);
            record.attested_at = mark.attested_before.filter(|_| *seen);
        }
        End::Detached => mark.end = Some(RebuildEnd::Detached),
        End::Unfit(image) => {
            mark.end = Some(RebuildEnd::Unfit);
            record.image = image.clone();
        }
    }
    true
}

/// Says whether that changes anything.
fn handed_back(record: &mut HostRecord, request_id: Uuid) -> bool {
    let Some(mark) = &record.rebuild else { return false };
    let attested = mark.attested_before;
    if mark.request_id != request_id || mark.end.is_some() || attested.is_none() {
        // One that was not handed over before keeps its mark: by that it may be rebuilt again.
        return false;
    }
    record.attested_at = attested;
    record.rebuild = None;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, id, image, owner};

    fn marked(attested_before: Option<Timestamp>) -> HostRecord {
        HostRecord {
            application: owner().application,
            cluster: owner().cluster,
            request_id: id(9),
            instance_type: "m7g.large".parse().unwrap(),
            availability_zone: "us-east-1a".parse().unwrap(),
            image: image(),
            launched_at: at(1),
            desired: DesiredHost::Running,
            attested_at: None,
            rebuild: Some(RebuildMark {
                request_id: id(1),
                image: "ami-00000002".parse().unwrap(),
                began_at: at(5),
                attested_before,
                end: None,
            }),
        }
    }

    #[test]
    fn only_a_host_attested_again_or_seen_with_its_original_volume_is_handed_over() {
        let new: ImageId = "ami-00000002".parse().unwrap();
        for (end, attested_at, shown, rebuild) in [
            (End::Rebuilt, Some(at(7)), new.clone(), None),
            (End::NotRebuilt { seen: true }, Some(at(3)), image(), Some(RebuildEnd::NotRebuilt)),
            (End::NotRebuilt { seen: false }, None, image(), Some(RebuildEnd::NotRebuilt)),
            (End::Detached, None, image(), Some(RebuildEnd::Detached)),
            (End::Unfit(new.clone()), None, new, Some(RebuildEnd::Unfit)),
        ] {
            let mut record = marked(Some(at(3)));
            assert!(ended(&mut record, id(1), &end, at(7)), "{end:?}");
            assert_eq!(record.attested_at, attested_at, "{end:?}");
            assert_eq!(record.image, shown, "{end:?}");
            assert_eq!(record.rebuild.as_ref().and_then(|mark| mark.end), rebuild, "{end:?}");
            let before = record.clone();
            assert!(!ended(&mut record, id(1), &End::Detached, at(8)), "an end is noted once");
            assert_eq!(record, before);
        }
    }

    #[test]
    fn another_requests_mark_is_left_alone() {
        let mut record = marked(Some(at(3)));
        assert!(!ended(&mut record, id(2), &End::Rebuilt, at(7)));
        assert!(!handed_back(&mut record, id(2)));
        assert_eq!(record, marked(Some(at(3))));
    }

    #[test]
    fn a_mark_without_a_call_is_taken_back_and_the_host_is_as_it_was() {
        let mut record = marked(Some(at(3)));
        assert!(handed_back(&mut record, id(1)));
        assert_eq!((record.attested_at, &record.rebuild), (Some(at(3)), &None));
        let mut unfit = marked(None);
        assert!(!handed_back(&mut unfit, id(1)), "one that was not handed over is not now");
        assert_eq!(unfit.attested_at, None);
    }
}
