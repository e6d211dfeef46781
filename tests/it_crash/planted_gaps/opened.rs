//! What opening commits, makes durable, and does not take from a file that is out of date.

use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, SyncPolicy};

use crate::support::{
    assert_drains, cut_power, edit, fill, find, kill, open, options, segments, try_open,
};

#[test]
fn the_decision_of_a_recovery_is_synced_before_open_returns() {
    // Case 6: until it is read, not made again, two openings are two decisions.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 3, 100);
    let image = kill(&memory, queue);
    let queue = open(&image, SyncPolicy::Always);
    let epoch = queue.epoch();
    let image = image.crash_losing_all();
    drop(queue);
    let queue = open(&image, SyncPolicy::Always);
    assert!(queue.recovery().clean, "{:?}", queue.recovery());
    assert_eq!(queue.epoch(), epoch);
}

#[test]
fn a_close_is_clean_after_a_power_cut_too() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 3, 100);
    queue.close().expect("nothing fails");
    let queue = open(&memory.crash_losing_all(), SyncPolicy::Always);
    assert!(queue.recovery().clean, "{:?}", queue.recovery());
    assert_eq!(queue.recovery().scanned_bytes, 0);
}

#[test]
fn a_recovery_makes_the_names_of_what_it_keeps_durable() {
    // Nothing was ever synced, and the process is killed: what the next one hands out, and whom
    // to, must not be gone after a power cut.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    fill(&queue, 3, 100);
    let image = kill(&memory, queue);
    let queue = open(&image, SyncPolicy::Always);
    assert_eq!(queue.durable().get(), 3);
    let image = cut_power(&image, queue);
    let queue = open(&image, SyncPolicy::Always);
    assert!(
        queue.recovery().corruption.is_empty(),
        "{:?}",
        queue.recovery()
    );
    assert_drains(&queue, "c", 0..3);
}

#[test]
fn a_clean_end_of_an_earlier_life_is_not_believed() {
    // STATE comes from a copy, or from a device that lost the write: it says "clean", and records
    // follow the end that it names.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 3, 100);
    queue.close().expect("nothing fails");
    let stale = memory.file_bytes("STATE").expect("it is there");
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 2, 100);
    let image = kill(&memory, queue);
    image.put_file("STATE", &stale);
    let queue = open(&image, SyncPolicy::Always);
    assert!(!queue.recovery().clean, "{:?}", queue.recovery());
    assert_drains(&queue, "c", 0..5);
}

#[test]
fn a_number_in_quarantine_is_taken() {
    // Case 8: the evidence of an older crash must not be overwritten by that of a newer one.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 1, 100);
    let image = kill(&memory, queue);
    image.put_file("quarantine/0000000000000009.log", b"evidence");
    let queue = open(&image, SyncPolicy::Always);
    fill(&queue, 1, 100);
    let newest = segments(&image).pop();
    assert_eq!(newest.as_deref(), Some("segments/0000000000000010.log"));
}

#[test]
fn frames_prove_records_that_the_state_knows_nothing_of() {
    // STATE is as it was after the first record. Damage to the second is corruption all the same,
    // because the fourth says that it was durable.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 1, 100);
    let stale = memory.file_bytes("STATE").expect("it is there");
    fill(&queue, 3, 100);
    let image = kill(&memory, queue);
    image.put_file("STATE", &stale);
    let name = segments(&image).remove(0);
    let second = find(&image, &name, b"record 1:");
    edit(&image, &name, |bytes| bytes[second] ^= 1);
    let queue = open(&image, SyncPolicy::Always);
    let ranges: Vec<_> = queue
        .recovery()
        .corruption
        .iter()
        .map(|corruption| corruption.range.start.get()..corruption.range.end.get())
        .collect();
    assert_eq!(ranges, [1..2], "{:?}", queue.recovery());
    assert_eq!(queue.next().get(), 4);
}

#[test]
fn nothing_is_reclaimed_while_a_cursor_cannot_be_read() {
    // Case 33: nobody knows what its consumer still needs.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    for name in ["lost", "other"] {
        drop(queue.consumer(name).expect("a new consumer"));
    }
    fill(&queue, 20, 900);
    queue.close().expect("nothing fails");
    edit(&memory, "cursors/lost.cursor", |bytes| {
        for slot in [0, 4096] {
            bytes[slot + 30] ^= 1;
        }
    });
    let queue = try_open(&memory, options(SyncPolicy::Always)).expect("it opens");
    let error = queue.consumer("lost").expect_err("its cursor is damaged");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_drains(&queue, "other", 0..20);
    assert_eq!(queue.reclaim().expect("nothing fails"), 0);
    assert_eq!(queue.first().get(), 0);
}
