//! What comes next for a consumer: past what was dropped, expired, reclaimed or given up as damaged.

use super::Consumer;
use crate::error::{Corruption, Error, Result};
use crate::event::{Gap, GapReason};
use crate::log::{Found, Place};
use crate::position::Sequence;
use crate::segment::Span;

impl Consumer {
    /// The next record that is neither dropped, expired nor damaged.
    pub(super) fn front(&mut self) -> Result<Option<Span>> {
        loop {
            let limit = self.readable()?;
            match self.reader.peek(limit)? {
                Found::Record(span) if self.log.is_expired(span.header.time) => {
                    let sequence = span.header.sequence;
                    let after = Place::new(sequence.plus(1), None);
                    self.lease.write(&self.log, after, None)?;
                    self.log.expire(after);
                    self.reader.pass(&span);
                    self.note_gap(Gap::new(sequence..sequence.plus(1), GapReason::Expired));
                }
                Found::Record(span) => return Ok(Some(span)),
                Found::End => return Ok(None),
                // Dropped and deleted while it was being read: a gap, told at the next turn.
                Found::Damage(corruption) if self.log.first() > corruption.range.start => {}
                Found::Damage(corruption) => self.meet_damage(corruption)?,
            }
        }
    }

    /// Where reading has to stop, after passing over what is gone.
    pub(super) fn readable(&mut self) -> Result<Sequence> {
        self.log.check()?;
        let next = self.reader.next();
        let (first, reason) = self.log.first_with_reason();
        if next < first {
            // Told is told: the gap must not come back with an older cursor.
            self.lease.write(&self.log, Place::new(first, None), None)?;
            self.reader.seek(first);
            self.spans.clear();
            self.note_gap(Gap::new(next..first, reason));
            let place = Place::new(first, None);
            self.log.floor().move_consumer(&self.lease.name, place);
            self.log.cursor_moved();
        }
        let durable = self.log.durable();
        if self.reader.next() < durable || self.log.next_written() <= durable {
            return Ok(durable);
        }
        self.log.commit()?;
        Ok(self.log.durable())
    }

    /// Keeps a gap to be told, joined to the one before where they touch.
    fn note_gap(&mut self, gap: Gap) {
        match self.gaps.last_mut() {
            Some(last) if last.reason == gap.reason && last.range.end == gap.range.start => {
                last.range.end = gap.range.end;
            }
            Some(_) | None => self.gaps.push(gap),
        }
    }

    fn meet_damage(&mut self, corruption: Corruption) -> Result<()> {
        if self.reported.as_ref() != Some(&corruption.range) {
            self.reported = Some(corruption.range.clone());
            self.log.tell(|listener| listener.corruption(&corruption));
        }
        if !self.log.passes_damage() {
            return Err(Error::corrupt(corruption));
        }
        self.skip_damage(&corruption).map(drop)
    }

    pub(super) fn skip_damage(&mut self, corruption: &Corruption) -> Result<Gap> {
        let name = corruption.file.file_name().and_then(|name| name.to_str());
        self.log
            .copy_damage_aside(corruption, name.unwrap_or_default());
        let next = Place::new(corruption.range.end, None);
        self.lease.write(&self.log, next, None)?;
        self.reader.skip(&corruption.range)?;
        self.log.floor().move_consumer(&self.lease.name, next);
        self.log.cursor_moved();
        self.spans.clear();
        let gap = Gap::new(corruption.range.clone(), GapReason::Damaged);
        self.note_gap(gap.clone());
        Ok(gap)
    }
}
