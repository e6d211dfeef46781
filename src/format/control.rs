//! Control frames: start, footer, padding and gap. They take no sequence and are not in the chain.
//!
//! Their header's sequence is that of the next record, and its hash field the chain at that point.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::fields::FieldReader;
use super::frame::body;
use super::{Chain, Defect, FrameHeader};
use crate::position::{Offset, SegmentNumber, Sequence};

/// Which control frame a frame's `kind` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Start,
    Footer,
    /// Fills the rest of a sector or page between two commits.
    Padding,
    /// Stands in the place of records that a repair gave up.
    Gap,
}

impl Control {
    pub(crate) fn kind(self) -> u16 {
        match self {
            Self::Start => 1,
            Self::Footer => 2,
            Self::Padding => 3,
            Self::Gap => 4,
        }
    }

    pub(crate) fn of(header: &FrameHeader) -> Result<Self, Defect> {
        match header.kind {
            1 => Ok(Self::Start),
            2 => Ok(Self::Footer),
            3 => Ok(Self::Padding),
            4 => Ok(Self::Gap),
            found => Err(Defect::Field {
                name: "control kind",
                found: u64::from(found),
            }),
        }
    }
}

/// The body of a start frame; base sequence, chain and watermark are in its header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Start {
    /// The segment before this one, or `SegmentNumber::NONE`.
    pub(crate) previous: SegmentNumber,
    /// Where the log left that segment.
    pub(crate) previous_end: Offset,
    /// The sequence that followed there: this segment's base.
    pub(crate) previous_next: Sequence,
    /// Frame bytes of all segments before this one, since the queue was created.
    pub(crate) log_bytes: u64,
    /// The chain where the log left that segment, before a new epoch was bound in.
    pub(crate) previous_chain: Chain,
}

impl Start {
    pub(crate) const BODY_BYTES: u32 = 64;

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = body(&[
            self.previous.get(),
            self.previous_end.get(),
            self.previous_next.get(),
            self.log_bytes,
        ]);
        bytes.extend_from_slice(&self.previous_chain.bytes());
        bytes
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, Defect> {
        Self::fields(payload).ok_or(Defect::Short {
            needed: u64::from(Self::BODY_BYTES),
            found: super::wide(payload.len()),
        })
    }

    fn fields(payload: &[u8]) -> Option<Self> {
        let mut fields = FieldReader::new(payload);
        Some(Self {
            previous: SegmentNumber::new(fields.u64()?),
            previous_end: Offset::new(fields.u64()?),
            previous_next: Sequence::new(fields.u64()?),
            log_bytes: fields.u64()?,
            previous_chain: Chain::new(fields.bytes()?),
        })
    }
}

/// The body of a footer; next sequence, chain and watermark are in its header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footer {
    /// The segment's first sequence.
    pub(crate) base: Sequence,
    /// Records in the segment.
    pub(crate) count: u64,
    /// Frame bytes between start frame and footer.
    pub(crate) bytes: u64,
}

impl Footer {
    pub(crate) const BODY_BYTES: u32 = 24;

    pub(crate) fn encode(&self) -> Vec<u8> {
        body(&[self.base.get(), self.count, self.bytes])
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, Defect> {
        Self::fields(payload).ok_or(Defect::Short {
            needed: u64::from(Self::BODY_BYTES),
            found: super::wide(payload.len()),
        })
    }

    fn fields(payload: &[u8]) -> Option<Self> {
        let mut fields = FieldReader::new(payload);
        Some(Self {
            base: Sequence::new(fields.u64()?),
            count: fields.u64()?,
            bytes: fields.u64()?,
        })
    }
}

/// The body of a gap frame; the first sequence that is gone is in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// The sequence of the record that follows.
    pub(crate) next: Sequence,
}

impl Gone {
    pub(crate) const BODY_BYTES: u32 = 8;

    pub(crate) fn encode(self) -> Vec<u8> {
        body(&[self.next.get()])
    }

    /// What a gap frame with this header and payload gives up. Without a payload that is the one
    /// record of its header: the place of an empty record has no room for more.
    pub(crate) fn decode(header: &FrameHeader, payload: &[u8]) -> Result<Self, Defect> {
        if payload.is_empty() {
            let next = header.sequence.plus(1);
            return Ok(Self { next });
        }
        let next = FieldReader::new(payload).u64().ok_or(Defect::Short {
            needed: u64::from(Self::BODY_BYTES),
            found: super::wide(payload.len()),
        })?;
        if next <= header.sequence.get() {
            return Err(Defect::Field {
                name: "end of a gap",
                found: next,
            });
        }
        let next = Sequence::new(next);
        Ok(Self { next })
    }
}
