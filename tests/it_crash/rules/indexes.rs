//! Indexes: caches that are gone on with, and never trusted.

use forebay::storage::memory::MemoryDirectory;
use forebay::{Queue, Retention, Sequence, SyncPolicy};

use crate::support::{edit, fill, options, segments, try_open};

fn keep(memory: &MemoryDirectory) -> Queue {
    let kept = options(SyncPolicy::Always).retention(Retention::KeepForever);
    try_open(memory, kept).expect("the queue opens")
}

/// Asks for every record by its sequence, newest first, so that each is looked up.
fn assert_every_record_is_found(queue: &Queue, count: u64) {
    let mut consumer = queue.consumer("seeker").expect("it is free");
    for sequence in (0..count).rev() {
        consumer
            .seek(Sequence::new(sequence))
            .expect("it is in the log");
        let record = consumer.peek().expect("it can be read");
        let record = record.expect("it is there");
        let lead = format!("record {sequence}:");
        assert_eq!(record.sequence.get(), sequence);
        assert!(record.payload.starts_with(lead.as_bytes()), "{sequence}");
    }
}

#[test]
fn an_index_goes_on_where_a_closed_one_ended_whatever_its_length() {
    for first in 1..14 {
        let memory = MemoryDirectory::new();
        let queue = keep(&memory);
        fill(&queue, first, 600);
        queue.close().expect("nothing fails");
        let queue = keep(&memory);
        fill(&queue, 9, 600);
        assert_every_record_is_found(&queue, first + 9);
        queue.close().expect("nothing fails");
        assert_every_record_is_found(&keep(&memory), first + 9);
    }
}

/// Ahead of its segment, behind it, of an earlier moment, of another segment: whole and valid each.
#[test]
fn a_valid_index_of_another_moment_or_segment_is_never_believed() {
    let memory = MemoryDirectory::new();
    let queue = keep(&memory);
    fill(&queue, 8, 600);
    let index = |number: u64| format!("segments/{number:016}.idx");
    while memory.file_bytes(&index(1)).is_none() {
        // The index of a sealed segment is written in the background, until the queue is closed.
        std::thread::yield_now();
    }
    queue.close().expect("nothing fails");
    let early = memory.file_bytes(&index(2)).expect("it was written");
    let queue = keep(&memory);
    fill(&queue, 2, 600);
    queue.close().expect("nothing fails");
    let other = memory.file_bytes(&index(1)).expect("it was written");
    let late = memory.file_bytes(&index(2)).expect("it was written");
    assert_ne!(early, late, "the index has grown");
    for bytes in [&early, &other, &late[..128].to_vec()] {
        let image = memory.copy();
        image.put_file(&index(2), bytes);
        assert_every_record_is_found(&keep(&image), 10);
    }
    // The segment is shorter than its index says: its records are damage, not others.
    let name = segments(&memory).pop().expect("there are two");
    edit(&memory, &name, |bytes| bytes.truncate(4096 + 136));
    let queue = keep(&memory);
    let mut consumer = queue.consumer("seeker").expect("it is free");
    consumer.seek(Sequence::new(9)).expect("it is in the log");
    consumer.peek().expect_err("it is gone");
}
