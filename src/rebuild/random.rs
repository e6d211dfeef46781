//! Random bits: for salts, epochs, and the identity of a queue that has none.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use crate::position::QueueId;

/// A stream of random bits, drawn from one seed.
#[derive(Debug)]
pub(super) struct Draw {
    bits: blake3::OutputReader,
}

impl Draw {
    /// From bits that nobody else can foresee: the standard library keys its hashers with random
    /// bits of the operating system.
    pub(super) fn new() -> Self {
        let mut seed = blake3::Hasher::new();
        for _ in 0..2 {
            let hasher = RandomState::new().build_hasher();
            seed.update(&hasher.finish().to_le_bytes());
        }
        seed.update(&std::process::id().to_le_bytes());
        Self {
            bits: seed.finalize_xof(),
        }
    }

    /// From `seed`, the same each time.
    pub(super) fn of(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        Self {
            bits: hasher.finalize_xof(),
        }
    }

    pub(super) fn next(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.bits.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    pub(super) fn queue(&mut self) -> QueueId {
        let mut bytes = [0; 16];
        self.bits.fill(&mut bytes);
        QueueId::new(bytes)
    }
}
