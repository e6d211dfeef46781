//! Reads what is there. Changes nothing, decides nothing.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use crate::error::{Corruption, Error, ErrorKind, Result};
use crate::format::{
    BLOCK_BYTES, CURSORS, Chain, CursorSlot, Defect, IDENTITY, Identity, Pair, QUARANTINE,
    SEGMENTS, STATE, SegmentFile, SegmentHeader, Start, StateSlot, consumer_of, cursor_file,
    is_zero, narrow, segment_file, unfinished_index_of,
};
use crate::position::{Epoch, Offset, SegmentNumber, Sequence};
use crate::segment::{
    NewSegment, Segment, SegmentScan, is_zero_from, read_header, scan, scan_unstarted,
};
use crate::slots::{read_slots, refuse_future};
use crate::storage::{Access, Directory, list_if_there, open_if_there, read_range, read_whole};

/// Bytes after a clean end that must be zero, or past the end of the file.
const GUARD_BYTES: usize = 64;

/// Everything that opening has to know.
#[derive(Debug)]
pub(crate) struct Survey {
    /// `None` when there is no identity file.
    pub(crate) identity: Option<std::result::Result<Identity, Defect>>,
    /// The newest valid slot of `STATE`.
    pub(crate) state: Option<StateSlot>,
    /// All segment files, in order.
    pub(crate) numbers: Vec<SegmentNumber>,
    /// The largest segment number ever seen in any name.
    pub(crate) highest: SegmentNumber,
    /// Reclaimed segments whose files are still on their way out.
    pub(crate) trash: Vec<SegmentNumber>,
    /// Index files without their segment.
    pub(crate) orphans: Vec<SegmentNumber>,
    /// What was to become an index, and did not.
    pub(crate) unfinished_indexes: Vec<SegmentNumber>,
    pub(crate) cursors: Vec<CursorFact>,
    /// The largest epoch seen anywhere.
    pub(crate) epoch: Epoch,
    /// W*: the largest watermark that any statement carries.
    pub(crate) watermark: Sequence,
    /// Whether nothing follows the stated end. Only looked at after a clean end.
    pub(crate) quiet: bool,
    /// The segments that may be unsettled, in order. Only looked at after an unclean end.
    pub(crate) segments: Vec<SegmentFact>,
    /// Bytes of segments looked at.
    pub(crate) scanned_bytes: u64,
}

/// One consumer's cursor file.
#[derive(Debug)]
pub(crate) struct CursorFact {
    pub(crate) consumer: String,
    /// An error where neither slot counts, or the file cannot be read.
    pub(crate) slot: Result<CursorSlot>,
}

/// One segment file that may be unsettled.
#[derive(Debug)]
pub(crate) struct SegmentFact {
    pub(crate) number: SegmentNumber,
    /// The epoch in its header block, if that can be read.
    pub(crate) epoch: Epoch,
    /// What its start frame says, or why it has none.
    pub(crate) started: std::result::Result<StartFact, Defect>,
    pub(crate) scan: SegmentScan,
}

/// What a start frame says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StartFact {
    pub(crate) epoch: Epoch,
    pub(crate) base: Sequence,
    pub(crate) data_start: Offset,
    pub(crate) start: Start,
}

impl Survey {
    /// Whether the last owner closed the queue, and nothing speaks against it.
    pub(crate) fn is_clean(&self) -> bool {
        self.quiet && self.state.is_some_and(|state| state.clean)
    }

    /// Whether any segment has, or had, more than its header.
    pub(crate) fn has_log(&self) -> bool {
        let mut segments = self.segments.iter();
        segments.any(|fact| fact.scan.used.get() > BLOCK_BYTES)
    }
}

/// Reads the queue in `directory`.
pub(crate) fn survey(directory: &dyn Directory) -> Result<Survey> {
    let identity = read_identity(directory)?;
    let mut survey = Survey {
        identity,
        state: None,
        numbers: Vec::new(),
        highest: SegmentNumber::NONE,
        trash: Vec::new(),
        orphans: Vec::new(),
        unfinished_indexes: Vec::new(),
        cursors: Vec::new(),
        epoch: Epoch::default(),
        watermark: Sequence::ZERO,
        quiet: false,
        segments: Vec::new(),
        scanned_bytes: 0,
    };
    list_segments(directory, &mut survey)?;
    let Some(Ok(identity)) = survey.identity else {
        return Ok(survey);
    };
    read_state(directory, &identity, &mut survey)?;
    read_cursors(directory, &identity, &mut survey)?;
    if let Some(state) = survey.state.filter(|state| state.clean) {
        survey.quiet = quiet_after(directory, &identity, &survey.numbers, &state)?;
    }
    if !survey.is_clean() {
        scan_unsettled(directory, &identity, &mut survey)?;
    }
    Ok(survey)
}

/// What the file `QUEUE` of `directory` says; `None` where there is none.
pub(crate) fn read_identity(
    directory: &dyn Directory,
) -> Result<Option<std::result::Result<Identity, Defect>>> {
    let Some(file) = open_if_there(directory, IDENTITY, Access::Read)? else {
        return Ok(None);
    };
    let identity = Identity::decode(&read_whole(&*file, narrow(BLOCK_BYTES))?);
    if let Err(defect) = identity {
        defect.refuse_version("the queue's identity", file.path())?;
    }
    Ok(Some(identity))
}

fn list_segments(directory: &dyn Directory, survey: &mut Survey) -> Result<()> {
    for name in list_if_there(directory, SEGMENTS)? {
        survey.unfinished_indexes.extend(unfinished_index_of(&name));
        let Some((number, file)) = SegmentFile::parse(&name) else {
            continue;
        };
        survey.highest = survey.highest.max(number);
        match file {
            SegmentFile::Log => survey.numbers.push(number),
            SegmentFile::Trash => survey.trash.push(number),
            SegmentFile::Index => survey.orphans.push(number),
        }
    }
    for name in list_if_there(directory, QUARANTINE)? {
        let number = SegmentFile::parse(&name).map(|(number, _)| number);
        survey.highest = survey.highest.max(number.unwrap_or_default());
    }
    survey.numbers.sort_unstable();
    let segments = &survey.numbers;
    survey
        .orphans
        .retain(|number| segments.binary_search(number).is_err());
    survey.trash.sort_unstable();
    Ok(())
}

fn read_state(directory: &dyn Directory, own: &Identity, survey: &mut Survey) -> Result<()> {
    let Some(pair) = read_slots::<StateSlot>(directory, STATE)? else {
        return Ok(());
    };
    refuse_future(directory, STATE, &pair)?;
    for slot in pair.valid().filter(|slot| slot.queue == own.queue) {
        survey.watermark = survey.watermark.max(slot.watermark);
        survey.epoch = survey.epoch.max(slot.epoch);
        survey.highest = survey
            .highest
            .max(slot.end.position.segment)
            .max(SegmentNumber::new(
                slot.first_segment.get().saturating_sub(1),
            ));
    }
    survey.state = pair.newest_own(own.queue).copied();
    Ok(())
}

fn read_cursors(directory: &dyn Directory, own: &Identity, survey: &mut Survey) -> Result<()> {
    let mut names = list_if_there(directory, CURSORS)?;
    names.sort_unstable();
    for name in names {
        let Some(consumer) = consumer_of(&name) else {
            continue;
        };
        let path = cursor_file(consumer);
        let pair = match read_slots::<CursorSlot>(directory, &path) {
            Ok(Some(pair)) => pair,
            Ok(None) => continue,
            // Its consumer's trouble, not the queue's; but it must not be taken for a new one.
            Err(error) => {
                let (consumer, slot) = (consumer.to_owned(), Err(error));
                survey.cursors.push(CursorFact { consumer, slot });
                continue;
            }
        };
        refuse_future(directory, &path, &pair)?;
        for slot in pair.valid().filter(|slot| slot.queue == own.queue) {
            survey.watermark = survey.watermark.max(slot.watermark);
            survey.epoch = survey.epoch.max(slot.epoch);
        }
        let slot = pair.newest_of(own.queue).map(|(_, slot)| *slot);
        let slot = slot.ok_or_else(|| unreadable(directory, &path, &pair));
        survey.cursors.push(CursorFact {
            consumer: consumer.to_owned(),
            slot,
        });
    }
    Ok(())
}

/// The error of a cursor whose slots are both bad.
fn unreadable(directory: &dyn Directory, name: &str, pair: &Pair<CursorSlot>) -> Error {
    let defect = pair.defect().unwrap_or(Defect::Zeros);
    Error::corrupt(Corruption {
        file: directory.path().join(name),
        offset: Offset::ZERO,
        range: Sequence::ZERO..Sequence::ZERO,
        expected: defect.expected(),
        found: defect.found(),
    })
}

/// Whether the end that a clean slot states is there, and nothing follows it.
fn quiet_after(
    directory: &dyn Directory,
    own: &Identity,
    numbers: &[SegmentNumber],
    state: &StateSlot,
) -> Result<bool> {
    let end = state.end.position;
    let nothing_there = !state.continues || !end.segment.is_some();
    if nothing_there {
        // Nothing will be appended at this place, so what follows it does not matter; but a later
        // segment of this run means that the slot which cleared the flag is lost.
        for number in numbers.iter().filter(|number| **number > end.segment) {
            let file = directory.open(&segment_file(*number, SegmentFile::Log), Access::Read)?;
            let header = read_header(&*file, own.queue, *number)?;
            if header.is_ok_and(|header| header.epoch >= state.epoch) {
                return Ok(false);
            }
        }
        return is_end_there(directory, own, state);
    }
    let name = segment_file(end.segment, SegmentFile::Log);
    let Some(file) = open_if_there(directory, &name, Access::Read)? else {
        return Ok(false);
    };
    if let Err(defect) = read_header(&*file, state.queue, end.segment)? {
        defect.refuse_version("a segment", file.path())?;
        return Ok(false);
    }
    if file.length()? < end.offset.get() {
        return Ok(false);
    }
    let guard = read_range(&*file, end.offset.get(), GUARD_BYTES)?;
    Ok(is_zero(&guard))
}

/// Whether the segment is there in which the log ends and will not go on. One whose end is damaged
/// need not be readable; one below the first is deleted, as nothing was left of the log.
fn is_end_there(directory: &dyn Directory, own: &Identity, state: &StateSlot) -> Result<bool> {
    let number = state.end.position.segment;
    if !number.is_some() || number < state.first_segment {
        return Ok(true);
    }
    let opened = Segment::open(directory, own.queue, number, Access::Read)?;
    Ok(match opened {
        Ok(_) => true,
        Err(Defect::Missing) => false,
        Err(_) => state.damaged,
    })
}

/// Scans from the newest segment back to the one that holds the largest watermark known from
/// `STATE`, cursors and start frames; whatever is before that is settled.
fn scan_unsettled(directory: &dyn Directory, own: &Identity, survey: &mut Survey) -> Result<()> {
    let first = survey
        .state
        .map_or(SegmentNumber::NONE, |state| state.first_segment);
    let candidates: Vec<_> = survey
        .numbers
        .iter()
        .copied()
        .filter(|number| *number >= first)
        .rev()
        .collect();
    for number in candidates {
        let fact = look_at(directory, own, number)?;
        survey.scanned_bytes = survey.scanned_bytes.saturating_add(fact.scan.bytes);
        survey.watermark = survey.watermark.max(fact.scan.watermark);
        survey.epoch = survey.epoch.max(fact.epoch);
        let base = fact.started.map(|started| started.base);
        survey.segments.push(fact);
        if base.is_ok_and(|base| base <= survey.watermark) {
            break;
        }
    }
    survey.segments.reverse();
    let foreign = Err(Defect::Owner { name: "queue" });
    let all_foreign = survey.segments.iter().all(|fact| fact.started == foreign);
    if all_foreign && !survey.segments.is_empty() {
        let what = "the file QUEUE is of another queue than the segments beside it";
        return Err(Error::at(ErrorKind::Corrupt, what, directory.path()));
    }
    Ok(())
}

fn look_at(
    directory: &dyn Directory,
    own: &Identity,
    number: SegmentNumber,
) -> Result<SegmentFact> {
    let name = segment_file(number, SegmentFile::Log);
    let file = directory.open(&name, Access::Read)?;
    let header: SegmentHeader = match read_header(&*file, own.queue, number)? {
        Ok(header) => header,
        Err(defect) => {
            let defect = defect.refuse_version("a segment", file.path())?;
            let used = last_used(&*file)?;
            let scan = SegmentScan {
                used,
                ..SegmentScan::default()
            };
            return Ok(SegmentFact {
                number,
                epoch: Epoch::default(),
                started: Err(defect),
                scan,
            });
        }
    };
    let created = NewSegment { file, header };
    match Segment::started(std::sync::Arc::clone(&created.file), header)? {
        Ok(segment) => Ok(SegmentFact {
            number,
            epoch: header.epoch,
            started: Ok(StartFact {
                epoch: segment.header.epoch,
                base: segment.base,
                data_start: segment.data_start(),
                start: segment.start,
            }),
            scan: scan(&segment)?,
        }),
        Err(defect) => {
            let unknown = created.begin(Start::default(), Sequence::ZERO, Chain::default());
            let scan = scan_unstarted(&unknown)?;
            Ok(SegmentFact {
                number,
                epoch: header.epoch,
                started: Err(defect),
                scan,
            })
        }
    }
}

/// A file whose header is unreadable: all of it counts as used unless it is all zero.
fn last_used(file: &dyn crate::storage::File) -> Result<Offset> {
    if is_zero_from(file, 0)? {
        Ok(Offset::ZERO)
    } else {
        Ok(Offset::new(file.length()?))
    }
}
