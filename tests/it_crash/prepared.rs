//! The next segment, from the moment it is begun until a rotation takes it or nobody does.

use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{Consumer, ErrorKind, Queue, QueueOptions, SyncPolicy};

use crate::gate::{Gated, Held, wait_until};
use crate::golden::still_host;
use crate::order::{assert_order, at, calls};
use crate::support::{Dice, assert_drains, drain, fill, open, options, payload, segments};

const FIRST: &str = "segments/0000000000000001.log";
const SECOND: &str = "segments/0000000000000002.log";

/// Records of this size: three fit into a segment.
const LENGTH: usize = 1200;

/// Nothing happens in the background but what is asked for.
fn still(policy: SyncPolicy) -> QueueOptions {
    options(policy).host(still_host())
}

fn watched(memory: &MemoryDirectory) -> (FaultyDirectory, Queue) {
    let storage = FaultyDirectory::over_memory(memory.clone());
    storage.record();
    let queue = still(SyncPolicy::Always).open_on(Arc::new(storage.clone()));
    (storage, queue.expect("a new queue"))
}

/// A queue whose first segment has room for one record more, and whose background is held at its
/// first `held` call for the next segment while `work` runs.
fn beside_preparation(held: Held, policy: SyncPolicy, work: impl FnOnce(&Gated, &Queue)) -> Queue {
    let gated = Gated::holding(held);
    let queue = gated.queue(still(policy));
    fill(&queue, 2, LENGTH);
    if held == Held::Zeros {
        queue.run_background();
    }
    gated.gate.shut();
    std::thread::scope(|scope| {
        let preparing = scope.spawn(|| queue.run_background());
        wait_until("it is being made ready", || gated.gate.waiting() == 1);
        work(&gated, &queue);
        gated.gate.open();
        preparing.join().expect("no panic");
    });
    queue
}

/// Whether `other` ends though it should wait: what is wrong is seen soon.
fn ends_early<T>(other: &ScopedJoinHandle<'_, T>) -> bool {
    for _ in 0..50 {
        if other.is_finished() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// Everything is there, read by a new handle and by the one of a process that comes after a kill.
fn assert_whole(memory: &MemoryDirectory, queue: &Queue) {
    let next = queue.next().get();
    assert_drains(queue, "here", 0..next);
    let image = memory.process_kill();
    assert_drains(&open(&image, SyncPolicy::Always), "there", 0..next);
}

#[test]
fn a_rotation_waits_for_the_segment_that_is_being_created() {
    let gated = Gated::holding(Held::Creation);
    let queue = gated.queue(still(SyncPolicy::Always));
    fill(&queue, 2, LENGTH);
    gated.gate.shut();
    std::thread::scope(|scope| {
        let preparing = scope.spawn(|| queue.run_background());
        wait_until("it is created", || gated.gate.waiting() == 1);
        let filling = scope.spawn(|| fill(&queue, 2, LENGTH));
        // Nothing of the queue is asked meanwhile: the rotation holds its lock.
        for _ in 0..50 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let creating = gated.gate.waiting();
        gated.gate.open();
        preparing.join().expect("no panic");
        filling.join().expect("no panic");
        assert_eq!(creating, 1, "the number after it was used before it");
    });
    fill(&queue, 6, LENGTH);
    assert_whole(&gated.memory, &queue);
}

#[test]
fn zeros_on_their_way_keep_a_rotation_from_taking_the_segment() {
    let gated = Gated::holding(Held::Zeros);
    let queue = gated.queue(still(SyncPolicy::Always));
    fill(&queue, 2, LENGTH);
    queue.run_background();
    gated.gate.shut();
    std::thread::scope(|scope| {
        let zeroing = scope.spawn(|| queue.run_background());
        wait_until("it is zeroed", || gated.gate.waiting() == 1);
        let filling = scope.spawn(|| fill(&queue, 2, LENGTH));
        let early = ends_early(&filling);
        gated.gate.open();
        zeroing.join().expect("no panic");
        filling.join().expect("no panic");
        assert!(!early, "the zeros meet records");
    });
    assert_whole(&gated.memory, &queue);
}

#[test]
fn a_taken_segment_is_not_synced_beside_the_sync_that_was_under_way() {
    // The first of two would be told of a page that is lost, and the other one believed.
    let queue = beside_preparation(Held::Syncs, SyncPolicy::Manual, |gated, queue| {
        fill(queue, 2, LENGTH);
        assert_eq!(segments(&gated.memory), [FIRST, SECOND], "it was taken");
        std::thread::scope(|scope| {
            let syncing = scope.spawn(|| queue.sync());
            for _ in 0..50 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let both = gated.gate.waiting();
            gated.gate.open();
            syncing.join().expect("no panic").expect("nothing fails");
            assert_eq!(both, 1, "a commit syncs beside the background");
        });
    });
    assert_eq!(queue.durable(), queue.next());
}

#[test]
fn a_record_in_a_segment_taken_before_its_name_was_synced_waits_for_that() {
    beside_preparation(Held::Names, SyncPolicy::Always, |gated, queue| {
        std::thread::scope(|scope| {
            let filling = scope.spawn(|| fill(queue, 2, LENGTH));
            let early = ends_early(&filling);
            gated.gate.open();
            filling.join().expect("no panic");
            assert!(!early, "the name does not survive a power cut");
        });
        let image = gated.memory.crash_losing_all();
        assert_drains(&open(&image, SyncPolicy::Always), "c", 0..4);
    });
}

#[test]
fn the_next_segment_is_synced_then_named_and_costs_a_rotation_no_name() {
    let memory = MemoryDirectory::new();
    let (storage, queue) = watched(&memory);
    fill(&queue, 2, LENGTH);
    storage.record();
    queue.run_background();
    let create = format!("Create {SECOND}");
    let (write, sync) = (format!("Write {SECOND}"), format!("SyncFile {SECOND}"));
    let prepared = calls(&storage);
    assert_order(&prepared, &[&create, &write, &sync, "SyncFolder segments"]);
    storage.record();
    fill(&queue, 2, LENGTH);
    let rotated = calls(&storage);
    at(&rotated, &sync, 0);
    assert!(!rotated.iter().any(|call| call.starts_with("Create")));
    assert!(!rotated.iter().any(|call| call.starts_with("SyncFolder")));
    let image = memory.crash_losing_all();
    assert_drains(&open(&image, SyncPolicy::Always), "c", 0..4);
}

#[test]
fn a_taken_segment_is_not_made_ready_any_further() {
    let memory = MemoryDirectory::new();
    let (_, queue) = watched(&memory);
    for _ in 0..12 {
        fill(&queue, 1, LENGTH);
        queue.run_background();
    }
    let names = memory.names().into_iter();
    let logs: Vec<_> = names.filter(|name| name.ends_with(".log")).collect();
    assert_eq!(logs.len(), 5, "four in use and the next: {logs:?}");
    assert_whole(&memory, &queue);
}

#[test]
fn a_failed_sync_of_the_next_segment_or_its_name_poisons() {
    for (kind, name) in [
        (CallKind::SyncFile, SECOND),
        (CallKind::SyncFolder, "segments"),
    ] {
        let memory = MemoryDirectory::new();
        let (storage, queue) = watched(&memory);
        fill(&queue, 2, LENGTH);
        storage.plan(Fault::nth_of(1, &[kind], Failure::Forget).on(name));
        queue.run_background();
        assert_eq!(storage.failures(), 1, "{name} is synced");
        let refused = queue.enqueue(payload(2, LENGTH));
        let error = refused.expect_err("nobody believes the next sync");
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{name}");
    }
}

#[test]
fn a_next_segment_that_cannot_be_made_is_made_by_the_rotation() {
    let memory = MemoryDirectory::new();
    let (storage, queue) = watched(&memory);
    fill(&queue, 2, LENGTH);
    storage.plan(Fault::nth_of(1, &[CallKind::Create], Failure::Full));
    queue.run_background();
    assert_eq!(storage.failures(), 1);
    fill(&queue, 4, LENGTH);
    assert_whole(&memory, &queue);
}

#[test]
fn zeros_that_find_no_room_cost_nothing_but_themselves() {
    for failure in [Failure::Full, Failure::Io, Failure::TornFull { bytes: 100 }] {
        let memory = MemoryDirectory::new();
        let (storage, queue) = watched(&memory);
        fill(&queue, 2, LENGTH);
        queue.run_background();
        storage.plan(Fault::nth_of(1, &[CallKind::Write], failure).on(SECOND));
        queue.run_background();
        assert_eq!(storage.failures(), 1, "{failure:?}: it is zeroed");
        queue.run_background();
        fill(&queue, 6, LENGTH);
        assert_whole(&memory, &queue);
    }
}

#[test]
fn a_full_disk_gets_the_room_of_the_next_segment_back() {
    let memory = MemoryDirectory::new();
    let (storage, queue) = watched(&memory);
    fill(&queue, 2, LENGTH);
    queue.run_background();
    assert!(memory.file_bytes(SECOND).is_some());
    storage.plan(Fault::nth_of(1, &[CallKind::Write], Failure::Full).on(FIRST));
    let accepted = queue.enqueue(payload(2, LENGTH));
    assert_eq!(memory.file_bytes(SECOND), None);
    accepted.expect("it is tried again with that room");
    fill(&queue, 4, LENGTH);
    assert_whole(&memory, &queue);
}

#[test]
fn closing_leaves_nothing_of_the_next_segment_not_even_after_a_power_cut() {
    let memory = MemoryDirectory::new();
    let (_, queue) = watched(&memory);
    fill(&queue, 2, LENGTH);
    queue.run_background();
    assert!(memory.file_bytes(SECOND).is_some());
    queue.close().expect("nothing fails");
    for image in [memory.process_kill(), memory.crash_losing_all()] {
        assert_eq!(image.file_bytes(SECOND), None);
        let queue = open(&image, SyncPolicy::Always);
        assert!(queue.recovery().clean);
        assert_drains(&queue, "c", 0..2);
    }
}

/// Segments large enough that one turn of the background zeroes a part of the next one.
fn half_zeroed() -> (MemoryDirectory, Queue) {
    const BYTES: usize = 256 << 10;
    let memory = MemoryDirectory::new();
    let queue = still(SyncPolicy::Always).segment_bytes(BYTES as u64);
    let queue = queue
        .open_on(Arc::new(memory.clone()))
        .expect("a new queue");
    fill(&queue, 10, 10_000);
    queue.run_background();
    queue.run_background();
    let is_zeroed = |unit: &forebay::storage::memory::Unsynced| *unit.name == *SECOND;
    let zeroed = memory.unsynced().into_iter().filter(is_zeroed).count();
    assert!(0 < zeroed && zeroed < BYTES / 4096 - 1, "{zeroed} pages");
    (memory, queue)
}

fn assert_no_garbage(image: &MemoryDirectory, what: &str) {
    let queue = open(image, SyncPolicy::Always);
    let report = queue.recovery();
    assert!(report.corruption.is_empty(), "{what}: {report:?}");
    assert_eq!(queue.next().get(), 10, "{what}");
    fill(&queue, 10, 900);
    assert_drains(&queue, "c", 0..20);
    let read = |consumer: &mut Consumer| drain(consumer).expect("readable");
    assert!(read(&mut queue.consumer("c").expect("it is free")).is_empty());
    queue.close().expect("nothing fails");
    for name in image.names() {
        assert!(!name.starts_with("quarantine/"), "{what}: {name}");
        assert!(!name.ends_with(".trash"), "{what}: {name}");
        assert_ne!(name, SECOND, "{what}: it was never part of the log");
    }
}

#[test]
fn a_next_segment_that_nobody_took_is_gone_after_a_kill_or_a_power_cut() {
    let (memory, queue) = half_zeroed();
    let mut images = vec![
        ("a kill".to_owned(), memory.process_kill()),
        ("nothing unsynced".to_owned(), memory.crash_losing_all()),
        ("everything".to_owned(), memory.crash_keeping_all()),
    ];
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let image = memory.crash(&mut |unit| dice.fate(unit));
        images.push((format!("seed {seed}"), image));
    }
    drop(queue);
    for (what, image) in images {
        assert_no_garbage(&image, &what);
    }
}
