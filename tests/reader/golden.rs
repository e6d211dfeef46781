//! One queue with everything in it that the format knows.

use std::path::Path;
use std::process::Command;

use forebay::storage::memory::MemoryDirectory;
use forebay::{CommitPadding, Entry, Integrity, Overflow, Queue, Retention, Sequence, SyncPolicy};

use crate::agree::{assert_agrees, assert_drains_the_same};
use crate::listing::{can_run, read};
use crate::scene::{Shelf, open, options};

/// Three lives: batches, kinds, an empty payload, padding, consumers, dropped records; then a power
/// cut that loses what was not synced, then a kill. The last queue is not closed.
pub(crate) fn make(integrity: Integrity) -> (MemoryDirectory, Queue) {
    let memory = MemoryDirectory::new();
    let first = options(SyncPolicy::Manual, 1)
        .integrity(integrity)
        .retention(Retention::KeepForever)
        .commit_padding(CommitPadding::Sector);
    let queue = open(&memory, first);
    let mut ship = queue.consumer("ship").expect("a new consumer");
    let mut audit = queue.consumer("audit log").expect("a new consumer");
    fill(&queue, 24);
    ship.ack_through(Sequence::new(9)).expect("durable");
    audit.ack_through(Sequence::new(3)).expect("durable");
    drop((ship, audit));
    queue.enqueue("lost with the power").expect("room");
    let memory = cut_and_drop(&memory, queue);

    let second = options(SyncPolicy::Manual, 2)
        .retention(Retention::KeepForever)
        .overflow(Overflow::DropOldest)
        .max_records(30);
    let queue = open(&memory, second);
    fill(&queue, 20);
    let killed = memory.process_kill();
    drop(queue);

    let third = options(SyncPolicy::Manual, 3).retention(Retention::KeepForever);
    let queue = open(&killed, third);
    fill(&queue, 6);
    (killed, queue)
}

fn cut_and_drop(memory: &MemoryDirectory, queue: Queue) -> MemoryDirectory {
    let image = memory.crash_losing_all();
    drop(queue);
    image
}

/// `count` records of several kinds and lengths, some of them in batches, synced now and then.
pub(crate) fn fill(queue: &Queue, count: u16) {
    for number in 0..count {
        let length = [0, 5, 64, 700, 31, 1100][usize::from(number % 6)];
        let payload = vec![number.to_le_bytes()[0]; length];
        if number % 4 == 3 {
            let batch = [b"first".as_slice(), b"", payload.as_slice()];
            let entries = batch.map(|bytes| Entry::new(bytes).kind(number));
            queue.enqueue_batch(entries).expect("room");
        } else if number % 5 == 2 {
            let mut key = [0xc5; 16];
            key[..8].copy_from_slice(&queue.next().get().to_le_bytes());
            let entry = Entry::new(&payload).kind(number);
            queue.enqueue_once(key, entry).expect("room");
        } else {
            queue
                .enqueue(Entry::new(&payload).kind(number))
                .expect("room");
        }
        if number % 3 == 0 {
            queue.sync().expect("a working disk");
        }
    }
    queue.sync().expect("a working disk");
}

#[test]
fn a_queue_of_all_structures_reads_the_same_for_both_decoders() {
    if !can_run() {
        return;
    }
    let mut shelf = Shelf::new();
    let mut images = Vec::new();
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        let (memory, queue) = make(integrity);
        images.push(memory.process_kill());
        images.push(memory.crash_losing_all());
        queue.close().expect("a clean close");
        images.push(memory);
    }
    for image in &images {
        shelf.put(image);
    }
    let (code, listings) = read(&shelf.paths);
    for ((path, listing), image) in shelf.paths.iter().zip(&listings).zip(&images) {
        assert_eq!(listing.findings(), 0, "{}", listing.summary());
        assert_agrees("golden", path, listing);
        let queue = open(image, options(SyncPolicy::Manual, 99));
        assert_drains_the_same("golden", &queue, listing);
    }
    assert_eq!(code, 0);
}

#[test]
fn a_queue_made_on_a_real_disk_reads_the_same_for_both_decoders() {
    if !can_run() {
        return;
    }
    let mut shelf = Shelf::new();
    let path = shelf.place();
    let queue = Queue::open(&path).expect("a new queue");
    fill(&queue, 9);
    let (code, listings) = read(std::slice::from_ref(&path));
    assert_eq!(code, 0, "{}", listings[0].summary());
    queue.close().expect("a clean close");
    let (code, listings) = read(std::slice::from_ref(&path));
    assert_eq!(code, 0, "{}", listings[0].summary());
    assert_agrees("on disk", &path, &listings[0]);
    let queue = Queue::open(&path).expect("the queue opens");
    assert_drains_the_same("on disk", &queue, &listings[0]);
}

/// A reader that took one byte for another would not pass: the comparison sees it.
#[test]
fn a_reader_that_is_wrong_is_noticed() {
    if !can_run() {
        return;
    }
    let mut shelf = Shelf::new();
    let (memory, queue) = make(Integrity::Chained);
    queue.close().expect("a clean close");
    let path = shelf.put(&memory);
    let (_, listings) = read(std::slice::from_ref(&path));
    let right = &listings[0];
    assert_agrees("right", &path, right);
    for (word, name) in [
        ("queue", "created"),
        ("segment", "base"),
        ("segment", "epoch"),
        ("segment", "next"),
        ("cursor", "effective"),
        ("log", "next"),
        ("log", "first"),
    ] {
        let wrong = right.with_one_more(word, name);
        let check = || assert_agrees("wrong", &path, &wrong);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        assert!(result.is_err(), "a wrong `{name}` of `{word}` passes");
    }
    for name in ["sequence", "kind", "time"] {
        let wrong = right.with_one_more("record", name);
        let queue = open(&memory.copy(), options(SyncPolicy::Manual, 99));
        let check = || assert_drains_the_same("wrong", &queue, &wrong);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        assert!(result.is_err(), "a wrong `{name}` of a record passes");
    }
}

#[test]
fn the_checksums_and_hashes_of_the_second_decoder_match_published_vectors() {
    if !can_run() {
        return;
    }
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader");
    let output = Command::new("python3")
        .arg("-B")
        .arg(home.join("vectors.py"))
        .output()
        .expect("python3 runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("Ran 6 tests"), "{told}");
}

#[test]
fn the_golden_queue_has_all_structures() {
    if !can_run() {
        return;
    }
    let mut shelf = Shelf::new();
    let (memory, queue) = make(Integrity::Chained);
    queue.close().expect("a clean close");
    let (_, listings) = read(&[shelf.put(&memory)]);
    for word in [
        "state-slot",
        "segment",
        "start",
        "record",
        "footer",
        "padding",
        "index",
        "cursor-slot",
        "cursor",
        "keys",
        "log",
        "end",
    ] {
        assert!(listings[0].all(word).next().is_some(), "no {word}");
    }
    let keyed = listings[0].all("record");
    let keyed = keyed.filter(|line| line.text("key") != "-").count();
    assert!(keyed > 3, "{keyed} records with keys");
    let epochs: std::collections::BTreeSet<u64> = listings[0]
        .all("segment")
        .filter_map(|line| line.find("epoch"))
        .collect();
    assert_eq!(epochs.len(), 3, "{epochs:?}");
    assert!(
        listings[0].one("log").number("first") > 0,
        "records were dropped"
    );
}
