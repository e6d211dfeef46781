//! What comes next for a consumer: past what was dropped, expired, reclaimed or given up as damaged.

use super::Consumer;
use crate::error::{Corruption, Error, Result};
use crate::event::{Gap, GapReason, join_gap};
use crate::log::{Found, Place};
use crate::position::Sequence;
use crate::segment::Span;

/// How many records a consumer passes over before its cursor follows.
const PASSED_OVER_MAX: u64 = 4096;

impl Consumer {
    /// The next record to hand out: neither dropped, expired nor damaged, and not passed over.
    pub(super) fn front(&mut self) -> Result<Option<Span>> {
        loop {
            let limit = self.readable()?;
            match self.reader.peek(limit)? {
                Found::Record(span) if self.is_expired(&span) => {
                    self.pass_expired(&span)?;
                }
                Found::Record(span) if self.is_due(&span) => {
                    if self.reader.next().since(self.cursor) >= PASSED_OVER_MAX {
                        self.pass_over()?;
                    }
                    return Ok(Some(span));
                }
                Found::Record(span) => self.reader.pass(&span),
                Found::Gone(span) => self.pass_gone(&span)?,
                Found::End => {
                    self.pass_over()?;
                    return Ok(None);
                }
                // Dropped and deleted while it was being read: a gap, told at the next turn.
                Found::Damage(corruption) if self.log.first() > corruption.range.start => {}
                Found::Damage(corruption) => self.meet_damage(corruption)?,
            }
        }
    }

    /// Whether the consumer is given this record, and has not acknowledged it before its turn.
    pub(super) fn is_due(&self, span: &Span) -> bool {
        self.filter.wants(span.header.kind)
            && (self.window.is_empty() || !self.window.is_acknowledged(span.header.sequence))
    }

    /// Moves the cursor up to the reader, where nothing in between is out: what the consumer is not
    /// given holds back nobody.
    fn pass_over(&mut self) -> Result<()> {
        if !self.window.is_empty() || self.reader.next() <= self.cursor {
            return Ok(());
        }
        let standing = self.reader.standing();
        let place = Place::new(self.reader.next(), standing.map(|(_, log_bytes)| log_bytes));
        self.write_cursor(place, standing.map(|(position, _)| position))?;
        self.log.floor().move_consumer(&self.lease.name, place);
        self.log.cursor_moved();
        Ok(())
    }

    /// Whether this record is too old, with all that is out before it. The clock may step back, and
    /// what is out is given up only for its own age.
    fn is_expired(&self, span: &Span) -> bool {
        let time = span.header.time;
        self.log.is_expired(time)
            && (self.window.is_empty() || {
                let youngest = self.window.youngest_below(span.header.sequence);
                self.log.is_expired(time.max(youngest))
            })
    }

    /// Passes over a record that is too old, and gives up what is out before it. It is given up for
    /// all where nobody is behind this consumer; who is meets it in its own time.
    fn pass_expired(&mut self, span: &Span) -> Result<()> {
        let sequence = span.header.sequence;
        let after = Place::new(sequence.plus(1), None);
        let out = self.window.run().frontier;
        let from = out.map_or(sequence, |(frontier, _)| sequence.min(frontier));
        let is_last = self.log.floor().sequence() >= self.cursor;
        self.write_cursor(after, None)?;
        self.window.forget_below(after.sequence);
        if is_last {
            self.log.expire(after);
        } else {
            self.log.floor().move_consumer(&self.lease.name, after);
        }
        self.reader.pass(span);
        self.note_gap(Gap::new(from..after.sequence, GapReason::Expired));
        Ok(())
    }

    /// Where reading has to stop, after passing over what is gone.
    pub(super) fn readable(&mut self) -> Result<Sequence> {
        self.log.check()?;
        let next = self.reader.next();
        let (first, reason) = self.log.first_with_reason();
        if next < first {
            // Told is told: the gap must not come back with an older cursor.
            let place = Place::new(first, None);
            self.write_cursor(place, None)?;
            self.reader.seek(first);
            self.spans.clear();
            // What is out is gone, too; acknowledged now, it counts as dropped all the same.
            let out = self.window.run().frontier;
            let from = out.map_or(next, |(frontier, _)| next.min(frontier));
            self.window.forget_below(first);
            self.note_gap(Gap::new(from..first, reason));
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

    fn note_gap(&mut self, gap: Gap) {
        join_gap(&mut self.gaps, gap);
    }

    /// Passes over records that a repair gave up: they are known to be gone, and no error.
    fn pass_gone(&mut self, span: &Span) -> Result<()> {
        let gone = self.reader.next()..span.next;
        self.move_past_damage(gone.end)?;
        self.reader.pass(span);
        self.spans.clear();
        self.note_gap(Gap::new(gone, GapReason::Damaged));
        Ok(())
    }

    /// Written before anything else happens: what is skipped must not come back.
    fn move_past_damage(&mut self, end: Sequence) -> Result<()> {
        if !self.window.is_empty() {
            return Ok(());
        }
        let next = Place::new(end, None);
        self.write_cursor(next, None)?;
        self.log.floor().move_consumer(&self.lease.name, next);
        self.log.cursor_moved();
        Ok(())
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
        self.move_past_damage(corruption.range.end)?;
        self.reader.skip(&corruption.range)?;
        self.spans.clear();
        let gap = Gap::new(corruption.range.clone(), GapReason::Damaged);
        self.note_gap(gap.clone());
        Ok(gap)
    }
}
