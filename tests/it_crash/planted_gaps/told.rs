//! What reports and chains say.

use forebay::storage::memory::MemoryDirectory;
use forebay::{Retention, SyncPolicy};

use crate::support::{edit, fill, find, kill, open, options, segments, try_open};

const START_FRAME: usize = 4096;
const HASH: usize = START_FRAME + 40;
const PREVIOUS_CHAIN: usize = START_FRAME + 72 + 32;

/// Whether the chain in a segment's start frame differs from where the log left the one before.
fn is_new_run(memory: &MemoryDirectory, name: &str) -> bool {
    let bytes = memory.file_bytes(name).expect("it is there");
    bytes[HASH..HASH + 32] != bytes[PREVIOUS_CHAIN..PREVIOUS_CHAIN + 32]
}

#[test]
fn a_new_run_is_bound_into_the_chain_and_a_rotation_is_not() {
    // Case 20: a verifier can tell where the log was cut and begun again.
    let memory = MemoryDirectory::new();
    let kept = || options(SyncPolicy::Always).retention(Retention::KeepForever);
    let queue = try_open(&memory, kept()).expect("a new queue");
    fill(&queue, 6, 900);
    let image = kill(&memory, queue);
    let queue = try_open(&image, kept()).expect("it opens");
    fill(&queue, 6, 900);
    let new: Vec<_> = segments(&image)
        .iter()
        .map(|name| is_new_run(&image, name))
        .collect();
    assert_eq!(new, [true, false, true, false]);
    drop(queue);
}

#[test]
fn two_damaged_records_side_by_side_are_one_damage() {
    // The header of the second is whole; good records go on only behind its payload.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 6, 100);
    let image = kill(&memory, queue);
    let name = segments(&image).remove(0);
    for payload in [&b"record 2:"[..], &b"record 3:"[..]] {
        let place = find(&image, &name, payload);
        edit(&image, &name, |bytes| bytes[place] ^= 1);
    }
    let queue = open(&image, SyncPolicy::Always);
    let ranges: Vec<_> = queue
        .recovery()
        .corruption
        .iter()
        .map(|corruption| corruption.range.start.get()..corruption.range.end.get())
        .collect();
    assert_eq!(ranges, [2..4], "{:?}", queue.recovery());
}
