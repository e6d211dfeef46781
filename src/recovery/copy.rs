//! Backups, which have the files of a queue and are none.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use crate::error::{Error, ErrorKind, Result};
use crate::format::{MANIFEST, temporary};
use crate::storage::{Access, Directory, open_if_there};

/// Whether a backup is here, or what was to be one.
pub(crate) fn is_backup(directory: &dyn Directory) -> Result<bool> {
    for name in [MANIFEST.to_owned(), temporary(MANIFEST)] {
        if open_if_there(directory, &name, Access::Read)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses a backup, finished or not: what was enqueued into it would get ids that the queue which
/// was copied gives to other records.
pub(crate) fn refuse_backup(directory: &dyn Directory) -> Result<()> {
    if is_backup(directory)? {
        let what = "a backup is here, or what was to be one; a queue is made of a finished one by \
                    restoring it to another place";
        return Err(Error::at(ErrorKind::Foreign, what, directory.path()));
    }
    Ok(())
}
