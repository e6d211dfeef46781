//! Reclaim in the background, and what must not make it forget.

use std::sync::Arc;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{Queue, QueueOptions, Result, Sequence};

use crate::gate::{Gated, Held};
use crate::scene::wait_until;

/// A closed queue of many small segments, all of it for one consumer.
fn many_segments() -> Result<MemoryDirectory> {
    let memory = MemoryDirectory::new();
    let queue = options().open_on(Arc::new(memory.clone()))?;
    drop(queue.consumer("reader")?);
    for _ in 0..60 {
        queue.enqueue(vec![7; 1000])?;
    }
    assert!(segments(&queue) > 5, "{} segments", segments(&queue));
    queue.close()?;
    Ok(memory)
}

fn options() -> QueueOptions {
    QueueOptions::new().segment_bytes(8192)
}

fn segments(queue: &Queue) -> usize {
    queue.stats().expect("it can be looked at").segments
}

/// The acknowledgement that frees a segment rings for reclaim once, and reclaim says when to ring
/// again. What was acknowledged between its look at the consumers and its word rang for nobody:
/// the segments stayed, and a queue on a full disk whose records were all read never went on.
#[test]
fn what_is_acknowledged_while_reclaim_looks_is_reclaimed_too() -> Result<()> {
    let gated = Gated::new(Arc::new(many_segments()?), Held::BackgroundOpens);
    let queue = options().open_on(Arc::new(gated.clone()))?;
    let mut reader = queue.consumer("reader")?;
    gated.gate.shut();
    reader.ack_through(Sequence::ZERO)?;
    wait_until("reclaim looks", || gated.gate.waiting() == 1);
    reader.drain(|_| Ok::<(), ()>(()))?;
    gated.gate.open();
    wait_until("the segments go", || segments(&queue) == 1);
    Ok(())
}

/// After a failure in the background nothing called for reclaim until the next rotation, which a
/// full disk does not allow.
#[test]
fn reclaim_that_failed_is_tried_again_at_the_next_acknowledgement() -> Result<()> {
    let faulty = FaultyDirectory::over_memory(many_segments()?);
    let queue = options().open_on(Arc::new(faulty.clone()))?;
    let mut reader = queue.consumer("reader")?;
    faulty.plan(Fault::nth_of(1, &[CallKind::Remove], Failure::Io));
    reader.ack_through(Sequence::new(58))?;
    wait_until("reclaim fails", || faulty.failures() == 1);
    reader.ack_through(Sequence::new(59))?;
    wait_until("the segments go", || segments(&queue) == 1);
    Ok(())
}

/// On a full xfs no segment could be renamed, so none was deleted, and the disk stayed full.
#[test]
fn segments_are_deleted_also_where_a_full_disk_has_no_room_for_their_new_names() -> Result<()> {
    let faulty = FaultyDirectory::over_memory(many_segments()?);
    let queue = options().open_on(Arc::new(faulty.clone()))?;
    let mut reader = queue.consumer("reader")?;
    faulty.plan(Fault::nth_of(1, &[CallKind::Rename], Failure::Full).for_ever());
    reader.drain(|_| Ok::<(), ()>(()))?;
    wait_until("the segments go", || segments(&queue) == 1);
    assert!(faulty.failures() > 0);
    Ok(())
}
