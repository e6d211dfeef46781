//! Finds the frame of a sequence: its segment, the segment's index, and a walk of one index step.

use std::sync::Arc;

use super::reader::{Found, LogReader};
use super::{Log, SegmentTable};
use crate::error::Result;
use crate::format::{Control, IndexEntry};
use crate::position::{Offset, Position, SegmentNumber, Sequence};
use crate::segment::{FrameStream, Segment, map_index, resync, scan};

/// A place in a segment.
#[derive(Debug)]
pub(crate) struct Here {
    pub(crate) segment: Segment,
    pub(crate) stream: FrameStream,
    pub(crate) offset: Offset,
    /// The length of the file when it was last asked for.
    pub(crate) limit: Offset,
}

impl Here {
    pub(crate) fn new(segment: Segment, offset: Offset) -> Result<Self> {
        let limit = Offset::new(segment.file.length()?);
        Ok(Self {
            stream: segment.stream(),
            segment,
            offset,
            limit,
        })
    }

    /// At the first frame after the start frame.
    pub(crate) fn at_start(segment: Segment) -> Result<Self> {
        let start = segment.data_start();
        Self::new(segment, start)
    }

    /// The position `offset` in this segment, with the frame bytes of the log before it.
    pub(super) fn standing(&self, offset: Offset) -> (Position, u64) {
        let segment = self.segment.number();
        (
            Position { segment, offset },
            self.segment.log_bytes_at(offset),
        )
    }

    /// Passes a damaged frame that held no record, where the very next record follows it; false
    /// where that is not `next`.
    pub(crate) fn pass_damaged_padding(&mut self, next: Sequence) -> Result<bool> {
        self.resume(next, next)
    }

    /// Passes the damage from `next` on, to where good records go on in this segment; false where
    /// that is not at `end`.
    fn resume(&mut self, next: Sequence, end: Sequence) -> Result<bool> {
        let mark = resync(&self.segment, self.offset, next)?;
        let Some(mark) = mark.filter(|mark| mark.next == end) else {
            return Ok(false);
        };
        self.offset = mark.offset;
        Ok(true)
    }

    /// Passes the damage from `next` up to `end`. Where good records do not go on here, `here` is
    /// left: they are looked up.
    pub(crate) fn skip(here: &mut Option<Self>, next: Sequence, end: Sequence) -> Result<()> {
        let resumed = match here {
            Some(here) => here.resume(next, end)?,
            None => false,
        };
        if !resumed {
            *here = None;
        }
        Ok(())
    }

    /// Forgets what was read, which may be older than the file is now.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        self.stream.discard();
        self.limit = Offset::new(self.segment.file.length()?);
        Ok(())
    }
}

/// Where `target` is, by its segment, the segment's index (for the one that grows, `active` tells)
/// and a walk of at most one index step. `None` when no segment of the log can be read there.
pub(super) fn find(
    log: &Log,
    target: Sequence,
    active: impl FnOnce(SegmentNumber) -> Option<IndexEntry>,
) -> Result<Option<Here>> {
    let entry =
        |segment: &Segment| active(segment.number()).or_else(|| indexed(log, segment, target));
    find_in(log.table(), target, entry)
}

/// Where `target` is in `table`, walking from what `entry` knows of its segment. `None` when no
/// segment can be read there; a place where `target` is not, when it is missing.
pub(crate) fn find_in(
    table: &SegmentTable,
    target: Sequence,
    entry: impl FnOnce(&Segment) -> Option<IndexEntry>,
) -> Result<Option<Here>> {
    let Some(number) = table.segment_of(target)? else {
        return Ok(None);
    };
    let Ok(segment) = table.open(number)? else {
        return Ok(None);
    };
    if segment.base > target {
        return Ok(None);
    }
    let entry = entry(&segment);
    let start = segment.data_start();
    let mut here = Here::new(segment, entry.map_or(start, |entry| entry.offset))?;
    if !walk_to(&mut here, target)? && entry.is_some() {
        // The index may be wrong: it is a cache. Walk from the start.
        here.offset = start;
        walk_to(&mut here, target)?;
    }
    Ok(Some(here))
}

impl Log {
    /// The first record that was enqueued at `time` or later, in nanoseconds since 1970; the next
    /// one when there is none. Damage is passed over.
    ///
    /// The segment is found by the times at which segments were begun; in it, every record is
    /// looked at. So where a clock was set back, records of a time that came twice may be missed.
    pub(crate) fn first_since(self: &Arc<Self>, time: u64) -> Result<Sequence> {
        let from = self.first().max(self.table().base_before_time(time)?);
        let mut reader = LogReader::new(Arc::clone(self), from, None)?;
        loop {
            match reader.peek(self.next_written())? {
                Found::Record(span) if span.header.time >= time => return Ok(span.header.sequence),
                Found::Record(span) | Found::Gone(span) => reader.pass(&span),
                Found::End => return Ok(reader.next()),
                Found::Damage(corruption) => reader.skip(&corruption.range)?,
            }
        }
    }
}

/// What a sealed segment's index file says; where there is none that can be used it is made anew.
fn indexed(log: &Log, segment: &Segment, target: Sequence) -> Option<IndexEntry> {
    if let Some(index) = map_index(log.directory(), segment) {
        return index.at_or_before(target);
    }
    log.table().following(segment.number())?;
    let scanned = scan(segment).ok()?;
    let run = scanned.runs.first()?;
    let covered = (run.to.next, run.to.offset);
    log.keep_index(segment, &scanned.index, covered);
    scanned.index.at_or_before(target)
}

/// Walks from `here.offset` to the frame of `target`, or to the one that stands for it where it is
/// gone, past holes before it; true when found.
fn walk_to(here: &mut Here, target: Sequence) -> Result<bool> {
    let mut due = Sequence::ZERO;
    loop {
        match here.stream.frame_at(here.offset, here.limit)? {
            Ok(span) if span.gone().contains(&target) => return Ok(true),
            Ok(span) if span.header.flags.is_control() => {
                if Control::of(&span.header) == Ok(Control::Footer) {
                    return Ok(false);
                }
                due = due.max(span.gone().end);
                here.offset = span.end;
            }
            Ok(span) if span.header.sequence < target => {
                due = span.header.sequence.plus(1);
                here.offset = span.end;
            }
            Ok(span) => return Ok(span.header.sequence == target),
            Err(_) => match resync(&here.segment, here.offset, due)? {
                Some(mark) if mark.next <= target => here.offset = mark.offset,
                Some(_) | None => return Ok(false),
            },
        }
    }
}
