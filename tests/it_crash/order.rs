//! The order of storage calls: what is synced before what is promised.

use std::sync::Arc;

use forebay::storage::fault::{Call, CallKind, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{Queue, Retention, Sequence, SyncPolicy};

use crate::golden::still_host;
use crate::support::{fill, kill, open, open_storage, options, settle, try_open};

/// A faulty storage over `memory` that records every call.
pub(crate) fn watch(memory: &MemoryDirectory) -> FaultyDirectory {
    let storage = FaultyDirectory::over_memory(memory.clone());
    storage.record();
    storage
}

pub(crate) fn open_watched(storage: &FaultyDirectory, policy: SyncPolicy) -> Queue {
    open_storage(Arc::new(storage.clone()), policy)
}

/// The calls as text, one a line.
pub(crate) fn calls(storage: &FaultyDirectory) -> Vec<String> {
    storage.log().iter().map(describe).collect()
}

fn describe(call: &Call) -> String {
    format!("{:?} {}", call.kind, call.name)
}

fn segment(number: u64) -> String {
    format!("segments/{number:016}.log")
}

/// A queue in which nothing happens but what its callers do.
fn open_still(storage: &FaultyDirectory) -> Queue {
    options(SyncPolicy::Always)
        .host(still_host())
        .open_on(Arc::new(storage.clone()))
        .expect("the queue opens")
}

/// Where `wanted` is the first time at or after `from`.
pub(crate) fn at(calls: &[String], wanted: &str, from: usize) -> usize {
    let found = calls.iter().skip(from).position(|call| call == wanted);
    from + found.unwrap_or_else(|| panic!("no {wanted} after call {from} in {calls:#?}"))
}

/// Asserts that the calls `wanted` happened in this order, others in between.
pub(crate) fn assert_order(calls: &[String], wanted: &[&str]) {
    let mut from = 0;
    for wanted in wanted {
        from = at(calls, wanted, from) + 1;
    }
}

pub(crate) fn changes_storage(kind: CallKind) -> bool {
    matches!(
        kind,
        CallKind::Create
            | CallKind::CreateFolder
            | CallKind::Rename
            | CallKind::Remove
            | CallKind::Write
            | CallKind::SetLength
            | CallKind::Allocate
            | CallKind::SyncFile
            | CallKind::SyncFolder
    )
}

#[test]
fn creation_writes_the_identity_last_with_the_folder_synced_before_and_after() {
    let storage = watch(&MemoryDirectory::new());
    let queue = open_watched(&storage, SyncPolicy::Always);
    let calls = calls(&storage);
    assert_order(
        &calls,
        &[
            "CreateFolder segments",
            "SyncFile STATE.tmp",
            "Rename STATE.tmp -> STATE",
            "SyncFolder ",
            "Write QUEUE.tmp",
            "SyncFile QUEUE.tmp",
            "Rename QUEUE.tmp -> QUEUE",
            "SyncFolder ",
        ],
    );
    let commit = at(&calls, "Rename QUEUE.tmp -> QUEUE", 0);
    assert_eq!(calls[commit + 1], "SyncFolder ");
    let later = storage.log().split_off(commit + 2);
    assert!(
        !later.iter().any(|call| changes_storage(call.kind)),
        "{later:?}"
    );
    drop(queue);
}

#[test]
fn an_enqueue_returns_after_its_data_and_its_segments_name_are_synced() {
    let storage = watch(&MemoryDirectory::new());
    let queue = open_still(&storage);
    storage.record();
    fill(&queue, 1, 100);
    let first = calls(&storage);
    let data = format!("SyncFile {}", segment(1));
    let write = format!("Write {}", segment(1));
    assert_order(&first, &[&write, &write, &data, "SyncFolder segments"]);
    storage.record();
    fill(&queue, 1, 100);
    let second = calls(&storage);
    assert_order(&second, &[&write, &data]);
    assert!(
        !second.contains(&"SyncFolder segments".to_owned()),
        "the name is durable already"
    );
}

/// I2: what states a watermark is written after the watermark was reached; it never falls.
#[test]
fn the_state_is_written_only_after_the_sync_that_it_tells_of() {
    let storage = watch(&MemoryDirectory::new());
    let queue = open_watched(&storage, SyncPolicy::Always);
    fill(&queue, 1, 100);
    storage.record();
    fill(&queue, 3, 100);
    let calls = calls(&storage);
    let mut synced = false;
    for call in &calls {
        if *call == format!("Write {}", segment(1)) {
            synced = false;
        } else if *call == format!("SyncFile {}", segment(1)) {
            synced = true;
        } else if call.starts_with("Write STATE") {
            assert!(synced, "STATE runs ahead: {calls:#?}");
        }
    }
}

/// I13: at most two sealed segments are unsettled, so only three can be torn.
#[test]
fn the_watermark_crosses_a_segment_after_its_data_footer_and_name() {
    // The last write into the old segment is its footer; both segments and their names are synced,
    // oldest first, before the enqueue that rotated returns.
    let storage = watch(&MemoryDirectory::new());
    let queue = open_still(&storage);
    fill(&queue, 3, 1000);
    storage.record();
    fill(&queue, 1, 1000);
    let calls = calls(&storage);
    let into_old = format!("Write {}", segment(1));
    let footer = calls
        .iter()
        .rposition(|call| *call == into_old)
        .expect("it is sealed");
    let old = at(&calls, &format!("SyncFile {}", segment(1)), footer);
    let new = at(&calls, &format!("SyncFile {}", segment(2)), old);
    at(&calls, "SyncFolder segments", new);
}

#[test]
fn the_first_append_after_a_clean_open_is_preceded_by_a_synced_state() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    fill(&queue, 2, 100);
    queue.close().expect("nothing fails");
    let storage = watch(&memory);
    let queue = open_watched(&storage, SyncPolicy::Manual);
    storage.record();
    fill(&queue, 1, 100);
    let calls = calls(&storage);
    let append = at(&calls, &format!("Write {}", segment(1)), 0);
    let state = calls
        .iter()
        .take(append)
        .rposition(|call| call == "Write STATE");
    let state = state.expect("the flag is cleared first");
    assert!(at(&calls, "SyncFile STATE", state) < append, "{calls:#?}");
}

/// I6: nothing is appended behind bytes that were not verified or removed.
#[test]
fn the_first_append_after_a_recovery_seals_before_it_goes_on() {
    let memory = MemoryDirectory::new();
    let still = options(SyncPolicy::Always).host(still_host());
    let queue = try_open(&memory, still).expect("a new queue");
    fill(&queue, 2, 100);
    let image = kill(&memory, queue);
    let storage = watch(&image);
    let queue = open_still(&storage);
    storage.record();
    fill(&queue, 1, 100);
    let old = segment(1);
    assert_order(
        &calls(&storage),
        &[
            "Write STATE",
            "SyncFile STATE",
            &format!("Write {old}"),
            &format!("SetLength {old}"),
            &format!("SyncFile {old}"),
            &format!("Create {}", segment(2)),
            &format!("SyncFile {}", segment(2)),
            "SyncFolder segments",
        ],
    );
}

#[test]
fn a_process_that_only_reads_and_acks_syncs_no_state() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 3, 100);
    drop(queue.consumer("c").expect("a new consumer"));
    queue.close().expect("nothing fails");
    let storage = watch(&memory);
    let queue = open_watched(&storage, SyncPolicy::Always);
    let mut consumer = queue.consumer("c").expect("it is there");
    crate::support::drain(&mut consumer).expect("it can be read");
    settle(&memory);
    let log = storage.log();
    let touched: Vec<_> = log
        .iter()
        .filter(|call| call.name == "STATE" && changes_storage(call.kind))
        .collect();
    assert!(touched.is_empty(), "{touched:?}");
}

/// I12: no segment goes before every cursor past it, and the new first segment, are durable.
#[test]
fn reclaim_syncs_cursors_then_the_state_before_a_name_changes() {
    let memory = MemoryDirectory::new();
    let keep = options(SyncPolicy::Always).retention(Retention::KeepForever);
    let queue = try_open(&memory, keep).expect("a new queue");
    drop(queue.consumer("c").expect("a new consumer"));
    fill(&queue, 12, 900);
    let mut consumer = queue.consumer("c").expect("it is free");
    for sequence in 0..12 {
        consumer
            .ack_through(Sequence::new(sequence))
            .expect("nothing fails");
    }
    drop(consumer);
    let image = kill(&memory, queue);
    let storage = watch(&image);
    let queue = open_watched(&storage, SyncPolicy::Always);
    storage.record();
    let count = queue.reclaim().expect("nothing fails");
    assert!(count >= 2);
    let calls = calls(&storage);
    let (old, trash) = (segment(1), "segments/0000000000000001.trash");
    assert_order(
        &calls,
        &[
            "SyncFile cursors/c.cursor",
            "Write STATE",
            "SyncFile STATE",
            &format!("Rename {old} -> {trash}"),
            &format!("Remove {trash}"),
            "SyncFolder segments",
        ],
    );
    let renamed = at(&calls, &format!("Rename {old} -> {trash}"), 0);
    let state = at(&calls, "SyncFile STATE", 0);
    assert!(state < renamed, "{calls:#?}");
}

#[test]
fn close_makes_everything_durable_before_the_state_says_so() {
    let storage = watch(&MemoryDirectory::new());
    let queue = open_watched(&storage, SyncPolicy::Manual);
    let mut consumer = queue.consumer("c").expect("a new consumer");
    fill(&queue, 2, 100);
    queue.sync().expect("nothing fails");
    consumer.ack_through(Sequence::ZERO).expect("nothing fails");
    fill(&queue, 1, 100);
    drop(consumer);
    storage.record();
    queue.close().expect("nothing fails");
    let calls = calls(&storage);
    let is_state = |call: &String| call.starts_with("Write STATE");
    let last = calls.iter().rposition(is_state).expect("close writes it");
    assert!(at(&calls, &format!("SyncFile {}", segment(1)), 0) < last);
    assert!(at(&calls, "SyncFile cursors/c.cursor", 0) < last);
    assert!(
        calls[last + 1..]
            .iter()
            .all(|call| call.starts_with("SyncFile STATE")),
        "{calls:#?}"
    );
}

/// I15: what looks changes nothing, and after a clean close opening reads no frame.
#[test]
fn a_clean_open_reads_no_frame() {
    // Of segment files at most the header block, the start frame and the 64 bytes at the end.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    drop(queue.consumer("c").expect("a new consumer"));
    fill(&queue, 40, 900);
    queue.close().expect("nothing fails");
    let storage = watch(&memory);
    let queue = open_watched(&storage, SyncPolicy::Always);
    assert!(queue.recovery().clean);
    assert_eq!(
        (
            queue.recovery().scanned_segments,
            queue.recovery().scanned_bytes
        ),
        (0, 0)
    );
    let log = storage.log();
    let read: Vec<_> = log
        .iter()
        .filter(|call| call.kind == CallKind::Read && call.name.starts_with("segments/"))
        .collect();
    assert!(read.len() <= 3, "{read:?}");
    let names: std::collections::HashSet<_> = read.iter().map(|call| &call.name).collect();
    assert!(
        names.len() <= 1,
        "only the segment at the end is looked at: {names:?}"
    );
}

/// I13: at most two sealed segments are unsettled, so only three can be torn.
#[test]
fn opening_after_a_kill_scans_the_unsettled_segments_only() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 80, 900);
    let image = kill(&memory, queue);
    let queue = open(&image, SyncPolicy::Always);
    let report = queue.recovery();
    assert!(report.scanned_segments <= 3, "{report:?}");
}
