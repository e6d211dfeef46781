//! Small undamaged queues, the same each time, and what is known of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CommitPadding, CorruptionPolicy, Host, Integrity, Preallocate, Queue, QueueOptions, Retention,
    Sequence, SyncPolicy,
};

use crate::payload;

/// A machine that gives the same answers each time.
#[derive(Debug, Default)]
pub struct Machine(AtomicU64);

impl Machine {
    /// One that draws other random bits than those with another seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed << 32))
    }
}

impl Host for Machine {
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

    /// What a queue does in the background it does when it is told to: each run is like the last.
    fn has_threads(&self) -> bool {
        false
    }
}

/// How a queue is made and left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Closed,
    Killed,
    PowerCut,
}

/// An undamaged queue and what it holds.
#[derive(Debug)]
pub struct Golden {
    /// Its files.
    pub image: MemoryDirectory,
    /// The files as they were in the middle of its life.
    pub earlier: BTreeMap<String, Vec<u8>>,
    /// By sequence, in which life the record was enqueued.
    pub(crate) lives: Vec<u8>,
    /// The oldest record that was not reclaimed.
    pub(crate) first: u64,
    /// Where the consumer `c` is.
    pub(crate) acked: u64,
    /// By file, the largest watermark that it states.
    pub(crate) stated: BTreeMap<String, u64>,
    /// By segment file, its base.
    pub(crate) bases: BTreeMap<String, u64>,
}

/// Lengths of records: three segments, short ones and long ones.
const LENGTHS: [usize; 9] = [20, 30, 3400, 25, 3500, 1, 20, 13, 33];

pub(crate) fn options(seed: u64) -> QueueOptions {
    QueueOptions::new()
        .segment_bytes(8192)
        .sync_policy(SyncPolicy::Always)
        .preallocate(Preallocate::None)
        .retention(Retention::KeepForever)
        .host(Arc::new(Machine::new(seed)))
}

/// Opens `memory` under `policy`.
pub(crate) fn open(memory: &MemoryDirectory, policy: CorruptionPolicy) -> forebay::Result<Queue> {
    // No two owners of a queue draw the same random bits.
    static OWNERS: AtomicU64 = AtomicU64::new(100);
    let owner = OWNERS.fetch_add(1, Ordering::Relaxed);
    let options = options(owner).corruption_policy(policy);
    options.open_on(Arc::new(memory.clone()))
}

/// All of them, made once.
#[must_use]
pub fn goldens() -> &'static [Golden] {
    static GOLDENS: OnceLock<Vec<Golden>> = OnceLock::new();
    GOLDENS.get_or_init(|| {
        vec![
            one_life(1, options(1), Left::Closed),
            one_life(2, options(2), Left::Killed),
            one_life(3, options(3), Left::PowerCut),
            one_life(
                4,
                options(4)
                    .integrity(Integrity::Crc32c)
                    .commit_padding(CommitPadding::Sector),
                Left::Killed,
            ),
            one_life(5, options(5).retention(Retention::UntilAcked), Left::Closed),
            two_lives(),
        ]
    })
}

fn one_life(life: u8, options: QueueOptions, left: Left) -> Golden {
    let memory = MemoryDirectory::new();
    let queue = options
        .open_on(Arc::new(memory.clone()))
        .expect("a new queue");
    let mut lives = Vec::new();
    let mut consumer = queue.consumer("c").expect("a new consumer");
    fill(&queue, life, &mut lives);
    let earlier = contents(&memory);
    batch(&queue, life, &mut lives);
    let acked = 4;
    consumer
        .ack_through(Sequence::new(acked - 1))
        .expect("nothing fails");
    drop(consumer);
    queue.reclaim().expect("nothing fails");
    let first = queue.first().get();
    if left != Left::PowerCut {
        queue.run_background();
    }
    let image = leave(&memory, queue, left);
    Golden::new(image, earlier, lives, first, acked)
}

/// A queue that lost records in a power cut and went on in a new epoch with the same sequences.
fn two_lives() -> Golden {
    let memory = MemoryDirectory::new();
    let queue = options(6)
        .sync_policy(SyncPolicy::Manual)
        .open_on(Arc::new(memory.clone()))
        .expect("a new queue");
    let mut lives = Vec::new();
    fill(&queue, 6, &mut lives);
    queue.sync().expect("nothing fails");
    batch(&queue, 6, &mut Vec::new());
    let memory = memory.crash_losing_all();
    let earlier = contents(&memory);
    drop(queue);
    let queue = options(7)
        .open_on(Arc::new(memory.clone()))
        .expect("it recovers");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    consumer
        .ack_through(Sequence::new(2))
        .expect("nothing fails");
    batch(&queue, 7, &mut lives);
    fill(&queue, 7, &mut lives);
    drop(consumer);
    queue.run_background();
    let image = leave(&memory, queue, Left::Killed);
    Golden::new(image, earlier, lives, 0, 3)
}

/// Enqueues records of all lengths, one by one.
fn fill(queue: &Queue, life: u8, lives: &mut Vec<u8>) {
    for length in LENGTHS {
        let bytes = payload::make(life, queue.next().get(), length);
        queue.enqueue(bytes).expect("nothing fails");
        lives.push(life);
    }
}

/// Enqueues three records that stand or fall together.
fn batch(queue: &Queue, life: u8, lives: &mut Vec<u8>) {
    let next = queue.next().get();
    let records: Vec<_> = (next..next + 3)
        .map(|at| payload::make(life, at, 40))
        .collect();
    queue.enqueue_batch(&records).expect("nothing fails");
    lives.extend([life; 3]);
}

fn leave(memory: &MemoryDirectory, queue: Queue, left: Left) -> MemoryDirectory {
    match left {
        Left::Closed => {
            queue.close().expect("nothing fails");
            memory.copy()
        }
        Left::Killed => memory.process_kill(),
        Left::PowerCut => memory.crash_losing_all(),
    }
}

/// All files but the lock, which names a process.
pub(crate) fn contents(memory: &MemoryDirectory) -> BTreeMap<String, Vec<u8>> {
    let names = memory.names().into_iter().filter(|name| name != "LOCK");
    names
        .map(|name| {
            let bytes = memory.file_bytes(&name).expect("a listed file is there");
            (name, bytes)
        })
        .collect()
}

impl Golden {
    fn new(
        image: MemoryDirectory,
        earlier: BTreeMap<String, Vec<u8>>,
        lives: Vec<u8>,
        first: u64,
        acked: u64,
    ) -> Self {
        let mut golden = Self {
            image,
            earlier,
            lives,
            first,
            acked,
            stated: BTreeMap::new(),
            bases: BTreeMap::new(),
        };
        for (name, bytes) in contents(&golden.image) {
            let stated = match name.as_str() {
                "STATE" => slots(&bytes, 144),
                _ if name.ends_with(".cursor") => slots(&bytes, 72),
                // The next segment is made before it holds a record, and has no base yet.
                _ if name.ends_with(".log") && bytes.iter().skip(4096).any(|byte| *byte != 0) => {
                    golden.bases.insert(name.clone(), field(&bytes, 4096 + 16));
                    frames(&bytes)
                }
                _ => 0,
            };
            golden.stated.insert(name, stated);
        }
        golden
    }
}

/// The eight bytes at `at` as docs/FORMAT.md has them.
fn field(bytes: &[u8], at: usize) -> u64 {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>);
    field.copied().map_or(0, u64::from_le_bytes)
}

/// The larger of the fields at `at` in both slots.
fn slots(bytes: &[u8], at: usize) -> u64 {
    field(bytes, at).max(field(bytes, 4096 + at))
}

/// The largest watermark among the frames of an undamaged segment.
fn frames(bytes: &[u8]) -> u64 {
    let lead = if field(bytes, 56) == 1 { 72 } else { 40 };
    let (mut at, mut largest) = (4096, 0);
    while field(bytes, at) != 0 {
        largest = largest.max(field(bytes, at + 32));
        let length = usize::try_from(field(bytes, at + 8) & 0xffff_ffff).expect("short");
        at += (lead + length).next_multiple_of(8);
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_queues_are_several_segments_of_known_statements() {
        for golden in goldens() {
            let names = golden.image.names();
            assert!(golden.bases.len() >= 2, "{names:?}");
            let largest = golden.stated.values().max();
            assert!(largest.is_some_and(|largest| *largest >= 8), "{largest:?}");
        }
    }
}
