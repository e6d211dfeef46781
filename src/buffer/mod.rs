//! The typed face: events of one type, in order, bounded.

mod answer;
mod codec;
mod config;
mod courier;
mod dead_letters;
mod desk;
mod drain;
mod event_buffer;
mod flight;
mod send;
mod sent;
mod sink;

#[cfg(feature = "json")]
pub use codec::Json;
pub use codec::{Bincode, Bytes, Codec, CodecError};
pub use config::BufferConfig;
pub use dead_letters::{DeadLetter, DeadLetters, SendOptions};
pub use event_buffer::EventBuffer;
pub use sent::Sent;
pub use sink::{Accepted, AsyncSink, BatchFuture, Delivery, Refusal, Sink, SinkError, SinkFuture};
