//! What fills the holes of one segment, and how it ends then.

use std::ops::Range;

use super::draft::Piece;
use super::members::Member;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Chain, Defect, Footer, Integrity};
use crate::position::{Offset, Sequence};
use crate::segment::{ControlPlace, Ending, Run, Segment, gap_bytes};

/// What is put into a segment, and how it ends then.
#[derive(Clone, Debug, Default)]
pub(super) struct Mended {
    pub(super) pieces: Vec<Piece>,
    /// The first defect, and where.
    pub(super) problem: Option<(Offset, Defect)>,
    /// Where the file is cut.
    pub(super) cut: Option<Offset>,
    pub(super) end: Offset,
    pub(super) next: Sequence,
    pub(super) chain: Chain,
    /// Whether it ends further on than the next segment says.
    pub(super) is_moved: bool,
    pub(super) lost: Vec<Range<Sequence>>,
}

/// Fills the holes between `runs`, which are all that can be read of `segment`, and after them.
pub(super) fn mend(
    segment: &Segment,
    runs: &[Run],
    member: &Member,
    (is_last, watermark): (bool, Sequence),
) -> Result<Mended> {
    let limit = member.stop.unwrap_or(Offset::new(u64::MAX));
    let mut mender = Mender {
        segment,
        watermark,
        last: None,
        ending: Ending::Quiet,
        mended: Mended {
            end: segment.data_start(),
            next: segment.base,
            chain: segment.chain,
            ..Mended::default()
        },
    };
    for (at, run) in runs.iter().enumerate() {
        let is_beyond =
            run.from.offset >= limit || member.next.is_some_and(|next| run.from.next > next);
        if at > 0 && is_beyond {
            break;
        }
        mender.fill(run.from.offset, run.from.next)?;
        mender.pass(run);
    }
    let has_footer = |end: Offset| {
        let mut ends = runs.iter().filter(|run| run.ending == Ending::Footer);
        ends.any(|run| run.to.offset == end)
    };
    // Frames behind the place where the log left the segment are not of the log.
    if mender.mended.end <= limit {
        mender.fill_end(member, is_last)?;
    } else {
        mender.leave(limit, member.next)?;
    }
    if !is_last {
        mender.seal(has_footer);
    }
    Ok(mender.mended)
}

struct Mender<'a> {
    segment: &'a Segment,
    watermark: Sequence,
    /// The last run, and what ended it.
    last: Option<Run>,
    ending: Ending,
    mended: Mended,
}

impl Mender<'_> {
    fn place(&self) -> ControlPlace {
        let next = self.mended.next;
        ControlPlace {
            next,
            watermark: self.watermark.min(next),
            chain: self.mended.chain,
            time: self.segment.started_at,
        }
    }

    /// Takes the frames of `run`.
    fn pass(&mut self, run: &Run) {
        self.last = Some(*run);
        self.ending = run.ending;
        self.mended.next = run.seen;
        self.mended.chain = run.chain;
        self.mended.end = match run.ending {
            Ending::Defect { offset, .. } => offset,
            Ending::Footer | Ending::Quiet => run.to.offset,
        };
    }

    /// Goes back to `limit`, where the log left the segment before the record `next`, although
    /// there are frames behind it.
    fn leave(&mut self, limit: Offset, next: Option<Sequence>) -> Result<()> {
        let from = self.last.map(|run| run.from).unwrap_or_default();
        let (mut offset, mut due, mut chain) = (from.offset, from.next, from.chain);
        let mut stream = self.segment.stream();
        while offset < limit {
            let Ok(span) = stream.frame_at(offset, self.mended.end)? else {
                break;
            };
            (offset, due, chain) = (span.end, span.next, span.header.chain);
        }
        if offset != limit || next.is_some_and(|next| next != due) {
            let what = format!(
                "the next segment says that the log leaves this one at offset {limit}, where its \
                 frames do not say so; salvage the records"
            );
            return Err(Error::at(
                ErrorKind::Corrupt,
                what,
                self.segment.file.path(),
            ));
        }
        self.mended.end = limit;
        self.mended.next = due;
        self.mended.chain = chain;
        Ok(())
    }

    fn note(&mut self) {
        let defect = match self.ending {
            Ending::Defect { offset, defect } => (offset, defect),
            Ending::Footer | Ending::Quiet => (self.mended.end, Defect::Missing),
        };
        self.mended.problem.get_or_insert(defect);
    }

    /// Fills the hole from here up to `end`, where `next` follows.
    fn fill(&mut self, end: Offset, next: Sequence) -> Result<()> {
        let hole = self.mended.end..end;
        if hole.is_empty() {
            return Ok(());
        }
        self.note();
        let place = self.place();
        let bytes = hole.end.since(hole.start);
        let lead = self.segment.framing.header_bytes();
        if next <= place.next {
            if bytes < lead {
                return Err(self.no_room(hole.start));
            }
            self.mended.pieces.push(Piece::Filling { hole, place });
        } else {
            if bytes < self.least(next) {
                return Err(self.no_room(hole.start));
            }
            self.give_up(hole, next);
        }
        self.mended.end = end;
        Ok(())
    }

    /// The least bytes that a gap up to `next` takes.
    fn least(&self, next: Sequence) -> u64 {
        let framing = self.segment.framing;
        if next == self.mended.next.plus(1) {
            framing.header_bytes()
        } else {
            gap_bytes(framing)
        }
    }

    fn give_up(&mut self, hole: Range<Offset>, to: Sequence) {
        let place = self.place();
        self.mended.lost.push(place.next..to);
        self.mended.pieces.push(Piece::Gap { hole, to, place });
        if self.segment.framing.integrity() == Integrity::Chained {
            self.mended.chain = place.chain.after_gap(place.next, to);
        }
        self.mended.next = to;
    }

    fn no_room(&self, offset: Offset) -> Error {
        let what =
            format!("the hole at offset {offset} has no room for a gap; salvage the records");
        Error::at(ErrorKind::Corrupt, what, self.segment.file.path())
    }

    /// Fills what is missing between the last frame and the place where the log left the segment.
    fn fill_end(&mut self, member: &Member, is_last: bool) -> Result<()> {
        let (end, due) = (self.mended.end, self.mended.next);
        // Where the next segment does not tell: a batch ends in its segment, so there was one more.
        let is_open = self.last.is_some_and(|run| run.to.next < run.seen);
        let next = member
            .next
            .unwrap_or(if is_open { due.plus(1) } else { due });
        if next > due {
            let is_sealed = self.ending == Ending::Footer && self.segment.base < due;
            if is_last && member.stop.is_none() && is_sealed {
                // The records were in a later segment.
                return Ok(());
            }
            let stop = member
                .stop
                .filter(|stop| stop.since(end) >= self.least(next));
            if let Some(stop) = stop {
                return self.fill(stop, next);
            }
            let stop = end.plus(gap_bytes(self.segment.framing));
            self.note();
            self.give_up(end..stop, next);
            self.mended.is_moved = member.stop.is_some() && !is_last;
            self.mended.cut = Some(stop);
            self.mended.end = stop;
            return Ok(());
        }
        let lead = self.segment.framing.header_bytes();
        match member.stop.filter(|stop| stop.since(end) >= lead) {
            Some(stop) => self.fill(stop, due),
            None => Ok(()),
        }
    }

    /// Writes the footer, where something else is in its place.
    fn seal(&mut self, has_footer: impl Fn(Offset) -> bool) {
        let at = self.mended.end;
        if has_footer(at) {
            return;
        }
        let is_wanting = match self.ending {
            Ending::Defect { offset, defect } => offset == at && defect != Defect::Zeros,
            Ending::Quiet => self.mended.next < self.watermark,
            Ending::Footer => false,
        };
        if is_wanting {
            self.note();
        }
        if self.mended.problem.is_none() {
            return;
        }
        let framing = self.segment.framing;
        self.mended.cut = Some(at.plus(framing.frame_bytes(Footer::BODY_BYTES)));
        self.mended.pieces.push(Piece::Footer {
            at,
            base: self.segment.base,
            place: self.place(),
        });
    }
}
