//! Random queues: several lives of random operations, each ended by a close, a kill or a power cut
//! that loses, keeps and tears at random. What each life leaves reads the same for both.

use forebay::storage::memory::{Fate, MemoryDirectory};
use forebay::{
    CommitPadding, Consumer, Entry, Integrity, Overflow, Queue, QueueOptions, Retention, SyncPolicy,
};

use crate::agree::{Failures, assert_agrees, assert_drains_the_same};
use crate::listing::{can_run, read};
use crate::scene::{Dice, Shelf, open, options};

const SEEDS: u64 = 16;
const LIVES: u64 = 4;

fn random_options(dice: &Dice, seed: u64) -> QueueOptions {
    let policy = [SyncPolicy::Manual, SyncPolicy::Manual, SyncPolicy::Always];
    let padding = [
        CommitPadding::None,
        CommitPadding::Sector,
        CommitPadding::Page,
    ];
    let overflow = [Overflow::Reject, Overflow::DropOldest];
    let mut options = options(policy[dice.pick(3)], seed)
        .commit_padding(padding[dice.pick(3)])
        .overflow(overflow[dice.pick(2)])
        .max_records(20 + dice.below(200));
    if dice.below(2) == 0 {
        options = options.retention(Retention::KeepForever);
    }
    if dice.below(3) == 0 {
        options = options.integrity(Integrity::Crc32c);
    }
    options
}

/// Random operations; the ones that the queue refuses change nothing.
fn live(queue: &Queue, dice: &Dice) {
    let mut consumers: Vec<Consumer> = Vec::new();
    for name in ["ship", "audit log"] {
        if dice.below(2) == 0 {
            consumers.push(queue.consumer(name).expect("a free consumer"));
        }
    }
    for _ in 0..dice.below(40) {
        let payload = vec![dice.byte(); dice.pick(1 << dice.below(12))];
        let entry = Entry::new(&payload).kind((dice.byte() % 5).into());
        // A full queue is one of the things that happen.
        match dice.below(10) {
            8.. => drop(queue.enqueue_once([dice.byte() % 32; 16], entry)),
            0 => drop(queue.sync().expect("a working disk")),
            1 => drop(queue.enqueue_batch([entry.clone(), Entry::new(b""), entry])),
            2 => {
                for consumer in &mut consumers {
                    acknowledge(consumer, dice);
                }
            }
            3 => drop(queue.reclaim().expect("a working disk")),
            _ => drop(queue.enqueue(entry)),
        }
    }
}

fn acknowledge(consumer: &mut Consumer, dice: &Dice) {
    let batch = consumer.peek_batch(1 + dice.pick(10));
    let last = batch
        .expect("no damage")
        .last()
        .map(|record| record.sequence);
    if let Some(last) = last {
        consumer.ack_through(last).expect("a durable record");
    }
}

/// What is left of `memory` when the life of `queue` ends.
fn end(memory: &MemoryDirectory, queue: Queue, dice: &Dice) -> MemoryDirectory {
    let image = match dice.below(5) {
        0 => {
            queue.close().expect("a clean close");
            return memory.clone();
        }
        1 => memory.process_kill(),
        2 => memory.crash_losing_all(),
        _ => memory.crash(&mut |_| match dice.below(4) {
            0 => Fate::Lost,
            1 => Fate::Torn {
                sectors: dice.byte(),
            },
            _ => Fate::Kept,
        }),
    };
    drop(queue);
    image
}

#[test]
fn random_queues_read_the_same_for_both_decoders() {
    if !can_run() {
        return;
    }
    let mut shelf = Shelf::new();
    let mut images = Vec::new();
    for seed in 0..SEEDS {
        let dice = Dice::new(seed);
        let mut memory = MemoryDirectory::new();
        for life in 0..=dice.below(LIVES) {
            let queue = open(&memory, random_options(&dice, seed * LIVES + life));
            live(&queue, &dice);
            memory = end(&memory, queue, &dice);
            shelf.put(&memory);
            images.push((seed, life, memory.copy()));
        }
    }
    let mut failures = Failures::default();
    let (code, listings) = read(&shelf.paths);
    for ((path, listing), (seed, life, image)) in shelf.paths.iter().zip(&listings).zip(&images) {
        let what = format!("seed {seed}, life {life}");
        failures.watch(|| {
            assert!(listing.findings() == 0, "{what}: {}", listing.summary());
            assert_agrees(&what, path, listing);
            let queue = open(image, options(SyncPolicy::Manual, 99));
            assert_drains_the_same(&what, &queue, listing);
        });
    }
    failures.report();
    assert_eq!(code, 0);
}
