//! `STATE`: how the log was last left, what of it is durable, and where it may be cut to.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::fields::{FieldReader, FieldWriter};
use super::slot::SLOT_BODY_BYTES;
use super::{Chain, Defect, Slot};
use crate::position::{Epoch, Offset, Position, QueueId, SegmentNumber, Sequence};

/// The end of the log as a place and as numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// After the last frame; segment `NONE` while the log has no record.
    pub(crate) position: Position,
    /// The sequence that the next record gets.
    pub(crate) next: Sequence,
    /// Frame bytes of the whole log up to here, since the queue was created.
    pub(crate) log_bytes: u64,
    /// The chain up to here.
    pub(crate) chain: Chain,
}

/// One slot of `STATE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StateSlot {
    pub(crate) generation: u64,
    pub(crate) queue: QueueId,
    /// Drawn at every open; another one here means that a second writer got in.
    pub(crate) opener: u64,
    /// The log ends exactly at `end`, all of it durable.
    pub(crate) clean: bool,
    /// The segment at `end` may be appended to. Otherwise the next append begins a new one.
    pub(crate) continues: bool,
    /// Damaged records follow `end` in its segment: it is neither sealed nor cut there.
    pub(crate) damaged: bool,
    pub(crate) epoch: Epoch,
    /// The last known good end; the end itself when `clean`.
    pub(crate) end: End,
    /// Segments below this are reclaimed, whether or not their files are gone.
    pub(crate) first_segment: SegmentNumber,
    /// The base of that segment: records from here on are missing only through damage.
    pub(crate) first_base: Sequence,
    /// Every sequence below this survives power loss.
    pub(crate) watermark: Sequence,
    /// Everything below this was dropped, as the records below `watermark` alone enforce it.
    pub(crate) floor: Sequence,
}

impl Slot for StateSlot {
    const MAGIC: [u8; 8] = *b"FBYSTATE";

    fn encode_body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(SLOT_BODY_BYTES);
        let flags = u64::from(self.clean)
            | (u64::from(self.continues) << 1)
            | (u64::from(self.damaged) << 2);
        FieldWriter(&mut body)
            .u64(self.generation)
            .bytes(&self.queue.get())
            .u64(self.opener)
            .u64(flags)
            .u64(self.epoch.get())
            .u64(self.end.position.segment.get())
            .u64(self.end.position.offset.get())
            .u64(self.end.next.get())
            .u64(self.end.log_bytes)
            .bytes(&self.end.chain.bytes())
            .u64(self.first_segment.get())
            .u64(self.first_base.get())
            .u64(self.watermark.get())
            .u64(self.floor.get());
        body
    }

    fn decode_body(body: &[u8]) -> Option<Result<Self, Defect>> {
        let mut fields = FieldReader::new(body);
        let generation = fields.u64()?;
        let queue = QueueId::new(fields.bytes()?);
        let opener = fields.u64()?;
        let flags = fields.u64()?;
        if flags > 7 {
            return Some(Err(Defect::Field {
                name: "state flags",
                found: flags,
            }));
        }
        Some(Ok(Self {
            generation,
            queue,
            opener,
            clean: flags & 1 != 0,
            continues: flags & 2 != 0,
            damaged: flags & 4 != 0,
            epoch: Epoch::new(fields.u64()?),
            end: End {
                position: Position {
                    segment: SegmentNumber::new(fields.u64()?),
                    offset: Offset::new(fields.u64()?),
                },
                next: Sequence::new(fields.u64()?),
                log_bytes: fields.u64()?,
                chain: Chain::new(fields.bytes()?),
            },
            first_segment: SegmentNumber::new(fields.u64()?),
            first_base: Sequence::new(fields.u64()?),
            watermark: Sequence::new(fields.u64()?),
            floor: Sequence::new(fields.u64()?),
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
