//! The machine under a queue: no threads, a clock that ticks when it is looked at, random bits
//! that are the same each time.

use std::sync::atomic::{AtomicU64, Ordering};

use forebay::Host;

use crate::dice::mix;

#[derive(Debug)]
pub(crate) struct Machine {
    seed: u64,
    looks: AtomicU64,
}

impl Machine {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            looks: AtomicU64::new(0),
        }
    }

    fn look(&self) -> u64 {
        self.looks.fetch_add(1, Ordering::Relaxed)
    }
}

impl Host for Machine {
    fn now(&self) -> u64 {
        1_000_000_000 + self.look()
    }

    fn random(&self) -> u64 {
        mix(self.seed, self.look())
    }

    fn process(&self) -> u32 {
        1
    }

    fn has_threads(&self) -> bool {
        false
    }
}
