//! Sinks: where a buffer's events can go.

mod write;

pub use write::{Framing, WriteSink};
