//! Several threads at once while calls fail: nobody hangs, nobody is told more than is true.

use std::collections::BTreeSet;
use std::sync::Arc;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, Queue, SyncPolicy};

use crate::support::{drain_all, fill, guard, open, options, tell};

const THREADS: u64 = 4;
const RECORDS: u64 = 12;
const ROUNDS: u64 = 8;

/// What all threads were told, by payload: accepted, and refused with `Full`.
#[derive(Debug, Default)]
struct Told {
    accepted: BTreeSet<Vec<u8>>,
    refused: BTreeSet<Vec<u8>>,
    poisoned: bool,
}

impl Told {
    fn note(&mut self, payload: Vec<u8>, outcome: Result<(), forebay::Error>) {
        match outcome.map_err(|error| error.kind()) {
            Ok(()) => {
                self.accepted.insert(payload);
            }
            Err(ErrorKind::Full { .. }) => {
                self.refused.insert(payload);
            }
            Err(kind) => {
                assert_eq!(kind, ErrorKind::Poisoned);
                self.poisoned = true;
            }
        }
    }

    fn join(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.refused.extend(other.refused);
        self.poisoned |= other.poisoned;
    }
}

/// Enqueues from several threads, each by its own way of waiting.
fn enqueue_from_all_sides(queue: &Queue) -> Told {
    let act = |thread: u64| {
        let mut told = Told::default();
        for number in 0..RECORDS {
            let mut payload = format!("{thread}/{number}:").into_bytes();
            payload.resize(700, b'.');
            let outcome = match thread % 3 {
                0 | 1 => queue.enqueue(&payload).map(drop),
                _ => queue
                    .submit(&payload)
                    .and_then(|ticket| ticket.wait())
                    .map(drop),
            };
            told.note(payload, outcome);
            if thread == 0 && number % 3 == 0 {
                // It waits for what the others are enqueueing right now.
                queue.sync().ok();
                queue.reclaim().ok();
            }
        }
        told
    };
    let mut all = Told::default();
    std::thread::scope(|scope| {
        let act = &act;
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || act(thread)))
            .collect();
        for thread in threads {
            all.join(thread.join().expect("no thread panics"));
        }
    });
    all
}

/// Runs all threads with `fault`; false when it never happened.
fn run_with(fault: &Fault, goes_on: bool) -> bool {
    let memory = MemoryDirectory::new();
    let storage = FaultyDirectory::over_memory(memory.clone());
    let queue = options(SyncPolicy::Always)
        .open_on(Arc::new(storage.clone()))
        .expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    storage.plan(fault.clone());
    let told = enqueue_from_all_sides(&queue);
    let failed = storage.failures() > 0;
    storage.clear();
    if goes_on {
        assert!(!told.poisoned, "{fault:?}: a full disk is no poison");
        fill(&queue, 2, 100);
        crate::support::drain(&mut consumer).expect("the same handle goes on");
        assert_eq!(consumer.next_sequence(), queue.next());
    }
    for by_kill in [true, false] {
        let image = if by_kill {
            memory.process_kill()
        } else {
            memory.crash_losing_all()
        };
        let reopened = open(&image, SyncPolicy::Always);
        let report = reopened.recovery();
        assert!(report.corruption.is_empty(), "{fault:?}: {report:?}");
        // What the consumer has not passed is there; what it has may be reclaimed.
        let got: Vec<_> = drain_all(&reopened, "audit")
            .into_iter()
            .map(|(_, payload)| payload)
            .collect();
        let unique: BTreeSet<_> = got.iter().cloned().collect();
        assert_eq!(
            unique.len(),
            got.len(),
            "{fault:?}: a record is there twice"
        );
        if !goes_on {
            let missing = told.accepted.difference(&unique).next();
            assert!(
                missing.is_none(),
                "{fault:?}, kill {by_kill}: {missing:?} is lost"
            );
        }
        let ghost = told.refused.intersection(&unique).next();
        assert!(
            ghost.is_none() || told.poisoned,
            "{fault:?}: {ghost:?} was refused"
        );
    }
    drop(consumer);
    failed
}

fn run_all(kinds: &'static [CallKind], failure: Failure, goes_on: bool) {
    let mut count = 0;
    for nth in 1.. {
        let fault = Fault::nth_of(nth, kinds, failure);
        let what = format!("{fault:?}");
        // Threads meet differently each time.
        let rounds = (0..ROUNDS).filter(|_| {
            let fault = fault.clone();
            guard(&what, move || run_with(&fault, goes_on))
        });
        let failed = rounds.count();
        count += failed;
        if failed == 0 {
            break;
        }
    }
    tell(&format!(
        "{THREADS} threads, {kinds:?} {failure:?}: {count} faults"
    ));
}

/// I8: after a failed sync nothing is written and nothing is acknowledged.
#[test]
fn a_failed_sync_is_never_followed_by_one_that_is_believed() {
    run_all(&[CallKind::SyncFile], Failure::Forget, false);
}

#[test]
fn a_failed_folder_sync_reaches_everyone_who_waits() {
    run_all(&[CallKind::SyncFolder], Failure::Io, false);
}

#[test]
fn a_write_cut_short_by_a_full_disk_refuses_its_group_and_nobody_hangs() {
    let kinds = &[CallKind::Write, CallKind::Allocate, CallKind::Create];
    run_all(kinds, Failure::TornFull { bytes: 900 }, true);
}
