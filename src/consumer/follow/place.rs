//! Where a follower is, and what it knows of the log around it.

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use super::reading::is_footer;
use super::watch::{News, Watch};
use crate::consumer::options::{Start, nanoseconds_of};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Gap, GapReason, join_gap};
use crate::format::{SEGMENTS, SegmentFile};
use crate::log::{Here, SegmentTable, find_in};
use crate::position::{Epoch, Offset, SegmentNumber, Sequence};
use crate::segment::{Segment, SegmentScan, Span, read_index, scan};
use crate::storage::Directory;

/// A place in somebody else's log that moves forward.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) watch: Watch,
    /// `None` until `next` is looked up.
    pub(super) here: Option<Here>,
    pub(super) next: Sequence,
    /// That of the last record handed out.
    epoch: Option<Epoch>,
    /// The watermark when the buffer was last emptied: frames below it are whole in it, and for
    /// good. Others may have been read before they were taken back and written anew.
    pub(super) fresh_to: Sequence,
    gaps: Vec<Gap>,
    /// Why there is nothing to follow any more.
    failure: Option<Error>,
}

impl Reading {
    pub(super) fn open(directory: Arc<dyn Directory>, start: Start) -> Result<Self> {
        let watch = Watch::open(directory)?;
        let (_, first) = watch.first();
        let mut reading = Self {
            watch,
            here: None,
            next: first,
            epoch: None,
            fresh_to: Sequence::ZERO,
            gaps: Vec::new(),
            failure: None,
        };
        // After an unclean end frames may prove more durable than `STATE` says. What cannot be read
        // proves nothing.
        if !reading.watch.is_clean()
            && let Ok(newest) = reading.newest()
        {
            reading.watch.prove(newest.watermark);
        }
        match start {
            Start::First => {}
            Start::End => reading.next = reading.durable().max(first),
            Start::At(sequence) => reading.begin_at(sequence)?,
            Start::Time(time) => reading.begin_at_time(time)?,
        }
        if reading.next > first && reading.next >= reading.durable() {
            // Found now, so that the first record to come is not looked for through a segment.
            reading.look_up()?;
        }
        Ok(reading)
    }

    fn begin_at(&mut self, sequence: Sequence) -> Result<()> {
        self.next = sequence;
        let durable = self.durable();
        // What was durable may be proven by nothing that is left.
        if sequence <= durable || (!self.watch.is_clean() && sequence <= self.written()?) {
            return Ok(());
        }
        let what = format!("cannot begin at {sequence}: the queue is durable up to {durable}");
        let path = self.watch.directory().path();
        Err(Error::at(ErrorKind::OutOfRange, what, path))
    }

    /// Where whole frames end.
    fn written(&self) -> Result<Sequence> {
        let runs = self.newest()?.runs;
        Ok(runs.iter().map(|run| run.seen).max().unwrap_or_default())
    }

    /// What the newest segment holds.
    fn newest(&self) -> Result<SegmentScan> {
        let table = self.list()?;
        for number in table.numbers().into_iter().rev() {
            if let Ok(segment) = table.open(number)? {
                return scan(&segment);
            }
        }
        Ok(SegmentScan::default())
    }

    fn begin_at_time(&mut self, time: SystemTime) -> Result<()> {
        let wanted = nanoseconds_of(time);
        self.next = self.next.max(self.list()?.base_before_time(wanted)?);
        loop {
            match self.front() {
                Ok(Some(span)) if span.header.time < wanted => self.pass(&span),
                Ok(_) => break,
                Err(error) => {
                    let Some(corruption) = error.corruption() else {
                        return Err(error);
                    };
                    self.skip(&corruption.range)?;
                }
            }
        }
        // What was passed over on the way was not asked for.
        self.gaps.clear();
        Ok(())
    }

    pub(super) fn next(&self) -> Sequence {
        self.next
    }

    pub(super) fn durable(&self) -> Sequence {
        self.watch.durable()
    }

    /// The segment with the buffer that spans are in.
    pub(super) fn here(&self) -> Option<&Here> {
        self.here.as_ref()
    }

    /// Whether a durable record is to be read, after a look if there was none.
    pub(super) fn is_behind(&mut self) -> Result<bool> {
        self.check()?;
        if self.next >= self.durable() {
            self.look()?;
        }
        Ok(self.next < self.durable())
    }

    pub(super) fn check(&self) -> Result<()> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Looks how far the log is, and whether it is still the one that was followed; true when other
    /// files may be in the place of those that were read.
    pub(super) fn look(&mut self) -> Result<bool> {
        self.check()?;
        let cut = match self.watch.look()? {
            News::Same => return Ok(false),
            // Where a sequence is used again there is a segment of a newer epoch at or before it.
            News::NewEpoch(before) => self
                .list()?
                .base_after_epoch(self.epoch.unwrap_or(before))?,
            News::OlderCopy => None,
        };
        // Other files may be in the place of those that are open.
        self.here = None;
        self.fresh_to = Sequence::ZERO;
        let mut end = cut.unwrap_or(Sequence::new(u64::MAX)).min(self.durable());
        if end < self.next && cut.is_none() && !self.watch.is_clean() {
            // A power cut elsewhere takes back what was not synced of `STATE`, and no record.
            end = self.written()?;
        }
        // Where a record is durable its epoch was before.
        if self.next <= end && self.watch.epoch() >= self.epoch.unwrap_or_default() {
            return Ok(true);
        }
        let what = format!(
            "an older copy of the queue was put in its place: it goes on at {end}, and {} was \
             reached before",
            self.next
        );
        let path = self.watch.directory().path();
        let error = Error::at(ErrorKind::OutOfRange, what, path);
        self.failure = Some(error.clone());
        Err(error)
    }

    /// The segments that are there now.
    pub(super) fn list(&self) -> Result<SegmentTable> {
        let (first, _) = self.watch.first();
        let names = self.watch.directory().list(SEGMENTS)?;
        let logs = names
            .iter()
            .filter_map(|name| match SegmentFile::parse(name) {
                Some((number, SegmentFile::Log)) if number >= first => Some(number),
                Some(_) | None => None,
            });
        Ok(self.table_of(logs))
    }

    /// A table of these segments alone.
    pub(super) fn table_of(
        &self,
        numbers: impl IntoIterator<Item = SegmentNumber>,
    ) -> SegmentTable {
        let directory = Arc::clone(self.watch.directory());
        SegmentTable::new(directory, self.watch.queue(), numbers)
    }

    /// Finds `next`, after passing what is reclaimed; false when it is in no segment.
    pub(super) fn look_up(&mut self) -> Result<bool> {
        let (_, first) = self.watch.first();
        if self.next < first {
            let gap = Gap::new(self.next..first, GapReason::Reclaimed);
            join_gap(&mut self.gaps, gap);
            self.next = first;
        }
        let (table, next) = (self.list()?, self.next);
        let directory = Arc::clone(self.watch.directory());
        let entry = |segment: &Segment| read_index(&*directory, segment)?.at_or_before(next);
        let found = find_in(&table, next, entry)?;
        self.enter(found);
        Ok(self.here.is_some())
    }

    /// Takes `here` as the place of `next`.
    pub(super) fn enter(&mut self, here: Option<Here>) {
        self.here = here;
        self.fresh_to = self.durable();
    }

    /// Moves past a span.
    pub(super) fn pass(&mut self, span: &Span) {
        if let Some(here) = &mut self.here {
            here.offset = span.end;
            self.epoch = Some(here.segment.header.epoch);
        }
        self.next = span.next;
    }

    /// Moves past records that a repair gave up.
    pub(super) fn pass_gone(&mut self, span: &Span) {
        let gap = Gap::new(self.next..span.next, GapReason::Damaged);
        join_gap(&mut self.gaps, gap);
        self.pass(span);
    }

    /// Moves past damage, to where good records go on.
    pub(super) fn skip(&mut self, damage: &Range<Sequence>) -> Result<Gap> {
        Here::skip(&mut self.here, self.next, damage.end)?;
        self.next = damage.end;
        let gap = Gap::new(damage.clone(), GapReason::Damaged);
        join_gap(&mut self.gaps, gap.clone());
        Ok(gap)
    }

    /// The verified record `due`, or what stands before it, at `offset` in the buffer.
    pub(super) fn span_in_buffer(&self, offset: Offset, due: Sequence) -> Option<Span> {
        if due >= self.fresh_to {
            return None;
        }
        let span = self.here.as_ref()?.stream.span_in_chunk(offset).ok()?;
        let is_next = span.header.sequence == due && !is_footer(&span);
        is_next.then_some(span)
    }

    pub(super) fn take_gaps(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.gaps)
    }
}
