//! Where a request may launch from: the instance types that fit it, and pools that others found without room.

use std::collections::BTreeSet;

use enclave_core::aws::{AwsFailure, ErrorClass};
use enclave_core::capacity::{CATALOGUE_KEY, Catalogue, ClosedPool, choose, pool_key};
use enclave_core::creation::{Answer, Creation, Pool, StoredCall};
use enclave_core::ledger::RequestRecord;
use enclave_core::store::{Created, Store, StoreError};
use enclave_protocol::request::{Order, ProvisionHosts, Request};
use futures::stream::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use crate::desired::{pools, zones};
use crate::handler::Retry;
use crate::work::Work;

/// Objects read at a time.
const CONCURRENCY: usize = 16;

impl Work<'_> {
    /// Chooses the instance types of an order that says only what it needs; once, before it is accepted, so that every
    /// resume wants the same. Fails only where AWS could not be asked.
    pub(crate) async fn choose_instance_types(
        &self,
        record: &mut RequestRecord,
        order: &ProvisionHosts,
    ) -> Result<Result<(), AwsFailure>, Retry> {
        let Some(resources) = &order.resources else { return Ok(Ok(())) };
        let catalogue = match self.catalogue().await? {
            Ok(catalogue) => catalogue,
            Err(failure) => return Ok(Err(failure)),
        };
        let known = &self.rules.foundation.availability_zones;
        let volumes = zones(order, &self.rules.foundation)
            .into_iter()
            .filter_map(|zone| known.get(zone))
            .map(|zone| zone.root_volume_gib);
        record.instance_types =
            choose(resources, volumes.min().unwrap_or_default(), &catalogue.instance_types);
        Ok(Ok(()))
    }

    /// What AWS offers, from the ledger while that is fresh.
    async fn catalogue(&self) -> Result<Result<Catalogue, AwsFailure>, StoreError> {
        let now = Timestamp::now();
        let known = self.store.read::<Catalogue>(CATALOGUE_KEY).await?;
        if let Some(known) = &known
            && !known.value.is_stale(now)
        {
            return Ok(Ok(known.value.clone()));
        }
        let instance_types = match self.account.instance_types().await {
            Ok(instance_types) => instance_types,
            Err(failure) => return Ok(Err(failure)),
        };
        let fresh = Catalogue { read_at: now, instance_types };
        match known {
            Some(mut known) => {
                known.value = fresh.clone();
                self.store.update(&mut known).await?;
            }
            None => drop(self.store.create(CATALOGUE_KEY, fresh.clone()).await?),
        }
        Ok(Ok(fresh))
    }

    /// Notes which of the order's pools are known to have no room, while the order still wants hosts.
    pub(crate) async fn consult_pools(
        &self,
        record: &mut RequestRecord,
        request: &Request,
    ) -> Result<(), StoreError> {
        let Order::ProvisionHosts(order) = &request.order else { return Ok(()) };
        if record.hosts.len() >= order.count as usize {
            return Ok(());
        }
        let now = Timestamp::now();
        let of_order: BTreeSet<Pool> =
            pools(order, record, &self.rules.foundation).into_iter().flatten().collect();
        let closed: Vec<Option<ClosedPool>> = futures::stream::iter(of_order)
            .map(|pool| async move { read_closed(self.store, &pool, now).await })
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        record.closed_pools = closed.into_iter().flatten().collect();
        Ok(())
    }

    /// Tells other requests which pools the call just answered showed to have no room.
    pub(crate) async fn remember_pool(&self, call: &StoredCall) -> Result<(), StoreError> {
        let Some(closed) = closed_by(call) else { return Ok(()) };
        let key = pool_key(&closed.pool);
        match self.store.create(&key, closed.clone()).await? {
            Created::New(_) => Ok(()),
            Created::Existing(mut known) => {
                known.value = closed;
                self.store.update(&mut known).await
            }
        }
    }
}

async fn read_closed(store: &Store, pool: &Pool, now: Timestamp) -> Result<Option<ClosedPool>, StoreError> {
    let known = store.read::<ClosedPool>(&pool_key(pool)).await?;
    Ok(known.map(|known| known.value).filter(|closed| closed.until > now))
}

/// The pool that an answered launch showed to have no room, or no more.
pub(crate) fn closed_by(call: &StoredCall) -> Option<ClosedPool> {
    let Creation::RunInstances(launch) = &call.creation else { return None };
    match call.answer.as_ref()? {
        Answer::Refused { failure, at } if failure.class == ErrorClass::Capacity => {
            Some(ClosedPool::at(launch.pool.clone(), *at, failure.to_string()))
        }
        Answer::Launched { hosts, at } if hosts.len() < launch.max_count as usize => {
            let why = format!("it had room for {} of {} hosts", hosts.len(), launch.max_count);
            Some(ClosedPool::at(launch.pool.clone(), *at, why))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{CLAIMED, at, launch, launched, pool, refused, target_group_call};

    #[test]
    fn a_pool_is_closed_by_a_lack_of_room_and_by_nothing_else() {
        let a = || pool("m7g.large", "us-east-1a");
        let closes = |call: StoredCall| closed_by(&call).map(|closed| (closed.pool, closed.until));
        let expected = Some((a(), at(CLAIMED + 180)));
        assert_eq!(closes(launch(a(), 2, refused(ErrorClass::Capacity, CLAIMED))), expected);
        assert_eq!(closes(launch(a(), 2, launched(&[1], CLAIMED))), expected);
        assert_eq!(closes(launch(a(), 1, launched(&[1], CLAIMED))), None);
        assert_eq!(closes(launch(a(), 1, None)), None);
        for class in [ErrorClass::Throttle, ErrorClass::Refused, ErrorClass::Transient, ErrorClass::Unknown] {
            assert_eq!(closes(launch(a(), 2, refused(class, CLAIMED))), None, "{class:?}");
        }
        assert_eq!(closes(target_group_call(refused(ErrorClass::Capacity, CLAIMED))), None);
    }
}
