//! Reads records in order across segments, without a copy per record.

use std::ops::Range;
use std::sync::Arc;

use super::Log;
use super::lookup::{Here, find};
use crate::error::{Corruption, Result};
use crate::format::{Control, Defect};
use crate::position::{Offset, Position, SegmentNumber, Sequence};
use crate::segment::{Span, resync};

/// A place in the log that moves forward.
#[derive(Debug)]
pub(crate) struct LogReader {
    log: Arc<Log>,
    /// `None` until the first read finds where `next` is.
    here: Option<Here>,
    next: Sequence,
    /// The durable watermark when the buffer was last emptied: frames below it are whole in it.
    fresh_to: Sequence,
}

/// What is at the reader's place.
#[derive(Debug)]
pub(crate) enum Found {
    /// A whole record, verified, in the reader's buffer.
    Record(Span),
    /// The frame that stands for records which a repair gave up, this one among them.
    Gone(Span),
    /// Nothing below the limit.
    End,
    /// Records that were durable cannot be read.
    Damage(Corruption),
}

impl LogReader {
    /// A reader at `next`; `hint` is where that may be.
    pub(crate) fn new(log: Arc<Log>, next: Sequence, hint: Option<Position>) -> Result<Self> {
        let mut reader = Self {
            log,
            here: None,
            next,
            fresh_to: Sequence::ZERO,
        };
        if let Some(hint) = hint.filter(|hint| hint.segment.is_some()) {
            reader.try_hint(hint)?;
        }
        Ok(reader)
    }

    /// The sequence that is read next.
    pub(crate) fn next(&self) -> Sequence {
        self.next
    }

    /// Where the next record is or will be, with the frame bytes of the log before it.
    pub(crate) fn standing(&self) -> Option<(Position, u64)> {
        self.here.as_ref().map(|here| here.standing(here.offset))
    }

    /// The same for the place `offset` in the segment that the reader is in.
    pub(crate) fn standing_at(&self, offset: Offset) -> Option<(Position, u64)> {
        self.here.as_ref().map(|here| here.standing(offset))
    }

    /// Whether the buffer is known to hold `sequence` as it was made durable.
    pub(crate) fn is_fresh(&self, sequence: Sequence) -> bool {
        sequence < self.fresh_to
    }

    /// Goes to `next`, which is looked up at the next read.
    pub(crate) fn seek(&mut self, next: Sequence) {
        self.here = None;
        self.next = next;
    }

    /// The record at the reader's place, if it is below `limit`, which is durable or written.
    pub(crate) fn peek(&mut self, limit: Sequence) -> Result<Found> {
        if self.next >= limit {
            return Ok(Found::End);
        }
        self.refresh(limit)?;
        if self.here.is_none() && !self.look_up()? {
            return self.damage(Defect::Missing);
        }
        let mut reread = false;
        loop {
            let Some(here) = &mut self.here else {
                return self.damage(Defect::Missing);
            };
            match here.stream.frame_at(here.offset, here.limit)? {
                Ok(span) if span.gone().contains(&self.next) => return Ok(Found::Gone(span)),
                Ok(span) if span.header.flags.is_control() => {
                    let is_footer = Control::of(&span.header) == Ok(Control::Footer);
                    here.offset = span.end;
                    if is_footer && !self.enter_following()? {
                        return self.damage(Defect::Missing);
                    }
                }
                Ok(span) if span.header.sequence == self.next => return Ok(Found::Record(span)),
                Ok(span) => {
                    let (expected, found) = (self.next.get(), span.header.sequence.get());
                    return self.damage(Defect::Sequence { expected, found });
                }
                // The buffer may be from before the frame was written.
                Err(_) if !reread => {
                    reread = true;
                    here.refresh()?;
                }
                // Where the segment after this one goes on with the very next record, no record was
                // left in this one, whatever its last bytes are: it may be deleted, and cut by now.
                Err(defect) => {
                    if !self.enter_following()? && !self.pass_damaged_padding()? {
                        return self.damage(defect);
                    }
                    reread = false;
                }
            }
        }
    }

    /// The verified record at `offset` in the reader's buffer, if all of it is there.
    pub(crate) fn span_in_buffer(&self, offset: Offset) -> Option<Span> {
        let here = self.here.as_ref()?;
        here.stream.span_in_chunk(offset).ok()
    }

    /// The segment that the reader is in, with what was read of it.
    pub(crate) fn here(&self) -> Option<&Here> {
        self.here.as_ref()
    }

    /// Moves past a span.
    pub(crate) fn pass(&mut self, span: &Span) {
        if let Some(here) = &mut self.here {
            here.offset = span.end;
        }
        self.next = span.next;
    }

    /// Moves past damage, to where good records go on.
    pub(crate) fn skip(&mut self, damage: &Range<Sequence>) -> Result<()> {
        Here::skip(&mut self.here, self.next, damage.end)?;
        self.next = damage.end;
        Ok(())
    }

    /// Empties the buffer when frames below `limit` may be newer than it.
    fn refresh(&mut self, limit: Sequence) -> Result<()> {
        if self.next < self.fresh_to {
            return Ok(());
        }
        self.fresh_to = limit;
        if let Some(here) = &mut self.here {
            here.refresh()?;
        }
        Ok(())
    }

    /// Takes the hint if the frame there is the one wanted.
    fn try_hint(&mut self, hint: Position) -> Result<()> {
        let Ok(segment) = self.log.table().open(hint.segment)? else {
            return Ok(());
        };
        let mut here = Here::new(segment, hint.offset)?;
        let found = here.stream.frame_at(here.offset, here.limit)?;
        let wanted =
            |span: &Span| span.header.sequence == self.next && !span.header.flags.is_control();
        if found.is_ok_and(|span| wanted(&span)) {
            self.here = Some(here);
        }
        Ok(())
    }

    /// Finds `next`; false when no segment of the log can be read there.
    fn look_up(&mut self) -> Result<bool> {
        let active = |number| self.log.active_index(number, self.next);
        self.here = find(&self.log, self.next, active)?;
        Ok(self.here.is_some())
    }

    fn pass_damaged_padding(&mut self) -> Result<bool> {
        let next = self.next;
        self.here
            .as_mut()
            .map_or(Ok(false), |here| here.pass_damaged_padding(next))
    }

    /// Goes to the first record of the segment after this one; false when that is not `next`.
    fn enter_following(&mut self) -> Result<bool> {
        let Some(here) = &self.here else {
            return Ok(false);
        };
        let table = self.log.table();
        let Some(following) = table.successor(here.segment.number())? else {
            return Ok(false);
        };
        match table.open(following)? {
            Ok(segment) if segment.base == self.next => {
                self.here = Some(Here::at_start(segment)?);
                Ok(true)
            }
            Ok(_) | Err(_) => Ok(false),
        }
    }

    /// The records from `next` up to where good ones go on, as damage.
    fn damage(&mut self, defect: Defect) -> Result<Found> {
        let (number, offset) = match &self.here {
            Some(here) => (here.segment.number(), here.offset),
            None => self.place_of_missing()?,
        };
        let end = self.damage_end(number)?;
        let (number, offset, defect) = self.culprit((number, offset, defect))?;
        Ok(Found::Damage(Corruption {
            file: self.log.table().path(number),
            offset,
            range: self.next..end,
            expected: defect.expected(),
            found: defect.found(),
        }))
    }

    /// Where a segment ends as it should, the damage is in the file of the following one.
    fn culprit(
        &self,
        found: (SegmentNumber, Offset, Defect),
    ) -> Result<(SegmentNumber, Offset, Defect)> {
        let following = self.log.table().following(found.0);
        let Some(following) = following.filter(|_| found.2 == Defect::Missing) else {
            return Ok(found);
        };
        Ok(match self.log.table().open(following)? {
            // The segment between them is gone, file and all.
            Ok(segment) if segment.start.previous > found.0 => {
                (segment.start.previous, Offset::ZERO, found.2)
            }
            Ok(_) => found,
            Err(defect) => (following, Offset::ZERO, defect),
        })
    }

    /// The segment in which `next` should have been.
    fn place_of_missing(&self) -> Result<(SegmentNumber, Offset)> {
        let table = self.log.table();
        let found = table.segment_of(self.next)?;
        let number = found.unwrap_or(SegmentNumber::NONE);
        // Where even the first one begins later, its predecessor is the one that is missing.
        let known = table.known(number)?;
        let missing = known.filter(|known| known.base > self.next);
        let number = missing.map_or(number, |known| known.previous.0);
        Ok((number, Offset::ZERO))
    }

    /// Where good records go on: further in this segment, in a later one, or at the end.
    fn damage_end(&self, number: SegmentNumber) -> Result<Sequence> {
        let later = self.log.table().base_above(number, self.next)?;
        let bound = later.unwrap_or_else(|| self.log.next_written());
        let resumed = match &self.here {
            Some(here) => resync(&here.segment, here.offset, self.next)?,
            None => None,
        };
        let resumed = resumed
            .map(|mark| mark.next)
            .filter(|next| *next > self.next);
        Ok(resumed.map_or(bound, |next| next.min(bound)))
    }
}
