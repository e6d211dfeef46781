//! Dropping and deleting: cases 10, 11, 24, 25 and 26.

use std::sync::Arc;
use std::time::Duration;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{GapReason, Overflow, Queue, QueueOptions, Retention, SyncPolicy};

use crate::golden::still_host;
use crate::support::{
    Dice, assert_drains, cut_power, drain_sequences, fill, kill, open, options, ranges, segments,
    try_open,
};

fn keep_newest(records: u64, policy: SyncPolicy) -> QueueOptions {
    options(policy)
        .max_records(records)
        .overflow(Overflow::DropOldest)
}

#[test]
fn the_drop_floor_is_never_durable_ahead_of_the_records_that_enforce_it() {
    // Case 10: whichever of STATE and the log reaches the medium first, the newest durable records
    // up to the capacity are there.
    let memory = MemoryDirectory::new();
    let queue = try_open(&memory, keep_newest(10, SyncPolicy::Manual)).expect("a new queue");
    fill(&queue, 10, 100);
    queue.sync().expect("nothing fails");
    fill(&queue, 5, 100);
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let image = memory.crash(&mut |unit| dice.fate(unit));
        let reopened = try_open(&image, keep_newest(10, SyncPolicy::Manual)).expect("it opens");
        let next = reopened.next().get();
        assert!(next >= 10);
        let oldest = reopened.first().get();
        assert!(oldest <= next - 10, "only {oldest}..{next} is left");
    }
}

#[test]
fn segments_are_not_deleted_for_records_that_are_not_durable_yet() {
    // Case 10: 100 records are durable and the capacity is 100. What is written after them pushes
    // them out in memory; until it is durable itself they must stay.
    let memory = MemoryDirectory::new();
    // Nobody but the caller syncs: what is written stays undurable.
    let kept = keep_newest(100, SyncPolicy::Manual).host(still_host());
    let queue = try_open(&memory, kept).expect("a new queue");
    fill(&queue, 100, 500);
    queue.sync().expect("nothing fails");
    let durable = queue.durable().get();
    fill(&queue, 12, 500);
    queue.reclaim().expect("nothing fails");
    let durable = durable.max(queue.durable().get());
    let image = cut_power(&memory, queue);
    let queue = try_open(&image, keep_newest(100, SyncPolicy::Manual)).expect("it opens");
    let next = queue.next().get();
    assert!(next >= durable);
    let got = drain_sequences(&queue, "c");
    let expected: Vec<u64> = (next - 100..next).collect();
    let oldest = got.first().copied();
    assert!(
        got.ends_with(&expected),
        "durable records are gone: {oldest:?} is the oldest of {next}, with room for 100"
    );
}

#[test]
fn dropped_records_stay_dropped_after_a_clean_close() {
    let memory = MemoryDirectory::new();
    let queue = try_open(&memory, keep_newest(10, SyncPolicy::Always)).expect("a new queue");
    fill(&queue, 30, 500);
    queue.close().expect("nothing fails");
    let queue = open(&memory, SyncPolicy::Always);
    assert_eq!(queue.len(), 10);
    assert_drains(&queue, "c", 20..30);
}

#[test]
fn without_a_consumer_nothing_is_reclaimed() {
    // Case 11: a producer runs for a long time before the first consumer comes.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 60, 500);
    assert_eq!(queue.reclaim().expect("nothing fails"), 0);
    queue.close().expect("nothing fails");
    let queue = open(&memory, SyncPolicy::Always);
    assert_eq!(queue.reclaim().expect("nothing fails"), 0);
    assert_drains(&queue, "late", 0..60);
}

#[test]
fn reclaim_waits_for_the_slowest_consumer() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    let slow = queue.consumer("slow").expect("a new consumer");
    fill(&queue, 60, 500);
    assert_drains(&queue, "fast", 0..60);
    assert_eq!(queue.reclaim().expect("nothing fails"), 0);
    drop(slow);
    assert_drains(&queue, "slow", 0..60);
    let left = queue.stats().expect("it can be read").segments;
    queue.reclaim().expect("nothing fails");
    assert!(left == 1 || queue.stats().expect("it can be read").segments < left);
}

/// I12: no segment goes before every cursor past it, and the new first segment, are durable.
#[test]
fn a_cursor_is_durable_before_what_it_passed_is_deleted() {
    // Case 26, step 1, also for a cursor that an earlier process wrote and never synced.
    let memory = MemoryDirectory::new();
    let queue = try_open(
        &memory,
        options(SyncPolicy::Always).retention(Retention::KeepForever),
    )
    .expect("a new queue");
    assert_drains(&queue, "c", 0..0);
    fill(&queue, 60, 500);
    queue.sync().expect("nothing fails");
    let mut consumer = queue.consumer("c").expect("it was made");
    while let Some(record) = consumer.peek().expect("it can be read") {
        let sequence = record.sequence;
        consumer.ack_through(sequence).expect("acks need nothing");
    }
    let image = memory.process_kill();
    drop((consumer, queue));
    let queue = open(&image, SyncPolicy::Always);
    assert!(queue.reclaim().expect("nothing fails") > 0 || segments(&image).len() < 3);
    let image = cut_power(&image, queue);
    let queue = open(&image, SyncPolicy::Always);
    let mut consumer = queue.consumer("c").expect("it is there");
    assert!(
        consumer.peek().expect("it can be read").is_none(),
        "acked records come back"
    );
    let gaps = consumer.take_gaps();
    assert!(
        gaps.is_empty(),
        "what was acknowledged is told as gone: {gaps:?}"
    );
}

/// A queue of which all but the last segment can go.
fn fill_and_ack(storage: Arc<FaultyDirectory>) -> Queue {
    let queue = options(SyncPolicy::Always)
        .retention(Retention::UntilAcked)
        .open_on(storage)
        .expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    fill(&queue, 40, 900);
    while let Some(record) = consumer.peek().expect("it can be read") {
        let sequence = record.sequence;
        if sequence.get() == 38 {
            break;
        }
        consumer.ack_through(sequence).expect("nothing fails");
    }
    queue
}

#[test]
fn a_crash_anywhere_in_reclaim_loses_nothing_and_leaves_no_file() {
    // Case 26: the power goes at each call, with random subsets of what was not synced.
    let mut images = 0;
    for nth in 1..200 {
        let memory = MemoryDirectory::new();
        let storage = FaultyDirectory::over_memory(memory.clone());
        let queue = fill_and_ack(Arc::new(storage.clone()));
        storage.plan(Fault::nth_call(nth, Failure::Io).for_ever());
        queue.reclaim().ok();
        let moment = memory.process_kill();
        drop(queue);
        for seed in 0..10 {
            let mut dice = Dice::new(seed);
            let image = moment.crash(&mut |unit| dice.fate(unit));
            images += 1;
            let queue = open(&image, SyncPolicy::Always);
            let report = queue.recovery();
            assert!(report.corruption.is_empty(), "{report:?}");
            assert_eq!(queue.next().get(), 40);
            let left = image.names();
            let orphan = |name: &String| {
                name.ends_with(".idx") && !left.contains(&name.replace(".idx", ".log"))
            };
            let stale = left
                .iter()
                .find(|name| name.contains("trash") || orphan(name));
            assert!(stale.is_none(), "{stale:?} of {left:?}");
            let mut consumer = queue.consumer("c").expect("it is there");
            let start = consumer.next_sequence().get();
            assert!(start <= 38);
            let got = crate::support::drain(&mut consumer).expect("it can be read");
            assert!(got.iter().map(|(sequence, _)| *sequence).eq(start..40));
            assert!(consumer.take_gaps().is_empty());
        }
        if storage.failures() == 0 {
            break;
        }
    }
    assert!(images > 10, "the loop met no call");
}

#[test]
fn reclaim_never_leaves_a_log_without_a_durable_record() {
    // All of the log is acknowledged, and a new segment was begun but is not durable: the segment
    // before it says where the log ends, so it has to stay.
    let memory = MemoryDirectory::new();
    let storage = FaultyDirectory::over_memory(memory.clone());
    // Nobody else writes, so that the third write is the frame.
    let queue = options(SyncPolicy::Always)
        .host(still_host())
        .open_on(Arc::new(storage.clone()))
        .expect("a new queue");
    fill(&queue, 2, 3000);
    assert_drains(&queue, "c", 0..2);
    storage.plan(Fault::nth_of(1, &[CallKind::Write], Failure::Full).for_ever());
    queue.enqueue(vec![1; 3000]).expect_err("the disk is full");
    storage.clear();
    storage.plan(Fault::nth_of(3, &[CallKind::Write], Failure::Full).for_ever());
    queue
        .enqueue(vec![1; 3000])
        .expect_err("the disk is full again");
    storage.clear();
    queue.reclaim().expect("nothing fails");
    let image = cut_power(&memory, queue);
    let queue = open(&image, SyncPolicy::Always);
    assert!(
        queue.recovery().corruption.is_empty(),
        "{:?}",
        queue.recovery()
    );
    assert_eq!(queue.next().get(), 2);
    fill(&queue, 1, 100);
    assert_eq!(drain_sequences(&queue, "c").last(), Some(&2));
}

#[test]
fn records_are_kept_for_as_long_as_retention_says() {
    let memory = MemoryDirectory::new();
    let retention = Retention::KeepAge(Duration::from_hours(1));
    let queue =
        try_open(&memory, options(SyncPolicy::Always).retention(retention)).expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    fill(&queue, 30, 900);
    consumer.seek(queue.next()).expect("it goes to the end");
    assert_eq!(
        queue.reclaim().expect("nothing fails"),
        0,
        "they are seconds old"
    );
    assert_eq!(queue.first().get(), 0);
}

#[test]
fn a_dropped_range_is_told_once() {
    let memory = MemoryDirectory::new();
    let queue = try_open(&memory, keep_newest(5, SyncPolicy::Always)).expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    fill(&queue, 12, 100);
    let first = consumer
        .peek()
        .expect("it can be read")
        .map(|record| record.sequence.get());
    assert_eq!(first, Some(7));
    let gaps = consumer.take_gaps();
    assert_eq!(ranges(&gaps), [0..7]);
    assert_eq!(gaps[0].reason, GapReason::Dropped);
    assert!(consumer.take_gaps().is_empty());
    drop(consumer);
    let image = kill(&memory, queue);
    let queue = try_open(&image, keep_newest(5, SyncPolicy::Always)).expect("it opens");
    let mut consumer = queue.consumer("c").expect("it is there");
    assert_eq!(consumer.next_sequence().get(), 7);
    consumer.peek().expect("it can be read");
    assert!(consumer.take_gaps().is_empty(), "told is told");
}

#[test]
fn an_ack_below_the_floor_is_fine_and_moves_nothing() {
    // Case 25: the record in flight is dropped while the sink has it.
    let memory = MemoryDirectory::new();
    let queue = try_open(&memory, keep_newest(3, SyncPolicy::Always)).expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    fill(&queue, 2, 100);
    let sequence = consumer
        .peek()
        .expect("it can be read")
        .map(|record| record.sequence)
        .expect("two records wait");
    fill(&queue, 5, 100);
    assert_eq!(queue.len(), 3);
    consumer
        .ack_through(sequence)
        .expect("a late ack is no error");
    assert_eq!(queue.len(), 3);
    let got = crate::support::drain(&mut consumer).expect("it can be read");
    assert!(got.iter().map(|(sequence, _)| *sequence).eq(4..7));
}

#[test]
fn no_index_outlives_its_segment() {
    // The commit thread writes the index of a sealed segment while another thread deletes it.
    for round in 0..40 {
        let memory = MemoryDirectory::new();
        let queue = open(&memory, SyncPolicy::Always);
        let mut consumer = queue.consumer("c").expect("a new consumer");
        for _ in 0..6 {
            fill(&queue, 4, 900);
            consumer.seek(queue.next()).expect("it goes to the end");
            queue.reclaim().expect("nothing fails");
        }
        drop(consumer);
        queue.close().expect("nothing fails");
        let names = memory.names();
        let orphan = names.iter().find(|name| {
            let log = name.replace(".idx", ".log");
            name.ends_with(".idx") && !names.contains(&log)
        });
        assert!(orphan.is_none(), "round {round}: {orphan:?} of {names:?}");
    }
}
