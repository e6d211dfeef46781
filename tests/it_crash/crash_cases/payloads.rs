//! Records that are large or hostile: cases 28 and 29.

use forebay::SyncPolicy;
use forebay::storage::memory::MemoryDirectory;

use crate::support::{assert_drains, cut_power, edit, fill, find, open, payload, segments};

#[test]
fn a_record_may_be_larger_than_a_segment() {
    // Case 28, and a batch too.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 1, 100);
    fill(&queue, 1, 100_000);
    fill(&queue, 1, 100);
    let batch: Vec<_> = (3..40).map(|sequence| payload(sequence, 1000)).collect();
    queue
        .enqueue_batch(&batch)
        .expect("one oversized segment takes it");
    let image = cut_power(&memory, queue);
    let queue = open(&image, SyncPolicy::Always);
    assert_drains(&queue, "c", 0..40);
}

#[test]
fn a_frame_inside_a_payload_or_at_another_place_is_never_a_record() {
    // Case 29: a producer enqueues what the segment file itself holds, then the tail is torn.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 2, 200);
    let name = segments(&memory).remove(0);
    let frames = memory.file_bytes(&name).expect("it is there")[4096..5000].to_vec();
    let hostile: Vec<u8> = (0..3).flat_map(|_| frames.clone()).collect();
    queue.enqueue(&hostile).expect("any bytes are a record");
    let image = cut_power(&memory, queue);
    let at = find(&image, &name, &hostile);
    // The header of the hostile record goes; its payload stays and is full of whole frames.
    edit(&image, &name, |bytes| bytes[at - 30] ^= 1);
    let queue = open(&image, SyncPolicy::Always);
    assert!(
        queue.recovery().corruption.is_empty(),
        "{:?}",
        queue.recovery()
    );
    assert_eq!(queue.next().get(), 2);
    fill(&queue, 1, 50);
    assert_drains(&queue, "c", 0..3);
}
