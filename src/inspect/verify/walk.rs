//! Every frame of one segment, in order: checksums, sequences, footer, and the chain.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::ops::Range;

use super::index::IndexCheck;
use crate::error::Result;
use crate::format::{Chain, Control, Defect, Footer, FrameHeader};
use crate::position::{Offset, Sequence};
use crate::segment::{FrameStream, Segment, Span, judge_frame, resync};

/// After how many bytes the progress is told.
const STEP_BYTES: u64 = 1 << 20;

/// What a walk is to do, the same for all segments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Orders<'a> {
    /// Only what is below is judged.
    pub(super) durable: Sequence,
    /// Whether to compute every hash again.
    pub(super) chain: bool,
    /// Whether to rest three times as long as reading took.
    pub(super) gentle: bool,
    /// Where to note the chain.
    pub(super) marks: &'a [Sequence],
}

/// Bytes that are not the frames due there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) offset: Offset,
    /// Where good frames go on, in the same segment.
    pub(super) end: Option<Offset>,
    /// The sequence due.
    pub(super) due: Sequence,
    /// The one that is there, where it goes on.
    pub(super) resumed: Option<Sequence>,
    pub(super) defect: Defect,
}

/// Records whose hash does not follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Break {
    pub(super) offset: Offset,
    pub(super) range: Range<Sequence>,
    pub(super) expected: Chain,
    pub(super) found: Chain,
}

/// What a segment holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Walked {
    /// The first record; `None` where the beginning is damaged, and no reader gets past it.
    pub(super) first: Option<Sequence>,
    /// The sequence after the last good record.
    pub(super) next: Sequence,
    /// After the last good frame, the footer excluded.
    pub(super) end: Offset,
    /// The chain there; `None` where the last record is not the one before `next`.
    pub(super) chain: Option<Chain>,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) holes: Vec<Hole>,
    pub(super) breaks: Vec<Break>,
    /// Records that a repair gave up.
    pub(super) gaps: Vec<Range<Sequence>>,
    pub(super) marks: Vec<(Sequence, Chain)>,
    pub(super) index: Option<Defect>,
}

/// Walks `segment`, which the log leaves at `until`.
pub(super) fn walk(
    segment: &Segment,
    until: Option<Offset>,
    index: Option<IndexCheck>,
    orders: Orders<'_>,
    told: &dyn Fn(u64),
) -> Result<Walked> {
    let limit = Offset::new(segment.file.length()?);
    let mut walker = Walker {
        segment,
        stream: segment.stream(),
        limit,
        until,
        index,
        orders,
        in_batch: false,
        chain: Some(segment.chain),
        told,
        told_to: Offset::ZERO,
        walked: Walked {
            first: Some(segment.base),
            next: segment.base,
            end: segment.data_start(),
            ..Walked::default()
        },
    };
    while walker.step()? {}
    Ok(walker.finish())
}

struct Walker<'a> {
    segment: &'a Segment,
    stream: FrameStream,
    limit: Offset,
    until: Option<Offset>,
    index: Option<IndexCheck>,
    orders: Orders<'a>,
    in_batch: bool,
    chain: Option<Chain>,
    told: &'a dyn Fn(u64),
    told_to: Offset,
    walked: Walked,
}

impl Walker<'_> {
    /// Looks at the next frame; false at the end.
    fn step(&mut self) -> Result<bool> {
        let (offset, due) = (self.walked.end, self.walked.next);
        let is_left = self.until.is_some_and(|until| offset >= until);
        let found = self.stream.frame_at(offset, self.limit)?;
        let found = found.and_then(|span| self.judge(&span, due).map(|control| (span, control)));
        match found {
            Ok((_, Some(Control::Footer))) => {
                if let Some(until) = self.until.filter(|until| *until != offset) {
                    self.note_end(due, defect_of_place(until, offset));
                }
                Ok(false)
            }
            Ok(_) if is_left => {
                let found = offset.get();
                let name = "footer";
                self.note_end(due, Defect::Field { name, found });
                Ok(false)
            }
            Ok((span, Some(Control::Gap))) => {
                self.pass_gap(&span);
                Ok(true)
            }
            Ok((span, Some(_))) => {
                self.check_control(&span.header, offset);
                self.walked.end = span.end;
                Ok(true)
            }
            Ok((span, None)) => {
                self.take(&span);
                Ok(true)
            }
            Err(defect) if is_left => {
                self.note_end(due, defect);
                Ok(false)
            }
            // Above the watermark the log may end anywhere.
            Err(_) if due >= self.orders.durable => Ok(false),
            Err(defect) => self.pass_hole(defect),
        }
    }

    /// Where the log leaves the segment, or should, something else than its footer is. What that
    /// hides is told by the next segment's base.
    fn note_end(&mut self, due: Sequence, defect: Defect) {
        self.walked.holes.push(Hole {
            offset: self.walked.end,
            end: None,
            due,
            resumed: None,
            defect,
        });
    }

    fn pass_hole(&mut self, defect: Defect) -> Result<bool> {
        let (offset, due) = (self.walked.end, self.walked.next);
        let inside = |found: &Offset| self.until.is_none_or(|until| *found < until);
        let mark = resync(self.segment, offset, due)?.filter(|mark| inside(&mark.offset));
        self.walked.holes.push(Hole {
            offset,
            end: mark.map(|mark| mark.offset).or(self.until),
            due,
            resumed: mark.map(|mark| mark.next),
            defect,
        });
        if let Some(index) = &mut self.index {
            index.pass_hole();
        }
        self.chain = None;
        self.in_batch = false;
        let Some(mark) = mark else { return Ok(false) };
        self.walked.end = mark.offset;
        self.walked.next = mark.next;
        Ok(true)
    }

    /// Records that a repair gave up. The chain is taken as given behind them.
    fn pass_gap(&mut self, span: &Span) {
        if let Some(index) = &mut self.index {
            index.pass_hole();
        }
        self.walked.gaps.push(span.gone());
        self.walked.next = span.next;
        self.walked.end = span.end;
        self.chain = None;
        self.in_batch = false;
    }

    fn take(&mut self, span: &Span) {
        let header = &span.header;
        if let Some(index) = &mut self.index {
            index.note(header.sequence, span.offset);
        }
        if self.orders.chain && header.sequence < self.orders.durable {
            self.check_hash(span);
        }
        let next = span.next;
        if self.orders.marks.contains(&next) {
            self.walked.marks.push((next, header.chain));
        }
        self.chain = Some(header.chain);
        self.in_batch = header.flags.continues();
        self.walked.records = self.walked.records.saturating_add(1);
        self.walked.next = next;
        self.walked.end = span.end;
        let done = span.end.since(self.told_to);
        if done >= STEP_BYTES {
            (self.told)(done);
            self.told_to = span.end;
        }
    }

    fn check_hash(&mut self, span: &Span) {
        let Some(before) = self.chain else { return };
        let digest = self.segment.framing.digest(self.stream.payload(span));
        let expected = before.after_record(&span.header, &digest);
        self.note_break(&span.header, span.offset, expected);
    }

    /// Elsewhere than behind a gap a footer or a padding frame repeats the chain.
    fn check_control(&mut self, header: &FrameHeader, offset: Offset) {
        let Some(chain) = self.chain else { return };
        if self.orders.chain && header.sequence < self.orders.durable {
            self.note_break(header, offset, chain);
        }
    }

    fn note_break(&mut self, header: &FrameHeader, offset: Offset, expected: Chain) {
        let (sequence, found) = (header.sequence, header.chain);
        if expected == found {
            return;
        }
        let next = if header.flags.is_control() {
            sequence
        } else {
            sequence.plus(1)
        };
        if let Some(last) = self.walked.breaks.last_mut()
            && last.range.end == sequence
        {
            last.range.end = next;
            return;
        }
        self.walked.breaks.push(Break {
            offset,
            range: sequence..next,
            expected,
            found,
        });
    }

    /// Whether a good frame is one that a writer could have put there, and which control frame.
    fn judge(&self, span: &Span, due: Sequence) -> std::result::Result<Option<Control>, Defect> {
        let payload = self.stream.payload(span);
        let found = judge_frame(self.segment, span, payload, due)?;
        if found == Some(Control::Footer) {
            if self.in_batch {
                return Err(Defect::OpenBatch);
            }
            let footer = Footer::decode(payload)?;
            if footer.bytes != span.offset.since(self.segment.data_start()) {
                return Err(Defect::Field {
                    name: "footer bytes",
                    found: footer.bytes,
                });
            }
        }
        Ok(found)
    }

    fn finish(mut self) -> Walked {
        let next = self.walked.next;
        self.walked.index = self.index.take().and_then(|index| index.finish(next));
        self.walked.chain = self.chain;
        self.walked.bytes = self.walked.end.get();
        (self.told)(self.walked.end.since(self.told_to));
        self.walked
    }
}

/// The footer stands at `offset`, and the log leaves the segment at `until`.
fn defect_of_place(until: Offset, offset: Offset) -> Defect {
    Defect::Short {
        needed: until.get(),
        found: offset.get(),
    }
}
