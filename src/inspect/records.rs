//! Where a record stands, and since when.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::inspection::SegmentView;
use super::look::{Look, moment};
use crate::error::Result;
use crate::position::{Offset, SegmentNumber, Sequence};
use crate::segment::{IndexFile, Segment, read_index};
use crate::storage::{Access, Directory};

/// Bytes of frames to walk at most: what looking may cost where no index helps.
const WALK_BYTES_MAX: u64 = 64 << 20;

/// One record, by its place and time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) enqueued_at: SystemTime,
    /// Frame bytes of the log before it.
    pub(super) log_bytes: u64,
}

/// Finds records by their sequence, each looked for once.
#[derive(Debug)]
pub(super) struct Records<'a> {
    directory: &'a dyn Directory,
    look: &'a Look,
    segments: &'a [SegmentView],
    known: BTreeMap<Sequence, Option<Found>>,
    /// The segment looked into last, which is often the next one too.
    open: Option<(Segment, Option<IndexFile>)>,
}

impl<'a> Records<'a> {
    pub(super) fn new(
        directory: &'a dyn Directory,
        look: &'a Look,
        segments: &'a [SegmentView],
    ) -> Self {
        Self {
            directory,
            look,
            segments,
            known: BTreeMap::new(),
            open: None,
        }
    }

    /// The record `target`, if it can be read.
    pub(super) fn find(&mut self, target: Sequence) -> Option<Found> {
        if let Some(known) = self.known.get(&target) {
            return *known;
        }
        let found = self.look_for(target);
        self.known.insert(target, found);
        found
    }

    fn look_for(&mut self, target: Sequence) -> Option<Found> {
        let look = self.look;
        let holds_it = |segment: &&SegmentView| segment.base.is_some_and(|base| base <= target);
        let number = self.segments.iter().rfind(holds_it)?.number;
        let (segment, index) = self.opened(number)?;
        let starts = [
            cursor_hint(look, segment, target),
            scanned(look, segment, target),
            index
                .as_ref()
                .and_then(|index| index.at_or_before(target))
                .map(|entry| entry.offset),
            Some(segment.data_start()),
        ];
        // Hints and indexes may be wrong: each counts only if the record is found from there.
        let mut found = starts.into_iter().flatten();
        found.find_map(|offset| walk(segment, offset, target).ok().flatten())
    }

    fn opened(&mut self, number: SegmentNumber) -> Option<&(Segment, Option<IndexFile>)> {
        let is_open = |(segment, _): &(Segment, _)| segment.number() == number;
        if !self.open.as_ref().is_some_and(is_open) {
            let queue = self.look.identity.queue;
            let segment = Segment::open(self.directory, queue, number, Access::Read).ok()?;
            let segment = segment.ok()?;
            let index = read_index(self.directory, &segment);
            self.open = Some((segment, index));
        }
        self.open.as_ref()
    }
}

/// Where a cursor says that `target` is.
fn cursor_hint(look: &Look, segment: &Segment, target: Sequence) -> Option<Offset> {
    let mut slots = look
        .survey
        .cursors
        .iter()
        .filter_map(|fact| fact.slot.as_ref().ok());
    let here = slots
        .find(|slot| slot.next == target && slot.position.segment == segment.number())?
        .position;
    Some(here.offset)
}

/// Where the scan after an unclean end saw `target`.
fn scanned(look: &Look, segment: &Segment, target: Sequence) -> Option<Offset> {
    let mut facts = look.survey.segments.iter();
    let fact = facts.find(|fact| fact.number == segment.number())?;
    fact.scan
        .index
        .at_or_before(target)
        .map(|entry| entry.offset)
}

/// Follows the frames from `offset` to the record `target`, or to the first behind it where a repair
/// gave it up.
fn walk(segment: &Segment, offset: Offset, target: Sequence) -> Result<Option<Found>> {
    let limit = Offset::new(segment.file.length()?);
    let mut stream = segment.stream();
    let (mut at, mut target) = (offset, target);
    while at.since(offset) <= WALK_BYTES_MAX {
        let Ok(span) = stream.frame_at(at, limit)? else {
            return Ok(None);
        };
        let header = span.header;
        if span.gone().contains(&target) {
            target = span.next;
        }
        if !header.flags.is_control() && header.sequence >= target {
            return Ok(moment(header.time)
                .filter(|_| header.sequence == target)
                .map(|enqueued_at| Found {
                    enqueued_at,
                    log_bytes: segment.log_bytes_at(at),
                }));
        }
        at = span.end;
    }
    Ok(None)
}
