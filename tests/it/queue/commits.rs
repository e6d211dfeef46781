//! Commits that go wrong while several callers are in the middle of them.

use std::sync::Arc;
use std::time::Duration;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, FullReason, Preallocate, QueueOptions, Result};

use crate::gate::{Gated, Held};
use crate::scene::{PATIENCE, at, enqueue, payload, refused, wait_until};

/// Whoever led the commit of a ticket's record also had to write what others were enqueueing. When
/// that did not fit, the commit ended, and the record's own sync was forgotten: a waiter was told
/// `Full` of a record that is in the queue, or waited for ever.
#[test]
fn a_record_that_others_could_not_add_to_becomes_durable_all_the_same() -> Result<()> {
    for round in 0..40 {
        let memory = MemoryDirectory::new();
        let gated = Gated::new(Arc::new(memory.clone()), Held::Syncs);
        let queue = QueueOptions::new()
            .preallocate(Preallocate::None)
            .open_on(Arc::new(gated.clone()))?;
        enqueue(&queue, 0..1)?;
        gated.gate.shut();
        std::thread::scope(|scope| -> Result<()> {
            let first = scope.spawn(|| queue.enqueue(payload(1)));
            wait_until("the first one syncs", || gated.gate.waiting() == 1);
            let ticket = queue.submit(payload(2))?;
            memory.set_capacity(Some(memory.used_bytes()));
            let large = scope.spawn(|| queue.enqueue(vec![0; 100_000]));
            wait_until("the large one has its place", || queue.next() == at(4));
            std::thread::sleep(Duration::from_millis(round % 4));
            gated.gate.open();
            assert_eq!(first.join().expect("no panic")?, at(1));
            let reason = FullReason::Disk;
            refused(large.join().expect("no panic"), ErrorKind::Full { reason });
            // By the background, or by whoever waits: round by round.
            let durable = if round % 2 == 0 {
                ticket.wait_timeout(PATIENCE / 10)?
            } else {
                Some(ticket.wait()?)
            };
            assert_eq!(durable, Some(at(2)), "round {round}");
            Ok(())
        })?;
        assert_eq!((queue.next(), queue.durable()), (at(3), at(3)));
    }
    Ok(())
}

/// Poison that comes after a sync (here from a failed write of `STATE`) ends also the wait of
/// those whose records were to go with the next one. They were once told the outcome of the sync
/// before theirs: acknowledged, and never written.
#[test]
fn a_record_pending_when_the_log_is_poisoned_is_never_acknowledged() -> Result<()> {
    let memory = MemoryDirectory::new();
    // In a queue that was there before, `STATE` is open by that name.
    QueueOptions::new()
        .open_on(Arc::new(memory.clone()))?
        .close()?;
    let faulty = FaultyDirectory::over_memory(memory.clone());
    let gated = Gated::new(Arc::new(faulty.clone()), Held::Syncs);
    let queue = QueueOptions::new().open_on(Arc::new(gated.clone()))?;
    enqueue(&queue, 0..1)?;
    gated.gate.shut();
    std::thread::scope(|scope| -> Result<()> {
        let first = scope.spawn(|| queue.enqueue(payload(1)));
        wait_until("the first one syncs", || gated.gate.waiting() == 1);
        let second = scope.spawn(|| queue.enqueue(payload(2)));
        wait_until("the second one is pending", || queue.next() == at(3));
        faulty.plan(Fault::nth_of(1, &[CallKind::Write], Failure::Io).on("STATE"));
        gated.gate.open();
        assert_eq!(first.join().expect("no panic")?, at(1));
        refused(second.join().expect("no panic"), ErrorKind::Poisoned);
        Ok(())
    })?;
    assert_eq!(queue.durable(), at(2));
    Ok(())
}

/// `sync` waits for what was written when it was called. It once waited for a record that had its
/// place but was taken back on a full disk, and that nobody would ever write.
#[test]
fn a_sync_does_not_wait_for_records_that_a_full_disk_takes_back() -> Result<()> {
    let memory = MemoryDirectory::new();
    let faulty = FaultyDirectory::over_memory(memory.clone());
    let gated = Gated::new(Arc::new(faulty.clone()), Held::Writes);
    let queue = QueueOptions::new().open_on(Arc::new(gated.clone()))?;
    enqueue(&queue, 0..1)?;
    gated.gate.shut();
    let (done, finished) = std::sync::mpsc::channel();
    let first = {
        let queue = queue.clone();
        std::thread::spawn(move || queue.enqueue(payload(1)))
    };
    wait_until("the first one writes", || gated.gate.waiting() == 1);
    let own = queue.clone();
    let syncing = std::thread::spawn(move || done.send(own.sync()));
    // Let it come as far as it can; it may be through already.
    std::thread::sleep(Duration::from_millis(20));
    faulty.plan(
        Fault::nth_of(1, &[CallKind::Write], Failure::Full).on("segments/0000000000000001.log"),
    );
    gated.gate.open();
    let reason = FullReason::Disk;
    refused(first.join().expect("no panic"), ErrorKind::Full { reason });
    let synced = finished.recv_timeout(PATIENCE).expect("sync returns");
    assert_eq!(synced?, at(1));
    assert!(syncing.join().is_ok());
    assert_eq!((queue.next(), queue.durable()), (at(1), at(1)));
    Ok(())
}

/// A rotation waits for a commit of the segment that grows when two sealed ones are not settled. It
/// once waited for ever when a full disk took back all that was in that segment.
#[test]
fn a_rotation_that_waits_for_records_a_full_disk_takes_back_ends() -> Result<()> {
    let memory = MemoryDirectory::new();
    let faulty = FaultyDirectory::over_memory(memory.clone());
    let gated = Gated::new(Arc::new(faulty.clone()), Held::Syncs);
    let queue = QueueOptions::new()
        .segment_bytes(8192)
        .preallocate(Preallocate::None)
        .open_on(Arc::new(gated.clone()))?;
    gated.gate.shut();
    let enqueue_one = || {
        let queue = queue.clone();
        // One of these fills a segment.
        std::thread::spawn(move || queue.enqueue(vec![7; 3000]))
    };
    let first = enqueue_one();
    // The next segment, which is made in the background, may be held up beside it.
    wait_until("the first one syncs", || gated.gate.waiting() >= 1);
    let second = enqueue_one();
    wait_until("the second one has its place", || queue.next() == at(2));
    let third = enqueue_one();
    wait_until("the third one has its place", || queue.next() == at(3));
    let (done, finished) = std::sync::mpsc::channel();
    let own = queue.clone();
    let waiting = std::thread::spawn(move || done.send(own.enqueue(vec![7; 3000])));
    // Let it come as far as it can.
    std::thread::sleep(Duration::from_millis(20));
    let full = Fault::nth_of(1, &[CallKind::Write], Failure::Full);
    faulty.plan(full.on("segments/0000000000000003.log").for_ever());
    gated.gate.open();
    assert_eq!(first.join().expect("no panic")?, at(0));
    assert_eq!(second.join().expect("no panic")?, at(1));
    let reason = FullReason::Disk;
    refused(third.join().expect("no panic"), ErrorKind::Full { reason });
    let outcome = finished.recv_timeout(PATIENCE).expect("it returns");
    refused(outcome, ErrorKind::Full { reason });
    assert!(waiting.join().is_ok());
    faulty.clear();
    assert_eq!(queue.enqueue(vec![7; 3000])?, at(2));
    Ok(())
}
