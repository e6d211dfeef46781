//! The state of a queue in numbers.

use crate::position::{Epoch, Sequence};

/// The state of a queue at one moment. Counters count since the queue was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// The oldest record that can be read.
    pub first: Sequence,
    /// The sequence that the next record gets.
    pub next: Sequence,
    /// Everything below survives power loss.
    pub durable: Sequence,
    /// Everything below was delivered or dropped.
    pub floor: Sequence,
    /// The current run of the log.
    pub epoch: Epoch,
    /// Records that wait: from the floor to the next.
    pub records: u64,
    /// Frame bytes of those records; `None` where the floor stands at damage.
    pub bytes: Option<u64>,
    /// Segment files.
    pub segments: usize,
    /// Registered consumers.
    pub consumers: usize,
    /// Records accepted.
    pub enqueued: u64,
    /// Records acknowledged.
    pub delivered: u64,
    /// Records given up at capacity or for their age.
    pub dropped: u64,
    /// Syncs of the log.
    pub syncs: u64,
}
