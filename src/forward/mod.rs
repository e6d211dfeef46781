//! On the way out: a publisher that delivers to a sink, and those who hear of it.

#[cfg(feature = "tokio")]
mod backoff;
mod listener;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "tokio")]
mod publisher;
#[cfg(feature = "tokio")]
mod trace;
#[cfg(feature = "tracing")]
pub mod tracing;

pub use listener::{Loss, PublisherListener};
#[cfg(feature = "tokio")]
pub use publisher::{FlushLoop, Left, Published, Publisher, PublisherOptions, PublisherStats};
