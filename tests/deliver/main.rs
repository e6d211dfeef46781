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
mod upstream;
mod writing;

use std::path::Path;

use forebay::{Delivery, EventBuffer, SendOptions, Sent, SinkError};
use tempfile::TempDir;

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

/// Copies a tree as killing its process now would leave it.
fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the copy's folder can be made");
    for entry in std::fs::read_dir(from).expect("the tree can be listed") {
        let entry = entry.expect("the tree can be listed");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}
