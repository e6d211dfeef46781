//! What must not come back, and what must not go.

use std::sync::Arc;

use forebay::storage::fault::{CallKind, Failure, Fault};
use forebay::storage::memory::{Fate, MemoryDirectory};
use forebay::{ErrorKind, FullReason, Sequence, SyncPolicy};

use crate::gate::wait_until;
use crate::golden::still_host;
use crate::order::{changes_storage, watch};
use crate::support::{fill, open, options, segments};

#[test]
fn a_refused_record_does_not_come_back_with_a_later_power_cut() {
    // Case 13: the whole frame was put down before the disk was full. The cut that takes it away
    // is durable before the caller hears of it.
    let memory = MemoryDirectory::new();
    let storage = watch(&memory);
    // There is no next segment whose room could be had instead.
    let queue = options(SyncPolicy::Manual)
        .host(still_host())
        .open_on(Arc::new(storage.clone()))
        .expect("a new queue");
    fill(&queue, 1, 100);
    queue.sync().expect("nothing fails yet");
    let segment = segments(&memory).remove(0);
    let fault = Fault::nth_of(1, &[CallKind::Write], Failure::TornFull { bytes: 4096 });
    storage.plan(fault.on(&segment));
    let error = queue.enqueue(b"refused").expect_err("the disk is full");
    let reason = FullReason::Disk;
    assert_eq!(error.kind(), ErrorKind::Full { reason });
    for cut_survives in [true, false] {
        let image = memory.crash(&mut |unit| {
            let is_page = format!("{:?}", unit.change).starts_with("Page");
            if is_page || cut_survives {
                Fate::Kept
            } else {
                Fate::Lost
            }
        });
        assert_eq!(open(&image, SyncPolicy::Manual).next().get(), 1);
    }
}

#[test]
fn a_close_writes_nothing_after_the_sync_of_a_reclaimed_name_failed() {
    // Everything accepted is durable, so that only the poison keeps the close from saying "clean".
    let memory = MemoryDirectory::new();
    let storage = watch(&memory);
    let queue = options(SyncPolicy::Always)
        .host(still_host())
        .open_on(Arc::new(storage.clone()))
        .expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    fill(&queue, 12, 900);
    storage.plan(Fault::nth_of(1, &[CallKind::SyncFolder], Failure::Io).on("segments"));
    consumer.peek().expect("nothing fails yet");
    consumer
        .ack_through(Sequence::new(11))
        .expect("nothing fails yet");
    wait_until("the reclaim fails", || {
        queue.reclaim().ok();
        queue.sync().is_err()
    });
    drop(consumer);
    storage.record();
    queue.close().expect_err("it is poisoned");
    let log = storage.log();
    let changes: Vec<_> = log
        .iter()
        .filter(|call| changes_storage(call.kind))
        .collect();
    assert!(changes.is_empty(), "{changes:?}");
}

#[test]
fn reclaim_never_takes_the_record_that_is_delivered_next() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    let mut consumer = queue.consumer("c").expect("a new consumer");
    fill(&queue, 20, 900);
    for sequence in 0..20 {
        let next = consumer.peek().expect("it can be read");
        let next = next.expect("it is there").sequence;
        assert_eq!(next, Sequence::new(sequence));
        queue.reclaim().expect("nothing fails");
        assert!(queue.first() <= next, "{} is gone", next.get());
        consumer.ack_through(next).expect("nothing fails");
    }
    assert!(consumer.take_gaps().is_empty());
}
