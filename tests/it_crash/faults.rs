//! The Nth storage call fails, for every N of a life of a queue: open, enqueue, batch, rotate, ack,
//! reclaim, sync, close.
//!
//! Every outcome is success, an error with the queue unchanged, or poison; and what had been
//! acknowledged is there when the queue is opened again.

use std::sync::Arc;
use std::time::Duration;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory, Repeat};
use forebay::storage::memory::MemoryDirectory;
use forebay::{Consumer, Error, ErrorKind, Queue, Sequence, SyncPolicy};

use crate::ledger::{Ended, Ledger, Survived};
use crate::support::{cut_power, fill, guard, open, options, settle, tell};

/// How a life begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    Closed,
    Torn,
}

/// A queue as it was before the life with faults, and what it holds.
fn prepare(before: Before) -> (MemoryDirectory, Ledger) {
    let memory = MemoryDirectory::new();
    let mut ledger = Ledger::default();
    if before == Before::Nothing {
        return (memory, ledger);
    }
    let queue = open(&memory, SyncPolicy::Manual);
    let mut consumer = queue.consumer("c").expect("a new consumer");
    for _ in 0..9 {
        ledger.enqueue(&queue, 900).expect("no fault is planned");
    }
    queue.sync().expect("no fault is planned");
    ledger.note_synced(queue.durable());
    ledger.ack(&mut consumer, 2).expect("no fault is planned");
    drop(consumer);
    if before == Before::Closed {
        queue.close().expect("no fault is planned");
        return (memory, ledger);
    }
    // A tail of which only the second half reached the medium.
    for _ in 0..2 {
        ledger.enqueue(&queue, 900).expect("no fault is planned");
    }
    let mut count = 0;
    let image = memory.crash(&mut |unit| {
        count += 1;
        let is_late = count > 4 && unit.name.ends_with(".log");
        if is_late {
            forebay::storage::memory::Fate::Kept
        } else {
            forebay::storage::memory::Fate::Lost
        }
    });
    drop(queue);
    ledger.forget_cursor_of_process();
    (image, ledger)
}

/// One life of a queue; what a caller may rely on is noted in the ledger.
struct Life {
    storage: FaultyDirectory,
    ledger: Ledger,
    poisoned: bool,
    /// The fault happened at most once, so nothing fails after it but what is poisoned.
    once: bool,
    errors: u64,
}

impl Life {
    /// Looks at how a call ended, and checks that it is one of the allowed ways.
    fn note<T>(&mut self, what: &str, outcome: Result<T, Error>) -> Option<T> {
        match outcome {
            Ok(value) => {
                assert!(!self.poisoned, "{what} succeeds after poison");
                Some(value)
            }
            Err(error) => {
                assert!(
                    self.storage.failures() > 0,
                    "{what} fails without a fault: {error}"
                );
                self.errors += 1;
                if self.poisoned {
                    assert_eq!(error.kind(), ErrorKind::Poisoned, "{what}: {error}");
                } else if self.once {
                    assert!(
                        self.errors == 1 || error.kind() == ErrorKind::Poisoned,
                        "{what} fails again though the fault is over: {error}"
                    );
                }
                self.poisoned |= error.kind() == ErrorKind::Poisoned;
                None
            }
        }
    }

    fn enqueue(&mut self, queue: &Queue, length: usize) {
        let next = queue.next();
        let outcome = self.ledger.enqueue(queue, length);
        let refused = outcome.is_err();
        self.note("enqueue", outcome);
        if refused && !self.poisoned {
            assert_eq!(queue.next(), next, "a refused record takes no sequence");
        }
    }

    fn batch(&mut self, queue: &Queue) {
        let next = queue.next();
        let outcome = self.ledger.batch(queue, 3, 500);
        let refused = outcome.is_err();
        self.note("enqueue_batch", outcome);
        if refused && !self.poisoned {
            assert_eq!(queue.next(), next, "a refused batch takes no sequence");
        }
    }

    fn sync(&mut self, queue: &Queue) {
        let outcome = queue.sync();
        if let Some(durable) = self.note("sync", outcome) {
            self.ledger.note_synced(durable);
        }
    }

    fn consumer(&mut self, queue: &Queue) -> Option<Consumer> {
        let outcome = queue.consumer("c");
        self.note("consumer", outcome)
    }

    fn ack(&mut self, consumer: &mut Option<Consumer>, count: usize) {
        if let Some(consumer) = consumer {
            let outcome = self.ledger.ack(consumer, count);
            self.note("ack", outcome);
        }
    }

    fn live(&mut self, policy: SyncPolicy) {
        let opened = options(policy).open_on(Arc::new(self.storage.clone()));
        let Some(queue) = self.note("open", opened) else {
            // Nothing of the process is left.
            self.poisoned = false;
            return;
        };
        self.ledger.begin(policy, &queue);
        self.enqueue(&queue, 700);
        let mut consumer = self.consumer(&queue);
        self.enqueue(&queue, 5000);
        self.batch(&queue);
        self.ack(&mut consumer, 2);
        for _ in 0..4 {
            self.enqueue(&queue, 1500);
        }
        self.sync(&queue);
        self.ack(&mut consumer, 6);
        let outcome = queue.reclaim();
        self.note("reclaim", outcome);
        self.enqueue(&queue, 300);
        self.ack(&mut consumer, 2);
        if !self.once {
            self.ledger.check_in_process(&queue, self.poisoned);
        }
        drop(consumer);
        let outcome = queue.close();
        self.note("close", outcome);
    }
}

/// Lives once with `fault`; false when it never happened.
pub(crate) fn survive(before: Before, policy: SyncPolicy, fault: &Fault) -> bool {
    let (memory, ledger) = prepare(before);
    let storage = FaultyDirectory::over_memory(memory.clone());
    storage.plan(fault.clone());
    let mut life = Life {
        storage: storage.clone(),
        ledger,
        poisoned: false,
        once: fault.repeat == Repeat::Once,
        errors: 0,
    };
    life.live(policy);
    let what = format!("{before:?} {policy:?} {fault:?}");
    let ledger = life.ledger;
    let mut images = vec![
        (memory.process_kill(), Survived::Kill),
        (memory.crash_losing_all(), Survived::PowerCut),
    ];
    if fault.nth.is_multiple_of(4) {
        images.push((memory.crash_keeping_all(), Survived::PowerCut));
    }
    for (image, by) in images {
        let ended = Ended {
            by,
            poisoned: life.poisoned,
            thorough: fault.nth.is_multiple_of(3),
        };
        ledger.check(&image, ended, &what);
    }
    storage.failures() > 0
}

pub(crate) fn survive_all(failure: Failure, repeat: Repeat) {
    let mut count = 0_u64;
    for before in [Before::Nothing, Before::Closed, Before::Torn] {
        for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
            for nth in 1.. {
                let fault = Fault {
                    repeat,
                    ..Fault::nth_call(nth, failure)
                };
                let what = format!("{before:?} {policy:?} {fault:?}");
                if !guard(&what, move || survive(before, policy, &fault)) {
                    break;
                }
                count += 1;
            }
        }
    }
    tell(&format!("{failure:?} {repeat:?}: {count} faults"));
}

#[test]
fn an_io_error_once_loses_nothing_acknowledged() {
    survive_all(Failure::Io, Repeat::Once);
}

#[test]
fn a_dead_disk_loses_nothing_acknowledged() {
    survive_all(Failure::Io, Repeat::Forever);
}

#[test]
fn a_full_disk_once_loses_nothing_acknowledged() {
    survive_all(Failure::Full, Repeat::Once);
}

#[test]
fn a_disk_that_stays_full_loses_nothing_acknowledged() {
    survive_all(Failure::Full, Repeat::Forever);
}

#[test]
fn a_torn_write_once_loses_nothing_acknowledged() {
    survive_all(Failure::Torn { bytes: 100 }, Repeat::Once);
}

#[test]
fn torn_writes_for_ever_lose_nothing_acknowledged() {
    survive_all(Failure::Torn { bytes: 900 }, Repeat::Forever);
}

#[test]
fn a_write_cut_short_by_a_full_disk_once_loses_nothing_acknowledged() {
    survive_all(Failure::TornFull { bytes: 60 }, Repeat::Once);
}

#[test]
fn writes_cut_short_by_a_disk_that_stays_full_lose_nothing_acknowledged() {
    survive_all(Failure::TornFull { bytes: 1700 }, Repeat::Forever);
}

#[test]
fn a_sync_that_fails_and_marks_pages_clean_loses_nothing_acknowledged() {
    survive_all(Failure::Forget, Repeat::Once);
}

/// I9: a write that met a full disk leaves nothing, and the handle goes on.
#[test]
fn the_same_handle_goes_on_when_space_returns() {
    guard("a handle on a full disk", go_on_when_space_returns);
}

fn go_on_when_space_returns() {
    // Only calls that need space fail; whatever fails, nothing may be poisoned for good.
    let kinds = [CallKind::Write, CallKind::Allocate, CallKind::Create];
    let mut count = 0;
    for failure in [Failure::Full, Failure::TornFull { bytes: 1700 }] {
        for nth in 1.. {
            let memory = MemoryDirectory::new();
            let storage = FaultyDirectory::over_memory(memory.clone());
            let queue = options(SyncPolicy::Always)
                .open_on(Arc::new(storage.clone()))
                .expect("no fault is planned");
            let mut consumer = queue.consumer("c").expect("no fault is planned");
            let mut ledger = Ledger::default();
            ledger.begin(SyncPolicy::Always, &queue);
            storage.plan(Fault::nth_of(nth, &kinds, failure).for_ever());
            for length in [700, 5000, 1500, 1500, 1500, 300] {
                ledger.enqueue(&queue, length).ok();
            }
            ledger.ack(&mut consumer, 2).ok();
            let failed = storage.failures() > 0;
            storage.clear();
            ledger
                .enqueue(&queue, 700)
                .unwrap_or_else(|error| panic!("{failure:?} from call {nth}: {error}"));
            ledger.ack(&mut consumer, 99).expect("space is back");
            assert_eq!(consumer.next_sequence(), queue.next());
            ledger.check_in_process(&queue, false);
            drop(consumer);
            queue.close().expect("space is back");
            let what = format!("{failure:?} from call {nth}");
            ledger.check(&memory.crash_losing_all(), Ended::by(Survived::Kill), &what);
            if !failed {
                break;
            }
            count += 1;
        }
    }
    tell(&format!("space returned {count} times"));
}

#[test]
fn a_disk_of_any_size_fills_up_and_goes_on_after_draining() {
    guard("a disk that fills up", fill_disks_of_all_sizes);
}

fn fill_disks_of_all_sizes() {
    for pages in 3..40 {
        let memory = MemoryDirectory::with_capacity(pages * 4096);
        let opened = options(SyncPolicy::Always).open_on(Arc::new(memory.clone()));
        let Ok(queue) = opened else { continue };
        let Ok(mut consumer) = queue.consumer("c") else {
            continue;
        };
        let mut ledger = Ledger::default();
        ledger.begin(SyncPolicy::Always, &queue);
        let mut refused = 0;
        for _ in 0..60 {
            if let Err(error) = ledger.enqueue(&queue, 900) {
                assert!(
                    matches!(error.kind(), ErrorKind::Full { .. }),
                    "{pages} pages: {error}"
                );
                refused += 1;
            }
        }
        assert!(refused > 0, "{pages} pages are not enough for 60 records");
        // A full disk opens and drains after a kill too.
        ledger.check(
            &memory.process_kill(),
            Ended::by(Survived::Kill),
            "full disk",
        );
        ledger.check(
            &memory.crash_losing_all(),
            Ended::by(Survived::PowerCut),
            "full disk",
        );
        ledger.ack(&mut consumer, 99).expect("acks need no space");
        if queue.next() > Sequence::ZERO {
            ledger
                .enqueue(&queue, 900)
                .unwrap_or_else(|error| panic!("{pages} pages, all acknowledged: {error}"));
        }
        ledger.ack(&mut consumer, 99).expect("acks need no space");
        queue.reclaim().expect("nothing fails");
        assert_eq!(consumer.next_sequence(), queue.next());
    }
}

#[test]
fn a_first_append_that_found_no_room_leaves_nothing_that_looks_like_a_record() {
    for nth in 1.. {
        let memory = MemoryDirectory::new();
        let queue = open(&memory, SyncPolicy::Always);
        fill(&queue, 2, 100);
        settle(&memory);
        let killed = memory.process_kill();
        let storage = FaultyDirectory::over_memory(killed.clone());
        let queue = options(SyncPolicy::Always)
            .open_on(Arc::new(storage.clone()))
            .expect("opening needs no space");
        let failure = Failure::TornFull { bytes: 24 };
        storage.plan(Fault::nth_of(nth, &[CallKind::Write], failure).for_ever());
        queue.enqueue(b"refused").ok();
        if storage.failures() == 0 {
            assert!(nth > 3, "only {nth} writes");
            break;
        }
        let image = killed.process_kill();
        let reopened = open(&image, SyncPolicy::Always);
        let found = reopened.recovery();
        assert_eq!(found.torn, None, "write {nth}");
        let names = image.names();
        let torn = names.iter().find(|name| name.ends_with(".torn"));
        assert_eq!(torn, None, "write {nth}");
    }
}

#[test]
fn after_poison_waiting_ends_at_once() {
    let memory = MemoryDirectory::new();
    let storage = FaultyDirectory::over_memory(memory.clone());
    let queue = options(SyncPolicy::Manual)
        .open_on(Arc::new(storage.clone()))
        .expect("no fault is planned");
    fill(&queue, 1, 100);
    storage.plan(Fault::nth_of(1, &[CallKind::SyncFile], Failure::Io).for_ever());
    let error = queue.sync().expect_err("the sync fails");
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    guard("waiting after poison", move || {
        let long = Duration::from_hours(1);
        let error = queue
            .wait_durable(Sequence::new(7), long)
            .expect_err("nobody will make it durable");
        assert_eq!(error.kind(), ErrorKind::Poisoned);
        drop(cut_power(&memory, queue));
    });
}
