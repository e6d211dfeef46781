//! The typed face: events of one type, in order, bounded.

mod codec;
mod config;
mod event_buffer;
mod sink;

#[cfg(feature = "json")]
pub use codec::Json;
pub use codec::{Bincode, Bytes, Codec, CodecError};
pub use config::BufferConfig;
pub use event_buffer::EventBuffer;
pub use sink::{AsyncSink, Delivery, Refusal, Sink, SinkError, SinkFuture};
