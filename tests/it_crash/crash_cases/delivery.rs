//! Cursors, batches, counts and waiting: cases 4, 11, 12, 13, 24, 27 and 33.

use std::sync::Arc;
use std::time::Duration;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::{Fate, MemoryDirectory, UnsyncedChange};
use forebay::{ErrorKind, FullReason, Overflow, Sequence, SyncPolicy};

use crate::golden::still_host;
use crate::support::{
    assert_drains, cut_power, drain, drain_sequences, edit, fill, guard, kill, open, options,
    payload, try_open,
};

/// Cuts the power with every combination of torn sectors in each unsynced page of `name`, and all
/// of it torn the same way.
fn tear_every_way(memory: &MemoryDirectory, name: &str, check: &dyn Fn(&MemoryDirectory)) -> u64 {
    let is_page = |change: &UnsyncedChange| matches!(change, UnsyncedChange::Page { .. });
    let pages = memory
        .unsynced()
        .iter()
        .filter(|unit| *unit.name == *name && is_page(&unit.change))
        .count();
    let mut images = 0;
    for chosen in 0..=pages {
        for sectors in [0, 1, 2, 0x55, 0xaa, 0xfe, 0x7f, 0xff] {
            let mut at = 0;
            let image = memory.crash(&mut |unit| {
                let is_own = *unit.name == *name && is_page(&unit.change);
                at += usize::from(is_own);
                if is_own && (at == chosen + 1 || chosen == pages) {
                    Fate::Torn { sectors }
                } else {
                    Fate::Lost
                }
            });
            // A torn sector of a file without powersafe overwrite may be anything.
            let damaged = image.copy();
            for unit in memory.unsynced().iter().filter(|unit| *unit.name == *name) {
                if let UnsyncedChange::Page { page, .. } = unit.change {
                    let start = usize::try_from(page * 4096).expect("a small file");
                    edit(&damaged, name, |bytes| bytes[start..start + 512].fill(0xa5));
                }
            }
            check(&image);
            check(&damaged);
            images += 2;
        }
    }
    images
}

/// I10: the slot of the last synced generation is never written.
#[test]
fn one_power_cut_never_damages_both_slots_of_a_cursor() {
    // Case 4: whatever number of acks since the last sync.
    for acks in 1..6 {
        let memory = MemoryDirectory::new();
        let queue = open(&memory, SyncPolicy::Always);
        let mut consumer = queue.consumer("c").expect("a new consumer");
        fill(&queue, 6, 100);
        for sequence in 0..acks {
            consumer
                .ack_through(Sequence::new(sequence))
                .expect("nothing fails");
        }
        let images = tear_every_way(&memory, "cursors/c.cursor", &|image| {
            let queue = open(image, SyncPolicy::Always);
            let consumer = queue.consumer("c").expect("one slot is good");
            assert!(consumer.next_sequence().get() <= acks);
        });
        assert!(images > 16, "the acks wrote something");
    }
}

/// I10: the slot of the last synced generation is never written.
#[test]
fn one_power_cut_never_damages_both_slots_of_the_state() {
    // Case 4: as many lazy updates as there were syncs.
    for syncs in 1..6 {
        let memory = MemoryDirectory::new();
        let queue = open(&memory, SyncPolicy::Always);
        fill(&queue, syncs, 100);
        let images = tear_every_way(&memory, "STATE", &|image| {
            let queue = open(image, SyncPolicy::Always);
            let report = queue.recovery();
            assert!(
                !report.state_rebuilt && report.corruption.is_empty(),
                "{report:?}"
            );
            assert_eq!(queue.next().get(), syncs);
        });
        assert!(images > 16, "the syncs wrote something");
    }
}

#[test]
fn a_cursor_write_cut_short_by_a_full_disk_never_costs_the_other_slot() {
    // Case 4 and 33: the slot that was written last is half overwritten, the queue goes on, and
    // later the power goes in the middle of the next update.
    let memory = MemoryDirectory::new();
    let storage = FaultyDirectory::over_memory(memory.clone());
    let queue = options(SyncPolicy::Always)
        .host(still_host())
        .open_on(Arc::new(storage.clone()))
        .expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    fill(&queue, 6, 100);
    consumer.ack_through(Sequence::ZERO).expect("nothing fails");
    let torn = Failure::TornFull { bytes: 60 };
    for sequence in 1..4 {
        storage.plan(Fault::nth_of(1, &[CallKind::Write], torn));
        let error = consumer
            .ack_through(Sequence::new(sequence))
            .expect_err("the disk is full");
        assert!(matches!(error.kind(), ErrorKind::Full { .. }), "{error}");
        storage.clear();
        let image = memory.process_kill();
        let reopened = open(&image, SyncPolicy::Always);
        let at = reopened
            .consumer("c")
            .expect("it is readable")
            .next_sequence();
        assert_eq!(
            at.get(),
            sequence,
            "an ack survives a kill, a refused one is not there"
        );
        drop(reopened);
        queue.run_background();
        consumer
            .ack_through(Sequence::new(sequence))
            .expect("there is space");
        tear_every_way(&memory, "cursors/c.cursor", &|image| {
            let queue = open(image, SyncPolicy::Always);
            let consumer = queue.consumer("c").expect("one slot is good");
            assert!(consumer.next_sequence().get() <= sequence + 1);
        });
    }
}

#[test]
fn a_new_consumer_survives_a_power_cut() {
    // Case 11: from then on its records are kept for it.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 3, 100);
    drop(queue.consumer("c").expect("a new consumer"));
    let image = cut_power(&memory, queue);
    let queue = open(&image, SyncPolicy::Always);
    assert_eq!(queue.consumers(), ["c"]);
    assert_drains(&queue, "c", 0..3);
}

#[test]
fn a_lowered_limit_still_reads_what_is_larger() {
    // Case 12, after a clean end and after a kill.
    for is_clean in [true, false] {
        let memory = MemoryDirectory::new();
        let queue = open(&memory, SyncPolicy::Always);
        fill(&queue, 3, 3000);
        let image = if is_clean {
            queue.close().expect("nothing fails");
            memory
        } else {
            kill(&memory, queue)
        };
        let small = options(SyncPolicy::Always).max_record_bytes(100);
        let queue = try_open(&image, small).expect("options limit enqueue only");
        assert!(queue.recovery().corruption.is_empty());
        let error = queue.enqueue(vec![0; 101]).expect_err("it is too large");
        assert_eq!(error.kind(), ErrorKind::RecordTooLarge);
        fill(&queue, 1, 100);
        assert_drains(&queue, "c", 0..4);
    }
}

/// I9: a write that met a full disk leaves nothing, and the handle goes on.
#[test]
fn a_refused_write_leaves_nothing_after_a_kill() {
    // Case 13: whole frames of the refused group are in the file when the write fails.
    for bytes in [10, 200, 700, 1500, 2200] {
        let memory = MemoryDirectory::new();
        let storage = FaultyDirectory::over_memory(memory.clone());
        // There is no next segment whose room could be had instead.
        let queue = options(SyncPolicy::Always)
            .host(still_host())
            .open_on(Arc::new(storage.clone()))
            .expect("a new queue");
        fill(&queue, 1, 500);
        let fault = Fault::nth_of(1, &[CallKind::Write], Failure::TornFull { bytes });
        storage.plan(fault.on("segments/0000000000000001.log"));
        let batch: Vec<_> = (1..4).map(|sequence| payload(sequence, 500)).collect();
        let error = queue.enqueue_batch(&batch).expect_err("the disk is full");
        let reason = FullReason::Disk;
        assert_eq!(error.kind(), ErrorKind::Full { reason });
        for image in [memory.process_kill(), memory.crash_losing_all()] {
            let reopened = open(&image, SyncPolicy::Always);
            assert_eq!(reopened.next().get(), 1, "{bytes} bytes were put down");
        }
        queue
            .enqueue(b"in its place")
            .expect("there is space again");
        let image = cut_power(&memory, queue);
        let queue = open(&image, SyncPolicy::Always);
        let got = crate::support::drain_all(&queue, "c");
        assert_eq!(got[1], (1, b"in its place".to_vec()));
    }
}

#[test]
fn length_first_and_floor_are_three_things() {
    // Case 24.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 30, 900);
    assert_eq!(queue.len(), 30);
    let mut consumer = queue.consumer("c").expect("a new consumer");
    for sequence in 0..10 {
        consumer
            .ack_through(Sequence::new(sequence))
            .expect("nothing fails");
    }
    assert_eq!(queue.len(), 20);
    assert_eq!(consumer.len().expect("it is open"), 20);
    let first = queue.first();
    consumer.seek(first).expect("what is left can be replayed");
    assert_eq!(queue.len(), 20, "a replay does not lower the floor");
    drop(consumer);
    queue.close().expect("nothing fails");
    let queue = open(&memory, SyncPolicy::Always);
    assert!(queue.len() >= 20);
    let got = drain_sequences(&queue, "c");
    assert_eq!(got.last(), Some(&29));
}

#[test]
fn a_batch_is_there_whole_or_not_at_all() {
    // Case 27: every page of it lost alone, kept alone, and torn.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    fill(&queue, 1, 100);
    queue.sync().expect("nothing fails");
    let batch: Vec<_> = (1..30).map(|sequence| payload(sequence, 700)).collect();
    queue.enqueue_batch(&batch).expect("nothing fails");
    let units = memory.unsynced_count();
    for at in 0..units {
        for (chosen, others) in [
            (Fate::Lost, Fate::Kept),
            (Fate::Kept, Fate::Lost),
            (Fate::Torn { sectors: 0x0f }, Fate::Kept),
            (Fate::Torn { sectors: 0xf0 }, Fate::Kept),
        ] {
            let mut index = 0;
            let image = memory.crash(&mut |_| {
                index += 1;
                if index == at + 1 { chosen } else { others }
            });
            let queue = open(&image, SyncPolicy::Always);
            assert!(
                queue.recovery().corruption.is_empty(),
                "{:?}",
                queue.recovery()
            );
            let next = queue.next().get();
            assert!(next == 1 || next == 30, "half a batch: {next}");
            assert_drains(&queue, "c", 0..next);
        }
    }
}

#[test]
fn a_batch_larger_than_the_capacity_is_refused_at_once_or_keeps_its_newest() {
    // Case 27.
    let memory = MemoryDirectory::new();
    let wait = Overflow::Block(Duration::from_hours(1));
    for overflow in [Overflow::Reject, wait] {
        let queue = try_open(
            &memory,
            options(SyncPolicy::Always)
                .max_records(3)
                .overflow(overflow),
        )
        .expect("it opens");
        let error = guard("a batch that never fits", move || {
            queue
                .enqueue_batch([b"a"; 4])
                .expect_err("there never is room")
        });
        let reason = FullReason::Records;
        assert_eq!(error.kind(), ErrorKind::Full { reason });
    }
    let dropping = options(SyncPolicy::Always)
        .max_records(3)
        .overflow(Overflow::DropOldest);
    let queue = try_open(&memory, dropping).expect("it opens");
    queue
        .enqueue_batch((0..7).map(|at| payload(at, 20)))
        .expect("the newest stay");
    assert_eq!(queue.len(), 3);
    assert_eq!(queue.stats().expect("it can be read").dropped, 4);
    assert_drains(&queue, "c", 4..7);
}

/// I11: a cursor never passes what its consumer has not seen, and never starts again at 0.
#[test]
fn a_cursor_with_both_slots_damaged_stops_its_consumer_and_nobody_else() {
    // Case 33: nobody guesses where it was, and nothing is reclaimed past it.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    for name in ["good", "bad"] {
        drop(queue.consumer(name).expect("a new consumer"));
    }
    fill(&queue, 30, 900);
    queue.close().expect("nothing fails");
    edit(&memory, "cursors/bad.cursor", |bytes| {
        bytes[20] ^= 1;
        bytes[4096 + 20] ^= 1;
    });
    let queue = open(&memory, SyncPolicy::Always);
    let error = queue.consumer("bad").expect_err("its place is lost");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    fill(&queue, 1, 100);
    assert_drains(&queue, "good", 0..31);
    assert_eq!(
        queue.reclaim().expect("nothing fails"),
        0,
        "nobody knows what it needs"
    );
    let mut late = queue.consumer("late").expect("a new consumer");
    assert_eq!(drain(&mut late).expect("it can be read").len(), 31);
}

#[test]
fn waiting_for_a_record_that_nobody_enqueues_ends_at_the_timeout() {
    // Case 33.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    let error = queue
        .wait_durable(Sequence::new(5), Duration::from_millis(1))
        .expect_err("nobody enqueues");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}
