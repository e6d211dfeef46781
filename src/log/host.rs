//! What the log asks of the machine besides files: the time, random bits, and who we are.
//!
//! It is a trait so that a simulation can answer, and so that nothing below reads a clock.

use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::storage::ProcessMark;

/// The machine under a log.
#[cfg_attr(
    not(feature = "test-support"),
    expect(unreachable_pub, reason = "public with the feature test-support")
)]
pub trait Host: Debug + Send + Sync {
    /// Nanoseconds since 1970; 0 before.
    fn now(&self) -> u64;

    /// 64 random bits that nobody else can foresee.
    fn random(&self) -> u64;

    /// The number of the running process.
    fn process(&self) -> u32;

    /// Whether a queue may start its commit thread. Without one nothing happens in the background
    /// until `Queue::run_background` is called, so that a simulation is the same each time.
    fn has_threads(&self) -> bool {
        true
    }
}

/// `duration` in nanoseconds, up to 584 years. (`as_nanos` would multiply and compare 128 bits.)
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::from(duration.subsec_nanos()))
}

/// Whether what happened at `time` is more than `age` ago at `now`, both in nanoseconds since
/// 1970. What a clock that was set back puts into the future is not.
pub(super) fn is_older(time: u64, age: Duration, now: u64) -> bool {
    now.saturating_sub(time) > nanoseconds(age)
}

/// The machine that the program runs on.
#[derive(Debug)]
pub(crate) struct SystemHost {
    /// The process that made this.
    process: u32,
    /// Tells whether we still are that process; without it the system is asked each time, which
    /// is a call into the kernel, and every record asks more than once.
    mark: Option<ProcessMark>,
}

impl SystemHost {
    pub(crate) fn new() -> Self {
        Self {
            process: std::process::id(),
            mark: ProcessMark::set(),
        }
    }
}

impl Host for SystemHost {
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        nanoseconds(since.unwrap_or_default())
    }

    fn random(&self) -> u64 {
        // The standard library keys its hashers with random bits of the operating system, once a
        // thread, and counts on from there; BLAKE3 spreads what two of them and the time give.
        let mut seed = blake3::Hasher::new();
        for _ in 0..2 {
            let mut hasher = RandomState::new().build_hasher();
            hasher.write_u64(self.now());
            seed.update(&hasher.finish().to_le_bytes());
        }
        seed.update(&self.process().to_le_bytes());
        let bytes = seed.finalize();
        bytes
            .as_bytes()
            .first_chunk::<8>()
            .copied()
            .map_or(0, u64::from_le_bytes)
    }

    fn process(&self) -> u32 {
        if self.mark.as_ref().is_some_and(ProcessMark::is_here) {
            self.process
        } else {
            std::process::id()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bits_do_not_repeat() {
        let host = SystemHost::new();
        let drawn: std::collections::HashSet<u64> = (0..10_000).map(|_| host.random()).collect();
        assert_eq!(drawn.len(), 10_000);
    }

    #[test]
    fn the_process_is_the_one_that_runs_with_a_mark_and_without() {
        let id = std::process::id();
        assert_eq!(SystemHost::new().process(), id);
        let unmarked = SystemHost {
            process: id.wrapping_add(1),
            mark: None,
        };
        assert_eq!(unmarked.process(), id, "nothing is believed without a mark");
    }
}
