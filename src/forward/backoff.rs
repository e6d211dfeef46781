//! How long to leave the other side alone: longer each time, and never all at the same moment.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Delays that double from one refusal to the next, up to a limit, with a random part.
///
/// The random part is half of the delay: those whom one outage stopped come back spread out.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    initial: Duration,
    max: Duration,
    refusals: u32,
    /// What the random part is made of: a seed of its own, and how many delays there were.
    seed: u64,
    drawn: u64,
}

impl Backoff {
    pub(super) fn new(initial: Duration, max: Duration) -> Self {
        Self::seeded(initial, max, RandomState::new().build_hasher().finish())
    }

    fn seeded(initial: Duration, max: Duration, seed: u64) -> Self {
        Self {
            initial: initial.min(max),
            max,
            refusals: 0,
            seed,
            drawn: 0,
        }
    }

    /// The delay after one more refusal, at least as long as the other side asked for.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let factor = 1_u32.checked_shl(self.refusals).unwrap_or(u32::MAX);
        self.refusals = self.refusals.saturating_add(1);
        let full = self.initial.saturating_mul(factor).min(self.max);
        let half = full / 2;
        let delay = half + self.part_of(full.saturating_sub(half));
        delay.max(asked.unwrap_or_default())
    }

    /// Begins anew: something was accepted.
    pub(super) fn reset(&mut self) {
        self.refusals = 0;
    }

    /// A random part of `whole`.
    fn part_of(&mut self, whole: Duration) -> Duration {
        self.drawn = self.drawn.wrapping_add(1);
        let bits = mixed(self.seed.wrapping_add(self.drawn.wrapping_mul(STEP)));
        // The upper half of the bits as a fraction of 2^32.
        let fraction = u32::try_from(bits >> 32).unwrap_or(u32::MAX);
        whole.mul_f64(f64::from(fraction) / f64::from(u32::MAX))
    }
}

/// The odd number nearest to 2^64 divided by the golden ratio: its multiples are spread evenly.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of `SplitMix64`: every bit of the result depends on every bit of `bits`.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INITIAL: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(5);

    #[test]
    fn delays_double_up_to_the_limit_and_at_most_half_of_each_is_random() {
        for seed in 0..1000 {
            let mut backoff = Backoff::seeded(INITIAL, MAX, seed);
            let mut full = INITIAL;
            for _ in 0..100 {
                let delay = backoff.next(None);
                assert!(delay >= full / 2 && delay <= full, "{delay:?} of {full:?}");
                full = (full * 2).min(MAX);
            }
        }
    }

    #[test]
    fn delays_of_two_seeds_differ() {
        let first = |seed| Backoff::seeded(INITIAL, MAX, seed).next(None);
        let all: std::collections::BTreeSet<_> = (0..1000).map(first).collect();
        assert!(all.len() > 990, "{} of 1000", all.len());
    }

    #[test]
    fn a_seed_gives_the_same_delays_each_time() {
        let delays = || {
            let mut backoff = Backoff::seeded(INITIAL, MAX, 7);
            (0..20).map(|_| backoff.next(None)).collect::<Vec<_>>()
        };
        assert_eq!(delays(), delays());
    }

    #[test]
    fn what_the_other_side_asks_for_is_waited_for_also_beyond_the_limit() {
        let mut backoff = Backoff::seeded(INITIAL, MAX, 7);
        assert_eq!(backoff.next(Some(MAX * 2)), MAX * 2);
        assert!(backoff.next(Some(Duration::ZERO)) >= INITIAL);
    }

    #[test]
    fn after_something_was_accepted_delays_begin_anew() {
        let mut backoff = Backoff::seeded(INITIAL, MAX, 7);
        for _ in 0..10 {
            backoff.next(None);
        }
        backoff.reset();
        assert!(backoff.next(None) <= INITIAL);
    }

    #[test]
    fn extremes_overflow_nothing() {
        let mut backoff = Backoff::seeded(Duration::MAX, Duration::MAX, 7);
        for _ in 0..100 {
            assert!(backoff.next(None) >= Duration::MAX / 2);
        }
        let mut backoff = Backoff::seeded(Duration::ZERO, Duration::ZERO, 7);
        assert_eq!(backoff.next(None), Duration::ZERO);
    }
}
