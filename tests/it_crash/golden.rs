//! A small queue that holds every structure there is, and is the same each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CommitPadding, Host, Preallocate, Queue, QueueOptions, Retention, Sequence, SyncPolicy,
};

use crate::support::{options, segments};

const BLOCK: usize = 4096;

/// A machine that gives the same answers each time.
#[derive(Debug)]
struct Fixed(AtomicU64);

impl Host for Fixed {
    fn now(&self) -> u64 {
        1_700_000_000_000_000_000
    }

    fn random(&self) -> u64 {
        let drawn = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn process(&self) -> u32 {
        1
    }

    /// What happens in the background happens when it is asked for.
    fn has_threads(&self) -> bool {
        false
    }
}

/// A machine without threads, for a queue that does only what its callers do.
pub(crate) fn still_host() -> Arc<dyn Host> {
    Arc::new(Fixed(AtomicU64::new(0)))
}

/// How the queue was left before it is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Closed,
    /// Killed after it had been idle: the newest record is proven durable.
    Killed,
    /// The power went right after the last record, which nothing else knows of.
    PowerCut,
}

pub(crate) const ALL_LEFT: [Left; 3] = [Left::Closed, Left::Killed, Left::PowerCut];

/// The undamaged queue and what it holds.
pub(crate) struct Golden {
    pub(crate) left: Left,
    pub(crate) image: MemoryDirectory,
    pub(crate) payloads: Vec<Vec<u8>>,
    pub(crate) acked: u64,
    /// Every sequence below this is proven durable by something in another file than its own.
    pub(crate) proven: u64,
    /// What it was like after each change before.
    pub(crate) earlier: Vec<MemoryDirectory>,
}

fn small(seed: u64) -> QueueOptions {
    options(SyncPolicy::Always)
        .preallocate(Preallocate::None)
        .retention(Retention::KeepForever)
        .commit_padding(CommitPadding::Sector)
        .host(Arc::new(Fixed(AtomicU64::new(seed))))
}

pub(crate) fn open_small(memory: &MemoryDirectory) -> Result<Queue, forebay::Error> {
    small(0).open_on(Arc::new(memory.clone()))
}

/// Three segments of single records and a batch, short, empty, and long and blank ones, with
/// padding between the commits, an index for each, and a consumer.
pub(crate) fn make_golden(left: Left) -> Golden {
    make(left, 0)
}

/// The same of another queue.
pub(crate) fn make_other(left: Left) -> Golden {
    make(left, 1000)
}

fn make(left: Left, seed: u64) -> Golden {
    let memory = MemoryDirectory::new();
    let queue = small(seed)
        .open_on(Arc::new(memory.clone()))
        .expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    let mut earlier = vec![memory.process_kill()];
    let mut payloads = Vec::new();
    for (sequence, length) in (0..9).zip([20, 30, 25, 1, 3000, 20, 0, 1500, 33]) {
        let mut bytes = format!("record {sequence}:").into_bytes();
        bytes.resize(length, 0);
        payloads.push(bytes);
        match sequence {
            2 => continue,
            3 => queue.enqueue_batch(&payloads[2..]).map(drop),
            _ => queue.enqueue(&payloads[sequence]).map(drop),
        }
        .expect("nothing fails");
        earlier.push(memory.process_kill());
    }
    for sequence in 0..2 {
        consumer
            .ack_through(Sequence::new(sequence))
            .expect("nothing fails");
        earlier.push(memory.process_kill());
    }
    drop(consumer);
    assert_eq!(segments(&memory).len(), 3, "several segments");
    let image = match left {
        Left::Closed => {
            be_idle(&queue);
            queue.close().expect("nothing fails");
            memory
        }
        Left::Killed => {
            be_idle(&queue);
            memory.process_kill()
        }
        Left::PowerCut => memory.crash_losing_all(),
    };
    let proven = match left {
        // The newest segment alone knows of what is in it.
        Left::PowerCut => 6,
        Left::Closed | Left::Killed => 9,
    };
    Golden {
        left,
        image,
        payloads,
        acked: 2,
        proven,
        earlier,
    }
}

/// Everything that is done in the background: a commit may leave an index to write.
fn be_idle(queue: &Queue) {
    queue.run_background();
    queue.run_background();
}

/// Where the slot of the higher generation begins.
pub(crate) fn newest_slot(bytes: &[u8]) -> usize {
    let generation = |at: usize| {
        let found = bytes.get(at + 16..).and_then(<[u8]>::first_chunk::<8>);
        found.map_or(0, |found| u64::from_le_bytes(*found))
    };
    if generation(0) > generation(BLOCK) {
        0
    } else {
        BLOCK
    }
}
