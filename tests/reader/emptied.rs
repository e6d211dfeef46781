//! Queues of which no segment is left, and those that went on from there.

use forebay::storage::memory::MemoryDirectory;
use forebay::{Integrity, SyncPolicy};

use crate::agree::{assert_agrees, assert_drains_the_same};
use crate::listing::{can_run, read};
use crate::scene::{Shelf, open, options};

/// A queue that has filled its device with one segment is emptied and goes on: the files at every
/// step, with what a power cut leaves of them.
fn images(integrity: Integrity) -> Vec<MemoryDirectory> {
    let mut images = Vec::new();
    for pages in 16..20 {
        let memory = MemoryDirectory::with_capacity(pages * 4096);
        let own = || {
            let options = options(SyncPolicy::Always, 7).segment_bytes(1 << 20);
            options.integrity(integrity)
        };
        let queue = open(&memory, own());
        let mut consumer = queue.consumer("c").expect("the only one");
        while queue.enqueue([7; 500].as_slice()).is_ok() {}
        let all = consumer.drain(|_| Ok::<_, ()>(()));
        assert!(all.expect("nothing is damaged") > 10);
        drop(consumer);
        let too_large = vec![7; 60_000];
        queue.enqueue(&too_large).expect_err("more than the device");
        images.extend([memory.copy(), memory.crash_losing_all()]);
        let emptied = memory.copy();
        let closed = open(&emptied, own());
        images.push(emptied.copy());
        closed.close().expect("a clean close");
        images.push(emptied);
        queue.enqueue("goes on").expect("room again");
        images.extend([memory.copy(), memory.crash_losing_all()]);
        queue.close().expect("a clean close");
        images.push(memory);
    }
    images
}

#[test]
fn an_emptied_queue_reads_the_same_for_both_decoders_and_has_no_finding() {
    if !can_run() {
        return;
    }
    let mut shelf = Shelf::new();
    let mut images = images(Integrity::Chained);
    images.extend(self::images(Integrity::Crc32c));
    for image in &images {
        shelf.put(image);
    }
    let (code, listings) = read(&shelf.paths);
    let mut emptied = 0;
    for ((path, listing), image) in shelf.paths.iter().zip(&listings).zip(&images) {
        assert_eq!(listing.findings(), 0, "{}", listing.summary());
        assert_agrees("emptied", path, listing);
        let log = listing.one("log");
        emptied += usize::from(log.number("first") == log.number("next"));
        image.set_capacity(None);
        let queue = open(image, options(SyncPolicy::Manual, 99));
        assert_drains_the_same("emptied", &queue, listing);
    }
    assert_eq!(code, 0);
    assert!(emptied > 8, "only {emptied} had nothing left");
}
