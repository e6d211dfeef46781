//! Case 32: a record and its key are there together or not at all, whatever happens when.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{Error, ErrorKind, Integrity, Queue, QueueOptions, SyncPolicy};

use crate::golden::still_host;
use crate::order::{assert_order, calls, watch};
use crate::support::{Dice, guard, options, tell};

const KEYS: u64 = 24;

fn key(number: u64) -> [u8; 16] {
    let mut key = [0xab; 16];
    key[..8].copy_from_slice(&number.to_le_bytes());
    key
}

fn still(policy: SyncPolicy) -> QueueOptions {
    options(policy).host(still_host()).once_window(1000)
}

fn open_on(storage: &FaultyDirectory, policy: SyncPolicy) -> Result<Queue, Error> {
    still(policy).open_on(Arc::new(storage.clone()))
}

fn payload(number: u64) -> Vec<u8> {
    let mut bytes = format!("once {number}:").into_bytes();
    bytes.resize(500, b'.');
    bytes
}

fn once(queue: &Queue, number: u64) -> Result<u64, Error> {
    let sequence = queue.enqueue_once(key(number), payload(number))?;
    Ok(sequence.get())
}

/// What every key's caller was told.
type Told = BTreeMap<u64, u64>;

/// Enqueues all keys once more, and claims that each then has exactly one record: the one its
/// caller was told of, if it was. The oldest `delivered` records may be gone, read by everybody.
fn check_retries(queue: &Queue, told: &Told, what: &str) {
    let before = queue.next().get();
    let mut records = BTreeMap::new();
    for number in 0..KEYS {
        let sequence = once(queue, number).unwrap_or_else(|error| panic!("{what}: {error}"));
        if let Some(told) = told.get(&number) {
            assert_eq!(sequence, *told, "{what}: key {number}");
        }
        assert_eq!(records.insert(sequence, number), None, "{what}: {sequence}");
    }
    let next = queue.next().get();
    assert_eq!(records.len() as u64, KEYS);
    assert!(records.keys().all(|sequence| *sequence < next), "{what}");
    let mut consumer = queue.consumer("late").expect("a new consumer");
    let mut left = 0;
    consumer
        .drain(|record| {
            if let Some(found) = record.key {
                let sequence = record.sequence.get();
                let number = records.get(&sequence).copied();
                assert_eq!(Some(found), number.map(key), "{what}: {sequence}");
                assert_eq!(record.payload, payload(number.unwrap_or(KEYS)), "{what}");
                left += 1;
            }
            Ok::<(), ()>(())
        })
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(left >= next - before, "{what}: new ones are there");
}

/// A queue of several segments, most of them read by its consumer, and what was told.
fn prepare(storage: &FaultyDirectory, told: &mut Told) -> Queue {
    let queue = open_on(storage, SyncPolicy::Always).expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    for number in 0..KEYS - 4 {
        told.insert(number, once(&queue, number).expect("nothing fails"));
    }
    for _ in 0..18 {
        queue.enqueue(&[1; 900]).expect("nothing fails");
    }
    consumer.drain(|_| Ok::<(), ()>(())).expect("nothing fails");
    queue
}

/// The same, closed.
fn prepared() -> (MemoryDirectory, Told) {
    let memory = MemoryDirectory::new();
    let mut told = Told::new();
    drop(prepare(
        &FaultyDirectory::over_memory(memory.clone()),
        &mut told,
    ));
    (memory, told)
}

/// The images that a kill and a power cut at this moment may leave.
fn images(moment: &MemoryDirectory, seeds: u64) -> Vec<MemoryDirectory> {
    let mut images = vec![
        moment.copy(),
        moment.crash_losing_all(),
        moment.crash_keeping_all(),
    ];
    images.extend((0..seeds).map(|seed| {
        let mut dice = Dice::new(seed);
        moment.crash(&mut |unit| dice.fate(unit))
    }));
    images
}

/// Lives up to the call at which everything stops, then looks at what is left.
fn stop_everywhere(live: impl Fn(&FaultyDirectory, &mut Told), what: &str) {
    let mut looked = 0;
    let (prepared, told_before) = prepared();
    for nth in 1.. {
        let memory = prepared.copy();
        let storage = FaultyDirectory::over_memory(memory.clone());
        let mut told = told_before.clone();
        storage.plan(Fault::nth_call(nth, Failure::Io).for_ever());
        live(&storage, &mut told);
        let moment = memory.process_kill();
        for (at, image) in images(&moment, 6).into_iter().enumerate() {
            looked += 1;
            let queue = still(SyncPolicy::Always)
                .open_on(Arc::new(image.clone()))
                .expect("it opens");
            let what = format!("{what}, stopped at call {nth}, image {at}");
            assert!(queue.recovery().corruption.is_empty(), "{what}");
            check_retries(&queue, &told, &what);
        }
        if storage.failures() == 0 {
            break;
        }
    }
    assert!(looked > 100, "only {looked} images");
    tell(&format!("{what}: {looked} images"));
}

#[test]
fn a_crash_at_any_call_of_an_enqueue_leaves_the_key_with_its_record_or_neither() {
    let live = |storage: &FaultyDirectory, told: &mut Told| {
        let Ok(queue) = open_on(storage, SyncPolicy::Always) else {
            return;
        };
        for number in KEYS - 6..KEYS - 1 {
            if let Ok(sequence) = once(&queue, number) {
                told.insert(number, sequence);
            }
        }
    };
    stop_everywhere(live, "enqueue");
}

#[test]
fn a_crash_at_any_call_of_a_reclaim_forgets_no_key() {
    for knows in [false, true] {
        let live = |storage: &FaultyDirectory, told: &mut Told| {
            let Ok(queue) = open_on(storage, SyncPolicy::Always) else {
                return;
            };
            if knows && let Ok(sequence) = once(&queue, KEYS - 1) {
                told.insert(KEYS - 1, sequence);
            }
            queue.reclaim().ok();
        };
        stop_everywhere(live, &format!("reclaim, keys read: {knows}"));
    }
}

#[test]
fn a_crash_at_any_call_of_the_very_first_key_leaves_it_with_its_record_or_neither() {
    for nth in 1.. {
        let memory = MemoryDirectory::new();
        let storage = FaultyDirectory::over_memory(memory.clone());
        let queue = open_on(&storage, SyncPolicy::Always).expect("a new queue");
        storage.plan(Fault::nth_call(nth, Failure::Io).for_ever());
        let mut told = Told::new();
        if let Ok(sequence) = once(&queue, 0) {
            told.insert(0, sequence);
        }
        let moment = memory.process_kill();
        for (at, image) in images(&moment, 10).into_iter().enumerate() {
            let what = format!("stopped at call {nth}, image {at}");
            let has_file = image.file_bytes("KEYS").is_some();
            let queue = still(SyncPolicy::Always)
                .open_on(Arc::new(image.clone()))
                .expect("it opens");
            assert!(has_file || queue.next().get() == 0, "{what}: no KEYS");
            check_retries(&queue, &told, &what);
        }
        if storage.failures() == 0 {
            break;
        }
    }
}

/// One fault, after which the same handle goes on if it is not poisoned.
fn live_with((memory, told): &(MemoryDirectory, Told), fault: &Fault, policy: SyncPolicy) -> bool {
    let (memory, mut told) = (memory.copy(), told.clone());
    let storage = FaultyDirectory::over_memory(memory.clone());
    let what = format!("{policy:?} {fault:?}");
    storage.plan(fault.clone());
    let mut poisoned = false;
    let mut note = |error: &Error| {
        assert!(storage.failures() > 0, "{what}: {error}");
        assert!(!poisoned || error.kind() == ErrorKind::Poisoned, "{what}");
        poisoned |= error.kind() == ErrorKind::Poisoned;
    };
    if let Ok(queue) = open_on(&storage, policy) {
        for number in [3, KEYS - 4, KEYS - 3, KEYS - 4, 5, KEYS - 2] {
            match once(&queue, number) {
                Ok(sequence)
                    if policy == SyncPolicy::Always || sequence < queue.durable().get() =>
                {
                    let first = told.insert(number, sequence);
                    assert!(first.is_none_or(|first| first == sequence), "{what}");
                }
                Ok(_) => {}
                Err(error) => note(&error),
            }
            if let Err(error) = queue.reclaim() {
                note(&error);
            }
        }
        if !poisoned {
            storage.clear();
            check_retries(&queue, &told, &format!("{what}, the same handle"));
        }
    }
    let failed = storage.failures() > 0;
    storage.clear();
    for (at, image) in images(&memory.process_kill(), 2).into_iter().enumerate() {
        let queue = still(policy)
            .open_on(Arc::new(image.clone()))
            .expect("it opens");
        check_retries(&queue, &told, &format!("{what}, image {at}"));
    }
    failed
}

#[test]
fn whichever_call_fails_a_retry_leaves_one_record_of_each_key() {
    let mut count = 0;
    let prepared = prepared();
    for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
        for failure in [
            Failure::Io,
            Failure::Full,
            Failure::Forget,
            Failure::TornFull { bytes: 70 },
        ] {
            for for_ever in [false, true] {
                for nth in 1.. {
                    let fault = Fault::nth_call(nth, failure);
                    let fault = if for_ever { fault.for_ever() } else { fault };
                    if !live_with(&prepared, &fault, policy) {
                        break;
                    }
                    count += 1;
                }
            }
        }
    }
    assert!(count > 100, "{count}");
    tell(&format!("{count} faults"));
}

#[test]
fn a_record_that_a_full_disk_takes_back_takes_its_key_with_it() {
    guard("a key without its record", refuse_and_go_on);
}

fn refuse_and_go_on() {
    let memory = MemoryDirectory::new();
    let storage = FaultyDirectory::over_memory(memory.clone());
    let queue = open_on(&storage, SyncPolicy::Always).expect("a new queue");
    once(&queue, 0).expect("nothing fails");
    storage.plan(Fault::nth_of(1, &[CallKind::Write], Failure::Full).for_ever());
    let error = once(&queue, 1).expect_err("the disk is full");
    assert!(matches!(error.kind(), ErrorKind::Full { .. }), "{error}");
    assert_eq!(once(&queue, 0).expect("known, and durable"), 0);
    storage.clear();
    // Somebody else gets the sequence.
    assert_eq!(queue.enqueue("other").expect("space is back").get(), 1);
    assert_eq!(once(&queue, 1).expect("space is back"), 2);
    assert_eq!(once(&queue, 1).expect("known"), 2);
}

#[test]
fn a_known_key_is_an_error_once_the_queue_is_poisoned() {
    let memory = MemoryDirectory::new();
    let storage = FaultyDirectory::over_memory(memory.clone());
    let queue = open_on(&storage, SyncPolicy::Always).expect("a new queue");
    once(&queue, 0).expect("nothing fails");
    storage.plan(Fault::nth_of(1, &[CallKind::SyncFile], Failure::Io).for_ever());
    let first = once(&queue, 1).expect_err("the sync fails");
    assert_eq!(first.kind(), ErrorKind::Poisoned);
    for number in 0..3 {
        let error = once(&queue, number).expect_err("poisoned");
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
    }
}

#[test]
fn a_full_disk_lets_segments_with_keys_be_deleted() {
    // Nothing but this queue is on the disk: if it could not delete, it would never go on.
    let mut went_on = 0;
    for pages in 20..60 {
        let memory = MemoryDirectory::with_capacity(pages * 4096);
        let open = || {
            still(SyncPolicy::Always)
                .once_window(200)
                .open_on(Arc::new(memory.clone()))
        };
        let Ok(mut queue) = open() else { continue };
        let mut number = 0;
        for round in 0..6 {
            let mut consumer = queue.consumer("c").expect("there was room for it");
            while let Ok(sequence) = once(&queue, number) {
                assert_eq!(sequence, number);
                number += 1;
                assert!(number < 10_000, "the disk never fills up");
            }
            let read = consumer.drain(|_| Ok::<(), ()>(()));
            let read = read.expect("acks need no space");
            assert!(round == 0 || read > 0, "{pages} pages: no room was made");
            let reclaimed = queue.reclaim();
            reclaimed.unwrap_or_else(|error| panic!("{pages} pages, round {round}: {error}"));
            drop(consumer);
            // Lets go of deleted files whose index was to be written.
            queue.run_background();
            if round % 2 == 1 {
                drop(queue);
                queue = open().expect("a full disk opens");
            }
            for known in number.saturating_sub(200)..number {
                assert_eq!(once(&queue, known).expect("known"), known);
            }
        }
        went_on += 1;
    }
    assert!(went_on > 20, "{went_on}");
}

#[test]
fn keys_are_durable_before_the_state_gives_their_segments_up() {
    let storage = watch(&MemoryDirectory::new());
    let mut told = Told::new();
    let queue = prepare(&storage, &mut told);
    storage.record();
    queue.reclaim().expect("nothing fails");
    assert_order(
        &calls(&storage),
        &[
            "SyncFile cursors/c.cursor",
            "Write KEYS.tmp",
            "SyncFile KEYS.tmp",
            "Rename KEYS.tmp -> KEYS",
            "SyncFolder ",
            "SyncFile STATE",
            "Rename segments/0000000000000001.log -> segments/0000000000000001.trash",
        ],
    );
}

#[test]
fn the_file_of_keys_is_durable_before_the_first_record_with_a_key() {
    let storage = watch(&MemoryDirectory::new());
    let queue = open_on(&storage, SyncPolicy::Always).expect("a new queue");
    storage.record();
    once(&queue, 0).expect("nothing fails");
    let calls = calls(&storage);
    assert_order(
        &calls,
        &[
            "SyncFile KEYS.tmp",
            "Rename KEYS.tmp -> KEYS",
            "SyncFolder ",
            "Write segments/0000000000000001.log",
            "SyncFile segments/0000000000000001.log",
        ],
    );
    storage.record();
    once(&queue, 0).expect("known");
    assert!(storage.log().is_empty(), "{:?}", storage.log());
}

#[test]
fn records_with_keys_are_in_the_chain_and_survive_every_recovery() {
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        let memory = MemoryDirectory::new();
        let open = |memory: &MemoryDirectory| {
            still(SyncPolicy::Always)
                .integrity(integrity)
                .open_on(Arc::new(memory.clone()))
                .expect("it opens")
        };
        let queue = open(&memory);
        let empty = queue.chain_head().2;
        for number in 0..KEYS {
            once(&queue, number).expect("nothing fails");
        }
        let head = queue.chain_head();
        assert_eq!(head.2 == empty, integrity == Integrity::Crc32c);
        let image = memory.crash_losing_all();
        drop(queue);
        let queue = open(&image);
        assert!(queue.recovery().corruption.is_empty());
        assert_eq!(
            (queue.chain_head().1, queue.chain_head().2),
            (head.1, head.2)
        );
        check_retries(&queue, &(0..KEYS).map(|at| (at, at)).collect(), "recovered");
    }
}
