//! placeholder docs

mod buffer;
mod consumer;
mod error;
mod event;
mod format;
pub mod inspect;
mod log;
mod position;
mod queue;
mod recovery;
mod segment;
mod slots;
#[cfg(feature = "test-support")]
pub mod storage;
#[cfg(not(feature = "test-support"))]
mod storage;
mod sync;

#[cfg(feature = "json")]
pub use buffer::Json;
pub use buffer::{Bincode, BufferConfig, Bytes, Codec, CodecError, EventBuffer};
pub use consumer::{Batch, Consumer, Record};
pub use error::{Corruption, Error, ErrorKind, FullReason, Result};
pub use event::{Gap, GapReason, Listener, TornTail};
pub use format::Integrity;
#[cfg(feature = "test-support")]
pub use log::Host;
pub use position::{Epoch, Offset, Position, QueueId, SegmentNumber, Sequence};
pub use queue::{
    CommitPadding, Entry, Overflow, Preallocate, Queue, QueueOptions, QueueStats, Retention,
    SyncPolicy, Ticket,
};
pub use recovery::{CorruptionPolicy, RecoveryReport};
