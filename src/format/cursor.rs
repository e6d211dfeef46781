//! A consumer's cursor: the next sequence to deliver, with what is needed to trust it.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::collections::BTreeSet;

use super::fields::{FieldReader, FieldWriter};
use super::slot::SLOT_BODY_BYTES;
use super::{Defect, Slot};
use crate::position::{Epoch, Offset, Position, QueueId, SegmentNumber, Sequence};

/// One slot of a cursor file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CursorSlot {
    pub(crate) generation: u64,
    pub(crate) queue: QueueId,
    /// Which consumer: the first 16 bytes of its name's BLAKE3 hash.
    pub(crate) consumer: [u8; 16],
    /// The queue's epoch when the cursor was moved here.
    pub(crate) epoch: Epoch,
    /// The next sequence to deliver.
    pub(crate) next: Sequence,
    /// Every sequence below this was durable before the slot was written.
    pub(crate) watermark: Sequence,
    /// Where `next` was, or will be; a hint, validated before use.
    pub(crate) position: Position,
    /// Frame bytes of the log below `next`.
    pub(crate) log_bytes: u64,
    /// The identity of the filter; zeros when every kind is delivered.
    pub(crate) filter: [u8; 32],
}

/// The identity of a consumer's name inside its file.
pub(crate) fn consumer_id(name: &str) -> [u8; 16] {
    let hash = blake3::hash(name.as_bytes());
    hash.as_bytes()
        .first_chunk::<16>()
        .copied()
        .unwrap_or_default()
}

/// The identity of a filter that lets `kinds` through: the BLAKE3 hash of them, ascending, two
/// bytes each.
pub(crate) fn filter_id(kinds: &BTreeSet<u16>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for kind in kinds {
        hasher.update(&kind.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

impl Slot for CursorSlot {
    const MAGIC: [u8; 8] = *b"FBYCURSR";

    fn encode_body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(SLOT_BODY_BYTES);
        FieldWriter(&mut body)
            .u64(self.generation)
            .bytes(&self.queue.get())
            .bytes(&self.consumer)
            .u64(self.epoch.get())
            .u64(self.next.get())
            .u64(self.watermark.get())
            .u64(self.position.segment.get())
            .u64(self.position.offset.get())
            .u64(self.log_bytes)
            .bytes(&self.filter);
        body
    }

    fn decode_body(body: &[u8]) -> Option<Result<Self, Defect>> {
        let mut fields = FieldReader::new(body);
        Some(Ok(Self {
            generation: fields.u64()?,
            queue: QueueId::new(fields.bytes()?),
            consumer: fields.bytes()?,
            epoch: Epoch::new(fields.u64()?),
            next: Sequence::new(fields.u64()?),
            watermark: Sequence::new(fields.u64()?),
            position: Position {
                segment: SegmentNumber::new(fields.u64()?),
                offset: Offset::new(fields.u64()?),
            },
            log_bytes: fields.u64()?,
            filter: fields.bytes()?,
        }))
    }

    fn queue(&self) -> QueueId {
        self.queue
    }

    fn generation(&self) -> u64 {
        self.generation
    }

    fn set_generation(&mut self, generation: u64) {
        self.generation = generation;
    }
}
