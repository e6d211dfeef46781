//! While a sync runs: what is written, sealed or dropped meanwhile is not part of it.

use std::sync::Arc;

use forebay::storage::memory::{Fate, MemoryDirectory, UnsyncedChange};
use forebay::{Overflow, Queue, QueueOptions, Retention, SyncPolicy};

use crate::gate::{Gated, wait_until};
use crate::golden::still_host;
use crate::support::{
    Dice, assert_drains, cut_power, fill, open, options, payload, segments, try_open,
};

/// A queue of `durable` small records, whose next sync of a segment waits at the gate. Nothing
/// happens in the background.
fn begin(policy: SyncPolicy, durable: u64) -> (Gated, Queue) {
    begin_with(options(policy).host(still_host()), durable)
}

fn begin_with(options: QueueOptions, durable: u64) -> (Gated, Queue) {
    let gated = Gated::new();
    let queue = gated.queue(options);
    fill(&queue, durable, 100);
    queue.sync().expect("nothing fails");
    queue.run_background();
    gated.gate.shut();
    (gated, queue)
}

#[test]
fn a_sync_proves_nothing_of_what_was_written_after_it_began() {
    let (gated, queue) = begin(SyncPolicy::Manual, 1);
    fill(&queue, 1, 100);
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| queue.sync());
        wait_until("the sync runs", || gated.gate.waiting() == 1);
        fill(&queue, 1, 100);
        gated.gate.open();
        syncing.join().expect("no panic").expect("nothing fails");
    });
    assert_eq!(queue.durable().get(), 2, "the third record was too late");
}

#[test]
fn a_caller_is_not_released_by_the_commit_before_its_own() {
    let (gated, queue) = begin(SyncPolicy::Always, 1);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| queue.enqueue(payload(1, 100)));
        wait_until("the first one syncs", || gated.gate.waiting() == 1);
        let second = scope.spawn(|| queue.enqueue(payload(2, 100)));
        wait_until("the second one has its place", || queue.next().get() == 3);
        gated.gate.let_one_through();
        first.join().expect("no panic").expect("nothing fails");
        wait_until("the second one goes on", || {
            second.is_finished() || gated.gate.waiting() == 1
        });
        let released = second.is_finished();
        gated.gate.open();
        assert!(!released, "its record is not on the medium");
    });
}

#[test]
fn a_segment_sealed_while_a_sync_ran_is_synced_by_the_next() {
    let (gated, queue) = begin(SyncPolicy::Manual, 3);
    gated.gate.shut_behind();
    fill(&queue, 1, 100);
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| queue.sync());
        wait_until("the sync runs", || gated.gate.waiting() == 1);
        fill(&queue, 4, 1500);
        assert_eq!(segments(&gated.memory).len(), 2, "it rotated meanwhile");
        gated.gate.let_one_through();
        wait_until("the sync ends", || queue.durable().get() == 4);
        gated.gate.open();
        syncing.join().expect("no panic").expect("nothing fails");
    });
    queue.sync().expect("nothing fails");
    let image = cut_power(&gated.memory, queue);
    assert_drains(&open(&image, SyncPolicy::Always), "c", 0..8);
}

#[test]
fn a_drop_made_while_a_sync_ran_is_not_stored_with_it() {
    // Case 10: what pushed the oldest out is lost with the power; the oldest were durable.
    let gated = Gated::new();
    let bounded = options(SyncPolicy::Manual)
        .max_records(5)
        .overflow(Overflow::DropOldest)
        .host(still_host());
    let queue = gated.queue(bounded);
    fill(&queue, 5, 100);
    queue.sync().expect("nothing fails");
    fill(&queue, 1, 100);
    gated.gate.shut_behind();
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| queue.sync());
        wait_until("the sync runs", || gated.gate.waiting() == 1);
        fill(&queue, 3, 100);
        gated.gate.open();
        syncing.join().expect("no panic").expect("nothing fails");
    });
    let image = gated.memory.crash(&mut |unit| match unit.name.as_ref() {
        "STATE" => Fate::Kept,
        _ => Fate::Lost,
    });
    drop(queue);
    let queue = open(&image, SyncPolicy::Manual);
    assert_eq!((queue.first().get(), queue.next().get()), (1, 6));
}

#[test]
fn a_ticket_is_not_true_before_its_sync_ends() {
    let (gated, queue) = begin_with(options(SyncPolicy::Manual).segment_bytes(1 << 20), 2);
    let ticket = queue.submit(payload(2, 100)).expect("nothing fails");
    wait_until("the background syncs", || gated.gate.waiting() == 1);
    let early = ticket.is_durable();
    gated.gate.open();
    assert!(!early, "nothing has synced its record");
    ticket.wait().expect("nothing fails");
    assert!(ticket.is_durable());
}

#[test]
fn at_most_two_sealed_segments_wait_for_their_sync() {
    // Case 2: otherwise opening has more than three segments to scan, and more to lose.
    let (gated, queue) = begin(SyncPolicy::Manual, 2);
    let mut most = 0;
    std::thread::scope(|scope| {
        let filling = scope.spawn(|| fill(&queue, 12, 1500));
        for _ in 0..300 {
            most = segments(&gated.memory).len().max(most);
            if filling.is_finished() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        gated.gate.open();
    });
    assert_eq!(most, 3, "the third rotation waits");
}

/// A moment at which two sealed segments and the active one hold records that no sync has covered.
fn unsynced_over_three_segments() -> (MemoryDirectory, u64) {
    let (gated, queue) = begin(SyncPolicy::Manual, 2);
    fill(&queue, 6, 1500);
    assert_eq!(segments(&gated.memory).len(), 3);
    let moment = gated.memory.process_kill();
    let written = queue.next().get();
    gated.gate.open();
    (moment, written)
}

/// Asserts that a power cut has left `image` as an ordinary torn tail.
fn assert_plain_tail(image: &MemoryDirectory, written: u64, what: &str) {
    let kept = options(SyncPolicy::Always).retention(Retention::KeepForever);
    let queue = try_open(image, kept).expect("it opens");
    let report = queue.recovery();
    assert!(report.corruption.is_empty(), "{what}: {report:?}");
    let next = queue.next().get();
    assert!((2..=written).contains(&next), "{what}: {report:?}");
    assert_drains(&queue, "c", 0..next);
}

#[test]
fn what_persists_of_segments_that_wait_for_their_sync_proves_nothing() {
    // Case 1: a footer, a start frame or a frame reaches the medium before what stands before it.
    let (moment, written) = unsynced_over_three_segments();
    for name in segments(&moment) {
        for sector in 0..8 {
            let image = moment.crash(&mut |unit| {
                let is_page = matches!(unit.change, UnsyncedChange::Page { .. });
                if is_page && *unit.name == *name {
                    Fate::Torn {
                        sectors: 1 << sector,
                    }
                } else {
                    Fate::Kept
                }
            });
            let what = format!("of {name} only the sectors {sector}");
            assert_plain_tail(&image, written, &what);
        }
        let image = moment.crash(&mut |unit| {
            if *unit.name == *name {
                Fate::Lost
            } else {
                Fate::Kept
            }
        });
        assert_plain_tail(&image, written, &format!("nothing of {name}"));
    }
    for seed in 0..100 {
        let mut dice = Dice::new(seed);
        let image = moment.crash(&mut |unit| dice.fate(unit));
        assert_plain_tail(&image, written, &format!("seed {seed}"));
    }
}

#[test]
fn segments_set_aside_are_gone_for_good_before_the_log_goes_on() {
    // Case 15: the second and third segment are not of the log any more; their names are durable
    // in quarantine before the next segment has one.
    let (moment, _) = unsynced_over_three_segments();
    let first = segments(&moment).remove(0);
    let image = moment.crash(&mut |unit| {
        if *unit.name == *first {
            Fate::Lost
        } else {
            Fate::Kept
        }
    });
    let storage = crate::order::watch(&image);
    let queue = options(SyncPolicy::Manual)
        .open_on(Arc::new(storage.clone()))
        .expect("it opens");
    storage.record();
    fill(&queue, 1, 100);
    let calls: Vec<_> = storage
        .log()
        .iter()
        .map(|call| format!("{:?} {}", call.kind, call.name))
        .collect();
    let place = |wanted: &str| calls.iter().position(|call| call.starts_with(wanted));
    let moved = place("Rename segments/0000000000000003.log").expect("it is set aside");
    let created = place("Create segments/").expect("the log goes on");
    for folder in ["quarantine", "segments"] {
        let synced = place(&format!("SyncFolder {folder}"));
        assert!(
            synced.is_some_and(|synced| moved < synced && synced < created),
            "{folder}: {calls:#?}"
        );
    }
}
