//! **forebay** is an embedded, durable, in-order queue on an append-only segment log.
//!
//! A program calls [`Queue::enqueue`] and goes on. Whatever happens next (the upstream is away, the
//! process is killed, the power fails, the disk is full), the record is there when the program
//! comes back, and a [`Consumer`] hands the records out in order, each until it is acknowledged.
//!
//! ```
//! use forebay::Queue;
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("queue");
//! let queue = Queue::open(&path)?;
//! queue.enqueue(b"on the medium when this returns")?;
//!
//! let mut consumer = queue.consumer("shipper")?;
//! let sent = consumer.drain(|record| ship(record.payload))?;
//! assert_eq!(sent, 1);
//! # fn ship(_: &[u8]) -> Result<(), std::io::Error> { Ok(()) }
//! # Ok::<(), forebay::Error>(())
//! ```
//!
//! # What survives what
//!
//! | call that returned | process killed | power lost |
//! | --- | --- | --- |
//! | `enqueue` under [`SyncPolicy::Always`] | there | there |
//! | `enqueue` under [`SyncPolicy::Interval`] | there | there once a sync has followed |
//! | `enqueue` under [`SyncPolicy::Manual`], `submit` | there | there after `sync`, or the ticket |
//! | `ack_through` | kept | kept about 100 ms later; until then delivered again |
//!
//! Delivery is at least once, in order, of durable records only. Records are checked on every
//! read; what is damaged is reported with its place and never skipped silently.
//!
//! # Where to look
//!
//! * [`Queue`], [`QueueOptions`]: open, enqueue, sync, close.
//! * [`Consumer`]: read, acknowledge, drain.
//! * [`Worker`]: a thread that drains a consumer into a handler.
//! * [`EventBuffer`]: the same for values of one type, bounded, the oldest dropped at capacity.
//! * [`EventBuffer::drain_and_send`], [`AsyncSink`], [`Sink`], [`WriteSink`]: where events go.
//! * [`DeadLetters`]: what no sink will accept.
//! * `Publisher` (feature `tokio`): events straight to a sink, and through the buffer while it is away.
//! * [`Follower`]: read along from another process, without a lock and without a place of its own.
//! * [`Listener`]: hear what happens, for metrics and logs.
//! * [`snapshot`]: save a state that was made of records, and take it up again.
//! * [`inspect`]: look at a queue without opening it.
//! * [`rebuild`]: make a queue out of records that were in another one.
//! * [`salvage`](salvage::salvage): get every valid record out of what is left of a queue.
//! * [`backup`]: copy a queue beside its writer, and make a queue of the copy.
//!
//! # Features
//!
//! * `json`: the codec `Json`, for types whose serde form leaves fields out.
//! * `nats`: the sink `JetStream`.
//! * `http`: the sink `Webhook`.
//! * `cli`: the command `forebay`.
//! * `sqlite`: the command with `import-sqlite`, and `SQLite` built from source.
//! * `tokio`: `Publisher`, for programs with a tokio runtime.
//! * `metrics`: `metrics::MetricsListener`, what queue and publisher do as metrics.
//! * `tracing`: `tracing::TracingListener`, the same as events, and spans around publishing.
//! * `test-support`: in-memory and faulty storage for tests. Not covered by semver.

pub mod backup;
mod buffer;
mod consumer;
mod error;
mod event;
mod format;
mod forward;
#[cfg(all(feature = "test-support", any(fuzzing, test)))]
#[doc(hidden)]
pub mod fuzzing;
pub mod inspect;
mod log;
mod position;
mod queue;
pub mod rebuild;
mod recovery;
pub mod repair;
pub mod salvage;
mod segment;
mod slots;
pub mod snapshot;
#[cfg(feature = "test-support")]
pub mod storage;
#[cfg(not(feature = "test-support"))]
mod storage;
mod sync;

#[cfg(all(test, shuttle))]
#[path = "../tests/interleave/mod.rs"]
mod interleave;

#[cfg(feature = "json")]
pub use buffer::Json;
pub use buffer::{
    Accepted, AsyncSink, BatchFuture, Bincode, BufferConfig, Bytes, Codec, CodecError, DeadLetter,
    DeadLetters, Delivery, EventBuffer, Refusal, SendOptions, Sent, Sink, SinkError, SinkFuture,
};
pub use consumer::{
    Batch, Consumer, ConsumerOptions, Exit, ExitReason, Flow, Follower, HandlerError, Lag, Record,
    RestartPolicy, Start, Worker, WorkerOptions,
};
pub use error::{Corruption, Error, ErrorKind, FullReason, Result, Unreadable};
pub use event::{Gap, GapReason, Listener, TornTail};
pub use format::Integrity;
#[cfg(feature = "http")]
pub use forward::Webhook;
#[cfg(feature = "metrics")]
pub use forward::metrics;
#[cfg(feature = "tracing")]
pub use forward::tracing;
#[cfg(feature = "tokio")]
pub use forward::{FlushLoop, Left, Published, Publisher, PublisherOptions, PublisherStats};
pub use forward::{Framing, WriteSink};
#[cfg(feature = "nats")]
pub use forward::{JetStream, JetStreamOptions, Subject, Writers};
#[cfg(any(feature = "tokio", feature = "metrics", feature = "tracing"))]
pub use forward::{Loss, PublisherListener};
#[cfg(feature = "test-support")]
pub use log::Host;
pub use position::{Epoch, Offset, Position, QueueId, RecordId, SegmentNumber, Sequence};
pub use queue::{
    CommitPadding, Entry, Overflow, Preallocate, Queue, QueueOptions, QueueStats, Retention,
    SyncPolicy, Ticket,
};
pub use recovery::{CorruptionPolicy, RecoveryReport};

/// The examples of the README, compiled. Some need a feature.
#[cfg(all(doctest, feature = "nats", feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The example of docs/METRICS.md, compiled.
#[cfg(all(doctest, feature = "metrics", feature = "tokio"))]
#[doc = include_str!("../docs/METRICS.md")]
struct Metrics;
