//! Deleted segments, while they are shrunk step by step.

use std::sync::Arc;

use forebay::storage::memory::MemoryDirectory;
use forebay::{CommitPadding, Queue, Sequence, SyncPolicy};

use crate::golden::still_host;
use crate::support::{fill, options};

/// What the files of deleted segments still hold.
fn trash(memory: &MemoryDirectory) -> Vec<usize> {
    let names = memory.names().into_iter();
    let names = names.filter(|name| name.ends_with(".trash"));
    names
        .map(|name| memory.file_bytes(&name).expect("it is listed").len())
        .collect()
}

/// Runs the background until a deleted segment has lost its end.
fn run_until_shrunk(memory: &MemoryDirectory, queue: &Queue) {
    for _ in 0..8 {
        queue.run_background();
        if trash(memory).iter().any(|bytes| *bytes <= 4200) {
            return;
        }
    }
    panic!("nothing is shrunk: {:?}", memory.names());
}

#[test]
fn a_consumer_at_the_end_of_a_shrunk_segment_goes_on_in_the_next() {
    for padding in [CommitPadding::None, CommitPadding::Page] {
        let memory = MemoryDirectory::new();
        let queue = options(SyncPolicy::Always)
            .commit_padding(padding)
            .host(still_host())
            .open_on(Arc::new(memory.clone()))
            .expect("a new queue");
        let mut consumer = queue.consumer("c").expect("a new consumer");
        fill(&queue, 1, 300);
        assert_eq!(consumer.peek_batch(9).expect("readable").len(), 1);
        consumer.ack_through(Sequence::ZERO).expect("nothing fails");
        fill(&queue, 1, 5000);
        run_until_shrunk(&memory, &queue);
        let record = consumer.peek().expect("nothing is damaged");
        let record = record.expect("it waits");
        assert_eq!(record.sequence.get(), 1, "{padding:?}");
    }
}

#[test]
fn a_full_disk_takes_back_what_was_deleted_before_it_refuses_a_record() {
    let memory = MemoryDirectory::new();
    let queue = options(SyncPolicy::Always)
        .host(still_host())
        .open_on(Arc::new(memory.clone()))
        .expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    fill(&queue, 12, 1200);
    consumer
        .ack_through(Sequence::new(11))
        .expect("nothing fails");
    queue.run_background();
    let waiting = trash(&memory).len();
    assert!(waiting > 1, "{:?}", memory.names());
    memory.set_capacity(Some(memory.used_bytes()));
    fill(&queue, 12, 1200);
    assert!(trash(&memory).is_empty(), "it was needed");
}

#[test]
fn the_next_segment_that_comes_back_after_a_close_is_set_aside_and_stops_no_reclaim() {
    let memory = MemoryDirectory::new();
    let open = || {
        options(SyncPolicy::Always)
            .host(still_host())
            .open_on(Arc::new(memory.clone()))
            .expect("it opens")
    };
    let queue = open();
    drop(queue.consumer("c").expect("a new consumer"));
    fill(&queue, 1, 1200);
    queue.run_background();
    let next = "segments/0000000000000002.log";
    let bytes = memory.file_bytes(next).expect("it is made ready");
    queue.close().expect("nothing fails");
    assert!(memory.file_bytes(next).is_none());
    // A power cut undid the unlink.
    memory.put_file(next, &bytes);
    let queue = open();
    fill(&queue, 8, 1200);
    queue.close().expect("nothing fails");
    assert!(memory.file_bytes(next).is_none(), "{:?}", memory.names());
    let queue = open();
    let mut consumer = queue.consumer("c").expect("it is there");
    consumer
        .ack_through(Sequence::new(8))
        .expect("nothing fails");
    assert!(queue.reclaim().expect("nothing fails") > 1);
}
