//! A segment file as it will be: what is kept of the old one, and the frames put into it.

use std::ops::Range;
use std::sync::Arc;

use crate::format::{BLOCK_BYTES, SegmentHeader, Start};
use crate::position::{Offset, Sequence};
use crate::segment::{
    ControlPlace, NewSegment, encode_filling, encode_footer, encode_gap, encode_start,
};
use crate::storage::File;

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
    /// The bytes to write, and where.
    pub(super) fn encode(&self, file: &Arc<dyn File>) -> Vec<(Offset, Vec<u8>)> {
        let framing = self.header.framing();
        let created = NewSegment {
            file: Arc::clone(file),
            header: self.header,
        };
        let encode = |piece: &Piece| {
            let mut out = Vec::new();
            let offset = match piece {
                Piece::Header => {
                    out = self.header.encode();
                    Offset::ZERO
                }
                Piece::Start { start, place } => {
                    let segment = created.begin(*start, place.next, place.chain);
                    encode_start(&segment, *place, &mut out);
                    Offset::new(BLOCK_BYTES)
                }
                Piece::Gap { hole, to, place } => {
                    encode_gap(framing, *place, *to, hole.clone(), &mut out);
                    hole.start
                }
                Piece::Filling { hole, place } => {
                    encode_filling(framing, *place, hole.clone(), &mut out);
                    hole.start
                }
                Piece::Footer { at, base, place } => {
                    let segment = created.begin(Start::default(), *base, place.chain);
                    encode_footer(&segment, *place, *at, &mut out);
                    *at
                }
            };
            (offset, out)
        };
        self.pieces.iter().map(encode).collect()
    }
}
