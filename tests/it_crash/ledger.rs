//! What a caller was promised, and the check that it is kept.

use std::collections::BTreeSet;

use forebay::storage::memory::MemoryDirectory;
use forebay::{Consumer, Error, ErrorKind, Queue, RecoveryReport, Sequence, SyncPolicy};

use crate::support::{drain, drain_all, open, payload};

/// What an image stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survived {
    Kill,
    PowerCut,
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) by: Survived,
    /// It was poisoned: of what was not acknowledged nothing is known.
    pub(crate) poisoned: bool,
    /// Whether to cut the power again, and go on with the image as a queue in use.
    pub(crate) thorough: bool,
}

impl Ended {
    /// Ended with everything known, to be looked at thoroughly.
    pub(crate) fn by(by: Survived) -> Self {
        Self {
            by,
            poisoned: false,
            thorough: true,
        }
    }
}

/// One payload that was handed to `enqueue`.
#[derive(Clone, Debug)]
struct Attempt {
    sequence: u64,
    payload: Vec<u8>,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    /// `Full`: it is in the queue neither now nor after a kill.
    Refused,
    /// Nothing is known until the queue is opened again.
    Unknown,
}

/// All that was enqueued and acknowledged, with the promises made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    attempts: Vec<Attempt>,
    /// Every sequence below this survives power loss.
    durable: u64,
    /// Every sequence below this survives a kill.
    written: u64,
    /// The consumer has acknowledged everything below this, and was told so.
    acked: u64,
    /// The consumer has tried to acknowledge everything below this.
    tried: u64,
    is_always: bool,
}

impl Ledger {
    /// A process with this policy begins.
    pub(crate) fn begin(&mut self, policy: SyncPolicy, queue: &Queue) {
        self.is_always = policy == SyncPolicy::Always;
        // What opening recovered is durable, and what it cut off is gone.
        let next = queue.next().get();
        assert!(next >= self.durable, "opening lost durable records");
        self.written = next;
        self.durable = next;
    }

    /// What a consumer had acknowledged need not survive the power cut that was just made.
    pub(crate) fn forget_cursor_of_process(&mut self) {
        self.acked = 0;
        self.written = self.durable;
        for attempt in &mut self.attempts {
            if attempt.sequence >= self.durable {
                attempt.outcome = Outcome::Unknown;
            }
        }
    }

    pub(crate) fn note_synced(&mut self, durable: Sequence) {
        self.durable = self.durable.max(durable.get());
    }

    fn fresh(&self, sequence: u64, offset: usize, length: usize) -> Vec<u8> {
        let mut bytes = payload(sequence, length);
        let tag = format!("#{}", self.attempts.len() + offset);
        bytes.extend_from_slice(tag.as_bytes());
        bytes
    }

    /// Enqueues one record and notes what was promised.
    pub(crate) fn enqueue(&mut self, queue: &Queue, length: usize) -> Result<(), Error> {
        let sequence = queue.next().get();
        let bytes = self.fresh(sequence, 0, length);
        let outcome = queue.enqueue(&bytes);
        if let Ok(given) = &outcome {
            assert_eq!(given.get(), sequence, "one producer gets the next sequence");
        }
        self.note(sequence, vec![bytes], outcome.map(drop))
    }

    /// Enqueues a batch and notes what was promised.
    pub(crate) fn batch(
        &mut self,
        queue: &Queue,
        count: usize,
        length: usize,
    ) -> Result<(), Error> {
        let sequence = queue.next().get();
        let numbered = (0..count).zip(sequence..);
        let all: Vec<_> = numbered
            .map(|(at, sequence)| self.fresh(sequence, at, length))
            .collect();
        let outcome = queue.enqueue_batch(&all);
        if let Ok(given) = &outcome {
            assert_eq!(
                given.start.get(),
                sequence,
                "one producer gets the next sequence"
            );
        }
        self.note(sequence, all, outcome.map(drop))
    }

    fn note(
        &mut self,
        first: u64,
        payloads: Vec<Vec<u8>>,
        outcome: Result<(), Error>,
    ) -> Result<(), Error> {
        let verdict = match &outcome {
            Ok(()) => Outcome::Accepted,
            Err(error) if matches!(error.kind(), ErrorKind::Full { .. }) => Outcome::Refused,
            Err(_) => Outcome::Unknown,
        };
        for (sequence, payload) in (first..).zip(payloads) {
            if verdict == Outcome::Accepted {
                // Whatever had this sequence before can never come back.
                self.attempts.retain(|old| old.sequence != sequence);
                self.written = sequence + 1;
                if self.is_always {
                    self.durable = sequence + 1;
                }
            }
            self.attempts.push(Attempt {
                sequence,
                payload,
                outcome: verdict,
            });
        }
        outcome
    }

    /// Peeks at up to `count` records and acknowledges them.
    pub(crate) fn ack(&mut self, consumer: &mut Consumer, count: usize) -> Result<(), Error> {
        for _ in 0..count {
            let Some(record) = consumer.peek()? else {
                return Ok(());
            };
            let sequence = record.sequence;
            let known = self.is_known(sequence.get(), record.payload, None);
            assert!(
                known,
                "the consumer got what was never accepted: {sequence}"
            );
            self.note_synced(sequence.plus(1));
            self.tried = self.tried.max(sequence.get() + 1);
            consumer.ack_through(sequence)?;
            self.acked = self.acked.max(sequence.get() + 1);
        }
        Ok(())
    }

    fn is_known(&self, sequence: u64, payload: &[u8], but: Option<Outcome>) -> bool {
        self.attempts.iter().any(|attempt| {
            attempt.sequence == sequence
                && Some(attempt.outcome) != but
                && attempt.payload == payload
        })
    }

    /// Checks what the process itself sees.
    pub(crate) fn check_in_process(&self, queue: &Queue, poisoned: bool) {
        if poisoned {
            assert!(queue.consumer("late").is_err(), "poison is for ever");
            return;
        }
        assert!(queue.durable().get() >= self.durable);
        assert_eq!(
            queue.next().get(),
            self.written,
            "what was refused is not there"
        );
    }

    /// Opens `image` and checks every promise.
    pub(crate) fn check(&self, image: &MemoryDirectory, ended: Ended, what: &str) {
        let survived = ended.by;
        let what = format!("{what}, {survived:?}");
        let queue = open(image, SyncPolicy::Always);
        let report = queue.recovery().clone();
        assert!(report.corruption.is_empty(), "{what}: {report:?}");
        let least = match survived {
            Survived::Kill => self.written.max(self.durable),
            Survived::PowerCut => self.durable,
        };
        let next = queue.next().get();
        assert!(
            next >= least,
            "{what}: {next} of {least} records; {report:?}"
        );
        let mut consumer = queue
            .consumer("c")
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let start = consumer.next_sequence().get();
        assert!(start <= self.tried, "{what}: skips to {start}");
        if survived == Survived::Kill {
            assert!(start >= self.acked, "{what}: goes back to {start}");
        }
        let got = drain(&mut consumer).unwrap_or_else(|error| panic!("{what}: {error}"));
        let gaps = consumer.take_gaps();
        assert!(gaps.is_empty(), "{what}: from {start}: {gaps:?}");
        self.check_records(
            &got,
            start..next,
            survived == Survived::Kill && !ended.poisoned,
            &what,
        );
        drop(consumer);
        if ended.thorough {
            // Up to here nothing needed space; new consumers and records do.
            image.set_capacity(None);
            check_delivered_stays(image, &queue, &report, &what);
            check_goes_on(image, queue, &what);
        }
    }

    fn check_records(
        &self,
        got: &[(u64, Vec<u8>)],
        expected: std::ops::Range<u64>,
        by_kill: bool,
        what: &str,
    ) {
        let sequences: Vec<u64> = got.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences, expected.collect::<Vec<_>>(), "{what}");
        let mut seen = BTreeSet::new();
        let refused = by_kill.then_some(Outcome::Refused);
        for (sequence, payload) in got {
            assert!(seen.insert(payload), "{what}: {sequence} is there twice");
            assert!(
                self.is_known(*sequence, payload, refused),
                "{what}: {sequence} is not what was enqueued: {:?}",
                String::from_utf8_lossy(payload)
            );
        }
    }
}

/// What was delivered is durable, whatever the cache had said before.
fn check_delivered_stays(
    image: &MemoryDirectory,
    queue: &Queue,
    report: &RecoveryReport,
    what: &str,
) {
    let seen = drain_all(queue, "audit");
    let reopened = open(&image.crash_losing_all(), SyncPolicy::Always);
    let again = drain_all(&reopened, "second audit");
    let missing = seen
        .iter()
        .filter(|record| record.0 >= reopened.first().get())
        .find(|record| !again.contains(record));
    assert!(
        missing.is_none(),
        "{what}: delivered, then lost: {missing:?}"
    );
    assert_eq!(reopened.next(), queue.next(), "{what}");
    if !report.clean {
        assert_eq!(reopened.epoch(), queue.epoch(), "{what}");
    }
}

/// The recovered queue takes a record, keeps it through a power cut, and closes.
fn check_goes_on(image: &MemoryDirectory, queue: Queue, what: &str) {
    let next = queue.next().get();
    queue
        .enqueue(b"after")
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let cut = open(&image.crash_losing_all(), SyncPolicy::Always);
    let got = drain_all(&cut, "third audit");
    assert_eq!(got.last(), Some(&(next, b"after".to_vec())), "{what}");
    assert!(cut.recovery().corruption.is_empty(), "{what}");
    queue
        .close()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let clean = open(image, SyncPolicy::Always);
    assert!(clean.recovery().clean, "{what}: {:?}", clean.recovery());
    assert_eq!(clean.next().get(), next + 1, "{what}");
}
