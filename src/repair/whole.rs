//! A segment that stands for one of which nothing is left.

use std::ops::Range;

use super::draft::{Draft, Piece};
use super::members::Member;
use super::mend::Mended;
use crate::format::{Chain, Integrity, SegmentHeader, Start};
use crate::position::Sequence;
use crate::segment::{ControlPlace, data_start, gap_bytes};

/// How such a segment begins.
pub(super) struct Beginning {
    pub(super) header: SegmentHeader,
    pub(super) start: Start,
    pub(super) chain: Chain,
    pub(super) time: u64,
    pub(super) watermark: Sequence,
}

/// A segment that is nothing but a gap for the records `gone`, in the place of `member`.
pub(super) fn whole_gap(
    beginning: &Beginning,
    gone: Range<Sequence>,
    member: &Member,
    is_last: bool,
) -> (Draft, Mended) {
    let Beginning {
        header,
        start,
        chain,
        time,
        watermark,
    } = *beginning;
    let framing = header.framing();
    let from = data_start(framing);
    let room = gap_bytes(framing);
    let least = from.plus(if gone.is_empty() { 0 } else { room });
    let stop = member.stop.filter(|stop| *stop >= least);
    let end = stop.unwrap_or(least);
    let place = |next, chain| ControlPlace {
        next,
        watermark: watermark.min(next),
        chain,
        time,
    };
    let before = place(gone.start, chain);
    let hole = from..end;
    let (filling, after) = if gone.is_empty() {
        let place = before;
        (Piece::Filling { hole, place }, chain)
    } else {
        let (to, place) = (gone.end, before);
        let after = match header.integrity {
            Integrity::Chained => chain.after_gap(gone.start, gone.end),
            Integrity::Crc32c => chain,
        };
        (Piece::Gap { hole, to, place }, after)
    };
    let begun = Piece::Start {
        start,
        place: before,
    };
    let mut pieces = vec![Piece::Header, begun, filling];
    if !is_last {
        pieces.push(Piece::Footer {
            at: end,
            base: gone.start,
            place: place(gone.end, after),
        });
    }
    let draft = Draft {
        header,
        keeps: false,
        end: None,
        pieces,
    };
    let mended = Mended {
        end,
        next: gone.end,
        chain: after,
        is_moved: member.stop.is_some() && stop.is_none(),
        lost: std::iter::once(gone)
            .filter(|gone| !gone.is_empty())
            .collect(),
        ..Mended::default()
    };
    (draft, mended)
}
