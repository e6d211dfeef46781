//! Makes a backup.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::copier::Copier;
use super::damage::{Finding, Found, find_damage};
use super::manifest::Manifest;
use super::pass::{Making, Passed};
use super::report::BackupReport;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{BLOCK_BYTES, IDENTITY, Identity, MANIFEST, SEGMENTS, narrow, temporary};
use crate::storage::{
    Access, Directory, DiskDirectory, File, Lenient, list_if_there, open_if_there, read_whole,
    refuse_inside,
};

/// How often a queue is gone through at most.
const PASSES_MAX: u32 = 32;

/// Copies the queue in the directory `from` to `to`, which must not exist or be an empty directory.
///
/// A program may have the queue open, and enqueue and drain meanwhile: no lock is taken, and nothing
/// of the queue is changed. Everything that was durable when this began is in the copy. A damaged
/// queue is copied as it is, and the report says what is damaged, and what the system does not give
/// back: zeros are in its place. [`restore`](super::restore())
/// makes a queue of the copy.
///
/// # Durability
///
/// On return the backup survives power loss. Until then there is no file `MANIFEST` in it, without
/// which it is none: what a failed or interrupted backup leaves is to be removed.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] and [`ErrorKind::Foreign`] where no queue is; [`ErrorKind::Corrupt`]
/// where its identity is lost; [`ErrorKind::UnsupportedVersion`]; [`ErrorKind::InvalidInput`] where `to` is not empty, [`ErrorKind::Foreign`] where it is a file;
/// [`ErrorKind::Full`], [`ErrorKind::Io`]; [`ErrorKind::TimedOut`] when segments were deleted faster
/// than they could be copied; [`ErrorKind::Corrupt`] when the copy has damage that the queue does
/// not have.
///
/// # Examples
///
/// ```
/// use forebay::{Queue, backup};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let (path, copy, place) = (folder.path().join("queue"), folder.path().join("copy"), folder.path().join("place"));
/// let queue = Queue::open(&path)?;
/// queue.enqueue(b"kept twice")?;
///
/// let report = backup::backup(&path, &copy)?;
/// assert_eq!(report.manifest.next, queue.next());
///
/// backup::restore(&copy, &place)?;
/// let restored = Queue::open(&place)?;
/// assert_eq!((restored.id(), restored.next()), (queue.id(), queue.next()));
/// assert_ne!(restored.epoch(), queue.epoch());
/// # Ok::<(), forebay::Error>(())
/// ```
pub fn backup(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<BackupReport> {
    let from = DiskDirectory::open(from.as_ref())?;
    // Where no queue is, nothing is made.
    read_identity(&Lenient::over(&from as &dyn Directory))?;
    refuse_inside(&from, to.as_ref())?;
    let to = open_empty(to.as_ref())?;
    backup_on(&from, &to)
}

/// Copies the queue in `from` to `to`, as [`backup`] does.
///
/// # Durability
///
/// # Errors
///
/// Both as for [`backup`].
#[cfg_attr(
    not(feature = "test-support"),
    expect(unreachable_pub, reason = "public with the feature test-support")
)]
pub fn backup_on(from: &dyn Directory, to: &dyn Directory) -> Result<BackupReport> {
    let started = Instant::now();
    let from = &Lenient::over(from);
    let queue = read_identity(from)?.queue;
    refuse_filled(to)?;
    let manifest_file = mark_unfinished(to)?;
    let mut making = Making::new(from, to, queue);
    let mut passes = 0;
    let (found, damage) = loop {
        passes += 1;
        if making.pass()? == Passed::Whole {
            let copied = find_damage(to)?;
            match damage_of_its_own(from, &copied)? {
                None => break (copied.inspection, copied.findings),
                Some(finding) if passes == PASSES_MAX => {
                    let what = "the copy has damage that the queue has not; remove it";
                    return Err(Error::corrupt_because(what, finding.at(to)));
                }
                Some(_) => making.begin_again(),
            }
        }
        if passes == PASSES_MAX {
            let what = "segments are deleted faster than they can be copied";
            return Err(Error::at(ErrorKind::TimedOut, what, from.path()));
        }
    };
    let manifest = Manifest {
        id: queue,
        epoch: found.epoch,
        first: found.first,
        next: found.next,
        durable: found.durable,
        files: making.copier().files().cloned().collect(),
    };
    commit(making.copier(), to, &*manifest_file, &manifest)?;
    Ok(BackupReport {
        manifest,
        damage: damage.iter().map(|finding| finding.at(from)).collect(),
        unreadable: from.noted(),
        passes,
        elapsed: started.elapsed(),
    })
}

/// Who the queue in `directory` is.
fn read_identity(directory: &Lenient<&dyn Directory>) -> Result<Identity> {
    let Some(file) = open_if_there(directory, IDENTITY, Access::Read)? else {
        let (kind, what) = if list_if_there(directory, SEGMENTS)?.is_empty() {
            (ErrorKind::NotFound, "no queue is here")
        } else {
            let what = "segments are here but the file QUEUE is missing; salvage the segments";
            (ErrorKind::Corrupt, what)
        };
        return Err(Error::at(kind, what, directory.path()));
    };
    let identity = Identity::decode(&read_whole(&*file, narrow(BLOCK_BYTES))?);
    if let Some(unreadable) = directory.noted_of(IDENTITY).first() {
        let what = format!("the queue's identity cannot be read: {unreadable}; salvage the queue");
        return Err(Error::new(ErrorKind::Corrupt, what));
    }
    identity.map_err(|defect| {
        defect.into_error(ErrorKind::Corrupt, "the queue's identity", file.path())
    })
}

/// Damage in the copy that the queue does not have.
fn damage_of_its_own(from: &dyn Directory, copied: &Found) -> Result<Option<Finding>> {
    if copied.findings.is_empty() {
        return Ok(None);
    }
    let source = match find_damage(from) {
        // A segment was listed and then deleted: nothing can be compared with that.
        Err(error) if error.is_missing() => return Ok(copied.findings.first().cloned()),
        found => found?,
    };
    let is_own = |finding: &&Finding| !source.findings.contains(finding);
    Ok(copied.findings.iter().find(is_own).cloned())
}

/// Before anything else is in `to`: nobody may take what comes to be there for a queue. What is
/// enqueued into a copy would get the ids that the queue gives to other records.
fn mark_unfinished(to: &dyn Directory) -> Result<Arc<dyn File>> {
    let file = to.create(&temporary(MANIFEST))?;
    to.sync("")?;
    Ok(file)
}

/// Makes the copy a backup.
fn commit(
    copier: &Copier<'_>,
    to: &dyn Directory,
    manifest_file: &dyn File,
    manifest: &Manifest,
) -> Result<()> {
    copier.sync_names()?;
    manifest_file.write_at(manifest.encode().as_bytes(), 0)?;
    manifest_file.sync()?;
    to.rename(&temporary(MANIFEST), MANIFEST)?;
    to.sync("")
}

/// The directory `path`, made if it is not there; one that holds anything is refused.
pub(super) fn open_empty(path: &Path) -> Result<DiskDirectory> {
    let directory = DiskDirectory::create(path)?;
    refuse_filled(&directory)?;
    Ok(directory)
}

/// Refuses a directory that holds anything.
pub(super) fn refuse_filled(directory: &dyn Directory) -> Result<()> {
    if directory.list("")?.is_empty() {
        return Ok(());
    }
    let what = "the directory is not empty; nothing was written into it";
    Err(Error::at(ErrorKind::InvalidInput, what, directory.path()))
}
