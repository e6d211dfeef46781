//! Ways out of one machine: sinks that hand events to somebody else's engine or service.
//!
//! Built on public items of the buffer alone. Each sink is a feature, so that the default build
//! has no runtime for futures.

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "nats")]
mod jetstream;

#[cfg(feature = "http")]
pub use http::Webhook;
#[cfg(feature = "nats")]
pub use jetstream::{JetStream, JetStreamOptions, Subject, Writers};
