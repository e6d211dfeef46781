//! Segments that are deleted under a follower, at every moment of the writer's and of its own.

use std::sync::Arc;

use forebay::storage::memory::MemoryDirectory;
use forebay::{Follower, GapReason, Queue, SyncPolicy};
use parking_lot::Mutex;

use crate::stage::{Seen, Stage, at, fill, follow, open, payload, still};

const RECORDS: u64 = 60;

/// A queue of several segments; the record 20 is larger than what is read at once.
fn scene() -> (MemoryDirectory, Stage, Queue) {
    let memory = MemoryDirectory::new();
    let stage = Stage::new(&memory);
    let queue = open(still(1, SyncPolicy::Always), &stage);
    drop(queue.consumer("c").expect("the only one"));
    fill(&queue, 0, 20);
    let mut large = payload(0, 20);
    large.resize(400_000, 7);
    queue.enqueue(large).expect("there is room");
    fill(&queue, 0, RECORDS - 21);
    queue.run_background();
    (memory, stage, queue)
}

/// Acknowledges up to `to` and takes `steps` turns of what happens in the background.
fn delete(queue: &Queue, to: u64, steps: usize) {
    let mut consumer = queue.consumer("c").expect("the only one");
    consumer.ack_through(at(to)).expect("delivered");
    for _ in 0..steps {
        queue.run_background();
    }
}

fn check(seen: &Seen, context: &str) {
    assert_eq!(seen.next(), RECORDS, "{context}");
    for (sequence, found) in (0..).zip(&seen.records) {
        let Some(found) = found else { continue };
        if sequence == 20 {
            assert_eq!(found.len(), 400_000, "{context}");
        } else {
            assert!(*found == payload(0, sequence), "{context}: {sequence}");
        }
    }
    assert!(seen.gaps.len() <= 1, "{context}: {:?}", seen.gaps);
    for (range, reason) in &seen.gaps {
        assert_eq!(*reason, GapReason::Reclaimed, "{context}");
        assert!(range.end <= 50, "{context}: {range:?} was not deleted");
    }
}

#[test]
fn a_follower_that_looks_at_any_moment_of_a_reclaim_misses_only_what_is_deleted() {
    let mut gaps = 0;
    for already in [0, 1, 12, 20, 21] {
        let mut last = 1;
        let mut moment = 1;
        while moment <= last {
            let (memory, writer, queue) = scene();
            let mut follower = follow(&Stage::read_only(&memory));
            let mut seen = Seen::from(0);
            while seen.next() < already {
                seen.take(&mut follower, 1).expect("nothing fails");
            }
            let watched = Arc::new(Mutex::new((follower, seen)));
            let shared = Arc::clone(&watched);
            writer.hook(move |call| {
                if call == moment {
                    let mut shared = shared.lock();
                    let (follower, seen) = &mut *shared;
                    seen.take_all(follower).expect("nothing is damaged");
                }
            });
            delete(&queue, 49, 12);
            last = writer.calls();
            writer.unhook();
            let mut watched = watched.lock();
            let (follower, seen) = &mut *watched;
            seen.take_all(follower).expect("nothing is damaged");
            check(seen, &format!("after {already}, at call {moment}"));
            gaps += seen.gaps.len();
            moment += 1;
        }
        assert!(last > 20, "a reclaim makes more than {last} calls");
    }
    assert!(gaps > 20, "only {gaps} met what was deleted");
}

/// Reads with pauses of `batch` records; `step` is done before the reader's call `moment`.
fn read_with(reader: &Stage, batch: usize) -> Seen {
    let mut follower: Follower = follow(reader);
    let mut seen = Seen::from(follower.next_sequence().get());
    for _ in 0..seen.from {
        // What was deleted before the follower began is not its own.
        seen.records.insert(0, None);
    }
    seen.from = 0;
    while seen.take(&mut follower, batch).expect("nothing is damaged") > 0 {}
    seen
}

#[test]
fn a_reclaim_at_any_call_of_a_follower_costs_only_what_is_deleted() {
    let mut gaps = 0;
    for steps in [0, 1, 2, 3, 4, 8, 20] {
        let mut last = 1;
        let mut moment = 1;
        while moment <= last {
            let (memory, _writer, queue) = scene();
            let reader = Stage::read_only(&memory);
            reader.hook(move |call| {
                if call == moment {
                    delete(&queue, 49, steps);
                }
            });
            let seen = read_with(&reader, 3);
            last = reader.calls();
            reader.unhook();
            check(&seen, &format!("{steps} steps at call {moment}"));
            gaps += seen.gaps.len();
            moment += 1;
        }
    }
    assert!(gaps > 20, "only {gaps} met what was deleted");
}

#[test]
fn a_second_reclaim_while_a_follower_looks_after_the_first_costs_only_what_is_deleted() {
    let mut gaps = 0;
    let mut last = 1;
    let mut moment = 1;
    while moment <= last {
        for pause in 1..10 {
            let (memory, _writer, queue) = scene();
            let reader = Stage::read_only(&memory);
            reader.hook(move |call| {
                if call == moment {
                    delete(&queue, 30, 20);
                } else if call == moment + pause {
                    delete(&queue, 49, 20);
                }
            });
            let seen = read_with(&reader, 3);
            last = last.max(reader.calls());
            reader.unhook();
            check(&seen, &format!("at call {moment} and {pause} later"));
            gaps += seen.gaps.len();
        }
        moment += 1;
    }
    assert!(gaps > 20, "only {gaps} met what was deleted");
}

#[test]
fn a_gap_is_told_once_and_reading_goes_on_at_the_first_record_that_is_left() {
    let (memory, _writer, queue) = scene();
    let mut follower = follow(&Stage::read_only(&memory));
    let first = follower.next().expect("nothing fails").expect("durable");
    assert_eq!(first.sequence, at(0));
    delete(&queue, 49, 30);
    let mut gaps = Vec::new();
    let mut next = 1;
    while let Some(record) = follower.next().expect("nothing fails") {
        let sequence = record.sequence.get();
        for gap in follower.take_gaps() {
            assert_eq!(gap.range.start, at(next));
            next = gap.range.end.get();
            gaps.push(gap);
        }
        assert_eq!(sequence, next);
        next += 1;
    }
    assert_eq!(next, RECORDS);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].range.end, queue.first());
    assert!(follower.take_gaps().is_empty());
}
