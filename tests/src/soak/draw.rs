//! Numbers that follow from a seed alone, on every machine and in every version.

use sha2::{Digest, Sha256};

/// A stream of draws.
#[derive(Debug, Clone)]
pub(super) struct Draw {
    seed: u64,
    stream: &'static str,
    next: u64,
}

impl Draw {
    /// The stream of this name under a seed; streams do not disturb each other.
    pub(super) fn new(seed: u64, stream: &'static str) -> Self {
        Self { seed, stream, next: 0 }
    }

    /// A number below `bound`, which must not be zero.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let hash = Sha256::digest(format!("{}/{}/{}", self.seed, self.stream, self.next));
        self.next += 1;
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % bound
    }

    /// Yes, `share` times of a hundred.
    pub(super) fn chance(&mut self, share: u32) -> bool {
        self.below(100) < share
    }

    /// One of several; the list must not be empty.
    pub(super) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let index = self.below(u32::try_from(of.len()).unwrap_or(u32::MAX));
        &of[index as usize]
    }

    /// A seed for something below.
    pub(super) fn seed(&mut self) -> u64 {
        u64::from(self.below(u32::MAX)) << 32 | u64::from(self.below(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_again_and_another_seed_or_stream_does_not() {
        let some = |seed, stream| -> Vec<u32> {
            let mut draw = Draw::new(seed, stream);
            (0..8).map(|_| draw.below(1_000_000)).collect()
        };
        assert_eq!(some(1, "a"), some(1, "a"));
        assert_ne!(some(1, "a"), some(2, "a"));
        assert_ne!(some(1, "a"), some(1, "b"));
    }
}
