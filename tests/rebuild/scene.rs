//! Queues in memory, and everything that is in them.

use std::ops::Range;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use forebay::inspect::{VerifyOptions, verify_on};
use forebay::rebuild::{Rebuild, RebuildOptions, RebuildRecord};
use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CorruptionPolicy, Epoch, Host, Integrity, Preallocate, Queue, QueueOptions, Retention,
    Sequence, SyncPolicy,
};

/// A machine without threads, whose clock and random bits follow from a number.
#[derive(Debug)]
struct Still(std::sync::atomic::AtomicU64);

impl Host for Still {
    fn now(&self) -> u64 {
        self.0.fetch_add(1000, std::sync::atomic::Ordering::Relaxed)
    }

    fn random(&self) -> u64 {
        self.now().wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn process(&self) -> u32 {
        std::process::id()
    }

    fn has_threads(&self) -> bool {
        false
    }
}

/// A record with its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) sequence: u64,
    pub(crate) epoch: u64,
    pub(crate) kind: u16,
    pub(crate) time: u64,
    pub(crate) key: Option<[u8; 16]>,
    pub(crate) payload: Vec<u8>,
}

impl Kept {
    pub(crate) fn record(&self) -> RebuildRecord<'_> {
        let (sequence, epoch) = (Sequence::new(self.sequence), Epoch::new(self.epoch));
        let mut record = RebuildRecord::new(sequence, epoch, &self.payload);
        record.kind = self.kind;
        record.enqueued_at = self.time;
        record.key = self.key;
        record
    }
}

/// What a queue gives to a new consumer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) records: Vec<Kept>,
    pub(crate) gaps: Vec<Range<u64>>,
}

pub(crate) fn options(seed: u64) -> QueueOptions {
    Queue::options()
        .segment_bytes(8192)
        .preallocate(Preallocate::None)
        .sync_policy(SyncPolicy::Manual)
        .retention(Retention::KeepForever)
        .host(Arc::new(Still(seed.into())))
}

/// An existing queue, which must be without any damage.
pub(crate) fn open(memory: &MemoryDirectory) -> Queue {
    let options = options(7).open_existing();
    options
        .corruption_policy(CorruptionPolicy::RefuseOpen)
        .open_on(Arc::new(memory.clone()))
        .expect("a whole queue")
}

/// Whether the file `name` is a segment by its name.
pub(crate) fn is_segment(name: &str) -> bool {
    name.strip_suffix(".log").is_some()
}

/// Whether every byte of the queue is as its format wants it, every hash of the chain included.
pub(crate) fn assert_sound(memory: &MemoryDirectory) {
    let options = VerifyOptions::new().chain(true).jobs(1);
    let found = verify_on(memory, &options, &|_| {}).expect("a queue");
    assert!(found.findings.is_empty(), "{:#?}", found.findings);
}

/// All that the queue gives to a new consumer; there must be no damage.
pub(crate) fn content(queue: &Queue) -> Content {
    let mut consumer = queue.consumer("everything").expect("a new consumer");
    let mut found = Content::default();
    loop {
        let batch = consumer.peek_batch(1000).expect("no damage");
        let Some(last) = batch.last().map(|record| record.sequence) else {
            break;
        };
        found.records.extend(batch.iter().map(|record| {
            let since = record.enqueued_at.duration_since(UNIX_EPOCH);
            let time = since.expect("after 1970").as_nanos();
            Kept {
                sequence: record.sequence.get(),
                epoch: record.epoch.get(),
                kind: record.kind,
                time: u64::try_from(time).expect("before 2554"),
                key: record.key,
                payload: record.payload.to_vec(),
            }
        }));
        consumer.ack_through(last).expect("durable records");
    }
    let gaps = consumer.take_gaps().into_iter();
    found.gaps = gaps
        .map(|gap| gap.range.start.get()..gap.range.end.get())
        .collect();
    drop(consumer);
    queue.remove_consumer("everything").expect("it is there");
    found
}

/// `records` in a new queue in `memory`.
pub(crate) fn rebuild(
    memory: &MemoryDirectory,
    integrity: Integrity,
    records: &[Kept],
) -> forebay::Result<forebay::rebuild::Rebuilt> {
    let options = RebuildOptions::new()
        .segment_bytes(8192)
        .integrity(integrity)
        .seed(3);
    let mut rebuild = Rebuild::create_on(Arc::new(memory.clone()), &options)?;
    for record in records {
        rebuild.push(&record.record())?;
    }
    rebuild.finish()
}

/// Records with gaps and several epochs, of both sorts of key.
pub(crate) fn records(count: u64) -> Vec<Kept> {
    let record = |number: u64| Kept {
        sequence: number + number / 40 * 5,
        epoch: (1 + number / 70) << 32,
        kind: u16::try_from(number % 5).expect("a small number"),
        time: 1_700_000_000_000_000_000 + number,
        key: number
            .is_multiple_of(3)
            .then(|| u128::from(number).to_le_bytes()),
        payload: vec![u8::try_from(number % 251).expect("a byte"); payload_bytes(number)],
    };
    (0..count).map(record).collect()
}

fn payload_bytes(number: u64) -> usize {
    usize::try_from(number * 37 % 300).expect("a small number")
}
