//! Blocks that a medium does not give back any more.

use std::collections::BTreeSet;
use std::ops::Range;

use parking_lot::Mutex;

const BLOCK_BYTES: u64 = 4096;

/// Which blocks of which files cannot be read, by name and number.
#[derive(Debug, Default)]
pub(super) struct Medium {
    broken: Mutex<BTreeSet<(String, u64)>>,
}

impl Medium {
    pub(super) fn break_block(&self, name: &str, number: u64) {
        self.broken.lock().insert((name.to_owned(), number));
    }

    /// Whether a read of `range` of the file `name` fails.
    pub(super) fn is_broken(&self, name: &str, range: &Range<u64>) -> bool {
        let broken = self.broken.lock();
        let mut own = broken.iter().filter(|(file, _)| file == name);
        own.any(|(_, number)| {
            let start = number * BLOCK_BYTES;
            start < range.end && start + BLOCK_BYTES > range.start
        })
    }

    /// A block that is written whole is put elsewhere by the device.
    pub(super) fn rewritten(&self, name: &str, range: &Range<u64>) {
        self.broken.lock().retain(|(file, number)| {
            let start = number * BLOCK_BYTES;
            file != name || start < range.start || start + BLOCK_BYTES > range.end
        });
    }

    /// The file `name` is gone, or another one.
    pub(super) fn forget(&self, name: &str) {
        self.broken.lock().retain(|(file, _)| file != name);
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        self.forget(to);
        let mut broken = self.broken.lock();
        let moved: Vec<u64> = broken
            .iter()
            .filter(|(file, _)| file == from)
            .map(|(_, number)| *number)
            .collect();
        for number in moved {
            broken.remove(&(from.to_owned(), number));
            broken.insert((to.to_owned(), number));
        }
    }
}
