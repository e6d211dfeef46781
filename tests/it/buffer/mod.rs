//! The buffer contract: what a program relied on when its buffer was a table.

mod capacity;
mod codec;
mod delivery;
mod flight;

use forebay::{Bytes, EventBuffer, Queue};

/// A buffer of plain bytes.
type Plain = EventBuffer<Vec<u8>, Bytes>;

/// Drains everything that the buffer holds.
fn drain<T, C: forebay::Codec<T>>(buffer: &EventBuffer<T, C>) -> forebay::Result<Vec<T>> {
    let mut all = Vec::new();
    buffer.drain(|event| {
        all.push(event);
        Ok::<(), ()>(())
    })?;
    Ok(all)
}

fn dropped(queue: &Queue) -> u64 {
    queue.stats().expect("nothing is wrong").dropped
}
