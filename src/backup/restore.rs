//! Makes a queue of a backup.
//!
//! 1. Every file is compared with its hash; a backup that is not as it was made is refused.
//! 2. All files but `STATE` and `QUEUE` are copied, compared once more, and synced.
//! 3. `STATE` is written so that the queue counts as not closed: the next open begins a new epoch,
//!    as after a crash. Two queues restored from one backup, or one of them and the queue that was
//!    copied, never give two records the same id. The end that it states stays, and the log is walked
//!    from there as after any unclean end.
//! 4. The names are synced.
//! 5. `QUEUE` is written under another name, synced, renamed, its name synced: the queue exists.

use std::path::Path;

use super::check::{check_on, refuse_changed};
use super::claims::state_in;
use super::copier::Copier;
use super::make::open_empty;
use super::manifest::{FOLDERS, Manifest};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{IDENTITY, Identity, Pair, STATE, Slot, StateSlot, narrow, temporary};
use crate::slots::SlotFile;
use crate::storage::{Access, Directory, DiskDirectory, read_whole, refuse_inside, replace_whole};

/// Makes a queue in `to`, which must not exist or be an empty directory, of the backup in `from`.
///
/// Records keep their ids, and consumers their places. Opening the queue begins a new
/// [`Epoch`](crate::Epoch), so that what is enqueued from then on has ids that no other queue of
/// the same backup gives.
///
/// # Durability
///
/// On return the queue survives power loss. Until then there is no file `QUEUE` in it: what a failed
/// or interrupted call leaves is no queue, and to be removed.
///
/// # Errors
///
/// As for [`check`](super::check()), before anything is written; [`ErrorKind::InvalidInput`] where
/// `to` is not empty, [`ErrorKind::Foreign`] where it is a file; [`ErrorKind::Full`],
/// [`ErrorKind::Io`].
///
/// # Examples
///
/// See [`backup`](super::backup()).
pub fn restore(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Manifest> {
    let from = DiskDirectory::open(from.as_ref())?;
    // What was changed is refused before anything is made.
    let manifest = check_on(&from)?;
    refuse_inside(&from, to.as_ref())?;
    let to = open_empty(to.as_ref())?;
    restore_checked(&from, &to, manifest)
}

/// Makes a queue in `to` of the backup in `from`, as [`restore`] does.
///
/// # Durability
///
/// # Errors
///
/// Both as for [`restore`].
#[cfg(feature = "test-support")]
pub fn restore_on(from: &dyn Directory, to: &dyn Directory) -> Result<Manifest> {
    let manifest = check_on(from)?;
    super::make::refuse_filled(to)?;
    restore_checked(from, to, manifest)
}

fn restore_checked(
    from: &dyn Directory,
    to: &dyn Directory,
    manifest: Manifest,
) -> Result<Manifest> {
    let identity = from.open(IDENTITY, Access::Read)?;
    let identity = read_whole(&*identity, narrow(identity.length()?))?;
    let queue = Identity::decode(&identity).map(|identity| identity.queue);
    if queue != Ok(manifest.id) {
        let what = "the file QUEUE of the backup is not that of the queue in its manifest";
        return Err(Error::at(ErrorKind::Corrupt, what, from.path()));
    }
    let mut copier = Copier::new(to);
    for folder in FOLDERS {
        copier.make_folder(folder)?;
    }
    for file in &manifest.files {
        if file.name == IDENTITY {
            continue;
        }
        let source = from.open(&file.name, Access::Read)?;
        let written = copier.put_file(&file.name, &*source, source.length()?)?;
        refuse_changed(from, file, &written)?;
    }
    begin_new_run(from, to, &manifest)?;
    copier.sync_names()?;
    replace_whole(to, (&temporary(IDENTITY), IDENTITY), |file| {
        file.write_at(&identity, 0)
    })?;
    to.sync("")?;
    Ok(manifest)
}

/// Writes `STATE` so that the next open begins a new epoch. One without a good slot stays as it is:
/// opening rebuilds it, and begins one too.
fn begin_new_run(from: &dyn Directory, to: &dyn Directory, manifest: &Manifest) -> Result<()> {
    if manifest.file(STATE).is_none() {
        return Ok(());
    }
    let file = from.open(STATE, Access::Read)?;
    let bytes = read_whole(&*file, narrow(Pair::<StateSlot>::FILE_BYTES))?;
    let Some(state) = state_in(&bytes, manifest.id) else {
        return Ok(());
    };
    let mut unclean = StateSlot {
        clean: false,
        ..state
    };
    unclean.set_generation(state.generation().saturating_add(1));
    SlotFile::create(to, STATE, unclean)?;
    Ok(())
}
