//! What is known of a queue before its segments are read: whose it is, and how far it is durable.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    Identity, Integrity, SEGMENTS, STATE, SegmentFile, SegmentHeader, StateSlot, segment_file,
};
use crate::inspect::look::look_once;
use crate::inspect::settled::settled_glance;
use crate::position::{Epoch, QueueId, SegmentNumber, Sequence};
use crate::recovery::{RecoveryReport, read_identity};
use crate::slots::read_slots;
use crate::storage::{Access, Directory, list_if_there, read_range};

/// What everything else is held against.
#[derive(Debug)]
pub(in crate::inspect) struct Ground {
    pub(in crate::inspect) identity: Identity,
    /// The newest slot of `STATE` that is this queue's.
    pub(in crate::inspect) state: Option<StateSlot>,
    /// All segment files, in order.
    pub(in crate::inspect) numbers: Vec<SegmentNumber>,
    /// Every lower sequence was durable before anything else is read.
    pub(in crate::inspect) durable: Sequence,
    /// Where opening would let the log end.
    pub(super) next: Sequence,
    /// The newest epoch of the log; `None` where nothing tells it.
    pub(super) epoch: Option<Epoch>,
    pub(in crate::inspect) opening: std::result::Result<RecoveryReport, Error>,
    /// Cursors that cannot be used, with the reason.
    pub(super) consumers: Vec<(String, String)>,
}

impl Ground {
    /// Looks as opening does; where opening would refuse, at what is left.
    pub(in crate::inspect) fn of(directory: &dyn Directory) -> Result<Self> {
        match settled_glance(directory) {
            Ok(glance) => {
                let consumers = glance.consumers.iter();
                let consumers = consumers
                    .filter_map(|view| Some((view.name.clone(), view.defect.clone()?)))
                    .collect();
                let look = glance.look;
                Ok(Self {
                    identity: look.identity,
                    state: look.survey.state,
                    durable: look.durable,
                    next: look.end.next,
                    epoch: Some(look.opening.epoch),
                    numbers: look.survey.numbers,
                    opening: Ok(look.opening),
                    consumers,
                })
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => Self::of_ruins(directory, error),
            Err(error) => Err(error),
        }
    }

    /// Without a usable identity the segments' own headers say whose they are.
    fn of_ruins(directory: &dyn Directory, refusal: Error) -> Result<Self> {
        let numbers = list_segments(directory)?;
        let identity = match read_identity(directory)? {
            Some(Ok(identity)) => identity,
            Some(Err(_)) | None => guess_identity(directory, &numbers).ok_or(refusal.clone())?,
        };
        let state = newest_state(directory, identity.queue)?;
        let durable = state.map_or(Sequence::ZERO, |state| state.watermark);
        Ok(Self {
            identity,
            state,
            numbers,
            durable,
            next: state.map_or(durable, |state| state.end.next),
            epoch: state.map(|state| state.epoch),
            opening: Err(refusal),
            consumers: Vec::new(),
        })
    }

    /// Whether the last owner closed the queue: elsewhere a program may be writing.
    pub(super) fn is_closed(&self) -> bool {
        self.opening.as_ref().is_ok_and(|opening| opening.clean)
    }

    /// Opening passes over nothing that cannot be read: where it would meet that in `directory`, it
    /// fails.
    pub(super) fn open_strictly(&mut self, directory: &dyn Directory) {
        if let Err(error) = look_once(directory)
            && matches!(error.kind(), ErrorKind::Io | ErrorKind::Foreign)
        {
            self.opening = Err(error);
        }
    }

    /// The first segment that is retained.
    pub(in crate::inspect) fn first_segment(&self) -> SegmentNumber {
        self.state
            .map_or(SegmentNumber::NONE, |state| state.first_segment)
    }
}

/// The newest slot of `STATE` that is of `queue`.
pub(in crate::inspect) fn newest_state(
    directory: &dyn Directory,
    queue: QueueId,
) -> Result<Option<StateSlot>> {
    let pair = read_slots::<StateSlot>(directory, STATE)?;
    Ok(pair.and_then(|pair| pair.newest_own(queue).copied()))
}

/// Whether the segment was reclaimed since its number was listed.
pub(in crate::inspect) fn is_reclaimed(
    directory: &dyn Directory,
    queue: QueueId,
    number: SegmentNumber,
) -> bool {
    let newest = newest_state(directory, queue).ok().flatten();
    newest.is_some_and(|state| state.first_segment > number)
}

fn list_segments(directory: &dyn Directory) -> Result<Vec<SegmentNumber>> {
    let listed = list_if_there(directory, SEGMENTS)?;
    let logs = listed.iter().filter_map(|name| SegmentFile::parse(name));
    let logs = logs.filter(|(_, file)| *file == SegmentFile::Log);
    let mut numbers: Vec<_> = logs.map(|(number, _)| number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The identity that most headers of segments tell.
fn guess_identity(directory: &dyn Directory, numbers: &[SegmentNumber]) -> Option<Identity> {
    let mut counts: Vec<(QueueId, Integrity, usize)> = Vec::new();
    for number in numbers {
        let name = segment_file(*number, SegmentFile::Log);
        let block = directory
            .open(&name, Access::Read)
            .and_then(|file| read_range(&*file, 0, 4096));
        let Some(Ok(header)) = block.ok().map(|block| SegmentHeader::decode(&block)) else {
            continue;
        };
        match counts.iter_mut().find(|known| known.0 == header.queue) {
            Some(known) => known.2 = known.2.saturating_add(1),
            None => counts.push((header.queue, header.integrity, 1)),
        }
    }
    let most = counts.iter().max_by_key(|known| known.2)?;
    Some(Identity {
        queue: most.0,
        integrity: most.1,
        created: 0,
    })
}
