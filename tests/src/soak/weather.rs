//! What strikes during one schedule, drawn from its seed.

use std::time::Duration;

use super::draw::Draw;
use crate::recording_proxy::{Fault, Random, RecordingProxy, Rule};

/// How far reads lag behind where they do, by the schedule's own clock.
const LAG: Duration = Duration::from_secs(30);

/// How much later each step comes, by the same clock. Ticks are a minute apart: here the lag outlasts them.
const STEP: Duration = Duration::from_secs(12);

/// Of a thousand calls so many are struck, until the step has had its share.
const PER_MILLE: u32 = 40;

/// What may strike any call.
const FAULTS: [Fault; 7] = [
    Fault::KillBefore,
    Fault::KillAfter,
    Fault::LoseRequest,
    Fault::LoseAnswer,
    Fault::Throttle,
    Fault::ServerError,
    Fault::Delay(Duration::from_millis(30)),
];

/// What is drawn once for a whole schedule.
#[derive(Debug, Clone)]
pub(super) struct Weather {
    /// What strikes launches for want of room, and after how many.
    pub(super) scarcity: Option<Rule>,
    /// Whether reads lag behind.
    pub(super) stale: bool,
    faults: Draw,
}

impl Weather {
    pub(super) fn new(seed: u64) -> Self {
        let mut draw = Draw::new(seed, "weather");
        let scarcity = draw.chance(25).then(|| {
            let fault = match draw.below(3) {
                0 => Fault::Refuse("InsufficientInstanceCapacity"),
                1 => Fault::Refuse("InsufficientFreeAddressesInSubnet"),
                _ => Fault::AtMost(1),
            };
            let times = *draw.one(&[1, 2, u32::MAX]);
            Rule { after: draw.below(4), times, ..Rule::once("RunInstances", fault) }
        });
        Self { scarcity, stale: draw.chance(20), faults: Draw::new(seed, "faults") }
    }

    /// Begins.
    pub(super) fn over(&self, proxy: &RecordingProxy) {
        proxy.script(self.scarcity.clone().into_iter().collect());
        proxy.stale_for(self.stale.then_some(LAG));
    }

    /// Faults of one step; they depend on nothing but the seed and the step's number.
    pub(super) fn step(&mut self, proxy: &RecordingProxy) {
        proxy.advance(STEP);
        proxy.draw(Some(self.next_step()));
    }

    fn next_step(&mut self) -> Random {
        let at_most = *self.faults.one(&[0, 0, 1, 1, 2]);
        Random { seed: self.faults.seed(), per_mille: PER_MILLE, faults: FAULTS.to_vec(), at_most }
    }

    /// Lets reads catch up with what was answered before.
    pub(super) fn pass(proxy: &RecordingProxy) {
        proxy.advance(LAG);
    }

    /// Ends.
    pub(super) fn clear(proxy: &RecordingProxy) {
        proxy.script(Vec::new());
        proxy.draw(None);
        proxy.stale_for(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_brings_the_same_weather_again_and_another_seed_does_not() {
        let of = |seed| {
            let mut weather = Weather::new(seed);
            let steps: Vec<Random> = (0..20).map(|_| weather.next_step()).collect();
            (weather.scarcity, weather.stale, steps)
        };
        for seed in 1..50 {
            assert_eq!(of(seed), of(seed));
            assert_ne!(of(seed).2, of(seed + 1).2);
        }
    }
}
