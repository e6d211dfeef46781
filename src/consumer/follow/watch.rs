//! What `STATE` says while somebody else writes it: how far the log is durable, where it begins,
//! and whether it is still the same log.
//!
//! The file is opened anew for every look: a writer may have put another one in its place, and a
//! network file system shows what is new to whoever opens. A slot may be caught half overwritten.
//! The other one is whole then, and older, perhaps by minutes; so what such a look does not show
//! to be newer is looked at again, and is never taken for a log that went back.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{Defect, IDENTITY, Identity, Pair, STATE, Slot, StateSlot};
use crate::position::{Epoch, QueueId, SegmentNumber, Sequence};
use crate::slots::read_slots;
use crate::storage::{Access, Directory, open_if_there, read_whole};

/// Looks in a row at a file of which no slot counts, or one is half overwritten.
const LOOKS_MAX: usize = 16;

/// The newest that is known of a queue's `STATE`.
#[derive(Debug)]
pub(super) struct Watch {
    directory: Arc<dyn Directory>,
    queue: QueueId,
    newest: StateSlot,
    durable: Sequence,
}

/// What a look has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The same log, at least as far.
    Same,
    /// The log goes on in another epoch than this one.
    NewEpoch(Epoch),
    /// An older copy of the queue was put in its place.
    OlderCopy,
}

impl Watch {
    /// Looks at the queue in `directory` for the first time.
    pub(super) fn open(directory: Arc<dyn Directory>) -> Result<Self> {
        let queue = read_identity(&*directory)?.queue;
        let mut watch = Self {
            directory,
            queue,
            newest: StateSlot::default(),
            durable: Sequence::ZERO,
        };
        watch.look()?;
        Ok(watch)
    }

    pub(super) fn directory(&self) -> &Arc<dyn Directory> {
        &self.directory
    }

    pub(super) fn queue(&self) -> QueueId {
        self.queue
    }

    /// Every sequence below this survives power loss.
    pub(super) fn durable(&self) -> Sequence {
        self.durable
    }

    /// The epoch in which the log goes on.
    pub(super) fn epoch(&self) -> Epoch {
        self.newest.epoch
    }

    /// The first segment that is not reclaimed, and its base.
    pub(super) fn first(&self) -> (SegmentNumber, Sequence) {
        (self.newest.first_segment, self.newest.first_base)
    }

    /// Whether the log is known to end at the watermark.
    pub(super) fn is_clean(&self) -> bool {
        self.newest.clean
    }

    /// Notes what a frame of the log says is durable.
    pub(super) fn prove(&mut self, watermark: Sequence) {
        self.durable = self.durable.max(watermark);
    }

    /// Reads the file.
    pub(super) fn look(&mut self) -> Result<News> {
        let mut defect = Defect::Missing;
        let mut older = None;
        for _ in 0..LOOKS_MAX {
            let Some(pair) = read_slots::<StateSlot>(&*self.directory, STATE)? else {
                continue;
            };
            self.refuse_strange(&pair)?;
            let Some((_, slot)) = pair.newest_of(self.queue) else {
                defect = pair.defect().unwrap_or(defect);
                continue;
            };
            let slot = *slot;
            let is_news = !self.is_first_look() && rank(&slot) > rank(&self.newest);
            if is_news || !is_half_written(&pair) {
                return Ok(self.take(slot, &pair));
            }
            older = Some((slot, pair));
        }
        match older {
            Some((slot, pair)) if rank(&slot) >= rank(&self.newest) => Ok(self.take(slot, &pair)),
            Some(_) => Ok(News::Same),
            None => {
                let what = "no slot of the queue's state counts; opening the queue makes it anew";
                let path = self.directory.path().join(STATE);
                Err(defect.into_error(ErrorKind::Corrupt, what, &path))
            }
        }
    }

    fn is_first_look(&self) -> bool {
        self.newest.queue != self.queue
    }

    fn refuse_strange(&self, pair: &Pair<StateSlot>) -> Result<()> {
        let path = || self.directory.path().join(STATE);
        if let Some(defect) = pair.future_version() {
            return Err(defect.into_error(ErrorKind::Corrupt, "the queue's state", &path()));
        }
        let newest = pair.newest_of(self.queue);
        if newest.is_some_and(|(_, slot)| slot.queue != self.queue) {
            let what = "another queue is here than the one that was followed";
            return Err(Error::at(ErrorKind::OutOfRange, what, &path()));
        }
        Ok(())
    }

    fn take(&mut self, slot: StateSlot, pair: &Pair<StateSlot>) -> News {
        let own = pair.valid().filter(|slot| slot.queue == self.queue);
        let stated = own.map(|slot| slot.watermark).max();
        let stated = stated.unwrap_or(slot.watermark);
        let is_first_look = self.is_first_look();
        let before = std::mem::replace(&mut self.newest, slot);
        if is_first_look || slot.epoch == before.epoch && rank(&slot) >= rank(&before) {
            self.durable = self.durable.max(stated);
            return News::Same;
        }
        self.durable = stated;
        if rank(&slot) < rank(&before) {
            News::OlderCopy
        } else {
            News::NewEpoch(before.epoch)
        }
    }
}

/// What never falls. Generations are counted anew where a writer had to make the file anew, which
/// is in a new epoch.
fn rank(slot: &StateSlot) -> (Epoch, u64) {
    (slot.epoch, slot.generation())
}

/// Whether a slot is neither whole nor blank.
fn is_half_written(pair: &Pair<StateSlot>) -> bool {
    let is_blank =
        |defect: &Defect| matches!(defect, Defect::Magic { found, .. } if *found == [0; 8]);
    let mut defects = pair.slots.iter().filter_map(|slot| slot.as_ref().err());
    defects.any(|defect| !is_blank(defect))
}

fn read_identity(directory: &dyn Directory) -> Result<Identity> {
    let Some(file) = open_if_there(directory, IDENTITY, Access::Read)? else {
        let what = "no queue is here";
        return Err(Error::at(ErrorKind::NotFound, what, directory.path()));
    };
    Identity::decode(&read_whole(&*file, 4096)?).map_err(|defect| {
        defect.into_error(ErrorKind::Corrupt, "the queue's identity", file.path())
    })
}
