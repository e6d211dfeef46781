//! The log that is followed is another one now: after a kill, a power cut, or a restored copy.

use std::sync::Arc;

use forebay::storage::memory::{Fate, MemoryDirectory, Unsynced};
use forebay::{ErrorKind, Follower, Queue, Retention, SyncPolicy};
use parking_lot::Mutex;

use crate::stage::{Seen, Stage, at, fill, follow, open, payload, refused, still};

const POLICIES: [SyncPolicy; 2] = [SyncPolicy::Always, SyncPolicy::Manual];

fn options(life: u64, policy: SyncPolicy) -> forebay::QueueOptions {
    still(life, policy).retention(Retention::KeepForever)
}

/// The first life: some of it durable, some not, over several segments.
fn live(stage: &Stage, policy: SyncPolicy) {
    let queue = open(options(1, policy), stage);
    for round in 0..14 {
        fill(&queue, 1, 2);
        let next = queue.next().get();
        let batch = (next..next + 3).map(|number| payload(1, number));
        queue.enqueue_batch(batch).expect("there is room");
        if round % 4 == 3 {
            queue.sync().expect("nothing fails");
        }
        if round % 5 == 4 {
            queue.run_background();
        }
    }
}

/// All that a queue holds, as its own consumer reads it.
fn all_of(queue: &Queue) -> Vec<Vec<u8>> {
    let mut consumer = queue.consumer("all").expect("the only one");
    let mut all = Vec::new();
    let drained = consumer.drain(|record| {
        all.push(record.payload.to_vec());
        Ok::<(), ()>(())
    });
    drained.expect("nothing is damaged");
    all
}

fn lose_all(_: &Unsynced) -> Fate {
    Fate::Lost
}

/// Ends the first life before its call `moment` in an image that `cut` makes, and follows the
/// second one; false when there was no such call.
fn end_at(
    moment: u64,
    policy: SyncPolicy,
    cut: fn(&MemoryDirectory) -> MemoryDirectory,
) -> Option<usize> {
    let memory = MemoryDirectory::new();
    let writer = Stage::new(&memory);
    drop(open(options(0, policy), &writer));
    let reader = Stage::read_only(&memory);
    let watched = Arc::new(Mutex::new((follow(&reader), Seen::from(0), None)));
    let (shared, source, stage) = (Arc::clone(&watched), memory.clone(), reader.clone());
    writer.hook(move |call| {
        let mut shared = shared.lock();
        let (follower, seen, image) = &mut *shared;
        if call < moment {
            seen.take(follower, 7).expect("nothing fails");
        } else if call == moment {
            let left = cut(&source);
            stage.switch(&left);
            *image = Some(left);
        }
    });
    live(&writer, policy);
    writer.unhook();
    let mut watched = watched.lock();
    let (follower, seen, image) = &mut *watched;
    let image = image.take()?;
    let before = seen.records.len();
    // Nobody writes: the follower reads what it can, and waits.
    seen.take_all(follower)
        .expect("an unclean end is no damage");
    let again = Stage::new(&image);
    let queue = open(options(2, SyncPolicy::Always), &again);
    seen.take_all(follower).expect("nothing is damaged");
    fill(&queue, 2, 25);
    seen.take_all(follower).expect("nothing is damaged");
    let held: Vec<_> = all_of(&queue).into_iter().map(Some).collect();
    assert_eq!(seen.records.len(), held.len(), "call {moment}");
    assert!(seen.records == held, "call {moment}: it is another log");
    Some(before)
}

fn end_everywhere(cut: fn(&MemoryDirectory) -> MemoryDirectory) {
    for policy in POLICIES {
        let mut moment = 1;
        let mut most = 0;
        while let Some(before) = end_at(moment, policy, cut) {
            most = most.max(before);
            moment += 1;
        }
        assert!(most > 40, "{most} followed at most, in {moment} calls");
    }
}

#[test]
fn a_writer_that_is_killed_at_any_call_and_opened_again_is_followed_on() {
    end_everywhere(MemoryDirectory::process_kill);
}

#[test]
fn what_a_power_cut_takes_at_any_call_no_follower_has_seen() {
    end_everywhere(|memory| memory.crash(&mut lose_all));
}

#[test]
fn what_a_power_cut_leaves_in_parts_no_follower_has_seen_otherwise() {
    end_everywhere(|memory| {
        let mut turn = 0_u32;
        memory.crash(&mut |_| {
            turn = turn.wrapping_mul(5).wrapping_add(1);
            match turn >> 2 & 3 {
                0 => Fate::Lost,
                1 => Fate::Kept,
                _ => Fate::Torn {
                    sectors: (turn >> 4).to_le_bytes()[0],
                },
            }
        })
    });
}

/// A queue of 60 records with an older copy of 20, and a follower that has read to the end.
fn restored(clean: bool) -> (MemoryDirectory, Stage, Follower) {
    let memory = MemoryDirectory::new();
    let queue = open(options(1, SyncPolicy::Always), &Stage::new(&memory));
    fill(&queue, 1, 20);
    let copy = if clean {
        queue.close().expect("nothing fails");
        memory.copy()
    } else {
        let copy = memory.copy();
        drop(queue);
        copy
    };
    let queue = open(options(3, SyncPolicy::Always), &Stage::new(&memory));
    fill(&queue, 1, 40);
    let reader = Stage::read_only(&memory);
    let mut follower = follow(&reader);
    Seen::from(0)
        .take_all(&mut follower)
        .expect("nothing fails");
    assert_eq!(follower.next_sequence(), at(60));
    (copy, reader, follower)
}

#[test]
fn an_older_copy_in_the_place_of_the_queue_is_an_error_each_time() {
    for clean in [false, true] {
        let (copy, reader, mut follower) = restored(clean);
        reader.switch(&copy);
        for _ in 0..2 {
            let text = refused(follower.next(), ErrorKind::OutOfRange);
            assert!(text.contains("older copy"), "{text}");
            refused(follower.durable(), ErrorKind::OutOfRange);
            refused(
                follower.wait(std::time::Duration::ZERO),
                ErrorKind::OutOfRange,
            );
        }
    }
}

#[test]
fn an_older_copy_that_has_outgrown_the_follower_meanwhile_is_an_error() {
    let (copy, reader, mut follower) = restored(false);
    let queue = open(options(4, SyncPolicy::Always), &Stage::new(&copy));
    fill(&queue, 2, 100);
    reader.switch(&copy);
    let text = refused(follower.next(), ErrorKind::OutOfRange);
    assert!(text.contains("goes on at 20"), "{text}");
}

#[test]
fn a_copy_that_holds_all_that_was_read_is_followed_on() {
    let memory = MemoryDirectory::new();
    let queue = open(options(1, SyncPolicy::Always), &Stage::new(&memory));
    fill(&queue, 1, 30);
    let copy = memory.copy();
    fill(&queue, 1, 10);
    let reader = Stage::read_only(&memory);
    let mut follower = follow(&reader);
    let mut seen = Seen::from(0);
    while seen.next() < 30 {
        seen.take(&mut follower, 1).expect("nothing fails");
    }
    let stage = Stage::new(&copy);
    let queue = open(options(2, SyncPolicy::Always), &stage);
    fill(&queue, 2, 30);
    reader.switch(&copy);
    // What the buffer of the first queue still holds from 30 on belongs to no one now.
    follower.durable().expect("the same log");
    seen.take_all(&mut follower).expect("the same log");
    let held: Vec<_> = all_of(&queue).into_iter().map(Some).collect();
    assert!(seen.records == held);
}

#[test]
fn another_queue_in_the_place_of_the_queue_is_an_error() {
    let (_, reader, mut follower) = restored(true);
    let other = MemoryDirectory::new();
    let queue = open(options(77, SyncPolicy::Always), &Stage::new(&other));
    fill(&queue, 1, 100);
    reader.switch(&other);
    let text = refused(follower.next(), ErrorKind::OutOfRange);
    assert!(text.contains("another queue"), "{text}");
}
