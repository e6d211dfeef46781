//! Memory, space, time, and queues beside each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CommitPadding, ErrorKind, Host, Integrity, Overflow, Retention, Sequence, SyncPolicy,
};

use super::witness::Witness;
use crate::support::{
    assert_drains, cut_power, drain_sequences, edit, fill, find, guard, kill, open, options,
    segments, settle, try_open,
};

/// What is read at once from a segment whose frames fit into it.
const CHUNK: usize = 256 * 1024;

/// I14: a length is used only after its checksum, and never beyond the bytes there are.
#[test]
fn a_damaged_length_reserves_no_memory() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 3, 100);
    settle(&memory);
    for is_closed in [false, true] {
        let image = if is_closed {
            queue.clone().close().expect("nothing fails");
            memory.clone()
        } else {
            memory.process_kill()
        };
        let name = segments(&image).remove(0);
        let length = find(&image, &name, b"record 1:") - 72 + 8;
        for bit in 0..32 {
            let image = image.copy();
            edit(&image, &name, |bytes| {
                bytes[length + bit / 8] ^= 1 << (bit % 8);
            });
            let storage = Witness::new(&image);
            let queue = options(SyncPolicy::Always)
                .open_on(Arc::new(storage.clone()))
                .expect("it opens");
            let mut consumer = queue.consumer("c").expect("a new consumer");
            let error = crate::support::drain(&mut consumer).expect_err("it is damaged");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            let longest = storage.longest_read();
            assert!(longest <= CHUNK, "bit {bit}: read {longest} bytes at once");
        }
    }
}

#[test]
fn two_queues_in_one_process_share_nothing() {
    let (first, second) = (MemoryDirectory::new(), MemoryDirectory::new());
    let faulty = FaultyDirectory::over_memory(first.clone());
    let one = options(SyncPolicy::Always)
        .integrity(Integrity::Crc32c)
        .commit_padding(CommitPadding::Sector)
        .open_on(Arc::new(faulty.clone()))
        .expect("a new queue");
    let two = options(SyncPolicy::Manual)
        .max_records(4)
        .overflow(Overflow::DropOldest)
        .segment_bytes(16 * 1024);
    let two = try_open(&second, two).expect("a new queue");
    assert_ne!(one.id(), two.id());
    for _ in 0..6 {
        fill(&one, 1, 900);
        fill(&two, 1, 900);
    }
    assert_eq!((one.len(), two.len()), (6, 4));
    assert_eq!((one.durable().get(), two.durable().get()), (6, 0));
    assert_drains(&one, "c", 0..6);
    faulty.plan(Fault::nth_of(1, &[CallKind::SyncFile], Failure::Io).for_ever());
    let error = one.enqueue(b"lost").expect_err("its disk died");
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    assert_eq!(drain_sequences(&two, "c"), [2, 3, 4, 5]);
    two.close().expect("it is not concerned");
}

#[test]
fn a_batch_of_any_number_of_records_is_written_whole() {
    // More than a vectored write takes, on a real disk.
    const RECORDS: u64 = 5000;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let queue = options(SyncPolicy::Always)
        .open(folder.path().join("q"))
        .expect("a new queue");
    let batch: Vec<_> = (0..RECORDS)
        .map(|number| format!("record {number}:"))
        .collect();
    let given = queue
        .enqueue_batch(batch.iter().map(String::as_bytes))
        .expect("nothing fails");
    assert_eq!((given.start.get(), given.end.get()), (0, RECORDS));
    assert_drains(&queue, "c", 0..RECORDS);
}

#[test]
fn what_was_acknowledged_before_a_restart_is_deleted_after_it() {
    for is_closed in [true, false] {
        let memory = MemoryDirectory::new();
        let kept = options(SyncPolicy::Always).retention(Retention::KeepForever);
        let queue = try_open(&memory, kept).expect("a new queue");
        fill(&queue, 40, 900);
        assert_drains(&queue, "c", 0..40);
        let memory = if is_closed {
            queue.close().expect("nothing fails");
            memory
        } else {
            kill(&memory, queue)
        };
        assert!(segments(&memory).len() > 5);
        let queue = open(&memory, SyncPolicy::Always);
        fill(&queue, 1, 10);
        guard("space that never comes back", move || {
            while segments(&memory).len() > 2 {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            assert_drains(&queue, "c", 40..41);
        });
    }
}

/// A machine whose clock runs backwards, a second at each look.
#[derive(Debug)]
struct Backwards(AtomicU64);

impl Host for Backwards {
    fn now(&self) -> u64 {
        self.0.fetch_sub(1_000_000_000, Ordering::Relaxed)
    }

    fn random(&self) -> u64 {
        self.0.load(Ordering::Relaxed).rotate_left(17)
    }

    fn process(&self) -> u32 {
        1
    }
}

#[test]
fn a_clock_that_runs_backwards_changes_no_order() {
    let host = Arc::new(Backwards(AtomicU64::new(1_700_000_000_000_000_000)));
    let mut memory = MemoryDirectory::new();
    for life in 0..3 {
        let backwards = options(SyncPolicy::Always).host(host.clone());
        let queue = try_open(&memory, backwards).expect("it opens");
        assert!(queue.recovery().corruption.is_empty());
        fill(&queue, 9, 900);
        assert_eq!(queue.next(), Sequence::new((life + 1) * 9));
        memory = cut_power(&memory, queue);
    }
    assert_drains(&open(&memory, SyncPolicy::Always), "c", 0..27);
}
