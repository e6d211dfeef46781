//! Every short history, and for each what a power cut at its end may leave.
//!
//! All sequences of up to three operations, under both ends of the sync policies, from an empty
//! queue and from one that a crash has left with a torn tail. After the last operation the power is
//! cut: with everything unsynced lost, with everything kept, with each single thing kept alone and
//! lost alone, and with seeded random subsets in which pages tear. Each image is opened and asked
//! for what had been promised.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use forebay::storage::memory::{Fate, MemoryDirectory};
use forebay::{GapReason, Queue, SyncPolicy};

use crate::session::{
    CAPACITY, OPERATIONS, Operation, Promises, Session, leave_torn, open_bounded,
};
use crate::support::{Dice, contents, drain, tell};

/// Random images of each history.
const RANDOM_IMAGES: u64 = 20;

#[derive(Debug, Default)]
struct Explorer {
    histories: u64,
    images: u64,
    seen: HashSet<u64>,
}

impl Explorer {
    fn explore(&mut self, session: &mut Session, history: &[Operation]) {
        for operation in history {
            session.run(*operation);
        }
        self.histories += 1;
        self.seen.clear();
        // Everything is chosen from one moment, whatever the background does meanwhile.
        let moment = session.memory.process_kill();
        let promises = session.promises.clone();
        let what = |image: &str| format!("{:?} {history:?} {image}", session.policy);
        self.check(&moment.copy(), &promises, true, &what("kill"));
        self.check(
            &moment.crash_losing_all(),
            &promises,
            false,
            &what("lose all"),
        );
        self.check(
            &moment.crash_keeping_all(),
            &promises,
            false,
            &what("keep all"),
        );
        for at in 0..moment.unsynced_count() {
            for (chosen, others) in [(Fate::Kept, Fate::Lost), (Fate::Lost, Fate::Kept)] {
                let mut index = 0;
                let image = moment.crash(&mut |_| {
                    index += 1;
                    if index == at + 1 { chosen } else { others }
                });
                let name = format!("{chosen:?} {:?}, others {others:?}", moment.unsynced()[at]);
                self.check(&image, &promises, false, &what(&name));
            }
        }
        for seed in 0..RANDOM_IMAGES {
            let mut dice = Dice::new(seed * 7919 + self.histories);
            let image = moment.crash(&mut |unit| dice.fate(unit));
            self.check(&image, &promises, false, &what(&format!("random {seed}")));
        }
    }

    fn check(&mut self, image: &MemoryDirectory, promises: &Promises, by_kill: bool, what: &str) {
        let mut hasher = DefaultHasher::new();
        (contents(image), by_kill).hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return;
        }
        self.images += 1;
        check_image(image, promises, by_kill, what);
    }
}

fn check_image(image: &MemoryDirectory, promises: &Promises, by_kill: bool, what: &str) {
    let queue = open_bounded(image, SyncPolicy::Always);
    let report = queue.recovery().clone();
    assert!(report.corruption.is_empty(), "{what}: {report:?}");
    let next = queue.next().get();
    let all = promises.payloads.len() as u64;
    let least = if by_kill { all } else { promises.durable };
    assert!(
        least <= next && next <= all,
        "{what}: {next} of {least}..={all}; {report:?}"
    );
    assert!(
        !promises.inside_batches.contains(&next),
        "{what}: half a batch at {next}"
    );
    check_reopening_changes_nothing(image, &queue, what);
    let mut consumer = queue.consumer("c").expect("a power cut damages no cursor");
    let got = drain(&mut consumer).unwrap_or_else(|error| panic!("{what}: {error}"));
    let oldest = promises.acked.max(next.saturating_sub(CAPACITY));
    let start = got.first().map_or(next, |(sequence, _)| *sequence);
    assert!(
        start <= oldest,
        "{what}: {start} is the first, {oldest} is not there; {report:?}"
    );
    for ((sequence, bytes), expected) in got.iter().zip(start..) {
        assert_eq!(*sequence, expected, "{what}");
        let own = usize::try_from(expected).expect("a small test");
        assert!(
            *bytes == promises.payloads[own],
            "{what}: {expected} is another"
        );
    }
    assert_eq!(start + got.len() as u64, next, "{what}: the end is missing");
    for gap in consumer.take_gaps() {
        assert_eq!(gap.reason, GapReason::Dropped, "{what}: {gap:?}");
    }
    if by_kill {
        let again = promises.acked.saturating_sub(start).min(got.len() as u64);
        assert_eq!(again, 0, "{what}: {start} was acknowledged");
    }
    drop(consumer);
    for more in 0..2 {
        queue
            .enqueue(format!("more {more}"))
            .expect("a recovered queue goes on");
    }
    let cut = image.crash_losing_all();
    drop(queue);
    let queue = open_bounded(&cut, SyncPolicy::Always);
    assert!(
        queue.recovery().corruption.is_empty(),
        "{what}: {:?}",
        queue.recovery()
    );
    let got = drain(&mut queue.consumer("late").expect("a new consumer"))
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let newest: Vec<_> = got.iter().rev().take(2).rev().cloned().collect();
    let more = |at: u64| (next + at, format!("more {at}").into_bytes());
    assert_eq!(
        newest,
        [more(0), more(1)],
        "{what}: what was appended after recovery"
    );
}

/// What recovery decided is durable when open returns, and to open again decides nothing.
fn check_reopening_changes_nothing(image: &MemoryDirectory, queue: &Queue, what: &str) {
    let recovered = image.crash_losing_all();
    let kept = |memory: &MemoryDirectory| {
        let mut all = contents(memory);
        // What is deleted in steps is deleted at once by the next open.
        all.retain(|name, _| !name.ends_with(".trash"));
        all
    };
    let before = kept(&recovered);
    let again = open_bounded(&recovered, SyncPolicy::Always);
    assert!(again.recovery().clean, "{what}: {:?}", again.recovery());
    assert_eq!(again.epoch(), queue.epoch(), "{what}");
    assert_eq!(again.next(), queue.next(), "{what}");
    drop(again);
    assert!(kept(&recovered) == before, "{what}: opening changed a file");
}

/// Explores all histories of up to three operations from the given beginning.
fn explore_all(what: &str, policy: SyncPolicy, begin: &dyn Fn() -> (MemoryDirectory, Promises)) {
    let mut explorer = Explorer::default();
    let mut explore = |history: &[Operation]| {
        let (memory, promises) = begin();
        let mut session = Session::begin(memory, promises, policy);
        explorer.explore(&mut session, history);
    };
    for first in OPERATIONS {
        explore(&[first]);
        for second in OPERATIONS {
            explore(&[first, second]);
            for third in OPERATIONS {
                explore(&[first, second, third]);
            }
        }
    }
    let Explorer {
        histories, images, ..
    } = explorer;
    tell(&format!(
        "{what} {policy:?}: {histories} histories, {images} different images"
    ));
}

/// I1: a record acknowledged as durable is there, byte for byte, until it is acknowledged or given up by a limit.
#[test]
fn a_power_cut_after_any_short_history_keeps_every_promise_under_always() {
    explore_all("empty", SyncPolicy::Always, &|| {
        (MemoryDirectory::new(), Promises::default())
    });
}

/// I4: what is recovered is a prefix of what was accepted, with whole batches.
#[test]
fn a_power_cut_after_any_short_history_keeps_every_promise_under_manual() {
    explore_all("empty", SyncPolicy::Manual, &|| {
        (MemoryDirectory::new(), Promises::default())
    });
}

/// I7: recovery decides the same again wherever it is interrupted, and a crash loop changes nothing.
#[test]
fn a_power_cut_after_a_recovery_keeps_every_promise_under_always() {
    let (image, promises) = leave_torn(SyncPolicy::Always);
    explore_all("torn", SyncPolicy::Always, &|| {
        (image.copy(), promises.clone())
    });
}

#[test]
fn a_power_cut_after_a_recovery_keeps_every_promise_under_manual() {
    let (image, promises) = leave_torn(SyncPolicy::Manual);
    explore_all("torn", SyncPolicy::Manual, &|| {
        (image.copy(), promises.clone())
    });
}
