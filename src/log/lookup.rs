//! Finds the frame of a sequence: its segment, the segment's index, and a walk of one index step.

use super::Log;
use crate::error::Result;
use crate::format::{Control, IndexEntry};
use crate::position::{Offset, SegmentNumber, Sequence};
use crate::segment::{FrameStream, Segment, read_index, resync, scan};

/// A place in a segment.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) segment: Segment,
    pub(super) stream: FrameStream,
    pub(super) offset: Offset,
    /// The length of the file when it was last asked for.
    pub(super) limit: Offset,
}

impl Here {
    pub(super) fn new(segment: Segment, offset: Offset) -> Result<Self> {
        let limit = Offset::new(segment.file.length()?);
        Ok(Self {
            stream: segment.stream(),
            segment,
            offset,
            limit,
        })
    }

    /// At the first frame after the start frame.
    pub(super) fn at_start(segment: Segment) -> Result<Self> {
        let start = segment.data_start();
        Self::new(segment, start)
    }

    /// Forgets what was read, which may be older than the file is now.
    pub(super) fn refresh(&mut self) -> Result<()> {
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
    let Some(number) = log.table().segment_of(target)? else {
        return Ok(None);
    };
    let Ok(segment) = log.table().open(number)? else {
        return Ok(None);
    };
    if segment.base > target {
        return Ok(None);
    }
    let entry = active(number).or_else(|| indexed(log, &segment, target));
    let start = segment.data_start();
    let mut here = Here::new(segment, entry.map_or(start, |entry| entry.offset))?;
    if !walk_to(&mut here, target)? && entry.is_some() {
        // The index may be wrong: it is a cache. Walk from the start.
        here.offset = start;
        walk_to(&mut here, target)?;
    }
    Ok(Some(here))
}

/// What a sealed segment's index file says; where there is none that can be used it is made anew.
fn indexed(log: &Log, segment: &Segment, target: Sequence) -> Option<IndexEntry> {
    if let Some(index) = read_index(log.directory(), segment) {
        return index.at_or_before(target);
    }
    log.table().following(segment.number())?;
    let scanned = scan(segment).ok()?;
    let run = scanned.runs.first()?;
    let covered = (run.to.next, run.to.offset);
    log.keep_index(segment, &scanned.index, covered);
    scanned.index.at_or_before(target)
}

/// Walks from `here.offset` to the frame of `target`, past holes before it; true when found.
fn walk_to(here: &mut Here, target: Sequence) -> Result<bool> {
    let mut due = Sequence::ZERO;
    loop {
        match here.stream.frame_at(here.offset, here.limit)? {
            Ok(span) if span.header.flags.is_control() => {
                if Control::of(&span.header) == Ok(Control::Footer) {
                    return Ok(false);
                }
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
