//! From the buffer to a sink: in order, confirmed, through refusals, cancellation and kills.

mod batches;
mod cancelling;
mod ending;
mod errands;
mod executor;
mod flight;
mod holes;
mod order;
mod parking;
mod replaying;
#[path = "../stage/tree.rs"]
mod tree;
mod upstream;
mod writing;

use forebay::{Delivery, EventBuffer, SendOptions, Sent, SinkError};
use tempfile::TempDir;

use self::tree::copy_tree;

/// No events.
const NOTHING: [u32; 0] = [];

/// A folder that goes when it is dropped.
fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

/// A buffer in `folder` of the events from 0 up to `events`.
fn filled(folder: &TempDir, events: u32) -> EventBuffer<u32> {
    let buffer = EventBuffer::new(folder.path().join("buffer"), 10_000).expect("a new buffer");
    (0..events).for_each(|event| buffer.enqueue(&event).expect("there is room"));
    buffer
}

/// What a drain into a closure gets.
fn left(buffer: &EventBuffer<u32>) -> Vec<u32> {
    let mut all = Vec::new();
    let drained = buffer.drain(|event| {
        all.push(event);
        Ok::<(), ()>(())
    });
    assert_eq!(drained.expect("nobody else drains"), all.len());
    all
}

/// What a drain that blocks hands out of `buffer` when `answer` says what becomes of each.
fn drained(
    buffer: &EventBuffer<u32>,
    options: &SendOptions,
    mut answer: impl FnMut(u32) -> Result<(), SinkError>,
) -> (Vec<u32>, forebay::Result<Sent>) {
    let mut offered = Vec::new();
    let mut sink = |delivery: &Delivery<u32>| {
        offered.push(delivery.event);
        answer(delivery.event)
    };
    let sent = buffer.drain_with(&mut sink, options);
    (offered, sent)
}
