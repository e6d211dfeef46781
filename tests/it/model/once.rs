//! Keys against a map: every key that counts is found, at its record, and no other one.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay::storage::memory::{Fate, MemoryDirectory};
use forebay::{Queue, QueueOptions, Sequence, SyncPolicy};
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Enqueue with this key.
    Once(u8),
    /// Enqueue so many records without one.
    Others(usize),
    Sync,
    /// Everybody reads everything, and what can go goes.
    Reclaim,
    Close,
    Kill,
    /// What is not synced is kept or lost by the bits.
    CutPower(u64),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..30_u8).prop_map(Step::Once),
        4 => (1..12_usize).prop_map(Step::Others),
        1 => Just(Step::Sync),
        3 => Just(Step::Reclaim),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        2 => any::<u64>().prop_map(Step::CutPower),
    ]
}

pub(super) struct Keyed {
    memory: MemoryDirectory,
    queue: Option<Queue>,
    policy: SyncPolicy,
    window: u64,
    /// By sequence, the key of the record.
    records: Vec<Option<u8>>,
}

fn key(number: u8) -> [u8; 16] {
    [number; 16]
}

impl Keyed {
    pub(super) fn new(always: bool, window: u64) -> Self {
        let mut keyed = Self {
            memory: MemoryDirectory::new(),
            queue: None,
            policy: if always {
                SyncPolicy::Always
            } else {
                SyncPolicy::Manual
            },
            window,
            records: Vec::new(),
        };
        keyed.open();
        keyed
    }

    fn open(&mut self) {
        let opened = QueueOptions::new()
            .segment_bytes(8192)
            .sync_policy(self.policy)
            .once_window(self.window)
            .open_on(Arc::new(self.memory.clone()));
        self.queue = Some(opened.expect("it opens"));
    }

    fn queue(&self) -> &Queue {
        self.queue.as_ref().expect("it is open")
    }

    fn next(&self) -> u64 {
        u64::try_from(self.records.len()).expect("a short story")
    }

    fn known(&self) -> BTreeMap<u8, u64> {
        let oldest = self.next().saturating_sub(self.window);
        let newest = (oldest..).zip(&self.records[usize::try_from(oldest).expect("small")..]);
        newest
            .filter_map(|(sequence, key)| Some(((*key)?, sequence)))
            .collect()
    }

    fn once(&mut self, number: u8) {
        let known = self.known().get(&number).copied();
        let payload = vec![number; 400];
        let given = self.queue().enqueue_once(key(number), &payload);
        let given = given.expect("nothing fails").get();
        assert_eq!(given, known.unwrap_or(self.next()), "key {number}");
        if known.is_none() {
            self.records.push(Some(number));
        }
        if self.policy == SyncPolicy::Always {
            assert!(self.queue().durable().get() > given);
        }
    }

    pub(super) fn run(&mut self, step: &Step) {
        match step {
            Step::Once(number) => self.once(*number),
            Step::Others(count) => {
                for _ in 0..*count {
                    self.queue().enqueue(&[0xff; 500]).expect("nothing fails");
                    self.records.push(None);
                }
            }
            Step::Sync => drop(self.queue().sync().expect("nothing fails")),
            Step::Reclaim => {
                let mut consumer = self.queue().consumer("c").expect("free");
                consumer.drain(|_| Ok::<(), ()>(())).expect("no damage");
                drop(consumer);
                self.queue().reclaim().expect("nothing fails");
            }
            Step::Close => {
                let queue = self.queue.take().expect("open");
                queue.close().expect("nothing fails");
                self.open();
            }
            Step::Kill => self.go_on_with(self.memory.process_kill(), self.next()),
            Step::CutPower(bits) => {
                let durable = self.queue().durable().get();
                let mut at = 0;
                let image = self.memory.crash(&mut |_| {
                    at += 1;
                    if bits >> (at % 64) & 1 == 0 {
                        Fate::Lost
                    } else {
                        Fate::Kept
                    }
                });
                self.go_on_with(image, durable);
            }
        }
    }

    fn go_on_with(&mut self, image: MemoryDirectory, least: u64) {
        self.queue = None;
        self.memory = image;
        self.open();
        let next = self.queue().next().get();
        assert!((least..=self.next()).contains(&next), "{least}: {next}");
        self.records.truncate(usize::try_from(next).expect("small"));
    }

    /// All keys, and all records that are left.
    pub(super) fn finish(mut self) {
        for number in 0..30 {
            self.once(number);
        }
        let mut consumer = self.queue().consumer("late").expect("free");
        consumer.seek(self.queue().first()).expect("the oldest");
        let mut at = self.queue().first().get();
        consumer
            .drain(|record| {
                assert_eq!(record.sequence, Sequence::new(at));
                let expected = self.records[usize::try_from(at).expect("small")];
                assert_eq!(record.key, expected.map(key));
                at += 1;
                Ok::<(), ()>(())
            })
            .expect("no damage");
        assert_eq!(at, self.next());
    }
}
