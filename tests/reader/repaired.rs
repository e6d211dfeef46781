//! Queues with gap frames, as a repair leaves them: no finding for a reader that knows only the
//! document.

use std::sync::Arc;

use forebay::storage::memory::MemoryDirectory;
use forebay::{Integrity, SyncPolicy, repair};

use crate::agree::{assert_agrees, assert_drains_the_same};
use crate::golden::make;
use crate::listing::{can_run, read};
use crate::scene::{Shelf, open, options};

/// One closed queue for each way to damage its second segment, repaired.
fn repaired(integrity: Integrity) -> Vec<(MemoryDirectory, usize)> {
    let name = "segments/0000000000000002.log";
    let damages: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes[5000] ^= 1,
        |bytes| bytes[5000..6000].fill(0),
        |bytes| bytes[4096..].fill(0),
        |bytes| bytes[..4096].fill(0),
        |bytes| bytes.truncate(6000),
    ];
    let queues = damages.map(|damage| {
        let (memory, queue) = make(integrity);
        queue.close().expect("a clean close");
        let mut bytes = memory.file_bytes(name).expect("a second segment");
        damage(&mut bytes);
        memory.put_file(name, &bytes);
        let report = repair::apply_on(&memory).expect("it can be repaired");
        let directory = Arc::new(memory.clone());
        let queue = options(SyncPolicy::Manual, 9).open_on(directory);
        let queue = queue.expect("it opens");
        queue.enqueue("behind the gap").expect("room");
        queue.close().expect("a clean close");
        (memory, report.lost().len())
    });
    queues.into()
}

#[test]
fn a_repaired_queue_reads_the_same_for_both_decoders_and_has_no_finding() {
    if !can_run() {
        return;
    }
    let mut shelf = Shelf::new();
    let mut images = repaired(Integrity::Chained);
    images.extend(repaired(Integrity::Crc32c));
    let with_gaps = images.iter().filter(|(_, gaps)| *gaps > 0).count();
    assert!(with_gaps >= 8, "a flipped bit may hit padding, no more");
    for (image, _) in &images {
        shelf.put(image);
    }
    let (code, listings) = read(&shelf.paths);
    for ((path, listing), (image, gaps)) in shelf.paths.iter().zip(&listings).zip(&images) {
        assert_eq!(listing.findings(), 0, "{}", listing.summary());
        assert_eq!(listing.all("gap").count(), *gaps, "{}", listing.summary());
        assert_agrees("repaired", path, listing);
        let queue = open(image, options(SyncPolicy::Manual, 99));
        assert_drains_the_same("repaired", &queue, listing);
    }
    assert_eq!(code, 0);
}
