//! A snapshot on its way.
//!
//! 1. The log is made durable below what the snapshot covers.
//! 2. The header is written, and the file synced under its own name.
//! 3. An unusable snapshot in its place is moved to `quarantine`, durably.
//! 4. The file is renamed over the published one.
//! 5. The folder is synced.
//! 6. The log is told what need not be kept any more.
//!
//! A crash before 4 leaves the old one, and a file that the next store of this name deletes; after
//! 4 it leaves the old one or the new one, either of them whole. Reclaim relies on neither before
//! 5. A failed sync in 3 or 5 poisons, because nobody could tell which one a power cut leaves.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::file::Unfinished;
use super::judge::path_of;
use super::store::{Installed, Publishing, Shared};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    QUARANTINE, SNAPSHOTS, SnapshotHeader, StateSum, consumer_id, quarantined_snapshot,
    snapshot_file,
};
use crate::log::Notices;
use crate::position::Sequence;

/// A snapshot that is being written: nobody sees it before [`finish`](Self::finish). Dropped, it
/// is deleted, and the published one stays as it is.
///
/// It takes the state in one piece or in many ([`put`](Self::put), or [`std::io::Write`]), and
/// holds at most 256 KiB of it in memory.
///
/// # Examples
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let queue = forebay::Queue::open(folder.path().join("queue"))?;
/// let last = queue.enqueue(b"a record")?;
/// let store = queue.snapshots("view")?;
/// let mut draft = store.begin()?;
/// draft.put(b"a state with ")?;
/// draft.put(b"that record in it")?;
/// draft.finish(last.plus(1))?;
/// let loaded = store.load()?.map(|snapshot| snapshot.state);
/// assert_eq!(loaded.as_deref(), Some(&b"a state with that record in it"[..]));
/// # Ok::<(), forebay::Error>(())
/// ```
pub struct Draft {
    shared: Arc<Shared>,
    unfinished: Unfinished,
    /// Whether anything was put in, be it nothing at all.
    written: bool,
    /// Why what was put in may not be there.
    failure: Option<Error>,
    published: bool,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("name", &self.shared.name)
            .field("unfinished", &self.unfinished.path)
            .finish_non_exhaustive()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Not after poison, nor in a fork: the next store of this name deletes it.
        if !self.published && self.shared.log.check().is_ok() {
            let directory = self.shared.log.directory();
            directory.remove(&self.unfinished.path).ok();
        }
    }
}

impl Draft {
    pub(super) fn begin(shared: &Arc<Shared>) -> Result<Self> {
        let log = &shared.log;
        log.check()?;
        let mut notices = Notices::default();
        let made = make_folder(shared, &mut notices);
        log.tell_all(notices);
        made?;
        let unfinished = Unfinished::create(log.directory(), &shared.name, log.random())?;
        Ok(Self {
            shared: Arc::clone(shared),
            unfinished,
            written: false,
            failure: None,
            published: false,
        })
    }

    /// Adds `bytes` to the state. Putting in nothing makes an empty state, which is not the same
    /// as no state.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`], [`ErrorKind::Io`], [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    /// After one the draft cannot be finished any more.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.written = true;
        self.attempt(|unfinished| unfinished.add(bytes))
    }

    /// Publishes the state as the snapshot that covers every record below `covers`, in place of
    /// the one before.
    ///
    /// # Durability
    ///
    /// The snapshot survives power loss on return, and so does every record that it covers. A crash
    /// before leaves the old one or the new one, whole.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when nothing was put in; [`ErrorKind::OutOfRange`] when the
    /// published one covers more, or when `covers` is outside of the log; [`ErrorKind::Corrupt`]
    /// when the published one is of another queue, which is not for this call to delete;
    /// [`ErrorKind::Full`], [`ErrorKind::Io`], [`ErrorKind::Poisoned`], [`ErrorKind::Closed`], and
    /// what an earlier [`put`](Self::put) failed with. The published one is unchanged then; only
    /// after [`ErrorKind::Poisoned`], or when the queue is closed meanwhile, it may be the new one.
    pub fn finish(mut self, covers: Sequence) -> Result<()> {
        if !self.written {
            let what = "nothing was put into the snapshot; put in an empty state if that is meant";
            return Err(self.refused(ErrorKind::InvalidInput, what.to_owned()));
        }
        self.attempt(Unfinished::flush)?;
        let shared = Arc::clone(&self.shared);
        let log = &shared.log;
        self.check_range(covers)?;
        if log.durable() < covers {
            log.commit()?;
            // A full disk may have taken back what had been accepted.
            self.check_range(covers)?;
        }
        let mut notices = Notices::default();
        let mut publishing = shared.publishing.lock();
        let published = self.publish(covers, &mut publishing, &mut notices);
        drop(publishing);
        log.tell_all(notices);
        published?;
        log.snapshot_covers(&shared.name, covers);
        Ok(())
    }

    fn publish(
        &mut self,
        covers: Sequence,
        publishing: &mut Publishing,
        notices: &mut Notices,
    ) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let (log, name) = (&shared.log, &shared.name);
        let installed = match publishing.installed {
            Some(installed) => installed,
            None => shared.installed()?,
        };
        publishing.installed = Some(installed);
        if let Installed::Covers(installed) = installed
            && installed > covers
        {
            let what = format!("the snapshot covers {covers}, the published one {installed}");
            return Err(self.refused(ErrorKind::OutOfRange, what));
        }
        let sum: StateSum = self.unfinished.sum;
        self.unfinished.seal(&SnapshotHeader {
            queue: log.identity().queue,
            name: consumer_id(name),
            epoch: log.epoch(),
            covers,
            watermark: log.durable(),
            state: sum,
        })?;
        log.check()?;
        let (directory, path) = (log.directory(), snapshot_file(name));
        if installed == Installed::Unusable {
            let aside = quarantined_snapshot(consumer_id(name), log.random());
            directory.rename(&path, &aside)?;
            publishing.installed = Some(Installed::Missing);
            log.sync_in_turn(notices, || directory.sync(QUARANTINE))?;
        }
        directory.rename(&self.unfinished.path, &path)?;
        self.published = true;
        log.sync_in_turn(notices, || directory.sync(SNAPSHOTS))?;
        publishing.installed = Some(Installed::Covers(covers));
        Ok(())
    }

    /// Refuses what no snapshot of this log can cover.
    fn check_range(&self, covers: Sequence) -> Result<()> {
        let log = &self.shared.log;
        let (first, next) = (log.first(), log.next_written());
        if covers < first || covers > next {
            let what = format!("the snapshot covers {covers}, the log holds {first}..{next}");
            return Err(self.refused(ErrorKind::OutOfRange, what));
        }
        Ok(())
    }

    fn refused(&self, kind: ErrorKind, what: String) -> Error {
        Error::at(kind, what, &path_of(&self.shared.log, &self.shared.name))
    }

    /// Does one thing with the file; the first failure is the answer from then on.
    fn attempt(&mut self, act: impl FnOnce(&mut Unfinished) -> Result<()>) -> Result<()> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        self.shared.log.check()?;
        let done = act(&mut self.unfinished);
        self.failure = done.as_ref().err().cloned();
        done
    }
}

/// Sees to it that there is a folder, durably, before anything in it counts.
fn make_folder(shared: &Shared, notices: &mut Notices) -> Result<()> {
    let mut publishing = shared.publishing.lock();
    if !publishing.has_folder {
        let directory = shared.log.directory();
        directory.create_folder(SNAPSHOTS)?;
        shared.log.sync_in_turn(notices, || directory.sync(""))?;
        publishing.has_folder = true;
    }
    Ok(())
}

/// Writes as [`put`](Draft::put) does.
impl io::Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).map_err(into_io)?;
        Ok(bytes.len())
    }

    /// Hands what was put in to the operating system. It publishes nothing.
    fn flush(&mut self) -> io::Result<()> {
        self.attempt(Unfinished::flush).map_err(into_io)
    }
}

fn into_io(error: Error) -> io::Error {
    let kind = error
        .io_error()
        .map_or(io::ErrorKind::Other, io::Error::kind);
    io::Error::new(kind, error)
}
