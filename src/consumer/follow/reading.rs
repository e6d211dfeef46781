//! What comes next for a follower: the next frame, the next segment, a gap, or damage.
//!
//! A frame below the watermark that cannot be read is not damaged for sure. The log may have left
//! its segment there; the segment may be deleted, and cut, under the reader; another copy of the
//! queue may have been put in its place. So, in this order:
//!
//! 1. The successor says that the log left the segment right here: go on in it.
//! 2. `STATE` is read again, for the first segment, and the place looked up again by name.
//! 3. The frame held no record: the very next record follows it.
//! 4. It is damage, unless `STATE` says now that the records are deleted.

use super::place::Reading;
use crate::error::{Corruption, Error, Result};
use crate::format::{Control, Defect};
use crate::log::Here;
use crate::position::{Offset, SegmentNumber};
use crate::segment::{Segment, Span, resync};

/// Whether a frame ends its segment.
pub(super) fn is_footer(span: &Span) -> bool {
    span.header.flags.is_control() && Control::of(&span.header) == Ok(Control::Footer)
}

impl Reading {
    /// The next durable record; `None` when there is none yet.
    pub(super) fn front(&mut self) -> Result<Option<Span>> {
        if !self.is_behind()? {
            return Ok(None);
        }
        let found = self.search();
        if found
            .as_ref()
            .is_err_and(|error| error.corruption().is_none())
        {
            // The file may be a stale handle: the next call opens it anew.
            self.here = None;
        }
        found
    }

    fn search(&mut self) -> Result<Option<Span>> {
        let mut looked_again = false;
        while self.next < self.durable() {
            if self.here.is_none() && !self.look_up()? {
                // Where all there was is deleted, there is no segment to find it in.
                if self.next < self.durable() {
                    self.judge(Defect::Missing, &mut looked_again)?;
                }
                continue;
            }
            self.refresh()?;
            let Some(here) = &mut self.here else { continue };
            match here.stream.frame_at(here.offset, here.limit)? {
                Ok(span) if span.gone().contains(&self.next) => self.pass_gone(&span),
                Ok(span) if is_footer(&span) => {
                    if !self.enter_following(None)? {
                        self.judge(Defect::Missing, &mut looked_again)?;
                    }
                }
                Ok(span) if span.header.flags.is_control() => here.offset = span.end,
                Ok(span) if span.header.sequence == self.next => {
                    return Ok(Some(span));
                }
                Ok(span) => {
                    let (expected, found) = (self.next.get(), span.header.sequence.get());
                    self.judge(Defect::Sequence { expected, found }, &mut looked_again)?;
                }
                Err(defect) => self.judge(defect, &mut looked_again)?,
            }
        }
        Ok(None)
    }

    /// Decides about a frame below the watermark that cannot be read: on success everything is
    /// prepared to look for it once more.
    fn judge(&mut self, defect: Defect, looked_again: &mut bool) -> Result<()> {
        let here = self.here.as_ref().map(|here| here.offset);
        if here.is_some() && self.enter_following(here)? {
            return Ok(());
        }
        if !std::mem::replace(looked_again, true) {
            self.look()?;
            self.here = None;
            return Ok(());
        }
        if let Some(here) = &mut self.here
            && here.pass_damaged_padding(self.next)?
        {
            return Ok(());
        }
        let corruption = self.damage(defect)?;
        let is_other_log = self.look()?;
        let (_, first) = self.watch.first();
        if !is_other_log && first <= self.next {
            return Err(Error::corrupt(corruption));
        }
        // Deleted, or put in another's place, since it was looked at.
        self.here = None;
        *looked_again = false;
        Ok(())
    }

    /// Empties the buffer when frames below the watermark may be newer than it.
    fn refresh(&mut self) -> Result<()> {
        if self.next < self.fresh_to {
            return Ok(());
        }
        self.fresh_to = self.durable();
        if let Some(here) = &mut self.here {
            here.refresh()?;
        }
        Ok(())
    }

    /// Goes to the first record of the segment after this one; false when that is not `next`, or
    /// when the log did not leave this one at `left`, where that is asked for.
    fn enter_following(&mut self, left: Option<Offset>) -> Result<bool> {
        let Some(following) = self.following(left)? else {
            return Ok(false);
        };
        self.enter(Some(Here::at_start(following)?));
        Ok(true)
    }

    /// The segment after this one, if it begins with `next` (and the log left this one at `left`).
    fn following(&self, left: Option<Offset>) -> Result<Option<Segment>> {
        let following = self.successor()?;
        Ok(following.filter(|segment| {
            segment.base == self.next && left.is_none_or(|left| segment.start.previous_end == left)
        }))
    }

    /// The segment whose start frame names this one.
    fn successor(&self) -> Result<Option<Segment>> {
        let Some(here) = &self.here else {
            return Ok(None);
        };
        let number = here.segment.number();
        // Nearly always it is the next number; the folder is read only when it is not.
        let usual = number.following();
        let opened = self.table_of([usual]).open(usual)?.ok();
        let names_it = |segment: &Segment| segment.start.previous == number;
        if let Some(segment) = opened.filter(names_it) {
            return Ok(Some(segment));
        }
        let table = self.list()?;
        match table.successor(number)? {
            Some(successor) => Ok(table.open(successor)?.ok()),
            None => Ok(None),
        }
    }

    /// The records from `next` up to where good ones go on, as damage.
    fn damage(&self, defect: Defect) -> Result<Corruption> {
        let table = self.list()?;
        let (number, offset) = if let Some(here) = &self.here {
            (here.segment.number(), here.offset)
        } else {
            let holder = table.segment_of(self.next)?;
            (holder.unwrap_or(SegmentNumber::NONE), Offset::ZERO)
        };
        let later = table.base_above(number, self.next)?;
        let mut end = later.map_or(self.durable(), |later| later.min(self.durable()));
        if let Some(here) = &self.here
            && let Some(mark) = resync(&here.segment, here.offset, self.next)?
            && mark.next > self.next
        {
            end = end.min(mark.next);
        }
        let mut found = (number, offset, defect);
        if defect == Defect::Missing && self.here.is_some() {
            // This segment ends as it should: the damage is in the file of the following one.
            found = (number.following(), Offset::ZERO, defect);
            if let Some(following) = table.following(number) {
                found = match table.open(following)? {
                    Ok(segment) if segment.start.previous > number => {
                        (segment.start.previous, Offset::ZERO, defect)
                    }
                    Ok(_) => (number, offset, defect),
                    Err(defect) => (following, Offset::ZERO, defect),
                };
            }
        }
        let (number, offset, defect) = found;
        Ok(Corruption {
            file: table.path(number),
            offset,
            range: self.next..end,
            expected: defect.expected(),
            found: defect.found(),
        })
    }
}
