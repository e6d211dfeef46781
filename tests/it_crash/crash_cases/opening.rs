//! Creating, opening and owning a queue: cases 6, 8, 22, 23, 30 and 31.

use std::sync::{Arc, OnceLock};

use forebay::storage::Directory;
use forebay::storage::fault::{Failure, Fault, FaultyDirectory};
use forebay::storage::memory::{Fate, MemoryDirectory, UnsyncedChange};
use forebay::{ErrorKind, Queue, SyncPolicy};

use crate::support::{
    Dice, assert_drains, contents, cut_power, drain_sequences, edit, fill, kill, open,
    open_storage, options, segments, settle, try_open,
};

/// A queue with a torn tail, as a power cut leaves it: two records, then a hole, then more, in
/// several segments. Made once: making it waits for an idle sync.
fn leave_torn() -> MemoryDirectory {
    static IMAGE: OnceLock<MemoryDirectory> = OnceLock::new();
    let make = || {
        loop {
            let image = tear();
            // Unless the commit after a rotation was faster.
            if open(&image.copy(), SyncPolicy::Always).next().get() == 2 {
                return image;
            }
        }
    };
    IMAGE.get_or_init(make).copy()
}

fn tear() -> MemoryDirectory {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    drop(queue.consumer("c").expect("a new consumer"));
    fill(&queue, 2, 100);
    queue.sync().expect("nothing fails");
    settle(&memory);
    fill(&queue, 6, 1500);
    let image = memory.crash(&mut |unit| {
        let is_page = matches!(unit.change, UnsyncedChange::Page { page: 1, .. });
        if is_page && unit.name.ends_with("1.log") {
            Fate::Lost
        } else {
            Fate::Kept
        }
    });
    drop(queue);
    image
}

#[test]
fn a_full_disk_opens_drains_and_goes_on_when_space_returns() {
    // Case 6: the kill found the disk full; opening must not need a byte.
    for torn in [false, true] {
        let memory = if torn {
            leave_torn()
        } else {
            let memory = MemoryDirectory::new();
            let queue = open(&memory, SyncPolicy::Always);
            drop(queue.consumer("c").expect("a new consumer"));
            fill(&queue, 2, 100);
            kill(&memory, queue)
        };
        memory.set_capacity(Some(memory.used_bytes()));
        let queue = open(&memory, SyncPolicy::Always);
        let next = queue.next().get();
        let error = queue
            .enqueue(vec![0; 60_000])
            .expect_err("there is no room");
        assert!(matches!(error.kind(), ErrorKind::Full { .. }), "{error}");
        assert_drains(&queue, "c", 0..next);
        memory.set_capacity(None);
        fill(&queue, 1, 60_000);
        assert_drains(&queue, "c", next..next + 1);
        let image = cut_power(&memory, queue);
        let queue = open(&image, SyncPolicy::Always);
        assert_eq!(queue.next().get(), next + 1);
    }
}

#[test]
fn a_close_after_a_refused_first_append_is_clean() {
    // The flag was cleared for an append that then found no room.
    for is_clean in [true, false] {
        let memory = MemoryDirectory::new();
        let queue = open(&memory, SyncPolicy::Always);
        fill(&queue, 3, 100);
        let image = if is_clean {
            queue.close().expect("nothing fails");
            memory
        } else {
            kill(&memory, queue)
        };
        let queue = open(&image, SyncPolicy::Always);
        image.set_capacity(Some(image.used_bytes()));
        queue
            .enqueue(vec![0; 60_000])
            .expect_err("there is no room");
        image.set_capacity(None);
        queue.close().expect("nothing fails");
        let queue = open(&image, SyncPolicy::Always);
        assert!(
            queue.recovery().clean,
            "after {is_clean}: {:?}",
            queue.recovery()
        );
        fill(&queue, 1, 100);
        assert_drains(&queue, "c", 0..4);
    }
}

/// I7: recovery decides the same again wherever it is interrupted, and a crash loop changes nothing.
#[test]
fn a_crash_loop_without_an_append_changes_nothing() {
    // Case 6: after the first open the bytes of every file are the same, and so is the epoch.
    let mut image = leave_torn();
    let queue = open(&image, SyncPolicy::Always);
    let epoch = queue.epoch();
    let mut reference = None;
    image = cut_power(&image, queue);
    for by_kill in [true, false, true, false] {
        let queue = open(&image, SyncPolicy::Always);
        assert_eq!(queue.epoch(), epoch);
        assert_eq!(queue.next().get(), 2);
        image = if by_kill {
            kill(&image, queue)
        } else {
            cut_power(&image, queue)
        };
        let now = contents(&image);
        let before = reference.get_or_insert_with(|| now.clone());
        assert!(*before == now, "a file changed");
    }
    let queue = open(&image, SyncPolicy::Always);
    fill(&queue, 1, 100);
    assert_drains(&queue, "c", 0..3);
}

#[test]
fn a_crash_anywhere_in_the_first_append_after_a_recovery_loses_nothing() {
    // Case 6: sealing, cutting, moving aside and beginning the next segment can stop anywhere.
    let mut images = 0;
    for nth in 1..100 {
        let memory = leave_torn();
        let storage = FaultyDirectory::over_memory(memory.clone());
        let queue = open_storage(Arc::new(storage.clone()), SyncPolicy::Always);
        storage.plan(Fault::nth_call(nth, Failure::Io).for_ever());
        let accepted = queue.enqueue(b"first").is_ok();
        let moment = memory.process_kill();
        drop(queue);
        for seed in 0..30 {
            let mut dice = Dice::new(seed);
            let image = moment.crash(&mut |unit| dice.fate(unit));
            images += 1;
            let queue = open(&image, SyncPolicy::Always);
            let report = queue.recovery();
            assert!(report.corruption.is_empty(), "call {nth}: {report:?}");
            let next = queue.next().get();
            assert!(
                next == 3 || (next == 2 && !accepted),
                "call {nth}: {report:?}"
            );
            fill(&queue, 1, 100);
            let got = drain_sequences(&queue, "c");
            assert_eq!(got, (0..=next).collect::<Vec<_>>());
        }
        if storage.failures() == 0 {
            break;
        }
    }
    assert!(images > 100, "the loop met no call");
}

#[test]
fn a_segment_number_is_never_used_twice() {
    // Cases 6 and 8: a segment of which nothing is left does not lend its name to another.
    let image = leave_torn();
    let before = segments(&image);
    assert!(before.len() > 1, "there are segments behind the hole");
    let highest = before.last().cloned();
    let queue = open(&image, SyncPolicy::Always);
    fill(&queue, 1, 100);
    let after = segments(&image);
    assert!(after.last() > highest.as_ref(), "{before:?} then {after:?}");
    let aside: Vec<_> = image
        .names()
        .into_iter()
        .filter(|name| name.starts_with("quarantine/") && name.ends_with(".log"))
        .collect();
    assert!(!aside.is_empty(), "what was dropped is kept aside");
}

#[test]
fn an_interrupted_creation_is_done_again() {
    // Case 22: the power goes at each call, with random subsets of what was not synced.
    let mut images = 0;
    for nth in 1..100 {
        let memory = MemoryDirectory::new();
        let storage = FaultyDirectory::over_memory(memory.clone());
        storage.plan(Fault::nth_call(nth, Failure::Io).for_ever());
        let opened = options(SyncPolicy::Always).open_on(Arc::new(storage.clone()));
        let created = opened.as_ref().ok().map(Queue::id);
        let moment = memory.process_kill();
        drop(opened);
        for seed in 0..40 {
            let mut dice = Dice::new(seed);
            let image = match seed {
                0 => moment.copy(),
                1 => moment.crash_losing_all(),
                2 => moment.crash_keeping_all(),
                _ => moment.crash(&mut |unit| dice.fate(unit)),
            };
            images += 1;
            let queue = open(&image, SyncPolicy::Always);
            assert!(
                created.is_none_or(|id| id == queue.id()),
                "a created queue is made anew"
            );
            fill(&queue, 2, 100);
            let image = cut_power(&image, queue);
            let existing = options(SyncPolicy::Always).open_existing();
            let queue = try_open(&image, existing)
                .unwrap_or_else(|error| panic!("call {nth}, image {seed}: {error}"));
            assert_drains(&queue, "c", 0..2);
        }
        if storage.failures() == 0 {
            break;
        }
    }
    assert!(images > 100, "the loop met no call");
}

#[test]
fn open_existing_never_creates() {
    let memory = MemoryDirectory::new();
    let error = try_open(&memory, options(SyncPolicy::Always).open_existing())
        .expect_err("there is nothing");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(contents(&memory).is_empty());
}

#[test]
fn a_lost_identity_with_records_is_refused_and_nothing_starts_at_zero() {
    // Case 22.
    let image = leave_torn();
    image.remove("QUEUE").expect("it is there");
    let before = contents(&image);
    for _ in 0..2 {
        let error = try_open(&image, options(SyncPolicy::Always)).expect_err("records are here");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
    assert!(contents(&image) == before);
}

#[test]
fn a_lost_state_is_rebuilt_from_the_segments_and_reported() {
    // Case 22: missing, both slots damaged, empty, or of another queue.
    let other = MemoryDirectory::new();
    open(&other, SyncPolicy::Always)
        .close()
        .expect("nothing fails");
    let foreign = other.file_bytes("STATE").expect("it is there");
    for is_clean in [true, false] {
        for loss in 0..4 {
            let memory = MemoryDirectory::new();
            let queue = open(&memory, SyncPolicy::Always);
            fill(&queue, 20, 900);
            let epoch = queue.epoch();
            let image = if is_clean {
                queue.close().expect("nothing fails");
                memory
            } else {
                cut_power(&memory, queue)
            };
            match loss {
                0 => image.remove("STATE").expect("it is there"),
                1 => edit(&image, "STATE", |bytes| {
                    bytes[30] ^= 1;
                    bytes[4096 + 30] ^= 1;
                }),
                2 => edit(&image, "STATE", Vec::clear),
                _ => image.put_file("STATE", &foreign),
            }
            let queue = open(&image, SyncPolicy::Always);
            let report = queue.recovery();
            assert!(report.state_rebuilt, "{report:?}");
            assert!(report.corruption.is_empty(), "{report:?}");
            assert!(queue.epoch() > epoch);
            assert_eq!(queue.next().get(), 20);
            fill(&queue, 1, 100);
            let image = cut_power(&image, queue);
            let queue = open(&image, SyncPolicy::Always);
            assert!(!queue.recovery().state_rebuilt);
            assert_drains(&queue, "c", 0..21);
        }
    }
}

#[test]
fn a_lost_state_slot_never_hides_records() {
    // Case 3, from the other side: the slot that cleared the clean flag rots, and the older one
    // still says "clean" with the old end.
    for slot in [0, 4096] {
        for reopened in 0..3 {
            let mut image = MemoryDirectory::new();
            for _ in 0..reopened {
                let queue = open(&image, SyncPolicy::Always);
                fill(&queue, 2, 100);
                image = cut_power(&image, queue);
            }
            let queue = open(&image, SyncPolicy::Always);
            fill(&queue, 2, 100);
            let next = queue.next().get();
            let image = cut_power(&image, queue);
            edit(&image, "STATE", |bytes| bytes[slot + 40] ^= 1);
            let queue = open(&image, SyncPolicy::Always);
            assert_eq!(
                queue.next().get(),
                next,
                "slot {slot}: {:?}",
                queue.recovery()
            );
            fill(&queue, 1, 100);
            assert_drains(&queue, "c", 0..next + 1);
        }
    }
}
