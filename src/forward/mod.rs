//! On the way out: sinks, a publisher that delivers to one, and those who hear of it.

#[cfg(feature = "tokio")]
mod backoff;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "nats")]
mod jetstream;
#[cfg(any(feature = "tokio", feature = "metrics", feature = "tracing"))]
mod listener;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "tokio")]
mod publisher;
#[cfg(feature = "tokio")]
mod trace;
#[cfg(feature = "tracing")]
pub mod tracing;
mod write;

#[cfg(feature = "http")]
pub use http::Webhook;
#[cfg(feature = "nats")]
pub use jetstream::{JetStream, JetStreamOptions, Subject, Writers};
#[cfg(any(feature = "tokio", feature = "metrics", feature = "tracing"))]
pub use listener::{Loss, PublisherListener};
#[cfg(feature = "tokio")]
pub use publisher::{FlushLoop, Left, Published, Publisher, PublisherOptions, PublisherStats};
pub use write::{Framing, WriteSink};
