//! What goes into a rebuild, and what came of it.

use std::ops::Range;
use std::path::PathBuf;

use crate::position::{Epoch, QueueId, Sequence};

/// A record as it was in the queue that it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebuildRecord<'a> {
    /// The record's number.
    pub sequence: Sequence,
    /// The run of the log that wrote it.
    pub epoch: Epoch,
    /// The kind it was enqueued with.
    pub kind: u16,
    /// When it was enqueued, in nanoseconds since 1970.
    pub enqueued_at: u64,
    /// The key, if it was enqueued by [`enqueue_once`](crate::Queue::enqueue_once).
    pub key: Option<[u8; 16]>,
    /// The bytes that were enqueued.
    pub payload: &'a [u8],
}

impl<'a> RebuildRecord<'a> {
    /// A record without a key, of kind 0, enqueued in 1970. The fields are there to be set.
    #[must_use]
    pub fn new(sequence: Sequence, epoch: Epoch, payload: &'a [u8]) -> Self {
        Self {
            sequence,
            epoch,
            kind: 0,
            enqueued_at: 0,
            key: None,
            payload,
        }
    }
}

/// What a rebuild has made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rebuilt {
    /// The queue's directory.
    pub path: PathBuf,
    /// The queue's identity.
    pub id: QueueId,
    /// The epoch of the records to come.
    pub epoch: Epoch,
    /// The sequence that the queue begins with.
    pub first: Sequence,
    /// The sequence that the next record gets.
    pub next: Sequence,
    /// The records in it.
    pub records: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// The segments that they are in.
    pub segments: u64,
    /// The records between first and next that are not in it, in order.
    pub gaps: Vec<Range<Sequence>>,
}

impl Rebuilt {
    pub(super) fn new(path: PathBuf, id: QueueId) -> Self {
        Self {
            path,
            id,
            epoch: Epoch::default(),
            first: Sequence::ZERO,
            next: Sequence::ZERO,
            records: 0,
            payload_bytes: 0,
            segments: 0,
            gaps: Vec::new(),
        }
    }
}
