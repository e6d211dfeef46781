//! A segment file as it will be: what is kept of the old one, and the frames put into it.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    ALIGNMENT, BLOCK_BYTES, Footer, Framing, SEGMENT_BYTES_MAX, SegmentHeader, Start,
};
use crate::position::{Offset, Sequence};
use crate::segment::{
    ControlPlace, NewSegment, encode_filling, encode_footer, encode_gap, encode_start,
    fits_filling, fits_gap,
};
use crate::storage::File;

/// Bytes of a hole filled at once: what is lost may be as long as the largest segment.
const PART_BYTES: u64 = 1 << 20;

/// A segment to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) header: SegmentHeader,
    /// Whether it is the old file but for `pieces`.
    pub(super) keeps: bool,
    /// Where the old file is cut.
    pub(super) end: Option<Offset>,
    pub(super) pieces: Vec<Piece>,
}

/// What is put somewhere in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Header,
    Start {
        start: Start,
        place: ControlPlace,
    },
    /// For the records from `place.next` up to `to`.
    Gap {
        hole: Range<Offset>,
        to: Sequence,
        place: ControlPlace,
    },
    /// In the place of a control frame.
    Filling {
        hole: Range<Offset>,
        place: ControlPlace,
    },
    Footer {
        at: Offset,
        base: Sequence,
        place: ControlPlace,
    },
}

impl Draft {
    /// Whether every piece has the room that it takes: where one has to stand, damaged bytes may say.
    pub(super) fn fits(&self) -> bool {
        let framing = self.header.framing();
        self.pieces.iter().all(|piece| piece.fits(framing))
    }

    /// Writes the pieces into `file`.
    pub(super) fn write(&self, file: &Arc<dyn File>) -> Result<()> {
        let created = NewSegment {
            file: Arc::clone(file),
            header: self.header,
        };
        for piece in &self.pieces {
            piece.write(&created)?;
        }
        Ok(())
    }
}

impl Piece {
    fn fits(&self, framing: Framing) -> bool {
        let is_place = |place: Offset| {
            let place = place.get();
            place.is_multiple_of(ALIGNMENT) && place <= SEGMENT_BYTES_MAX
        };
        match self {
            Self::Header | Self::Start { .. } => true,
            Self::Gap { hole, to, place } => {
                is_place(hole.start)
                    && is_place(hole.end)
                    && fits_gap(framing, place.next..*to, hole)
            }
            Self::Filling { hole, .. } => {
                is_place(hole.start) && is_place(hole.end) && fits_filling(framing, hole)
            }
            Self::Footer { at, .. } => {
                is_place(*at) && is_place(at.plus(framing.frame_bytes(Footer::BODY_BYTES)))
            }
        }
    }

    fn write(&self, created: &NewSegment) -> Result<()> {
        let (framing, file) = (created.header.framing(), &created.file);
        let mut out = Vec::new();
        let offset = match self {
            Self::Header => {
                out = created.header.encode();
                Offset::ZERO
            }
            Self::Start { start, place } => {
                let segment = created.begin(*start, place.next, place.chain);
                encode_start(&segment, *place, &mut out);
                Offset::new(BLOCK_BYTES)
            }
            Self::Gap { hole, to, place } => {
                let (part, rest) = divided(framing, hole.clone());
                let fits = encode_gap(framing, *place, *to, part.clone(), &mut out);
                written(file, fits, (part.start, &out))?;
                let behind = ControlPlace {
                    next: *to,
                    chain: place.chain.after_gap(place.next, *to),
                    ..*place
                };
                return fill(created, rest, behind);
            }
            Self::Filling { hole, place } => return fill(created, hole.clone(), *place),
            Self::Footer { at, base, place } => {
                let segment = created.begin(Start::default(), *base, place.chain);
                encode_footer(&segment, *place, *at, &mut out);
                *at
            }
        };
        file.write_at(&out, offset.get())
    }
}

/// Fills `hole`, a part at a time.
fn fill(created: &NewSegment, mut hole: Range<Offset>, place: ControlPlace) -> Result<()> {
    let framing = created.header.framing();
    while !hole.is_empty() {
        let (part, rest) = divided(framing, hole);
        let mut out = Vec::new();
        let fits = encode_filling(framing, place, part.clone(), &mut out);
        written(&created.file, fits, (part.start, &out))?;
        hole = rest;
    }
    Ok(())
}

/// The first part of `hole` and the rest, which has room for a frame if there is any.
fn divided(framing: Framing, hole: Range<Offset>) -> (Range<Offset>, Range<Offset>) {
    let bytes = hole.end.since(hole.start);
    let part = if bytes <= PART_BYTES {
        bytes
    } else {
        PART_BYTES.min(bytes.saturating_sub(framing.header_bytes()))
    };
    let middle = hole.start.plus(part);
    (hole.start..middle, middle..hole.end)
}

fn written(file: &Arc<dyn File>, fits: bool, (offset, bytes): (Offset, &[u8])) -> Result<()> {
    if !fits {
        let what = format!("no frame fits into the hole at offset {offset}; salvage the records");
        return Err(Error::at(ErrorKind::Corrupt, what, file.path()));
    }
    file.write_at(bytes, offset.get())
}
