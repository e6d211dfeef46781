//! Queues to read: made in memory, where power can be cut, and put on disk to be looked at.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay::storage::memory::MemoryDirectory;
use forebay::{Host, Preallocate, Queue, QueueOptions, SyncPolicy};
use tempfile::TempDir;

/// Numbers that look random and are the same for the same seed.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    fn draw(&self) -> u64 {
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.0.fetch_add(step, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.draw() % limit
    }

    /// An index below `limit`.
    pub(crate) fn pick(&self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("a small number");
        usize::try_from(self.below(limit)).expect("a small number")
    }

    pub(crate) fn byte(&self) -> u8 {
        self.draw().to_le_bytes()[0]
    }
}

/// A machine whose clock moves a step each time and whose random numbers come from dice.
#[derive(Debug)]
struct Machine {
    clock: AtomicU64,
    dice: Dice,
}

impl Host for Machine {
    fn now(&self) -> u64 {
        let ticks = self.clock.fetch_add(1, Ordering::Relaxed);
        1_700_000_000_000_000_000 + 1000 * ticks
    }

    fn random(&self) -> u64 {
        self.dice.draw()
    }

    fn process(&self) -> u32 {
        1
    }

    /// The same each time: nothing happens in the background.
    fn has_threads(&self) -> bool {
        false
    }
}

/// Options with the smallest segments, on a machine that gives the same answers for one seed.
pub(crate) fn options(policy: SyncPolicy, seed: u64) -> QueueOptions {
    let machine = Machine {
        clock: AtomicU64::new(1000 * seed),
        dice: Dice::new(seed),
    };
    QueueOptions::new()
        .segment_bytes(8192)
        .preallocate(Preallocate::None)
        .sync_policy(policy)
        .host(Arc::new(machine))
}

pub(crate) fn open(memory: &MemoryDirectory, options: QueueOptions) -> Queue {
    let storage = Arc::new(memory.clone());
    options.open_on(storage).expect("the queue opens")
}

/// Folders of one test, each with the files of a queue.
pub(crate) struct Shelf {
    folder: TempDir,
    pub(crate) paths: Vec<PathBuf>,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            paths: Vec::new(),
        }
    }

    /// A path for another queue.
    pub(crate) fn place(&mut self) -> PathBuf {
        let path = self.folder.path().join(self.paths.len().to_string());
        self.paths.push(path.clone());
        path
    }

    /// Puts all files of `memory` on disk.
    pub(crate) fn put(&mut self, memory: &MemoryDirectory) -> PathBuf {
        let path = self.place();
        for name in memory.names() {
            let file = path.join(&name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a new folder");
            let bytes = memory.file_bytes(&name).expect("a listed file");
            fs::write(file, bytes).expect("room");
        }
        // Folders without files are part of a queue too.
        for folder in ["segments", "cursors", "quarantine"] {
            fs::create_dir_all(path.join(folder)).expect("a new folder");
        }
        path
    }
}
