//! What proves what: cases 1, 2, 3, 5, 7, 9, 14, 15, 17 and 20.

use std::sync::Arc;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::{Fate, MemoryDirectory, Unsynced, UnsyncedChange};
use forebay::{ErrorKind, Queue, Retention, Sequence, SyncPolicy};

use crate::golden::still_host;
use crate::support::{
    Dice, assert_drains, cut_power, drain, drain_all, drain_sequences, edit, fill, find, kill,
    open, options, segments, settle, try_open,
};

fn is_page(unit: &Unsynced, name: &str, wanted: u64) -> bool {
    let is_wanted = matches!(unit.change, UnsyncedChange::Page { page, .. } if page == wanted);
    is_wanted && *unit.name == *name
}

/// A queue of two durable records in its first segment, the rest of which is not durable.
fn begin_torn(records: u64, length: usize) -> (MemoryDirectory, Queue) {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    fill(&queue, 2, 100);
    queue.sync().expect("nothing fails");
    settle(&memory);
    fill(&queue, records, length);
    (memory, queue)
}

/// Asserts that a power cut has left `image` as an ordinary torn tail, not before `durable`.
fn assert_plain_tail(image: &MemoryDirectory, durable: u64, written: u64) {
    let kept = || options(SyncPolicy::Always).retention(Retention::KeepForever);
    let queue = try_open(image, kept()).expect("it opens");
    let report = queue.recovery();
    assert!(report.corruption.is_empty(), "{report:?}");
    let next = queue.next().get();
    assert!(durable <= next && next <= written, "{report:?}");
    assert_drains(&queue, "c", 0..next);
    fill(&queue, 2, 50);
    let image = cut_power(image, queue);
    let queue = try_open(&image, kept()).expect("it opens");
    assert!(
        queue.recovery().corruption.is_empty(),
        "{:?}",
        queue.recovery()
    );
    assert_eq!(queue.next().get(), next + 2);
    assert_drains(&queue, "late", 0..next + 2);
}

#[test]
fn a_footer_durable_before_its_data_is_a_plain_torn_tail() {
    // Case 1: the kernel writes the footer's page back first, and the power goes.
    let (memory, queue) = begin_torn(5, 1500);
    let durable = queue.durable().get();
    let next = queue.next().get();
    let names = segments(&memory);
    for lost in 0..8 {
        let image = memory.crash(&mut |unit| {
            let is_lost = names.iter().any(|name| is_page(unit, name, lost));
            if is_lost { Fate::Lost } else { Fate::Kept }
        });
        assert_plain_tail(&image, durable, next);
    }
    drop(queue);
}

#[test]
fn the_next_segment_durable_before_the_tail_of_the_one_before_is_a_plain_torn_tail() {
    // Cases 1 and 2: all of the newer segments persist, the older ones only in part, even without
    // their names.
    let (memory, queue) = begin_torn(9, 1500);
    let durable = queue.durable().get();
    let next = queue.next().get();
    for lost in segments(&memory) {
        for only_name in [false, true] {
            let image = memory.crash(&mut |unit| {
                let is_name = unit.change == UnsyncedChange::Created;
                if *unit.name == *lost && (is_name || !only_name) {
                    Fate::Lost
                } else {
                    Fate::Kept
                }
            });
            assert_plain_tail(&image, durable, next);
        }
    }
    drop(queue);
}

/// I5: a power cut alone is no corruption, and what is below the proven watermark is never cut.
#[test]
fn two_torn_segments_are_one_torn_tail() {
    // Case 2: every subset of what a rotation under Manual leaves unsynced.
    for records in 4..10 {
        let (memory, queue) = begin_torn(records, 1500);
        let durable = queue.durable().get();
        let next = queue.next().get();
        let moment = memory.process_kill();
        drop(queue);
        for seed in 0..100 {
            let mut dice = Dice::new(seed);
            let image = moment.crash(&mut |unit| dice.fate(unit));
            assert_plain_tail(&image, durable, next);
        }
    }
}

#[test]
fn a_cursor_durable_before_the_records_it_passed_is_taken_back() {
    // Case 1: a seek goes beyond the watermark, and only the cursor's page reaches the disk.
    let (memory, queue) = begin_torn(1, 100);
    let mut consumer = queue.consumer("c").expect("a new consumer");
    consumer.seek(Sequence::new(3)).expect("it is in the log");
    let image = memory.crash(&mut |unit| {
        if unit.name.starts_with("cursors/") {
            Fate::Kept
        } else {
            Fate::Lost
        }
    });
    drop((consumer, queue));
    let queue = open(&image, SyncPolicy::Always);
    assert!(
        queue.recovery().corruption.is_empty(),
        "{:?}",
        queue.recovery()
    );
    let consumer = queue.consumer("c").expect("it is no damage");
    assert_eq!(consumer.next_sequence().get(), 2);
    assert_eq!(
        consumer.taken_back(),
        Some(Sequence::new(2)..Sequence::new(3))
    );
}

#[test]
fn an_acknowledged_record_after_a_clean_reopen_survives_a_power_cut() {
    // Case 3: STATE on the medium must not say "clean" with the old end any more.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 2, 100);
    queue.close().expect("nothing fails");
    let queue = open(&memory, SyncPolicy::Always);
    assert!(queue.recovery().clean);
    fill(&queue, 1, 100);
    for seed in 0..100 {
        let mut dice = Dice::new(seed);
        let image = memory.crash(&mut |unit| dice.fate(unit));
        let queue = open(&image, SyncPolicy::Always);
        fill(&queue, 1, 100);
        assert_drains(&queue, "c", 0..4);
    }
}

/// I3: a queue id, an epoch and a sequence name one payload for ever.
#[test]
fn no_sequence_names_two_payloads_in_one_epoch() {
    // Cases 3 and 5: under Manual, whatever of the unsynced tail survives, what is written at the
    // same sequence later has another epoch.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    fill(&queue, 2, 100);
    queue.close().expect("nothing fails");
    let queue = open(&memory, SyncPolicy::Manual);
    let first_run = queue.epoch();
    fill(&queue, 2, 100);
    let image = cut_power(&memory, queue);
    let queue = open(&image, SyncPolicy::Manual);
    assert_eq!(queue.next().get(), 2);
    assert!(queue.epoch() > first_run);
    queue.enqueue(b"another").expect("nothing fails");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    consumer.seek(Sequence::new(2)).expect("it is in the log");
    let record = consumer
        .peek()
        .expect("it can be read")
        .expect("it is there");
    assert_eq!(
        (record.payload, record.epoch),
        (&b"another"[..], queue.epoch())
    );
}

/// I3: a queue id, an epoch and a sequence name one payload for ever.
#[test]
fn the_epoch_is_durable_before_open_returns() {
    // Case 5: nothing is written under the new epoch, and the power goes again and again.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    fill(&queue, 3, 100);
    let mut image = memory.process_kill();
    drop(queue);
    let mut epochs = Vec::new();
    for _ in 0..4 {
        let queue = open(&image, SyncPolicy::Manual);
        epochs.push(queue.epoch());
        fill(&queue, 1, 100);
        image = cut_power(&image, queue);
    }
    assert!(
        epochs.is_sorted_by(|before, after| before < after),
        "{epochs:?}"
    );
}

#[test]
fn recovery_writes_again_what_a_failed_sync_left_only_in_the_cache() {
    // Case 7: the sync fails, the pages look clean, the process is killed. What the next process
    // hands out must not be gone after a power cut.
    for count in [1, 3, 6] {
        let memory = MemoryDirectory::new();
        let storage = FaultyDirectory::over_memory(memory.clone());
        // Nobody but the caller syncs, so that the fault is the log's.
        let queue = options(SyncPolicy::Manual)
            .host(still_host())
            .open_on(Arc::new(storage.clone()))
            .expect("a new queue");
        fill(&queue, 1, 100);
        queue.sync().expect("nothing fails yet");
        fill(&queue, count, 1000);
        storage.plan(Fault::nth_of(1, &[CallKind::SyncFile], Failure::Forget));
        let error = queue.sync().expect_err("the sync fails");
        assert_eq!(error.kind(), ErrorKind::Poisoned);
        let image = kill(&memory, queue);
        let kept = || options(SyncPolicy::Always).retention(Retention::KeepForever);
        let queue = try_open(&image, kept()).expect("it opens");
        let seen = drain_all(&queue, "c");
        let image = cut_power(&image, queue);
        let queue = try_open(&image, kept()).expect("it opens");
        assert!(
            queue.recovery().corruption.is_empty(),
            "{:?}",
            queue.recovery()
        );
        let mut consumer = queue.consumer("audit").expect("a new consumer");
        assert_eq!(drain(&mut consumer).expect("it can be read"), seen);
        assert!(!seen.is_empty());
    }
}

#[test]
fn a_forgotten_cursor_or_state_page_never_loses_a_record() {
    // Case 7 for the slots: their sync fails and forgets, then the power goes.
    for name in ["cursors/c.cursor", "STATE"] {
        let memory = MemoryDirectory::new();
        let queue = open(&memory, SyncPolicy::Always);
        let mut consumer = queue.consumer("c").expect("a new consumer");
        fill(&queue, 6, 1500);
        for sequence in 0..3 {
            consumer
                .ack_through(Sequence::new(sequence))
                .expect("nothing fails");
        }
        memory.fail_next_sync_and_mark_clean(name);
        drop(consumer);
        queue.close().expect_err("a sync fails");
        let image = memory.process_kill();
        let queue = open(&image, SyncPolicy::Always);
        fill(&queue, 3, 1500);
        queue.reclaim().expect("nothing fails");
        let image = cut_power(&image, queue);
        let queue = open(&image, SyncPolicy::Always);
        assert!(
            queue.recovery().corruption.is_empty(),
            "{name}: {:?}",
            queue.recovery()
        );
        let mut consumer = queue.consumer("c").expect("it is there");
        assert!(consumer.next_sequence().get() <= 3);
        let got = drain(&mut consumer).expect("it can be read");
        assert_eq!(got.last().map(|(sequence, _)| *sequence), Some(8), "{name}");
        assert!(consumer.take_gaps().is_empty(), "{name}");
    }
}

/// I11: a cursor never passes what its consumer has not seen, and never starts again at 0.
#[test]
fn a_cursor_ahead_of_a_cut_log_never_skips_the_new_run() {
    // Case 9: the cursor says 5, the log is cut at 2 and grows beyond 5 again; the clamped cursor
    // is lost with the power.
    let (memory, queue) = begin_torn(3, 100);
    let mut consumer = queue.consumer("c").expect("a new consumer");
    consumer.seek(Sequence::new(5)).expect("it is in the log");
    let image = memory.crash(&mut |unit| {
        if unit.name.starts_with("cursors/") {
            Fate::Kept
        } else {
            Fate::Lost
        }
    });
    drop((consumer, queue));
    let queue = open(&image, SyncPolicy::Always);
    assert_eq!(queue.next().get(), 2);
    fill(&queue, 10, 100);
    let image = cut_power(&image, queue);
    for _ in 0..2 {
        let queue = open(&image, SyncPolicy::Always);
        let consumer = queue.consumer("c").expect("it is no damage");
        assert_eq!(consumer.next_sequence().get(), 2);
        drop(consumer);
        queue.close().expect("nothing fails");
    }
    let queue = open(&image, SyncPolicy::Always);
    assert_eq!(drain_sequences(&queue, "c"), (2..12).collect::<Vec<_>>());
}

#[test]
fn a_later_group_in_the_sector_of_an_acknowledged_record_never_costs_it() {
    // Case 14: the device writes a sector whole or not at all, and keeps what does not change.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    fill(&queue, 3, 30);
    queue.sync().expect("nothing fails");
    fill(&queue, 3, 30);
    for sectors in 0..=u8::MAX {
        let image = memory.crash(&mut |_| Fate::Torn { sectors });
        assert_plain_tail(&image, 3, 6);
    }
    drop(queue);
}

/// I6: nothing is appended behind bytes that were not verified or removed.
#[test]
fn frames_behind_a_cut_never_come_back() {
    // Case 15: whole frames lie behind the hole. The queue goes on, and later the footer rots.
    let (memory, queue) = begin_torn(4, 600);
    let name = segments(&memory).remove(0);
    let image = kill(&memory, queue);
    let hole = find(&image, &name, b"record 2:");
    edit(&image, &name, |bytes| bytes[hole] ^= 1);
    let queue = open(&image, SyncPolicy::Always);
    let torn = queue.recovery().torn.clone().expect("there is a hole");
    assert_eq!((torn.seen.start.get(), torn.seen.end.get()), (2, 6));
    for _ in 0..4 {
        queue.enqueue(b"new").expect("nothing fails");
    }
    let image = cut_power(&image, queue);
    let footer = hole - 72;
    for at in footer..footer + 96 {
        let copy = image.copy();
        edit(&copy, &name, |bytes| bytes[at] ^= 0x10);
        let queue = open(&copy, SyncPolicy::Always);
        let got = drain_all(&queue, "c");
        assert_eq!(got.len(), 6, "footer byte {at}");
        assert!(got[2..].iter().all(|(_, bytes)| bytes == b"new"));
    }
}

#[test]
fn the_chain_head_never_runs_ahead_of_what_is_durable() {
    // Case 20: a witness that keeps the head does not see tampering after a plain power cut.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    fill(&queue, 3, 100);
    queue.sync().expect("nothing fails");
    let witness = queue.chain_head();
    fill(&queue, 3, 100);
    assert_eq!(queue.chain_head(), witness);
    assert_eq!(witness.1.get(), 3);
    let image = cut_power(&memory, queue);
    let queue = open(&image, SyncPolicy::Manual);
    let head = queue.chain_head();
    assert_eq!(
        (head.1, head.2),
        (witness.1, witness.2),
        "nothing before the head changed"
    );
    fill(&queue, 1, 100);
    queue.sync().expect("nothing fails");
    assert_ne!(queue.chain_head().2, witness.2);
}
