//! Keys of events: what a receiver knows them by, made before anything can go wrong.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Makes keys that no other publisher makes: 80 random bits of its own, and 48 that count.
#[derive(Debug)]
pub(super) struct Keys {
    own: [u8; 10],
    next: AtomicU64,
}

impl Keys {
    pub(super) fn new() -> Self {
        let mut own = [0; 10];
        let bytes = [random_bits(), random_bits()].map(u64::to_le_bytes);
        own.iter_mut()
            .zip(bytes.as_flattened())
            .for_each(|(to, from)| *to = *from);
        Self {
            own,
            next: AtomicU64::new(0),
        }
    }

    pub(super) fn next(&self) -> [u8; 16] {
        let count = self.next.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        let mut key = [0; 16];
        key.iter_mut()
            .zip(self.own.iter().chain(&count))
            .for_each(|(to, from)| *to = *from);
        key
    }
}

/// 64 bits that no other process has: the standard library's hashers are keyed at random, but a
/// fork inherits their keys.
fn random_bits() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    hasher.write_u128(now.unwrap_or_default().as_nanos());
    hasher.write_u32(std::process::id());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_key_is_made_twice_by_one_publisher_or_by_two() {
        let publishers: Vec<_> = (0..100).map(|_| Keys::new()).collect();
        let keys: HashSet<_> = publishers
            .iter()
            .flat_map(|keys| (0..1000).map(|_| keys.next()))
            .collect();
        assert_eq!(keys.len(), 100_000);
    }
}
