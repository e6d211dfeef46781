//! One file of two slots: `STATE` and every cursor.
//!
//! Invariant: the slot that holds the last *synced* generation is never written. Lazy updates
//! rewrite the other one; a sync makes that one the protected slot. So a power cut at any moment
//! tears at most the slot that is not needed. Writing and syncing one file exclude each other
//! (both take `&mut self`), because a page that changes while it is written back can tear.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{Defect, Pair, Slot, narrow, temporary};
use crate::position::QueueId;
use crate::storage::{Access, Directory, File, open_if_there, read_whole, replace_whole};

/// A file of two slots, open for writing.
#[derive(Debug)]
pub(crate) struct SlotFile<S> {
    file: Arc<dyn File>,
    newest: S,
    /// Which slot holds `newest`.
    current: usize,
    /// Whether `current` is known to be on the medium.
    settled: Settled,
    /// Why a sync failed. A later one that succeeds proves nothing, so there is none.
    failure: Option<Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    /// The current slot is durable and protected.
    Durable,
    /// The current slot is written; the other one is the protected one.
    Written,
    /// The file was opened: the current slot may be in the page cache only, or only look clean
    /// there after a failed sync, so it is rewritten and synced before the other one is touched.
    Unknown,
}

/// Both slots of the file `name`; `None` when there is no such file.
pub(crate) fn read_slots<S: Slot>(
    directory: &dyn Directory,
    name: &str,
) -> Result<Option<Pair<S>>> {
    let Some(file) = open_if_there(directory, name, Access::Read)? else {
        return Ok(None);
    };
    let bytes = read_whole(&*file, narrow(Pair::<S>::FILE_BYTES))?;
    Ok(Some(Pair::decode(&bytes)))
}

/// A file of a later release is not damaged, and nothing may be decided without it.
pub(crate) fn refuse_future<S: Slot>(
    directory: &dyn Directory,
    name: &str,
    pair: &Pair<S>,
) -> Result<()> {
    let Some(defect) = pair.future_version() else {
        return Ok(());
    };
    let path = directory.path().join(name);
    Err(defect.into_error(ErrorKind::Corrupt, "a file of the queue", &path))
}

impl<S: Slot + Clone> SlotFile<S> {
    /// Makes the file `name` with `first` in it, in place of any other.
    ///
    /// # Durability
    ///
    /// The slot is durable on return; the file's name is once its folder is synced. A crash
    /// before that leaves the old file, or none.
    pub(crate) fn create(directory: &dyn Directory, name: &str, first: S) -> Result<Self> {
        replace_whole(directory, (&temporary(name), name), |file| {
            // Both slots get their block now, so that later updates need no space.
            file.write_at(&vec![0; narrow(Pair::<S>::FILE_BYTES)], 0)?;
            file.write_at(&first.encode(), Pair::<S>::offset(0).get())
        })?;
        Ok(Self {
            // Anew: the handle at hand has the name that is gone, and errors would say it.
            file: directory.open(name, Access::Write)?,
            newest: first,
            current: 0,
            settled: Settled::Durable,
            failure: None,
        })
    }

    /// Opens the file `name` of `queue`; the inner error is why neither slot counts.
    pub(crate) fn open(
        directory: &dyn Directory,
        name: &str,
        queue: QueueId,
    ) -> Result<std::result::Result<Self, Defect>> {
        let file = directory.open(name, Access::Write)?;
        let bytes = read_whole(&*file, narrow(Pair::<S>::FILE_BYTES))?;
        let pair = Pair::<S>::decode(&bytes);
        let Some((current, newest)) = pair.newest_of(queue) else {
            return Ok(Err(pair.defect().unwrap_or(Defect::Zeros)));
        };
        Ok(Ok(Self {
            file,
            newest: newest.clone(),
            current,
            settled: Settled::Unknown,
            failure: None,
        }))
    }

    /// What was written last.
    pub(crate) fn newest(&self) -> &S {
        &self.newest
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.file.path()
    }

    /// Writes `slot` as the newest.
    ///
    /// # Durability
    ///
    /// Survives the process on return, power loss after [`sync`](Self::sync). An error leaves the
    /// last synced slot as it was.
    pub(crate) fn write(&mut self, mut slot: S) -> Result<()> {
        if self.settled == Settled::Unknown {
            self.sync()?;
        }
        self.check()?;
        let target = match self.settled {
            Settled::Durable => 1 - self.current,
            Settled::Written | Settled::Unknown => self.current,
        };
        slot.set_generation(self.newest.generation().saturating_add(1));
        let written = self.put(&slot, target);
        if written.is_err() && target == self.current {
            // What was written last may be half overwritten: it is put back, if not now then
            // before it counts.
            self.settled = Settled::Unknown;
            if self.put(&self.newest, target).is_ok() {
                self.settled = Settled::Written;
            }
        }
        written?;
        self.newest = slot;
        self.current = target;
        self.settled = Settled::Written;
        Ok(())
    }

    /// Makes the newest slot durable.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.check()?;
        match self.settled {
            Settled::Durable => return Ok(()),
            Settled::Unknown => self.put(&self.newest, self.current)?,
            Settled::Written => {}
        }
        if let Err(error) = self.file.sync() {
            self.failure = Some(error.clone());
            return Err(error);
        }
        self.settled = Settled::Durable;
        Ok(())
    }

    fn put(&self, slot: &S, at: usize) -> Result<()> {
        let place = Pair::<S>::offset(at);
        self.file.write_at(&slot.encode(), place.get())
    }

    fn check(&self) -> Result<()> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Makes the newest slot durable if this process wrote it.
    pub(crate) fn sync_if_written(&mut self) -> Result<()> {
        if self.settled == Settled::Written {
            self.sync()
        } else {
            Ok(())
        }
    }

    /// Writes `slot` and makes it durable.
    pub(crate) fn commit(&mut self, slot: S) -> Result<()> {
        self.write(slot)?;
        self.sync()
    }

    /// Whether what was written last is on the medium, so that the next write goes into the other
    /// slot.
    pub(crate) fn is_durable(&self) -> bool {
        self.settled == Settled::Durable
    }

    /// Whether the file still has a name: one that was deleted takes every write all the same.
    pub(crate) fn is_linked(&self) -> Result<bool> {
        self.file.is_linked()
    }

    /// What the file holds now, read back.
    pub(crate) fn read_back(&self) -> Result<Pair<S>> {
        let bytes = read_whole(&*self.file, narrow(Pair::<S>::FILE_BYTES))?;
        Ok(Pair::decode(&bytes))
    }
}
