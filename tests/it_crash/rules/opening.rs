//! What an interrupted operation may have left, and errors while opening.

use std::sync::Arc;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, SyncPolicy};

use crate::support::{assert_drains, cut_power, fill, kill, open, options, segments};

/// A queue of several segments and a consumer, closed or killed.
fn left(is_closed: bool) -> MemoryDirectory {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    drop(queue.consumer("c").expect("a new consumer"));
    fill(&queue, 9, 900);
    if is_closed {
        queue.close().expect("nothing fails");
        memory
    } else {
        kill(&memory, queue)
    }
}

#[test]
fn a_file_made_and_never_written_keeps_no_queue_from_opening() {
    let leftovers = [
        "segments/0000000000000004.log",
        "segments/0000000000000009.log",
        "segments/0000000000000004.idx",
        "segments/0000000000000001.idx",
        "segments/0000000000000003.idx",
        "segments/0000000000000002.idx.tmp",
        "segments/0000000000000004.trash",
        "cursors/c.cursor.tmp",
        "cursors/d.cursor.tmp",
        "QUEUE.tmp",
        "STATE.tmp",
    ];
    for is_closed in [true, false] {
        let base = left(is_closed);
        assert_eq!(segments(&base).len(), 3);
        for name in leftovers {
            for length in [0, 1, 4096, 8192] {
                let memory = base.copy();
                memory.put_file(name, &vec![0; length]);
                let queue = open(&memory, SyncPolicy::Always);
                let report = queue.recovery();
                assert!(
                    report.corruption.is_empty() && report.torn.is_none(),
                    "{name}: {report:?}"
                );
                fill(&queue, 6, 900);
                drop(queue.consumer("d").expect("its name is free"));
                let queue = open(&cut_power(&memory, queue), SyncPolicy::Always);
                assert_drains(&queue, "c", 0..15);
            }
        }
    }
}

#[test]
fn a_read_error_while_opening_is_an_error_and_cuts_nothing() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    drop(queue.consumer("c").expect("a new consumer"));
    fill(&queue, 9, 900);
    queue.sync().expect("nothing fails");
    fill(&queue, 4, 900);
    let base = kill(&memory, queue);
    let kinds = [
        CallKind::Read,
        CallKind::Open,
        CallKind::Length,
        CallKind::List,
        CallKind::Map,
    ];
    let mut refused = 0;
    for failure in [Failure::Io, Failure::Interrupted] {
        for nth in 1.. {
            let image = base.copy();
            let storage = FaultyDirectory::over_memory(image.clone());
            storage.plan(Fault::nth_of(nth, &kinds, failure));
            let opened = options(SyncPolicy::Always).open_on(Arc::new(storage.clone()));
            if let Err(error) = &opened {
                assert_eq!(error.kind(), ErrorKind::Io, "read {nth}: {error}");
                refused += 1;
            }
            for name in segments(&base) {
                let same = image.file_bytes(&name) == base.file_bytes(&name);
                assert!(same, "read {nth}: {name} was changed");
            }
            // What opened all the same has met the error at a cache, or at a cursor.
            drop(opened);
            let queue = open(&image, SyncPolicy::Always);
            assert!(queue.recovery().torn.is_none(), "read {nth}");
            assert_drains(&queue, "c", 0..13);
            if storage.failures() == 0 {
                break;
            }
        }
    }
    assert!(refused > 20, "{refused} reads failed");
}

/// A segment's name has sixteen digits: what comes after the last of them would not be found again.
#[test]
fn used_up_segment_numbers_are_an_error_and_lose_nothing() {
    let memory = left(true);
    memory.put_file("segments/9999999999999998.log", &[]);
    let queue = open(&memory, SyncPolicy::Always);
    let accepted = (0..12)
        .map_while(|_| queue.enqueue(vec![b'x'; 900]).ok())
        .count() as u64;
    assert!(accepted < 12, "there is one number left");
    let error = queue
        .enqueue(vec![b'x'; 900])
        .expect_err("there is no number left");
    assert_ne!(error.kind(), ErrorKind::Poisoned, "{error}");
    let names = segments(&memory);
    assert!(names.iter().all(|name| name.len() == 29), "{names:?}");
    let image = cut_power(&memory, queue);
    let queue = open(&image, SyncPolicy::Always);
    assert_eq!(queue.next().get(), 9 + accepted);
    let mut consumer = queue.consumer("c").expect("it was made");
    let got = crate::support::drain(&mut consumer).expect("all can be read");
    assert_eq!(got.len() as u64, 9 + accepted);
}
