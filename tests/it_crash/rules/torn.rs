//! Torn tails: what is cut, what is not, and where the log goes on.

use forebay::storage::Directory;
use forebay::storage::memory::MemoryDirectory;
use forebay::{Consumer, Queue, Retention, SyncPolicy};

use crate::support::{
    assert_drains, cut_power, drain, edit, fill, find, kill, open, options, segments, settle,
    try_open,
};

/// The header of a chained frame.
const HEADER: usize = 72;

/// Three durable records and one that is only written, with the place of its frame.
fn half_durable() -> (MemoryDirectory, String, std::ops::Range<usize>) {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    fill(&queue, 3, 300);
    queue.sync().expect("nothing fails");
    fill(&queue, 1, 1500);
    let name = segments(&memory).remove(0);
    let image = kill(&memory, queue);
    let start = find(&image, &name, b"record 3:") - HEADER;
    (image, name, start..start + HEADER + 1500)
}

#[test]
fn a_record_half_written_is_dropped_alone() {
    let (image, name, frame) = half_durable();
    for at in frame.clone().step_by(37) {
        for is_start_kept in [true, false] {
            let image = image.copy();
            edit(&image, &name, |bytes| {
                // Whichever half did not reach the disk.
                let lost = if is_start_kept {
                    at..frame.end
                } else {
                    frame.start..at + 1
                };
                bytes[lost].fill(0);
            });
            let queue = open(&image, SyncPolicy::Always);
            let report = queue.recovery();
            assert!(report.corruption.is_empty(), "{at}: {report:?}");
            assert_eq!(queue.next().get(), 3, "{at}, start {is_start_kept}");
            assert_drains(&queue, "c", 0..3);
        }
    }
}

#[test]
fn the_next_record_follows_the_last_one_whatever_the_length_of_the_file() {
    for is_closed in [true, false] {
        for more in [0_i64, -1, 8, 4096, 100_000] {
            let memory = MemoryDirectory::new();
            let queue = open(&memory, SyncPolicy::Always);
            fill(&queue, 3, 100);
            settle(&memory);
            let memory = if is_closed {
                queue.close().expect("nothing fails");
                memory
            } else {
                kill(&memory, queue)
            };
            let name = segments(&memory).remove(0);
            let end = find(&memory, &name, b"record 2:") + 104;
            edit(&memory, &name, |bytes| match usize::try_from(more) {
                Ok(more) => bytes.resize(bytes.len() + more, 0),
                // Cut to the last frame.
                Err(_) => bytes.truncate(end),
            });
            let queue = open(&memory, SyncPolicy::Always);
            assert!(queue.recovery().torn.is_none(), "{:?}", queue.recovery());
            fill(&queue, 2, 100);
            if is_closed {
                let next = find(&memory, &name, b"record 3:");
                assert_eq!(next, end + HEADER, "longer by {more}");
            }
            let image = cut_power(&memory, queue);
            assert_drains(&open(&image, SyncPolicy::Always), "c", 0..5);
        }
    }
}

#[test]
fn a_torn_header_of_a_segment_without_durable_records_is_no_corruption() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual);
    fill(&queue, 2, 100);
    queue.sync().expect("nothing fails");
    fill(&queue, 5, 1500);
    let image = kill(&memory, queue);
    let name = segments(&image).pop().expect("there are several");
    for at in (0..68).chain(4096..4096 + 136) {
        let image = image.copy();
        edit(&image, &name, |bytes| bytes[at] ^= 0x11);
        let queue = open(&image, SyncPolicy::Always);
        let report = queue.recovery();
        assert!(report.corruption.is_empty(), "byte {at}: {report:?}");
        let next = queue.next().get();
        assert!((2..7).contains(&next), "byte {at}: {next}");
        assert_drains(&queue, "c", 0..next);
    }
}

/// What is left to deliver, past damage.
fn drain_past(consumer: &mut Consumer) -> Vec<u64> {
    let mut got = Vec::new();
    loop {
        match drain(consumer) {
            Ok(rest) if rest.is_empty() => return got,
            Ok(rest) => got.extend(rest.into_iter().map(|(sequence, _)| sequence)),
            Err(_) => {
                consumer.skip_corrupt().expect("there is damage");
            }
        }
    }
}

#[test]
fn writes_after_a_lost_newest_segment_survive_the_next_reopen() {
    for is_closed in [true, false] {
        let memory = MemoryDirectory::new();
        let queue = open(&memory, SyncPolicy::Always);
        fill(&queue, 14, 900);
        settle(&memory);
        let memory = if is_closed {
            queue.close().expect("nothing fails");
            memory
        } else {
            kill(&memory, queue)
        };
        let lost = segments(&memory).pop().expect("there are several");
        memory.remove(&lost).expect("it is there");
        let queue = open(&memory, SyncPolicy::Always);
        assert_eq!(queue.next().get(), 14, "no durable sequence is used again");
        fill(&queue, 6, 900);
        let image = cut_power(&memory, queue);
        // What one consumer has acknowledged is kept for the other.
        let keep = || options(SyncPolicy::Always).retention(Retention::KeepForever);
        for name in ["one", "another"] {
            let queue = try_open(&image, keep()).expect("damage does not keep it from opening");
            assert_new_ones_are_there(&queue, name);
        }
    }
}

fn assert_new_ones_are_there(queue: &Queue, name: &str) {
    let mut consumer = queue.consumer(name).expect("a new consumer");
    let got = drain_past(&mut consumer);
    assert!(got.ends_with(&[14, 15, 16, 17, 18, 19]), "{got:?}");
}
