//! A segment whose start frame is lost: where its records begin, and which one is its first.

use std::sync::Arc;

use super::draft::Piece;
use super::members::Member;
use super::segments::{Planner, start_place};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Chain, Defect, Integrity, SegmentHeader, Start};
use crate::position::{Offset, SegmentNumber, Sequence};
use crate::segment::{Mark, NewSegment, Segment, gap_bytes, scan_from_least, scan_unstarted};
use crate::storage::File;

/// What can be read of such a segment.
#[derive(Debug)]
pub(super) struct Unstarted {
    pub(super) header: SegmentHeader,
    file: Arc<dyn File>,
    defect: Defect,
    /// The first frame that can be read.
    first: Option<Mark>,
}

impl Unstarted {
    pub(super) fn find(header: SegmentHeader, file: Arc<dyn File>, defect: Defect) -> Result<Self> {
        let mut unstarted = Self {
            header,
            file,
            defect,
            first: None,
        };
        let unknown = unstarted.begin(Start::default(), Sequence::ZERO, Chain::default());
        let place = unknown.data_start();
        let limit = Offset::new(unknown.file.length()?);
        // One that stands where the first has to stand needs no second one to be believed.
        let found = unknown.stream().frame_at(place, limit)?;
        unstarted.first = match found.map(|span| span.header) {
            Ok(frame) if frame.watermark <= frame.sequence => Some(Mark {
                offset: place,
                next: frame.sequence,
                chain: Chain::default(),
            }),
            Ok(_) | Err(_) => scan_unstarted(&unknown)?.runs.get(1).map(|run| run.from),
        };
        Ok(unstarted)
    }

    fn begin(&self, start: Start, base: Sequence, chain: Chain) -> Segment {
        let created = NewSegment {
            file: Arc::clone(&self.file),
            header: self.header,
        };
        created.begin(start, base, chain)
    }

    /// Bytes between the start frame and the first frame that can be read.
    fn hole_bytes(&self, first: Mark) -> u64 {
        let unknown = self.begin(Start::default(), Sequence::ZERO, Chain::default());
        first.offset.since(unknown.data_start())
    }

    /// The lowest sequence that its first record can have; `None` where that is not known, and a
    /// gap for any number of records has room before the first readable one.
    pub(super) fn least_base(&self) -> Option<Sequence> {
        let first = self.first?;
        let hole = self.hole_bytes(first);
        if hole >= gap_bytes(self.header.framing()) {
            return None;
        }
        // What is shorter than a gap was one frame.
        let hidden = u64::from(hole > 0);
        Some(Sequence::new(first.next.get().saturating_sub(hidden)))
    }

    /// Whether it holds a record before `end`.
    pub(super) fn is_below(&self, end: Sequence) -> bool {
        self.first.is_some_and(|first| first.next < end)
    }

    fn refuse<T>(&self, base: Sequence, first: Sequence) -> Result<T> {
        let what = format!(
            "its start frame is damaged, and it should begin with the record {base}, while {first} is \
             the first one in it; salvage the records"
        );
        Err(Error::at(ErrorKind::Corrupt, what, self.file.path()))
    }
}

impl Planner<'_> {
    /// A segment without its start frame gets one that goes on from what comes before it.
    pub(super) fn unstarted(
        &mut self,
        member: &Member,
        unstarted: &Unstarted,
        following: Option<&Member>,
    ) -> Result<()> {
        let known = self.least_base_of(member.number);
        let base = match (known, unstarted.first) {
            (Some(base), Some(first)) => {
                let is_exact = unstarted.hole_bytes(first) == 0;
                if base > first.next || (is_exact && base < first.next) {
                    return unstarted.refuse(base, first.next);
                }
                base
            }
            (Some(base), None) => base,
            (None, first) => first
                .map(|first| first.next)
                .or(member.next)
                .unwrap_or_default(),
        };
        let header = &unstarted.header;
        let (start, chain) = self.start_of(header, base, following);
        let segment = unstarted.begin(start, base, chain);
        let place = start_place(&segment);
        let mut problem = format!("its start frame is damaged ({})", unstarted.defect);
        let is_exact = unstarted
            .first
            .is_some_and(|first| first.offset == segment.data_start());
        let is_apart = match self.before {
            Some(before) => before.is_end_lost,
            None => header.number > SegmentNumber::new(1),
        };
        if is_exact && is_apart && header.integrity == Integrity::Chained {
            problem.push_str("; nothing proves the chain before its first record any more");
        }
        let made = (vec![Piece::Start { start, place }], Some(problem));
        let scanned = scan_from_least(&segment)?;
        self.mend(member, (&segment, &scanned), made, following.is_none())
    }
}
