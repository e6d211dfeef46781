//! Many lives of one queue: random operations, then a clean close, a kill or a power cut, again and
//! again on what the life before has left, with other options each time.

use std::collections::HashSet;
use std::sync::Arc;

use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CommitPadding, GapReason, Integrity, Overflow, Preallocate, Queue, QueueOptions, SyncPolicy,
};

use crate::support::{Dice, drain, options, payload, tell};

/// What must be there, whatever happens.
#[derive(Clone, Debug, Default)]
struct Model {
    /// By sequence; cut where the log was cut.
    payloads: Vec<Vec<u8>>,
    inside_batches: HashSet<u64>,
    durable: u64,
    acked: u64,
    /// As much of it as no power cut has taken back.
    kept: u64,
    /// Everything below this may have been dropped.
    floor: u64,
    attempts: u64,
}

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Close,
    Kill,
    PowerCut,
}

struct Life {
    policy: SyncPolicy,
    capacity: Option<u64>,
    options: QueueOptions,
}

fn choose(dice: &mut Dice, integrity: Integrity) -> Life {
    let policy = if dice.roll().is_multiple_of(2) {
        SyncPolicy::Always
    } else {
        SyncPolicy::Manual
    };
    let capacity = [None, None, Some(5), Some(40)][dice.below(4)];
    let padding = [
        CommitPadding::None,
        CommitPadding::Sector,
        CommitPadding::Page,
    ][dice.below(3)];
    let preallocate = [Preallocate::None, Preallocate::Allocate, Preallocate::Zero][dice.below(3)];
    let mut options = options(policy)
        .integrity(integrity)
        .commit_padding(padding)
        .preallocate(preallocate);
    if let Some(capacity) = capacity {
        options = options.max_records(capacity).overflow(Overflow::DropOldest);
    }
    Life {
        policy,
        capacity,
        options,
    }
}

impl Model {
    fn fresh(&mut self, sequence: u64, length: usize) -> Vec<u8> {
        self.attempts += 1;
        let mut bytes = payload(sequence, length);
        bytes.extend_from_slice(format!("#{}", self.attempts).as_bytes());
        bytes
    }

    fn next(&self) -> u64 {
        self.payloads.len() as u64
    }

    /// The queue was opened: what it holds is what counts from now on.
    fn note_open(&mut self, queue: &Queue, end: End, what: &str) {
        let report = queue.recovery();
        assert!(report.corruption.is_empty(), "{what}: {report:?}");
        let next = queue.next().get();
        let least = if end == End::PowerCut {
            self.durable
        } else {
            self.next()
        };
        assert!(
            least <= next && next <= self.next(),
            "{what}: {next}; {report:?} {self:?}"
        );
        assert!(!self.inside_batches.contains(&next), "{what}: half a batch");
        assert_eq!(report.clean, end == End::Close || report.clean, "{what}");
        self.payloads
            .truncate(usize::try_from(next).expect("a small test"));
        self.inside_batches.retain(|inside| *inside < next);
        self.durable = next;
    }

    fn note_capacity(&mut self, next: u64, capacity: Option<u64>) {
        if let Some(capacity) = capacity {
            self.floor = self.floor.max(next.saturating_sub(capacity));
        }
    }

    /// Asserts that the consumer gets everything from where it may begin to the end.
    fn check(&mut self, image: &MemoryDirectory, end: End, what: &str) {
        let queue = options(SyncPolicy::Always)
            .open_on(Arc::new(image.clone()))
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut consumer = queue
            .consumer("c")
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let got = drain(&mut consumer).unwrap_or_else(|error| panic!("{what}: {error}"));
        let next = self.next();
        let start = got.first().map_or(next, |(sequence, _)| *sequence);
        let latest = self.acked.max(self.floor);
        assert!(
            start <= latest,
            "{what}: begins at {start}, not {latest}; {:?}",
            queue.recovery()
        );
        if end != End::PowerCut {
            assert!(
                start >= self.kept.min(next),
                "{what}: {start} was acknowledged"
            );
        }
        assert_eq!(start + got.len() as u64, next, "{what}");
        for ((sequence, bytes), expected) in got.iter().zip(start..) {
            let own = &self.payloads[usize::try_from(expected).expect("a small test")];
            assert!(
                *sequence == expected && bytes == own,
                "{what}: {expected} is another"
            );
        }
        for gap in consumer.take_gaps() {
            assert_eq!(gap.reason, GapReason::Dropped, "{what}: {gap:?}");
        }
        self.kept = self.kept.min(start);
    }

    fn operate(&mut self, queue: &Queue, life: &Life, dice: &mut Dice) {
        let length = [0, 10, 200, 700, 1500, 6000][dice.below(6)];
        match dice.below(9) {
            0..=3 => {
                let bytes = self.fresh(self.next(), length);
                queue.enqueue(&bytes).expect("nothing fails");
                self.payloads.push(bytes);
            }
            4 => {
                let next = self.next();
                let count = 2 + dice.below(4) as u64;
                let batch: Vec<_> = (next..next + count)
                    .map(|sequence| self.fresh(sequence, length / 2))
                    .collect();
                queue.enqueue_batch(&batch).expect("nothing fails");
                self.payloads.extend(batch);
                self.inside_batches.extend(next + 1..next + count);
            }
            5 => {
                queue.sync().expect("nothing fails");
            }
            6 => {
                queue.reclaim().expect("nothing fails");
            }
            _ => self.ack(queue, dice),
        }
        let durable = queue.durable().get();
        assert!(durable >= self.durable && durable <= self.next());
        assert!(life.policy == SyncPolicy::Manual || durable == self.next());
        self.durable = durable;
    }

    fn ack(&mut self, queue: &Queue, dice: &mut Dice) {
        let mut consumer = queue.consumer("c").expect("nothing fails");
        for _ in 0..=dice.below(6) {
            let Some(record) = consumer.peek().expect("nothing fails") else {
                break;
            };
            let sequence = record.sequence;
            let own = usize::try_from(sequence.get()).expect("a small test");
            assert!(
                record.payload == self.payloads[own],
                "{sequence} is another"
            );
            consumer.ack_through(sequence).expect("nothing fails");
            self.acked = self.acked.max(sequence.get() + 1);
            self.kept = sequence.get() + 1;
        }
    }
}

fn live_on(seed: u64) {
    let mut dice = Dice::new(seed);
    let integrity = [Integrity::Chained, Integrity::Crc32c][dice.below(2)];
    let mut image = MemoryDirectory::new();
    let mut model = Model::default();
    let mut end = End::Close;
    let mut epochs = Vec::new();
    for number in 0..7 {
        let life = choose(&mut dice, integrity);
        let what = format!(
            "seed {seed} life {number} {:?} {:?}",
            life.policy, life.capacity
        );
        let queue = life
            .options
            .clone()
            .open_on(Arc::new(image.clone()))
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        model.note_open(&queue, end, &what);
        model.check(&image.copy(), end, &what);
        assert!(
            epochs.last().is_none_or(|last| *last <= queue.epoch()),
            "{what}"
        );
        epochs.push(queue.epoch());
        for _ in 0..dice.below(12) {
            model.operate(&queue, &life, &mut dice);
        }
        end = [End::Close, End::Kill, End::PowerCut][dice.below(3)];
        image = match end {
            End::Close => {
                queue.close().expect("nothing fails");
                model.durable = model.next();
                image
            }
            End::Kill => image.process_kill(),
            End::PowerCut => image.crash(&mut |unit| dice.fate(unit)),
        };
        // Only what survived enforces the capacity; what may be lost does not.
        model.note_capacity(model.next(), life.capacity.filter(|_| end != End::PowerCut));
        if end == End::PowerCut {
            let copy = image.copy();
            let reopened = options(SyncPolicy::Always)
                .open_on(Arc::new(copy))
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            model.note_capacity(reopened.next().get(), life.capacity);
        }
    }
}

/// I1: a record acknowledged as durable is there, byte for byte, until it is acknowledged or given up by a limit.
#[test]
fn every_life_finds_what_the_one_before_was_promised() {
    const SEEDS: u64 = 600;
    for seed in 0..SEEDS {
        live_on(seed);
    }
    tell(&format!("{SEEDS} queues of 7 lives each"));
}
