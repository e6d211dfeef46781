//! From the buffer to a sink: in order, confirmed, through refusals, cancellation and kills.

mod cancelling;
mod ending;
mod executor;
mod flight;
mod order;
mod upstream;

use forebay::EventBuffer;
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
