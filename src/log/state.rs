//! `STATE` while the log is open: written after each sync, synced when the log is idle.

use crate::error::{Error, ErrorKind, Result};
use crate::format::{End, Slot, StateSlot};
use crate::position::{SegmentNumber, Sequence};
use crate::slots::SlotFile;

/// The open `STATE` file.
#[derive(Debug)]
pub(super) struct State {
    slots: SlotFile<StateSlot>,
    opener: u64,
    /// The generation that `opener` took over: whoever wrote a later one is at work now.
    taken_over: u64,
}

impl State {
    /// Takes over the file for the opener `opener`; nothing is written yet.
    pub(super) fn new(slots: SlotFile<StateSlot>, opener: u64) -> Self {
        Self {
            taken_over: slots.newest().generation(),
            slots,
            opener,
        }
    }

    pub(super) fn newest(&self) -> &StateSlot {
        self.slots.newest()
    }

    fn changed(&self, change: impl FnOnce(&mut StateSlot)) -> StateSlot {
        let mut slot = StateSlot {
            opener: self.opener,
            ..*self.newest()
        };
        change(&mut slot);
        slot
    }

    /// Says, durably, that the end of the log is no longer known: the first append follows.
    pub(super) fn clear_clean(&mut self) -> Result<()> {
        if !self.newest().clean {
            return Ok(());
        }
        let slot = self.changed(|slot| slot.clean = false);
        self.commit(slot)
    }

    /// Writes how far the log is durable, and the floor that goes with it. Not durable itself.
    pub(super) fn write_watermark(&mut self, watermark: Sequence, floor: Sequence) -> Result<()> {
        let newest = self.newest();
        if newest.watermark >= watermark && newest.floor >= floor {
            return Ok(());
        }
        let slot = self.changed(|slot| {
            slot.watermark = slot.watermark.max(watermark);
            slot.floor = slot.floor.max(floor);
        });
        if self.slots.is_durable() {
            // The other slot is about to go, and with it what somebody else may have written there.
            self.check_opener()?;
        }
        self.slots.write(slot)
    }

    /// Makes what was written last durable.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.check_linked()?;
        self.check_opener()?;
        self.slots.sync()
    }

    fn commit(&mut self, slot: StateSlot) -> Result<()> {
        self.check_linked()?;
        self.check_opener()?;
        self.slots.commit(slot)
    }

    /// Says, durably, which segment is the first, and its base: those before it are about to go.
    pub(super) fn commit_first(
        &mut self,
        (first, base): (SegmentNumber, Sequence),
        floor: Sequence,
    ) -> Result<()> {
        let slot = self.changed(|slot| {
            slot.first_segment = first;
            slot.first_base = base;
            slot.floor = slot.floor.max(floor);
        });
        self.commit(slot)
    }

    /// Says, durably, that the log ends exactly at `end`, all of it durable.
    pub(super) fn commit_clean(
        &mut self,
        end: End,
        continues: bool,
        floor: Sequence,
    ) -> Result<()> {
        let slot = self.changed(|slot| {
            slot.clean = true;
            slot.continues = continues;
            slot.damaged &= slot.end == end;
            slot.end = end;
            slot.watermark = end.next;
            slot.floor = slot.floor.max(floor).min(end.next);
        });
        self.commit(slot)
    }

    /// Says, durably, that the log ends at `end`, and that of all before no segment is left: the next
    /// one has the number `first` or a higher one. Not clean, so that opening makes the slot durable
    /// before it deletes what is below `first`.
    pub(super) fn commit_vacated(
        &mut self,
        end: End,
        first: SegmentNumber,
        floor: Sequence,
    ) -> Result<()> {
        let slot = self.changed(|slot| {
            slot.clean = false;
            slot.continues = false;
            slot.damaged = false;
            slot.end = end;
            slot.first_segment = first;
            slot.first_base = end.next;
            slot.watermark = end.next;
            slot.floor = slot.floor.max(floor).min(end.next);
        });
        self.commit(slot)
    }

    /// Fails when the file was deleted: what is written goes nowhere, and no call fails.
    fn check_linked(&self) -> Result<()> {
        if self.slots.is_linked()? {
            return Ok(());
        }
        let what = "the file was deleted, and its directory with it if that is gone, too; \
                    what was enqueued since is lost";
        Err(Error::at(ErrorKind::Poisoned, what, self.slots.path()))
    }

    /// Fails when the file holds what somebody else wrote.
    ///
    /// Between two syncs only one slot is written, by either, so what the other one wrote stays
    /// where it is until the protected slot changes. Nobody lets that happen without a look.
    pub(super) fn check_opener(&self) -> Result<()> {
        let found = self.slots.read_back()?;
        let is_foreign =
            |slot: &StateSlot| slot.opener != self.opener && slot.generation() > self.taken_over;
        if !found.valid().any(is_foreign) {
            return Ok(());
        }
        let what = "another process writes this queue though we hold its lock; \
                    the lock file was replaced, or the file system does not lock";
        Err(Error::at(ErrorKind::Poisoned, what, self.slots.path()))
    }
}
