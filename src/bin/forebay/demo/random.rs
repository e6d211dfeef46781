//! Random choices that can be made again: xorshift64*, from a seed that is printed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source of random numbers, good enough for choosing moments.
#[derive(Debug)]
pub(super) struct Random(u64);

/// A seed that no other process has at this moment.
pub(super) fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = u64::from(now.unwrap_or_default().subsec_nanos());
    (u64::from(std::process::id()) << 32) | nanoseconds
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Zero would stay zero, and near seeds should not begin alike.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`, which is not 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % limit
    }

    /// True in `percent` of 100 cases.
    pub(super) fn is_in(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A span of at least `from` and less than `to` milliseconds.
    pub(super) fn span(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_choices_again_and_they_are_spread() {
        let mut counts = [0_u32; 10];
        let (mut one, mut two) = (Random::new(5), Random::new(5));
        for _ in 0..10_000 {
            let choice = one.below(10);
            assert_eq!(choice, two.below(10));
            counts[usize::try_from(choice).expect("below 10")] += 1;
        }
        assert!(
            counts.iter().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
    }
}
