//! What each segment file is, by its header block, its start frame and its successor's.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::inspection::{SegmentRole, SegmentView};
use super::look::{Look, moment};
use crate::format::{
    BLOCK_BYTES, Chain, Control, Defect, FrameHeader, Integrity, SegmentFile, segment_file,
};
use crate::position::{Offset, SegmentNumber, Sequence};
use crate::segment::{Segment, read_index};
use crate::storage::{Access, Directory};

/// A segment file that was opened, or why it is not one of ours.
struct Found {
    number: SegmentNumber,
    file_bytes: u64,
    segment: Result<Segment, Fault>,
}

enum Fault {
    /// No header or no start frame yet.
    Unstarted,
    Defect(String),
}

/// Every segment file but those that are on their way out.
pub(super) fn view_segments(directory: &dyn Directory, look: &Look) -> Vec<SegmentView> {
    let first = look
        .survey
        .state
        .map_or(SegmentNumber::NONE, |state| state.first_segment);
    let numbers = look.survey.numbers.iter().copied();
    let mut following: Option<Found> = None;
    let mut views = Vec::new();
    // Backwards: where a segment ends is told by the one after it.
    for number in numbers.filter(|number| *number >= first).rev() {
        let Some(found) = find(directory, look, number) else {
            continue;
        };
        views.push(view(directory, look, &found, following.as_ref()));
        if let (Ok(segment), false) = (&found.segment, is_stray(look, number)) {
            views.extend(missing_before(look, segment, first));
            following = Some(found);
        }
    }
    views.reverse();
    fill_in(&mut views);
    views
}

/// Where a segment begins is told by the one before it as well.
fn fill_in(views: &mut [SegmentView]) {
    let mut due: Option<Sequence> = None;
    for view in views {
        let is_ahead = view.next.is_none_or(|next| Some(next) >= due);
        let is_of_the_log = view.role != SegmentRole::Stray;
        if is_of_the_log && view.defect.is_some() && view.base.is_none() && is_ahead {
            view.base = due;
            view.records = view
                .base
                .zip(view.next)
                .map(|(base, next)| next.since(base));
        }
        due = view.next;
    }
}

/// The segment that `segment` goes on from, where it is neither there nor reclaimed.
fn missing_before(look: &Look, segment: &Segment, first: SegmentNumber) -> Option<SegmentView> {
    let start = &segment.start;
    let numbers = &look.survey.numbers;
    // Without a state, nobody knows what was reclaimed below the oldest file that is left.
    let lowest = look
        .survey
        .state
        .map_or(numbers.first().copied(), |_| Some(first))?;
    let is_due = start.previous.is_some() && start.previous >= lowest;
    let is_there = numbers.binary_search(&start.previous).is_ok();
    (is_due && !is_there).then(|| SegmentView {
        number: start.previous,
        role: SegmentRole::Missing,
        base: None,
        next: Some(start.previous_next),
        records: None,
        frame_bytes: None,
        chain: None,
        epoch: None,
        begun: None,
        file_bytes: 0,
        defect: Some(Defect::Missing.to_string()),
    })
}

/// `None` when the file vanished.
fn find(directory: &dyn Directory, look: &Look, number: SegmentNumber) -> Option<Found> {
    let opened = Segment::open(directory, look.identity.queue, number, Access::Read);
    let is_headed = matches!(opened, Ok(Err(Defect::Short { .. })));
    let segment = match opened {
        Ok(Ok(segment)) => Ok(segment),
        Ok(Err(Defect::Zeros)) => Err(Fault::Unstarted),
        Ok(Err(defect)) => Err(Fault::Defect(defect.to_string())),
        Err(error) => Err(Fault::Defect(error.to_string())),
    };
    // Asked for last: a file that is still there now was not being deleted while it was read.
    let name = segment_file(number, SegmentFile::Log);
    let length = directory
        .open(&name, Access::Read)
        .and_then(|file| file.length());
    match length {
        Ok(file_bytes) => Some(Found {
            number,
            file_bytes,
            segment: match segment {
                // Made ready without blocks of its own: its file ends with the header.
                Err(Fault::Defect(_)) if is_headed && file_bytes == BLOCK_BYTES => {
                    Err(Fault::Unstarted)
                }
                segment => segment,
            },
        }),
        Err(error) if error.is_missing() => None,
        Err(_) => Some(Found {
            number,
            file_bytes: 0,
            segment,
        }),
    }
}

fn view(
    directory: &dyn Directory,
    look: &Look,
    found: &Found,
    following: Option<&Found>,
) -> SegmentView {
    let successor = following.and_then(|following| following.segment.as_ref().ok());
    let successor = successor.filter(|successor| successor.start.previous == found.number);
    let segment = found.segment.as_ref().ok();
    let is_last = found.number == look.end.position.segment;
    let end = end_in(directory, look, found, successor);
    let role = match &found.segment {
        _ if is_last => SegmentRole::Active,
        Err(Fault::Unstarted) if found.number > look.end.position.segment => SegmentRole::Prepared,
        _ if is_stray(look, found.number) => SegmentRole::Stray,
        Ok(segment) if end.is_some_and(|end| footer_at(segment, end.offset).is_some()) => {
            SegmentRole::Sealed
        }
        _ => SegmentRole::Unsealed,
    };
    let next = end.map(|end| end.next);
    let defect = match &found.segment {
        Ok(_) => None,
        Err(Fault::Unstarted) if role == SegmentRole::Prepared => None,
        // Opening removes it with the torn tail.
        Err(_) if role == SegmentRole::Stray && look.opening.torn.is_some() => None,
        Err(Fault::Unstarted) => Some(Defect::Zeros.to_string()),
        Err(Fault::Defect(defect)) => Some(defect.clone()),
    };
    SegmentView {
        number: found.number,
        role,
        base: segment.map(|segment| segment.base),
        next,
        records: segment
            .zip(next)
            .map(|(found, next)| next.since(found.base)),
        frame_bytes: segment
            .zip(end)
            .map(|(segment, end)| end.offset.since(segment.data_start())),
        chain: end
            .filter(|_| look.identity.integrity == Integrity::Chained)
            .map(|end| end.chain.bytes()),
        epoch: segment.map(|segment| segment.header.epoch),
        begun: segment.and_then(|segment| moment(segment.started_at)),
        file_bytes: found.file_bytes,
        defect,
    }
}

/// Where the log ends in one segment.
#[derive(Clone, Copy)]
struct EndIn {
    offset: Offset,
    next: Sequence,
    chain: Chain,
}

/// As the state says it of the last segment and each segment of the one before it; where that one
/// is lost, as the segment's own index and footer say it.
fn end_in(
    directory: &dyn Directory,
    look: &Look,
    found: &Found,
    successor: Option<&Segment>,
) -> Option<EndIn> {
    let end = look.end;
    if found.number == end.position.segment {
        return Some(EndIn {
            offset: end.position.offset,
            next: end.next,
            chain: end.chain,
        });
    }
    if let Some(successor) = successor {
        return Some(EndIn {
            offset: successor.start.previous_end,
            next: successor.start.previous_next,
            chain: successor.start.previous_chain,
        });
    }
    let segment = found.segment.as_ref().ok()?;
    let (next, offset) = read_index(directory, segment)?.end();
    let footer = footer_at(segment, offset).filter(|footer| footer.sequence == next)?;
    Some(EndIn {
        offset,
        next,
        chain: footer.chain,
    })
}

/// Whether opening does not count the segment as one of the log.
fn is_stray(look: &Look, number: SegmentNumber) -> bool {
    number > look.end.position.segment || look.opening.dropped_segments.contains(&number)
}

/// The header of the footer that stands at `end`, if one does.
fn footer_at(segment: &Segment, end: Offset) -> Option<FrameHeader> {
    let limit = Offset::new(segment.file.length().ok()?);
    let frame = segment.stream().frame_at(end, limit).ok()?;
    let header = frame.ok()?.header;
    let is_footer = header.flags.is_control() && Control::of(&header) == Ok(Control::Footer);
    is_footer.then_some(header)
}
