//! Write and sync errors.

use std::sync::Arc;
use std::time::Duration;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, Listener, Queue, Sequence, SyncPolicy};

use crate::golden::still_host;
use crate::support::{assert_drains, drain_sequences, fill, guard, kill, open, options};

fn segment(number: u64) -> String {
    format!("segments/{number:016}.log")
}

fn faulty(policy: SyncPolicy) -> (MemoryDirectory, FaultyDirectory, Queue) {
    let memory = MemoryDirectory::new();
    let storage = FaultyDirectory::over_memory(memory.clone());
    let queue = options(policy)
        .host(still_host())
        .open_on(Arc::new(storage.clone()))
        .expect("no fault is planned");
    (memory, storage, queue)
}

#[test]
fn a_failed_rotation_locks_nobody_out() {
    guard("a rotation that fails", || {
        for failure in [Failure::Io, Failure::Full] {
            for kind in [CallKind::Create, CallKind::Write] {
                let (memory, storage, queue) = faulty(SyncPolicy::Always);
                fill(&queue, 3, 900);
                storage.plan(Fault::nth_of(1, &[kind], failure).on(&segment(2)));
                let what = format!("{kind:?} {failure:?}");
                let error = queue
                    .enqueue(vec![b'x'; 900])
                    .expect_err("the next segment cannot be made");
                assert_ne!(error.kind(), ErrorKind::Poisoned, "{what}: {error}");
                assert_eq!(queue.next().get(), 3, "{what}");
                // Neither this thread nor another waits for what the failed call held.
                std::thread::scope(|scope| {
                    scope.spawn(|| fill(&queue, 1, 900));
                });
                fill(&queue, 3, 900);
                let image = kill(&memory, queue);
                assert_drains(&open(&image, SyncPolicy::Always), "c", 0..7);
            }
        }
    });
}

#[test]
fn a_refused_first_record_of_a_segment_costs_no_later_one() {
    for bytes in [0, 1, 40, 136, 300, 1000] {
        let (memory, storage, queue) = faulty(SyncPolicy::Always);
        fill(&queue, 3, 900);
        // The first write is the header block.
        let fault = Fault::nth_of(2, &[CallKind::Write], Failure::TornFull { bytes });
        storage.plan(fault.on(&segment(2)));
        let error = queue
            .enqueue(vec![b'x'; 900])
            .expect_err("its frame does not fit");
        assert!(matches!(error.kind(), ErrorKind::Full { .. }), "{error}");
        fill(&queue, 6, 900);
        for image in [memory.process_kill(), memory.crash_losing_all()] {
            let reopened = open(&image, SyncPolicy::Always);
            assert!(reopened.recovery().corruption.is_empty(), "{bytes} bytes");
            assert_drains(&reopened, "c", 0..9);
        }
    }
}

#[test]
fn an_ack_that_met_a_full_disk_can_be_made_again() {
    for bytes in [0, 1, 60, 139] {
        let (memory, storage, queue) = faulty(SyncPolicy::Always);
        fill(&queue, 5, 100);
        let mut consumer = queue.consumer("c").expect("a new consumer");
        let fault = Fault::nth_of(1, &[CallKind::Write], Failure::TornFull { bytes });
        storage.plan(fault.on("cursors/c.cursor"));
        let error = consumer
            .ack_through(Sequence::new(2))
            .expect_err("the slot does not fit");
        assert!(matches!(error.kind(), ErrorKind::Full { .. }), "{error}");
        assert_eq!(storage.failures(), 1);
        // What the process knows is what the file says: nothing moved.
        assert_eq!(consumer.next_sequence(), Sequence::ZERO);
        let reopened = open(&memory.process_kill(), SyncPolicy::Always);
        assert_eq!(drain_sequences(&reopened, "c"), [0, 1, 2, 3, 4]);
        drop(reopened);
        consumer
            .ack_through(Sequence::new(2))
            .expect("there is space again");
        drop(consumer);
        let reopened = open(&kill(&memory, queue), SyncPolicy::Always);
        assert_eq!(drain_sequences(&reopened, "c"), [3, 4]);
    }
}

/// Dies of what it hears, on the thread that syncs.
struct Dying;

impl Listener for Dying {
    fn synced(&self, _duration: Duration, _records: u64) {
        assert_ne!(
            std::thread::current().name(),
            Some("forebay-commit"),
            "this thread is meant to die"
        );
    }
}

#[test]
fn a_commit_thread_that_dies_poisons_the_queue() {
    guard("a queue whose commit thread died", || {
        let memory = MemoryDirectory::new();
        let queue = options(SyncPolicy::Interval(Duration::from_millis(1)))
            .listener(Arc::new(Dying))
            .open_on(Arc::new(memory.clone()))
            .expect("a new queue");
        fill(&queue, 1, 100);
        let error = queue
            .wait_durable(Sequence::new(9), Duration::from_hours(1))
            .expect_err("nobody will make it durable");
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
        let error = queue.enqueue(b"late").expect_err("it is poisoned");
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
        let image = kill(&memory, queue);
        assert_drains(&open(&image, SyncPolicy::Always), "c", 0..1);
    });
}
