//! The ledger's objects of hosts and load balancers, many at a time.

use std::collections::BTreeMap;

use enclave_core::creation::{Answer, RunInstances};
use enclave_core::ledger::{
    DesiredHost, HostRecord, LoadBalancerRecord, RequestRecord, host_key, load_balancer_key,
};
use enclave_core::store::{Created, Store, StoreError};
use enclave_core::tags::Owner;
use enclave_protocol::names::HostId;
use futures::stream::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use uuid::Uuid;

/// Objects read or written at a time.
const CONCURRENCY: usize = 16;

/// Reads the records of hosts; those without one are left out.
pub(crate) async fn read(
    store: &Store,
    hosts: &[HostId],
) -> Result<BTreeMap<HostId, HostRecord>, StoreError> {
    futures::stream::iter(hosts.iter().cloned())
        .map(|id| async move {
            let found = store.read::<HostRecord>(&host_key(&id)).await?;
            Ok(found.map(|record| (id, record.value)))
        })
        .buffer_unordered(CONCURRENCY)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect()
        .await
}

/// Writes a record for each of `hosts`, which the request launched; those that have one keep it.
pub(crate) async fn create(
    store: &Store,
    request_id: Uuid,
    owner: &Owner,
    record: &RequestRecord,
    hosts: &[HostId],
) -> Result<(), StoreError> {
    let launch_of = |id: &HostId| -> Option<(&RunInstances, Timestamp)> {
        record.launches().find_map(|(launch, answer)| match answer {
            Some(Answer::Launched { hosts, at }) if hosts.contains(id) => Some((launch, *at)),
            _ => None,
        })
    };
    futures::stream::iter(hosts.iter().filter_map(|id| Some((id, launch_of(id)?))))
        .map(|(id, (launch, launched_at))| async move {
            let record = HostRecord {
                application: owner.application.clone(),
                cluster: owner.cluster.clone(),
                request_id,
                instance_type: launch.pool.instance_type.clone(),
                availability_zone: launch.pool.availability_zone.clone(),
                image: launch.image.clone(),
                launched_at,
                desired: DesiredHost::Running,
                attested_at: None,
                rebuild: None,
            };
            store.create(&host_key(id), record).await.map(drop)
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}

/// Notes that hosts were attested and handed over.
pub(crate) async fn set_attested(store: &Store, hosts: &[HostId], now: Timestamp) -> Result<(), StoreError> {
    futures::stream::iter(hosts)
        .map(|id| async move {
            let Some(mut record) = store.read::<HostRecord>(&host_key(id)).await? else { return Ok(()) };
            if record.value.attested_at.is_some() {
                return Ok(());
            }
            record.value.attested_at = Some(now);
            store.update(&mut record).await
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}

/// Notes that hosts should be terminated, before anything terminates them; says when each was launched.
pub(crate) async fn want_terminated(
    store: &Store,
    hosts: &[HostId],
) -> Result<BTreeMap<HostId, Timestamp>, StoreError> {
    futures::stream::iter(hosts.iter().cloned())
        .map(|id| async move {
            let Some(mut record) = store.read::<HostRecord>(&host_key(&id)).await? else { return Ok(None) };
            if record.value.desired != DesiredHost::Terminated {
                record.value.desired = DesiredHost::Terminated;
                store.update(&mut record).await?;
            }
            Ok(Some((id, record.value.launched_at)))
        })
        .buffer_unordered(CONCURRENCY)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect()
        .await
}

/// Notes what a load balancer should be.
pub(crate) async fn want_load_balancer(
    store: &Store,
    name: &str,
    wanted: LoadBalancerRecord,
) -> Result<(), StoreError> {
    match store.create(&load_balancer_key(name), wanted.clone()).await? {
        Created::Existing(mut record) if record.value != wanted => {
            record.value = wanted;
            store.update(&mut record).await
        }
        Created::New(_) | Created::Existing(_) => Ok(()),
    }
}

/// Notes that a load balancer should not exist, where the ledger knows it.
pub(crate) async fn want_no_load_balancer(
    store: &Store,
    name: &str,
    request_id: Uuid,
) -> Result<(), StoreError> {
    let key = load_balancer_key(name);
    let Some(mut record) = store.read::<LoadBalancerRecord>(&key).await? else { return Ok(()) };
    if !record.value.present {
        return Ok(());
    }
    record.value.present = false;
    record.value.request_id = request_id;
    store.update(&mut record).await
}
