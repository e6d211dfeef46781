//! Where the oldest record that waits stands, and since when.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::inspection::SegmentView;
use super::look::Look;
use crate::error::Result;
use crate::position::{Offset, Sequence};
use crate::segment::{Segment, read_index};
use crate::storage::{Access, Directory};

/// Bytes of frames to walk at most: what looking may cost where no index helps.
const WALK_BYTES_MAX: u64 = 64 << 20;

/// The oldest record that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Oldest {
    pub(super) enqueued_at: SystemTime,
    /// Frame bytes of the log before it.
    pub(super) log_bytes: u64,
}

/// The record `floor`, if it can be read.
pub(super) fn oldest_waiting(
    directory: &dyn Directory,
    look: &Look,
    segments: &[SegmentView],
    floor: Sequence,
) -> Option<Oldest> {
    let holds_it = |segment: &&SegmentView| segment.base.is_some_and(|base| base <= floor);
    let number = segments.iter().rfind(holds_it)?.number;
    let segment = Segment::open(directory, look.identity.queue, number, Access::Read).ok()?;
    let segment = segment.ok()?;
    let starts = [
        cursor_hint(look, &segment, floor),
        scanned(look, &segment, floor),
        read_index(directory, &segment)
            .and_then(|index| index.at_or_before(floor))
            .map(|entry| entry.offset),
        Some(segment.data_start()),
    ];
    // Hints and indexes may be wrong: each counts only if the record is found from there.
    let mut found = starts.into_iter().flatten();
    found.find_map(|offset| walk(&segment, offset, floor).ok().flatten())
}

/// Where a cursor says that `floor` is.
fn cursor_hint(look: &Look, segment: &Segment, floor: Sequence) -> Option<Offset> {
    let mut slots = look
        .survey
        .cursors
        .iter()
        .filter_map(|fact| fact.slot.as_ref().ok());
    let here = slots
        .find(|slot| slot.next == floor && slot.position.segment == segment.number())?
        .position;
    Some(here.offset)
}

/// Where the scan after an unclean end saw `floor`.
fn scanned(look: &Look, segment: &Segment, floor: Sequence) -> Option<Offset> {
    let mut facts = look.survey.segments.iter();
    let fact = facts.find(|fact| fact.number == segment.number())?;
    fact.scan
        .index
        .at_or_before(floor)
        .map(|entry| entry.offset)
}

/// Follows the frames from `offset` to the record `target`, or to the first behind it where a repair
/// gave it up.
fn walk(segment: &Segment, offset: Offset, target: Sequence) -> Result<Option<Oldest>> {
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
            let enqueued_at = UNIX_EPOCH.checked_add(Duration::from_nanos(header.time));
            return Ok(enqueued_at
                .filter(|_| header.sequence == target)
                .map(|enqueued_at| Oldest {
                    enqueued_at,
                    log_bytes: segment.log_bytes_at(at),
                }));
        }
        at = span.end;
    }
    Ok(None)
}
