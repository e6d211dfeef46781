//! Queues with all their records, closed or killed, the same bytes each time.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay::{Entry, Host, Preallocate, Queue, QueueOptions, Retention, Sequence, SyncPolicy};

use super::{CURSORS, QUEUE, RECORDS, Scene};

const SEGMENT_BYTES: u64 = 16 << 10;

/// What record `number` holds: text, or now and then bytes that are none, or nothing.
pub(crate) fn payload(number: u64) -> Vec<u8> {
    match number % 20 {
        7 => Vec::new(),
        13 => (0..=255).collect(),
        rest => {
            let filler = "lorem ipsum dolor sit amet ";
            let copies = usize::try_from(rest * 7 % 20).expect("a small number");
            format!("record {number} {}", filler.repeat(copies)).into_bytes()
        }
    }
}

/// The kind of record `number`.
pub(crate) fn kind(number: u64) -> u16 {
    u16::try_from(number % 3).expect("a small number")
}

/// A machine whose clock moves on by a millisecond each time it is read, and whose random numbers
/// follow from its seed.
#[derive(Debug)]
struct Machine {
    clock: AtomicU64,
    random: AtomicU64,
}

impl Machine {
    fn new(seed: u64) -> Self {
        Self {
            clock: AtomicU64::new(1_700_000_000_000 + seed * 1_000_000),
            random: AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        }
    }
}

impl Host for Machine {
    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed) * 1_000_000
    }

    fn random(&self) -> u64 {
        let mut mixed = self
            .random
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn process(&self) -> u32 {
        1
    }

    /// The same each time: nothing happens in the background.
    fn has_threads(&self) -> bool {
        false
    }
}

fn options(seed: u64) -> QueueOptions {
    QueueOptions::new()
        .segment_bytes(SEGMENT_BYTES)
        .preallocate(Preallocate::None)
        .sync_policy(SyncPolicy::Manual)
        .retention(Retention::KeepForever)
        .host(Arc::new(Machine::new(seed)))
}

/// A queue in the making, with all its records.
fn filled(path: &Path, seed: u64) -> Queue {
    let queue = options(seed).open(path).expect("a new queue");
    for number in 0..RECORDS {
        let bytes = payload(number);
        let entry = Entry::new(&bytes).kind(kind(number));
        queue.enqueue(entry).expect("room");
        if number % 10 == 9 {
            queue.sync().expect("a working disk");
        }
    }
    for (name, next) in CURSORS {
        let mut consumer = queue.consumer(name).expect("a new consumer");
        let last = Sequence::new(next - 1);
        consumer.ack_through(last).expect("durable records");
    }
    queue.run_background();
    queue
}

/// Closed as it should be; nothing is wrong with it.
pub(crate) fn whole() -> Scene {
    closed(1)
}

/// The same of the queue that follows from `seed`.
pub(super) fn closed(seed: u64) -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = filled(&folder.path().join(QUEUE), seed);
    queue.close().expect("a clean close");
    Scene {
        folder,
        damaged: BTreeSet::new(),
    }
}

/// Its program was killed; nothing is lost by that.
pub(crate) fn killed() -> Scene {
    let (made, folder) = (tempfile::tempdir(), tempfile::tempdir());
    let (made, folder) = (made.expect("a folder"), folder.expect("a folder"));
    let queue = filled(&made.path().join(QUEUE), 1);
    copy(&made.path().join(QUEUE), &folder.path().join(QUEUE));
    drop(queue);
    Scene {
        folder,
        damaged: BTreeSet::new(),
    }
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("room for a copy");
        }
    }
}
