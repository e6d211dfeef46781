//! Who a restored queue is: the same queue in a run of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use forebay::backup::{backup_on, restore_on};
use forebay::inspect::{VerifyOptions, inspect_on, verify_on};
use forebay::storage::Directory as _;
use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, Queue, RecordId, repair};

use crate::stage::{RECORDS, assert_has_all, fill, filled, is_segment, open, options};

fn restored(backup: &MemoryDirectory) -> MemoryDirectory {
    let place = MemoryDirectory::new();
    restore_on(backup, &place).expect("a whole backup");
    place
}

fn backup_of(memory: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    let report = backup_on(memory, &copy).expect("a queue");
    assert!(!report.is_damaged(), "{:?}", report.damage);
    copy
}

/// The id of the next record that `queue` gives.
fn next_id(queue: &Queue) -> RecordId {
    let sequence = queue.enqueue("after").expect("room");
    RecordId {
        queue: queue.id(),
        epoch: queue.epoch(),
        sequence,
    }
}

/// What looks may look at a backup, and tells what it is.
#[test]
fn looking_at_a_backup_tells_that_it_is_one_and_that_opening_refuses_it() {
    let (memory, queue) = filled(1);
    queue.close().expect("a clean close");
    let copy = backup_of(&memory);
    for (place, is_backup) in [(memory, false), (copy, true)] {
        assert_eq!(inspect_on(&place).expect("a queue").backup, is_backup);
        let found = verify_on(&place, &VerifyOptions::new(), &|_| {}).expect("a queue");
        assert!(found.is_sound(), "{:?}", found.findings);
        let would = found.opening.map(|report| report.next);
        let repaired = repair::plan_on(&place).map(|plan| plan.is_empty());
        assert_eq!(
            repaired.is_err(),
            is_backup,
            "it would not fit its manifest"
        );
        let opened = options(2).open_on(Arc::new(place));
        let opened = opened.map(|queue| queue.next());
        let told = |opened: Result<_, forebay::Error>| opened.map_err(|why| why.to_string());
        assert_eq!(told(would), told(opened));
    }
}

#[test]
fn records_consumers_snapshots_and_keys_are_there_after_a_clean_close_and_a_kill() {
    let (memory, queue) = filled(1);
    let (id, killed) = (queue.id(), memory.process_kill());
    let beside = backup_of(&memory);
    queue.close().expect("a clean close");
    for backup in [beside, backup_of(&killed), backup_of(&memory)] {
        let queue = open(&restored(&backup), 2);
        assert_eq!(queue.id(), id);
        assert!(queue.recovery().corruption.is_empty());
        assert!(queue.recovery().torn.is_none());
        assert_has_all(&queue, RECORDS);
    }
}

/// The queue that was copied goes on too: none of the three gives an id that another one gives.
#[test]
fn queues_of_one_backup_and_the_queue_itself_never_share_the_id_of_a_new_record() {
    for is_closed in [true, false] {
        let (memory, queue) = filled(1);
        let before = queue.epoch();
        let memory = if is_closed {
            queue.close().expect("a clean close");
            memory
        } else {
            memory.process_kill()
        };
        let backup = backup_of(&memory);
        let places = [restored(&backup), restored(&backup), memory];
        let queues: Vec<Queue> = (10..)
            .zip(&places)
            .map(|(seed, at)| open(at, seed))
            .collect();
        for queue in &queues[..2] {
            assert!(queue.epoch().counter() > before.counter());
        }
        let ids: BTreeSet<_> = queues
            .iter()
            .map(|queue| format!("{}", next_id(queue)))
            .collect();
        assert_eq!(ids.len(), 3, "closed: {is_closed}: {ids:?}");
    }
}

#[test]
fn a_restored_queue_goes_on_and_can_be_backed_up_again() {
    let (memory, queue) = filled(1);
    queue.close().expect("a clean close");
    let first = restored(&backup_of(&memory));
    let queue = open(&first, 2);
    fill(&queue, RECORDS + 60);
    queue.close().expect("a clean close");
    let second = restored(&backup_of(&first));
    assert_has_all(&open(&second, 3), RECORDS + 60);
}

#[test]
fn a_queue_without_records_can_be_backed_up() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, 1);
    let copy = MemoryDirectory::new();
    let report = backup_on(&memory, &copy).expect("a queue");
    assert_eq!(report.manifest.next, queue.next());
    let again = open(&restored(&copy), 2);
    assert!(again.is_empty());
    assert_ne!(again.epoch(), queue.epoch());
}

#[test]
fn a_damaged_queue_is_copied_as_it_is_and_the_report_says_so() {
    let (memory, queue) = filled(1);
    queue.close().expect("a clean close");
    let segment = memory
        .names()
        .into_iter()
        .filter(|name| is_segment(name))
        .nth(1)
        .expect("several segments");
    let mut bytes = memory.file_bytes(&segment).expect("a segment");
    bytes[6000] ^= 0x10;
    memory.put_file(&segment, &bytes);
    memory.put_file("cursors/lost.cursor", &[0xff; 8192]);

    let copy = MemoryDirectory::new();
    let report = backup_on(&memory, &copy).expect("a queue all the same");
    let damaged: Vec<_> = report.damage.iter().map(|damage| &damage.file).collect();
    assert_eq!(damaged.len(), 2, "{:?}", report.damage);
    assert!(damaged[0].ends_with("cursors/lost.cursor"));
    assert!(damaged[1].ends_with(&segment), "{:?}", report.damage);
    let lost = &report.damage[1].range;
    assert_eq!(lost.end.since(lost.start), 1);
    assert_eq!(copy.file_bytes(&segment), Some(bytes));
    let place = restored(&copy);
    let directory = Arc::new(place.clone());
    let queue = options(2).open_existing().open_on(directory);
    queue.expect("damage is left to readers");
}

/// Indexes, the lock, what is on its way out and what is not ours are no part of a backup.
#[test]
fn a_backup_has_what_a_queue_consists_of_and_nothing_else() {
    let (memory, _queue) = filled(1);
    for name in [
        "KEYS.tmp",
        "note",
        "cursors/x.cursor.tmp",
        "segments/readme",
    ] {
        memory.put_file(name, b"not of the queue");
    }
    memory.put_file("segments/0000000000000001.trash", b"on its way out");
    let copy = backup_of(&memory);
    let is_copied = |name: &String| {
        let ours = ["QUEUE", "STATE", "KEYS"].contains(&name.as_str());
        let folder = ["cursors/", "snapshots/", "quarantine/"];
        let ours = ours || folder.iter().any(|folder| name.starts_with(folder));
        (ours || is_segment(name)) && name.strip_suffix(".tmp").is_none()
    };
    let mut expected: Vec<String> = memory.names().into_iter().filter(is_copied).collect();
    // The segment made ahead of need: no record is in it.
    let prepared = expected.iter().rposition(|name| is_segment(name));
    let prepared = expected.remove(prepared.expect("segments"));
    let bytes = memory.file_bytes(&prepared).expect("a segment");
    assert!(bytes[4096..].iter().all(|byte| *byte == 0));
    expected.push("MANIFEST".to_owned());
    expected.sort();
    assert_eq!(copy.names(), expected);
}

/// What is enqueued there would get the ids that the queue gives to other records.
#[test]
fn a_backup_is_not_opened_for_a_queue_whether_it_is_finished_or_not() {
    let (memory, _queue) = filled(1);
    let copy = backup_of(&memory);
    let unfinished = copy.copy();
    let manifest = copy.file_bytes("MANIFEST").expect("a backup");
    unfinished.put_file("MANIFEST.tmp", &manifest);
    unfinished.remove("MANIFEST").expect("memory works");
    for place in [copy, unfinished] {
        let before = place.fingerprint(|_| false);
        let opened = options(2).open_on(Arc::new(place.clone()));
        let error = opened.expect_err("a backup is no queue");
        assert_eq!(error.kind(), ErrorKind::Foreign, "{error}");
        assert_eq!(place.fingerprint(|_| false), before, "opening changed it");
    }
}
