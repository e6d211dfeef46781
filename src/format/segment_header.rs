//! The header block of a segment file: who it belongs to. Written once, before any frame.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::fields::{FieldReader, FieldWriter, narrow};
use super::identity::{integrity_code, integrity_of};
use super::{BLOCK_BYTES, Defect, Framing, Integrity, envelope};
use crate::position::{Epoch, QueueId, SegmentNumber};

const MAGIC: [u8; 8] = *b"FBYSEGMT";

/// The static facts about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) queue: QueueId,
    pub(crate) number: SegmentNumber,
    pub(crate) epoch: Epoch,
    /// Random; part of every checksum in the segment, never shown by any API.
    pub(crate) salt: u64,
    pub(crate) integrity: Integrity,
}

impl SegmentHeader {
    /// The whole block, zero-filled.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        FieldWriter(&mut body)
            .bytes(&self.queue.get())
            .u64(self.number.get())
            .u64(self.epoch.get())
            .u64(self.salt)
            .u64(integrity_code(self.integrity));
        let mut block = envelope::seal(MAGIC, &body);
        block.resize(narrow(BLOCK_BYTES), 0);
        block
    }

    pub(crate) fn decode(block: &[u8]) -> Result<Self, Defect> {
        let body = envelope::open(MAGIC, block)?;
        Self::fields(body).ok_or(Defect::Field {
            name: "header body",
            found: super::wide(body.len()),
        })?
    }

    fn fields(body: &[u8]) -> Option<Result<Self, Defect>> {
        let mut fields = FieldReader::new(body);
        let queue = QueueId::new(fields.bytes()?);
        let number = SegmentNumber::new(fields.u64()?);
        let epoch = Epoch::new(fields.u64()?);
        let salt = fields.u64()?;
        let integrity = fields.u64()?;
        Some(integrity_of(integrity).map(|integrity| Self {
            queue,
            number,
            epoch,
            salt,
            integrity,
        }))
    }

    pub(crate) fn framing(&self) -> Framing {
        Framing::new(self.queue, self.salt, self.integrity)
    }
}
