//! Our own pace: a token bucket for each API, so that we leave room for the tenant's other tools, which share AWS's.

use jiff::{SignedDuration, Timestamp};

/// How fast an API may be called.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Calls at once after a rest.
    pub burst: f64,
    /// Calls a second after that.
    pub per_second: f64,
}

impl Rate {
    /// The rate at so many percent; at least one call at once, and one in a minute.
    #[must_use]
    pub fn scaled(self, percent: u32) -> Self {
        let factor = f64::from(percent) / 100.0;
        Self { burst: (self.burst * factor).max(1.0), per_second: (self.per_second * factor).max(1.0 / 60.0) }
    }
}

/// The pace of an API.
///
/// EC2 as AWS documents its buckets (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>: 100 and
/// 20 for reads, 5 and 2 for `RunInstances`); its other changing calls and ELBv2's as `aws-load-balancer-controller` paces
/// them (`pkg/aws/throttle/defaults.go`), because AWS does not document those.
pub fn rate_of(api: &str) -> Rate {
    let (burst, per_second) = match api {
        "RunInstances" => (5.0, 2.0),
        "RegisterTargets" | "DeregisterTargets" => (20.0, 4.0),
        "DescribeLoadBalancers"
        | "DescribeTargetGroups"
        | "DescribeListeners"
        | "DescribeTags"
        | "DescribeTargetHealth"
        | "DescribeLoadBalancerAttributes"
        | "DescribeListenerAttributes"
        | "DescribeTargetGroupAttributes" => (50.0, 10.0),
        _ if api.starts_with("Describe") => (100.0, 20.0),
        _ => (20.0, 3.0),
    };
    Rate { burst, per_second }
}

/// What is left of a pace at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    rate: Rate,
    tokens: f64,
    filled_at: Timestamp,
}

impl Bucket {
    /// A full bucket.
    pub fn full(rate: Rate, now: Timestamp) -> Self {
        Self { rate, tokens: rate.burst, filled_at: now }
    }

    /// Takes a token that is there or will be; says how long to wait for it.
    pub fn take(&mut self, now: Timestamp) -> SignedDuration {
        self.refill(now);
        self.tokens -= 1.0;
        let seconds = (-self.tokens).max(0.0) / self.rate.per_second;
        SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::ZERO)
    }

    /// How long a token would have to be waited for.
    pub fn wait(&self, now: Timestamp) -> SignedDuration {
        self.clone().take(now)
    }

    /// AWS throttled: nothing is left, whatever we believed.
    pub fn empty(&mut self, now: Timestamp) {
        self.refill(now);
        self.tokens = self.tokens.min(0.0);
    }

    fn refill(&mut self, now: Timestamp) {
        let seconds = now.duration_since(self.filled_at).as_secs_f64().max(0.0);
        let tokens = self.tokens + seconds * self.rate.per_second;
        self.tokens = tokens.min(self.rate.burst);
        self.filled_at = now.max(self.filled_at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    #[test]
    fn a_burst_is_free_and_what_follows_waits_its_turn() {
        let mut bucket = Bucket::full(Rate { burst: 3.0, per_second: 2.0 }, at(0));
        let waits: Vec<i128> = (0..5).map(|_| bucket.take(at(0)).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 500, 1000]);
        assert_eq!(bucket.wait(at(10_000)), SignedDuration::ZERO, "refilled");
    }

    #[test]
    fn a_throttle_empties_the_bucket_and_a_rest_fills_it_no_further_than_full() {
        let mut bucket = Bucket::full(Rate { burst: 3.0, per_second: 2.0 }, at(0));
        bucket.empty(at(0));
        assert_eq!(bucket.wait(at(0)).as_millis(), 500);
        assert_eq!(bucket.wait(at(500)), SignedDuration::ZERO);
        let waits = (0..4).map(|_| bucket.take(at(60_000)).as_millis()).collect::<Vec<_>>();
        assert_eq!(waits, [0, 0, 0, 500]);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let mut bucket = Bucket::full(Rate { burst: 1.0, per_second: 1.0 }, at(5000));
        assert_eq!(bucket.take(at(5000)), SignedDuration::ZERO);
        assert_eq!(bucket.take(at(0)).as_millis(), 1000);
    }

    proptest! {
        #[test]
        fn whoever_waits_as_told_stays_within_the_rate(
            burst in 1_u32..50, per_second in 1_u32..50, gaps in prop::collection::vec(0_i64..500, 1..200),
        ) {
            let rate = Rate { burst: f64::from(burst), per_second: f64::from(per_second) };
            let mut bucket = Bucket::full(rate, at(0));
            let mut now = 0;
            let mut calls = Vec::new();
            for gap in gaps {
                now += gap;
                let wait = i64::try_from(bucket.take(at(now)).as_micros()).unwrap();
                calls.push(now * 1000 + wait);
            }
            // A microsecond for each call may have been lost to rounding.
            for (first, begin) in calls.iter().enumerate() {
                for (last, end) in calls.iter().enumerate().skip(first) {
                    let made = i64::try_from(last - first).unwrap();
                    let micros = (made - i64::from(burst)) * 1_000_000 / i64::from(per_second);
                    prop_assert!(end - begin + made >= micros);
                }
            }
        }
    }
}
