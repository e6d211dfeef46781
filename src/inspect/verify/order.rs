//! Which segment files are the log, in which order, and where the log leaves each of them.
//!
//! The start frames tell, as FORMAT.md has it under "Which segments are the log": they are read
//! first, all of them.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::ground::{Ground, is_reclaimed};
use crate::error::Result;
use crate::format::{BLOCK_BYTES, Chain, Defect, SegmentFile, SegmentHeader, Start, segment_file};
use crate::position::{Offset, SegmentNumber, Sequence};
use crate::segment::{Segment, read_header};
use crate::storage::{Access, Directory, open_if_there};

/// A segment file, as its header block and its start frame say.
#[derive(Debug)]
pub(in crate::inspect) enum Started {
    Good(Segment),
    /// Its beginning is damaged at this place.
    Bad(Offset, Defect),
}

/// What the header block and the start frame of a segment say. Its file is opened again when its
/// turn comes: there may be more segments than a process may have files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    pub(super) header: SegmentHeader,
    pub(super) base: Sequence,
    pub(super) start: Start,
    pub(super) chain: Chain,
    data_start: Offset,
}

impl Beginning {
    fn of(segment: &Segment) -> Self {
        Self {
            header: segment.header,
            base: segment.base,
            start: segment.start,
            chain: segment.chain,
            data_start: segment.data_start(),
        }
    }

    /// Frame bytes of the whole log up to `offset` in the segment.
    pub(super) fn log_bytes_at(&self, offset: Offset) -> u64 {
        let own = offset.since(self.data_start);
        self.start.log_bytes.saturating_add(own)
    }
}

/// A segment file that the log goes through, or should.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) number: SegmentNumber,
    /// What its beginning says, or where that is damaged.
    pub(super) beginning: std::result::Result<Beginning, (Offset, Defect)>,
    /// Where the log leaves it, if its successor tells.
    pub(super) until: Option<Offset>,
    /// The length of its file.
    pub(super) file_bytes: u64,
}

impl Started {
    /// The segment `number`; `None` when it was reclaimed meanwhile.
    pub(in crate::inspect) fn open(
        directory: &dyn Directory,
        ground: &Ground,
        number: SegmentNumber,
    ) -> Result<Option<Self>> {
        let queue = ground.identity.queue;
        let found = match Segment::open(directory, queue, number, Access::Read)? {
            Ok(segment) => return Ok(Some(Self::Good(segment))),
            Err(defect) => defect,
        };
        if is_reclaimed(directory, queue, number) {
            return Ok(None);
        }
        // A writer may have been about to write it: what is still so now is so.
        let found = match Segment::open(directory, queue, number, Access::Read)? {
            Ok(segment) => return Ok(Some(Self::Good(segment))),
            Err(again) if again == found => found,
            Err(again) => again,
        };
        let name = segment_file(number, SegmentFile::Log);
        let header = match open_if_there(directory, &name, Access::Read)? {
            Some(file) => read_header(&*file, queue, number)?,
            None => Err(Defect::Missing),
        };
        Ok(Some(match header {
            Ok(_) => Self::Bad(Offset::new(BLOCK_BYTES), found),
            Err(defect) => Self::Bad(Offset::ZERO, defect),
        }))
    }

    fn beginning(&self) -> std::result::Result<Beginning, (Offset, Defect)> {
        match self {
            Self::Good(segment) => Ok(Beginning::of(segment)),
            Self::Bad(offset, defect) => Err((*offset, *defect)),
        }
    }
}

impl Member {
    fn beginning(&self) -> Option<&Beginning> {
        self.beginning.as_ref().ok()
    }
}

/// The segments of the log, in order, with those between that cannot be read.
pub(super) fn members(directory: &dyn Directory, ground: &Ground) -> Result<Vec<Member>> {
    let first = ground.first_segment();
    let mut all = Vec::new();
    for number in ground.numbers.iter().copied().filter(|at| *at >= first) {
        let Some(started) = Started::open(directory, ground, number)? else {
            continue;
        };
        let name = segment_file(number, SegmentFile::Log);
        let file = open_if_there(directory, &name, Access::Read)?;
        let file_bytes = file.map_or(Ok(0), |file| file.length())?;
        all.push(Member {
            number,
            beginning: started.beginning(),
            until: None,
            file_bytes,
        });
    }
    Ok(in_log_order(all))
}

fn in_log_order(all: Vec<Member>) -> Vec<Member> {
    let mut kept = vec![false; all.len()];
    let mut ends = vec![None; all.len()];
    let mut here: Option<usize> = None;
    let mut position = 0;
    loop {
        let named = here.and_then(|at| successor(&all, at));
        let next = named.or_else(|| following(&all, position, here));
        // What cannot be read lies in the log unless the segment behind it says otherwise.
        let between = position..next.unwrap_or(all.len());
        for at in between.filter(|_| named.is_none()) {
            let unreadable = all.get(at).is_some_and(|member| member.beginning.is_err());
            mark(&mut kept, at, unreadable);
        }
        let Some(next) = next else { break };
        mark(&mut kept, next, true);
        if named.is_some()
            && let Some(before) = here
            && let Some(end) = ends.get_mut(before)
        {
            let segment = all.get(next).and_then(|member| member.beginning());
            *end = segment.map(|segment| segment.start.previous_end);
        }
        here = Some(next);
        position = next.saturating_add(1);
    }
    let whole = all.into_iter().zip(kept).zip(ends);
    let of_the_log = whole.filter(|((_, kept), _)| *kept);
    of_the_log
        .map(|((member, _), until)| Member { until, ..member })
        .collect()
}

fn mark(kept: &mut [bool], at: usize, value: bool) {
    if let Some(kept) = kept.get_mut(at) {
        *kept |= value;
    }
}

/// The segment whose start frame names the one at `at`; of several, that of the newest epoch.
fn successor(all: &[Member], at: usize) -> Option<usize> {
    let number = all.get(at)?.number;
    let later = all.iter().enumerate().skip(at.saturating_add(1));
    let named = later.filter_map(|(at, member)| Some((at, member.beginning()?)));
    named
        .filter(|(_, segment)| segment.start.previous == number)
        .max_by_key(|(_, segment)| (segment.header.epoch, segment.header.number))
        .map(|(at, _)| at)
}

/// The next readable segment that is not before the one at `here` in its records.
fn following(all: &[Member], position: usize, here: Option<usize>) -> Option<usize> {
    let base = here
        .and_then(|at| all.get(at)?.beginning())
        .map(|segment| segment.base);
    let later = all.iter().enumerate().skip(position);
    let mut started = later.filter_map(|(at, member)| Some((at, member.beginning()?)));
    let found = started.find(|(_, segment)| {
        let goes_on = base.is_none_or(|base| segment.base > base);
        // One that names an earlier, readable segment is a stray: that one has a newer successor.
        let named = all
            .iter()
            .any(|other| other.number == segment.start.previous && other.beginning.is_ok());
        goes_on && (here.is_none() || !named)
    });
    found.map(|(at, _)| at)
}
