//! Calls at our own pace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use enclave_core::aws::{AwsFailure, ErrorClass};
use enclave_core::pacing::{Bucket, rate_of};
use jiff::{SignedDuration, Timestamp};

/// Longest wait for our own pace; what would take longer is left for the next tick, as a throttle is.
const MAX_WAIT: SignedDuration = SignedDuration::from_secs(2);

/// The buckets of one account. Kept for as long as the process lives: clones share them.
#[derive(Debug, Clone)]
pub struct Pacer {
    percent: u32,
    buckets: Arc<Mutex<BTreeMap<&'static str, Bucket>>>,
}

impl Pacer {
    /// Full buckets, at so many percent of the usual pace.
    pub fn new(percent: u32) -> Self {
        Self { percent, buckets: Arc::default() }
    }

    /// Makes a call when its API's turn comes, and classifies its failure. A throttle empties the API's bucket.
    pub(crate) fn call<T, E: ProvideErrorMetadata, R>(
        &self,
        api: &'static str,
        send: impl Future<Output = Result<T, SdkError<E, R>>>,
    ) -> impl Future<Output = Result<T, AwsFailure>> {
        // The SDK's futures are tens of kilobytes; boxed here, they do not make every caller's as large.
        let send = Box::pin(send);
        async move {
            let wait = self.turn(api, Timestamp::now())?;
            if let Ok(wait) = wait.try_into() {
                tokio::time::sleep(wait).await;
            }
            send.await.map_err(|error| {
                let failure = AwsFailure::new(api, &error);
                if failure.class == ErrorClass::Throttle {
                    self.with(api, Timestamp::now(), |bucket| bucket.empty(Timestamp::now()));
                }
                failure
            })
        }
    }

    /// How long until the call may be made.
    fn turn(&self, api: &'static str, now: Timestamp) -> Result<SignedDuration, AwsFailure> {
        self.with(api, now, |bucket| {
            let wait = bucket.wait(now);
            if wait > MAX_WAIT { Err(paced(api, wait)) } else { Ok(bucket.take(now)) }
        })
    }

    fn with<T>(&self, api: &'static str, now: Timestamp, act: impl FnOnce(&mut Bucket) -> T) -> T {
        // A panic elsewhere leaves numbers that are still numbers.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        act(buckets.entry(api).or_insert_with(|| Bucket::full(rate_of(api).scaled(self.percent), now)))
    }
}

fn paced(api: &str, wait: SignedDuration) -> AwsFailure {
    AwsFailure {
        call: api.to_owned(),
        class: ErrorClass::Throttle,
        code: "Paced".to_owned(),
        message: format!("our own pace would have it wait {:.1} s", wait.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_far_from_its_turn_is_left_for_later_and_takes_no_token() {
        let pacer = Pacer::new(100);
        let now = Timestamp::from_second(0).unwrap();
        // 5 at once, then 2 a second: the tenth waits 2.5 s.
        for expected in [0, 0, 0, 0, 0, 500, 1000, 1500, 2000] {
            assert_eq!(pacer.turn("RunInstances", now).unwrap().as_millis(), expected);
        }
        for _ in 0..2 {
            let failure = pacer.turn("RunInstances", now).unwrap_err();
            assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Throttle, "Paced"));
        }
        assert_eq!(pacer.turn("DescribeInstances", now).unwrap(), SignedDuration::ZERO, "its own bucket");
        let later = Timestamp::from_second(1).unwrap();
        assert_eq!(pacer.turn("RunInstances", later).unwrap().as_millis(), 1500);
    }

    #[tokio::test]
    async fn a_throttle_empties_its_own_bucket_and_another_failure_none() {
        use aws_sdk_ec2::error::ErrorMetadata;
        use aws_sdk_ec2::operation::run_instances::RunInstancesError;

        let refused = async |pacer: &Pacer, code: &str| {
            let error = RunInstancesError::generic(ErrorMetadata::builder().code(code).build());
            let answer: Result<(), _> = Err(SdkError::service_error(error, ()));
            pacer.call("RunInstances", std::future::ready(answer)).await.unwrap_err()
        };
        let pacer = Pacer::new(100);
        let wait = |api| pacer.turn(api, Timestamp::now()).unwrap();
        assert_eq!(refused(&pacer, "InsufficientInstanceCapacity").await.class, ErrorClass::Capacity);
        assert_eq!(wait("RunInstances"), SignedDuration::ZERO);
        assert_eq!(refused(&pacer, "RequestLimitExceeded").await.class, ErrorClass::Throttle);
        assert!(wait("RunInstances") > SignedDuration::ZERO, "three tokens were left");
        assert_eq!(wait("DescribeInstances"), SignedDuration::ZERO);
    }
}
