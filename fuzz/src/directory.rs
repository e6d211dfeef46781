//! A damaged queue is opened under each policy, read, written to, and opened again.

use std::collections::BTreeMap;
use std::ops::Range;

use forebay::storage::memory::MemoryDirectory;
use forebay::{Consumer, CorruptionPolicy, ErrorKind, Gap, Queue};

use crate::damage::Case;
use crate::golden::{Golden, contents, open};
use crate::payload;

/// In which life the records are that are added after the damage.
const AFTERWARDS: u8 = 200;
/// More than a consumer ever has to be asked.
const QUESTIONS_MAX: usize = 400;

/// What one consumer got, by sequence with its life, and what it was told that it did not get.
#[derive(Debug, Default, PartialEq)]
struct Drained {
    from: u64,
    got: BTreeMap<u64, u8>,
    told: Vec<Range<u64>>,
}

/// One damaged queue under one policy.
struct Trial<'a> {
    case: &'a Case,
    golden: &'a Golden,
    policy: CorruptionPolicy,
    /// Files that are not what they were.
    touched: Vec<String>,
}

/// Whatever was done to the files of a queue: nothing wrong is delivered, and what is proven
/// durable by a file that is whole is delivered or reported.
pub fn directory(case: &Case) {
    let damaged = case.image();
    let golden = case.golden();
    let mut touched = Vec::new();
    let (whole, found) = (contents(&golden.image), contents(&damaged));
    for name in whole.keys().chain(found.keys()) {
        if whole.get(name) != found.get(name) {
            touched.push(name.clone());
        }
    }
    for policy in [
        CorruptionPolicy::RefuseOpen,
        CorruptionPolicy::RefuseRead,
        CorruptionPolicy::Quarantine,
    ] {
        let trial = Trial {
            case,
            golden,
            policy,
            touched: touched.clone(),
        };
        trial.run(&damaged.copy());
    }
}

impl Trial<'_> {
    fn run(&self, image: &MemoryDirectory) {
        let before = contents(image);
        let queue = match open(image, self.policy) {
            Ok(queue) => queue,
            Err(error) => {
                let is_strict = self.policy == CorruptionPolicy::RefuseOpen;
                let is_future = matches!(error.kind(), ErrorKind::UnsupportedVersion { .. });
                // Where not one segment is what it was, all may be of another queue.
                let is_all = self.golden.bases.keys().all(|name| self.is_touched(name));
                let may_refuse = self.is_touched("QUEUE") || is_all || is_future || is_strict;
                assert!(may_refuse, "does not open: {error}");
                assert!(!self.touched.is_empty(), "undamaged, and refused: {error}");
                assert!(before == contents(image), "refused, and changed");
                return;
            }
        };
        if self.policy == CorruptionPolicy::RefuseOpen {
            // It opened: from here on it is as under the next policy.
            return;
        }
        if self.policy == CorruptionPolicy::RefuseRead {
            let again = open(&image.process_kill(), self.policy).expect("it opened before");
            assert_eq!(again.next(), queue.next(), "a kill just after opening");
        }
        let mut fresh = Drained::default();
        for name in ["c", "fresh"] {
            match queue.consumer(name) {
                Ok(consumer) => fresh = self.drain(consumer),
                Err(error) => {
                    let own = format!("cursors/{name}.cursor");
                    let may_refuse = self.is_touched(&own) || self.is_touched("QUEUE");
                    assert!(may_refuse, "{name}: {error}");
                    continue;
                }
            }
            self.assert_nothing_vanished(name, &fresh, &queue);
        }
        let added = self.append(&queue);
        queue.close().expect("nothing fails");
        self.run_again(image, &fresh, added);
    }

    fn is_touched(&self, name: &str) -> bool {
        self.touched.iter().any(|touched| touched == name)
    }

    /// Reads everything, passing over damage.
    fn drain(&self, mut consumer: Consumer) -> Drained {
        let mut drained = Drained {
            from: consumer.next_sequence().get(),
            ..Drained::default()
        };
        for _ in 0..QUESTIONS_MAX {
            match consumer.peek() {
                Ok(None) => {
                    drained.told = ranges(&consumer.take_gaps());
                    return drained;
                }
                Ok(Some(record)) => {
                    let sequence = record.sequence;
                    let life = self.judge(sequence.get(), record.payload);
                    let last = drained.got.last_key_value();
                    assert!(last.is_none_or(|(last, _)| *last < sequence.get()), "order");
                    drained.got.insert(sequence.get(), life);
                    consumer.ack_through(sequence).expect("it was delivered");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                    let passes = self.policy == CorruptionPolicy::Quarantine;
                    assert!(!passes, "the policy is to pass over: {error}");
                    let gap = consumer.skip_corrupt().expect("nothing fails");
                    assert!(gap.is_some(), "an error without damage: {error}");
                }
            }
        }
        panic!("draining never ends");
    }

    /// The life of a delivered record, which must be one that was enqueued there.
    fn judge(&self, sequence: u64, bytes: &[u8]) -> u8 {
        let life = payload::life_of(bytes, sequence);
        let life = life.unwrap_or_else(|| panic!("{sequence} is not what was enqueued"));
        let at = usize::try_from(sequence).expect("small");
        let is_right = life == AFTERWARDS || self.golden.lives.get(at) == Some(&life);
        // A file of another queue brings its own identity: then its records are right.
        assert!(
            is_right || self.is_touched("QUEUE"),
            "{sequence} is of life {life}"
        );
        life
    }

    /// What a file that is whole proves durable was delivered, or told.
    fn assert_nothing_vanished(&self, name: &str, drained: &Drained, queue: &Queue) {
        if self.case.is_forged() || self.is_touched("QUEUE") {
            return;
        }
        let golden = self.golden;
        let whole = |name: &&String| !self.is_touched(name);
        let stated = golden.stated.iter().filter(|(name, _)| whole(name));
        let proven = stated.map(|(_, stated)| *stated).max().unwrap_or(0);
        let bases = golden.bases.iter().filter(|(name, _)| whole(name));
        // Without STATE nobody knows whether a first segment that is gone was lost or reclaimed.
        let oldest = if self.is_touched("STATE") {
            bases.map(|(_, base)| *base).min().unwrap_or(u64::MAX)
        } else {
            golden.first
        };
        let from = if name == "c" { golden.acked } else { 0 };
        assert!(drained.from <= from.max(oldest), "{name} skips records");
        for sequence in oldest.max(from)..proven {
            let is_told = drained.told.iter().any(|range| range.contains(&sequence));
            assert!(
                drained.got.contains_key(&sequence) || is_told,
                "{name}: {sequence} of {proven} vanished; {drained:?}; {:?}",
                queue.recovery()
            );
        }
    }

    /// Adds a record and a batch; which sequences they have.
    fn append(&self, queue: &Queue) -> Range<u64> {
        let next = queue.next().get();
        let make = |at| payload::make(AFTERWARDS, at, 30);
        if self.case.is_forged() && queue.enqueue(make(next)).is_err() {
            return next..next; // A forged number may be the last one there is.
        }
        if !self.case.is_forged() {
            let first = queue.enqueue(make(next));
            assert_eq!(first.expect("there is room").get(), next);
        }
        let batch = [make(next + 1), make(next + 2)];
        let added = queue.enqueue_batch(&batch).expect("there is room");
        assert_eq!(added.start.get(), next + 1);
        next..next + 3
    }

    /// What the next owner finds: the same, and what was added.
    fn run_again(&self, image: &MemoryDirectory, before: &Drained, added: Range<u64>) {
        let queue = open(image, self.policy).expect("it was closed");
        assert!(queue.recovery().clean, "{:?}", queue.recovery());
        assert_eq!(queue.next().get(), added.end);
        let again = self.drain(queue.consumer("again").expect("a new consumer"));
        let mut right = before.got.clone();
        right.extend(added.map(|sequence| (sequence, AFTERWARDS)));
        assert_eq!(again.got, right, "{:?}", queue.recovery());
    }
}

fn ranges(gaps: &[Gap]) -> Vec<Range<u64>> {
    let plain = |gap: &Gap| gap.range.start.get()..gap.range.end.get();
    gaps.iter().map(plain).collect()
}
