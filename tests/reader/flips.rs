//! Damage to each structure: the reader finds it in the same file, at the same offset and sequence
//! as the crate does.

use std::path::Path;

use forebay::inspect::inspect;
use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CommitPadding, CorruptionPolicy, Entry, ErrorKind, Integrity, Queue, Retention, Sequence,
    SyncPolicy,
};

use crate::agree::{Failures, assert_agrees, assert_drains_the_same};
use crate::listing::{Listing, can_run, read};
use crate::scene::{Shelf, open, options};

/// Two runs of the log in four segments, a consumer that is under way, a batch that is synced and
/// one that is not.
fn make(integrity: Integrity, is_closed: bool) -> MemoryDirectory {
    let small = |seed| {
        options(SyncPolicy::Manual, seed)
            .integrity(integrity)
            .commit_padding(CommitPadding::Sector)
            .retention(Retention::KeepForever)
    };
    let memory = MemoryDirectory::new();
    let queue = open(&memory, small(1));
    let mut ship = queue.consumer("ship").expect("a new consumer");
    for number in 0..6_u8 {
        let payload = vec![number; 1500 * usize::from(number % 3)];
        queue.enqueue(Entry::new(&payload).kind(7)).expect("room");
        queue.sync().expect("a working disk");
    }
    ship.ack_through(Sequence::new(1)).expect("durable");
    drop(ship);
    let memory = {
        let image = memory.process_kill();
        drop(queue);
        image
    };
    let queue = open(&memory, small(2));
    let mut ship = queue.consumer("ship").expect("the consumer");
    for number in 0..4_u8 {
        let payload = vec![number; 1900 * usize::from(number % 2)];
        queue.enqueue(&payload).expect("room");
        queue.sync().expect("a working disk");
    }
    ship.ack_through(Sequence::new(3)).expect("durable");
    drop(ship);
    queue
        .enqueue_batch(&[[1; 600], [2; 600], [3; 600]])
        .expect("room");
    queue.sync().expect("a working disk");
    queue.enqueue_batch(["not", "synced", "yet"]).expect("room");
    finish(memory, queue, is_closed)
}

fn finish(memory: MemoryDirectory, queue: Queue, is_closed: bool) -> MemoryDirectory {
    if is_closed {
        queue.close().expect("a clean close");
        return memory;
    }
    let image = memory.process_kill();
    drop(queue);
    image
}

/// Where to flip in a file: steps through what is not blank, so that every structure is hit.
fn places(name: &str, bytes: &[u8]) -> Vec<usize> {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let step = if name.contains(".log") { 491 } else { 37 };
    let wanted = |at: &usize| {
        bytes[*at & !63..bytes.len().min((at & !63) + 64)]
            .iter()
            .any(|byte| *byte != 0)
    };
    (0..end).step_by(step).filter(wanted).collect()
}

struct Flip {
    what: String,
    name: String,
    image: MemoryDirectory,
}

fn flips(integrity: Integrity, is_closed: bool) -> Vec<Flip> {
    let golden = make(integrity, is_closed);
    let names = golden.names().into_iter();
    let names = names.filter(|name| name != "LOCK" && !name.starts_with("quarantine"));
    let mut flips = Vec::new();
    for name in names {
        let bytes = golden.file_bytes(&name).expect("a listed file");
        for at in places(&name, &bytes) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            let image = golden.copy();
            image.put_file(&name, &changed);
            flips.push(Flip {
                what: format!("{integrity:?}, closed {is_closed}: byte {at} of {name}"),
                name: name.clone(),
                image,
            });
        }
    }
    flips
}

fn assert_flip_is_told(flip: &Flip, path: &Path, listing: &Listing) {
    let what = &flip.what;
    if let Err(error) = inspect(path) {
        assert_eq!(flip.name, "QUEUE", "{what}: {error}");
        let kinds = [ErrorKind::Corrupt, ErrorKind::Foreign];
        assert!(kinds.contains(&error.kind()), "{what}: {error:?}");
        assert_eq!(listing.one("finding").text("file"), "QUEUE", "{what}");
        return;
    }
    assert_agrees(what, path, listing);
    let careful = options(SyncPolicy::Manual, 99).corruption_policy(CorruptionPolicy::RefuseRead);
    let queue = open(&flip.image, careful);
    assert_drains_the_same(what, &queue, listing);
}

#[test]
fn a_flipped_byte_is_found_where_the_crate_finds_it() {
    if !can_run() {
        return;
    }
    let mut failures = Failures::default();
    let kinds = [
        (Integrity::Chained, false),
        (Integrity::Chained, true),
        (Integrity::Crc32c, false),
    ];
    for (integrity, is_closed) in kinds {
        let flips = flips(integrity, is_closed);
        let mut shelf = Shelf::new();
        for flip in &flips {
            shelf.put(&flip.image);
        }
        let (code, listings) = read(&shelf.paths);
        assert_eq!(code, 1);
        let mut found = 0;
        for ((flip, path), listing) in flips.iter().zip(&shelf.paths).zip(&listings) {
            failures.watch(|| assert_flip_is_told(flip, path, listing));
            found += usize::from(listing.findings() > 0);
        }
        assert!(found * 3 > flips.len(), "{found} of {}", flips.len());
    }
    failures.report();
}
