//! Queues in memory to make backups of, and what must be in those.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay::storage::memory::MemoryDirectory;
use forebay::{
    ConsumerOptions, Entry, Host, Preallocate, Queue, QueueOptions, Sequence, SyncPolicy,
};

/// A machine whose answers follow from its seed, without threads.
#[derive(Debug)]
struct Machine(AtomicU64);

impl Host for Machine {
    fn now(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn random(&self) -> u64 {
        let drawn = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        drawn.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (drawn >> 29)
    }

    fn process(&self) -> u32 {
        1
    }

    fn has_threads(&self) -> bool {
        false
    }
}

pub(crate) fn options(seed: u64) -> QueueOptions {
    QueueOptions::new()
        .segment_bytes(8192)
        .preallocate(Preallocate::None)
        .sync_policy(SyncPolicy::Manual)
        .host(Arc::new(Machine(AtomicU64::new(seed << 40))))
}

pub(crate) fn open(memory: &MemoryDirectory, seed: u64) -> Queue {
    let directory = Arc::new(memory.clone());
    options(seed).open_on(directory).expect("the queue opens")
}

/// What record `number` holds.
pub(crate) fn payload(number: u64) -> Vec<u8> {
    let length = usize::try_from(number * 37 % 400).expect("a small number");
    let mut bytes = format!("record {number} ").into_bytes();
    bytes.resize(bytes.len() + length, b'.');
    bytes
}

/// Adds records up to `next`, some of them with keys.
pub(crate) fn fill(queue: &Queue, next: u64) {
    for number in queue.next().get()..next {
        let bytes = payload(number);
        if number % 7 == 3 {
            let mut key = [0xc5; 16];
            key[..8].copy_from_slice(&number.to_le_bytes());
            queue.enqueue_once(key, Entry::new(&bytes)).expect("room");
        } else {
            queue.enqueue(Entry::new(&bytes)).expect("room");
        }
        if number % 9 == 0 {
            queue.sync().expect("a working disk");
        }
    }
    queue.sync().expect("a working disk");
}

/// Where the consumer `ship` is in every queue made here.
pub(crate) const SHIPPED: u64 = 50;
pub(crate) const RECORDS: u64 = 120;

/// A queue with everything that can be in one: reclaimed segments, keys, a snapshot, quarantine.
pub(crate) fn filled(seed: u64) -> (MemoryDirectory, Queue) {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, seed);
    fill(&queue, RECORDS);
    let mut ship = queue.consumer("ship events").expect("a new consumer");
    let last = Sequence::new(SHIPPED - 1);
    ship.ack_through(last).expect("durable records");
    let store = queue.snapshots("totals").expect("a name");
    let mut draft = store.begin().expect("a working disk");
    draft.put(&[7; 5000]).expect("room");
    let covers = Sequence::new(RECORDS - 20);
    draft.finish(covers).expect("a working disk");
    assert!(queue.reclaim().expect("a working disk") > 0);
    assert!(
        queue.first() > Sequence::new(3),
        "the first key is reclaimed"
    );
    queue.run_background();
    memory.put_file("quarantine/0000000000000009-4096.torn", b"torn bytes");
    (memory, queue)
}

/// Whether `name` is a segment's file.
pub(crate) fn is_segment(name: &str) -> bool {
    name.strip_suffix(".log").is_some()
}

/// The last segment that holds anything, and its bytes.
pub(crate) fn last_segment(memory: &MemoryDirectory) -> (String, Vec<u8>) {
    let names = memory.names().into_iter().rev();
    let mut segments = names.filter(|name| is_segment(name)).map(|name| {
        let bytes = memory.file_bytes(&name).expect("a listed file");
        (name, bytes)
    });
    let used = segments.find(|(_, bytes)| bytes.iter().skip(4096).any(|byte| *byte != 0));
    used.expect("an active segment")
}

/// Every record from the oldest, whoever has acknowledged it.
pub(crate) fn records(queue: &Queue) -> Vec<(u64, Vec<u8>)> {
    let name = format!("of next {}", queue.next());
    let options = ConsumerOptions::new();
    let mut consumer = queue.consumer_with(&name, &options).expect("a consumer");
    let mut found = Vec::new();
    let drained = consumer.drain(|record| {
        found.push((record.sequence.get(), record.payload.to_vec()));
        Ok::<_, ()>(())
    });
    drained.expect("records without damage");
    assert!(consumer.take_gaps().is_empty());
    found
}

/// A restored queue has every record up to `next`, and its consumer is where it was.
pub(crate) fn assert_has_all(queue: &Queue, next: u64) {
    assert_eq!(queue.next(), Sequence::new(next));
    let first = queue.first().get();
    let expected = (first..next).map(|number| (number, payload(number)));
    assert!(records(queue).into_iter().eq(expected));
    let ship = queue.consumer("ship events").expect("the consumer");
    assert_eq!(ship.next_sequence(), Sequence::new(SHIPPED));
    let store = queue.snapshots("totals").expect("a name");
    let saved = store.load().expect("a whole snapshot").expect("a snapshot");
    assert_eq!(saved.state, [7; 5000]);
    let mut key = [0xc5; 16];
    key[..8].copy_from_slice(&3_u64.to_le_bytes());
    let again = queue.enqueue_once(key, Entry::new(b"again"));
    let again = again.expect("keys that can be read");
    assert_eq!(again, Sequence::new(3), "a key of a deleted segment");
}
