//! Files, as traits: the only module that touches the operating system's files.
//!
//! A [`Directory`] is the whole tree of one queue; names are relative to it, with `/` between
//! folders. `disk` is the real one. With the feature `test-support` there are two more: `memory`
//! keeps apart what is written and what is synced, `fault` makes the Nth call fail. Nothing here
//! knows a format.

#![cfg_attr(
    feature = "test-support",
    expect(
        clippy::missing_errors_doc,
        reason = "the traits say once what all their methods do"
    )
)]
#![cfg_attr(
    not(feature = "test-support"),
    expect(unreachable_pub, reason = "public with the feature test-support")
)]

mod disk;
mod disk_file;
#[cfg(feature = "test-support")]
pub mod fault;
mod filesystem;
mod held;
mod inside;
mod lenient;
mod map;
#[cfg(feature = "test-support")]
pub mod memory;
mod regular;
mod rewrite;
mod transfer;

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, FullReason, Result};

pub use disk::DiskDirectory;
pub use filesystem::Filesystem;
pub(crate) use held::Held;
pub(crate) use inside::refuse_inside;
pub(crate) use lenient::Lenient;
pub use map::Map;
pub(crate) use map::ProcessMark;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading only.
    Read,
    /// For reading and writing.
    Write,
}

/// The directory tree of one queue.
///
/// # Errors
///
/// Every method fails with an error that names the operation and the path. A missing file is
/// [`ErrorKind::NotFound`]; a full device, where a call can meet one, is
/// [`ErrorKind::Full`]; everything else is [`ErrorKind::Io`].
pub trait Directory: Debug + Send + Sync {
    /// Where the tree is, for messages.
    fn path(&self) -> &Path;

    /// Opens the existing file `name`, without ever waiting for it. What is no file, a symbolic
    /// link among that, is [`ErrorKind::Foreign`].
    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>>;

    /// Creates the file `name`, readable by its owner only; one that exists is an error.
    ///
    /// # Durability
    ///
    /// The name survives power loss only after [`sync`](Self::sync) of its folder.
    fn create(&self, name: &str) -> Result<Arc<dyn File>>;

    /// The names in `folder` (`""` for the tree's own), in no order.
    fn list(&self, folder: &str) -> Result<Vec<String>>;

    /// Makes sure that `folder` exists, accessible to its owner only.
    ///
    /// # Durability
    ///
    /// Survives power loss only after [`sync`](Self::sync) of the folder that holds it.
    fn create_folder(&self, folder: &str) -> Result<()>;

    /// Gives the file `from` the name `to`, in place of any file that has it.
    ///
    /// # Durability
    ///
    /// Atomic, but after power loss it is the old name, the new one, or (between two folders)
    /// both, until both folders are synced.
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Unlinks the file `name`. One that is missing is not an error.
    ///
    /// # Durability
    ///
    /// The file may come back after power loss until its folder is synced.
    fn remove(&self, name: &str) -> Result<()>;

    /// Makes the names in `folder` (`""` for the tree's own) survive power loss.
    fn sync(&self, folder: &str) -> Result<()>;

    /// Takes the exclusive lock file `name` for the life of the returned value, or fails with
    /// [`ErrorKind::Locked`]. `contents` is written into it as a hint for a person.
    fn lock(&self, name: &str, contents: &str) -> Result<Box<dyn Lock>>;

    /// What kind of file system the tree is on.
    fn filesystem(&self) -> Filesystem;

    /// How many bytes this process may still write where the tree is; `None` where nobody knows.
    fn free_bytes(&self) -> Result<Option<u64>> {
        Ok(None)
    }
}

/// One open file.
///
/// # Errors
///
/// As for [`Directory`].
pub trait File: Debug + Send + Sync {
    /// Where the file is, for messages.
    fn path(&self) -> &Path;

    /// Reads from `offset` until `buffer` is full or the file ends; returns the bytes read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Durability
    ///
    /// On return the bytes are in the kernel: they survive the process, not power loss. After an
    /// error any part of them may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;

    /// Makes the file's bytes and length survive power loss.
    ///
    /// # Durability
    ///
    /// After an error nothing is known of any byte written since the last success, and a later
    /// success proves nothing about them
    /// (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
    fn sync(&self) -> Result<()>;

    /// Asks the system to begin writing `range` to the medium, where it can, so that a later sync
    /// finds less to do. A hint: it waits for nothing, and makes nothing durable.
    fn start_writeback(&self, _range: Range<u64>) {}

    /// Writes what is in `range` again, unchanged, for the next sync to make durable even where
    /// an earlier one failed and left pages that only look clean: past the page cache, as far as
    /// platform and file system can.
    fn rewrite(&self, range: Range<u64>) -> Result<()> {
        rewrite::rewrite_through_cache(self, range)
    }

    /// Whether the file still has a name, where the storage can tell.
    fn is_linked(&self) -> Result<bool> {
        Ok(true)
    }

    /// The file's length in bytes.
    fn length(&self) -> Result<u64>;

    /// Cuts the file, or extends it with zeros, to `bytes`.
    fn set_length(&self, bytes: u64) -> Result<()>;

    /// Reserves blocks so that the file has at least `bytes`, new ones reading as zeros.
    fn allocate(&self, bytes: u64) -> Result<()>;

    /// A read-only view of the whole file, which nobody may shorten while the view lives.
    fn map(&self) -> Result<Map>;
}

/// A lock that is held until this is dropped.
pub trait Lock: Debug + Send + Sync {}

/// The kind of error that `source` is when it comes from a call that needs space.
fn kind_of(source: &io::Error) -> ErrorKind {
    let is_full = [
        io::ErrorKind::StorageFull,
        io::ErrorKind::QuotaExceeded,
        io::ErrorKind::FileTooLarge,
    ];
    if is_full.contains(&source.kind()) {
        let reason = FullReason::Disk;
        ErrorKind::Full { reason }
    } else if source.kind() == io::ErrorKind::NotFound {
        ErrorKind::NotFound
    } else {
        ErrorKind::Io
    }
}

/// Wraps an operating system's error with what was being done, and to what.
fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::io_of_kind(kind_of(&source), operation, path, source)
}

/// The same for a sync, where a full device is no promise that nothing was lost.
fn sync_failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::io(operation, path, source)
}

/// What the text of the error begins with where something that is no file is in the place of one.
const NO_FILE: &str = "expected a file, found ";

/// The error where `what` is in the place of a file.
fn no_file(what: &str, path: &Path) -> Error {
    Error::at(ErrorKind::Foreign, format!("{NO_FILE}{what}"), path)
}

/// What is in the place of a file, if that is what `error` tells.
fn what_is_no_file(error: &Error) -> Option<String> {
    Some(error.message().strip_prefix(NO_FILE)?.to_owned())
}

/// Opens the file `name`; `None` when there is no such file.
pub(crate) fn open_if_there(
    directory: &dyn Directory,
    name: &str,
    access: Access,
) -> Result<Option<Arc<dyn File>>> {
    match directory.open(name, access) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in `folder`, in no order; none where there is no such folder.
pub(crate) fn list_if_there(directory: &dyn Directory, folder: &str) -> Result<Vec<String>> {
    match directory.list(folder) {
        Err(error) if error.is_missing() => Ok(Vec::new()),
        listed => listed,
    }
}

/// Makes the file `name` of what `write` puts into it, in place of any other. Until then it is
/// called `unfinished`.
///
/// # Durability
///
/// The content is durable on return, the name once its folder is synced. A crash before that leaves
/// the old file, the new one, or none.
pub(crate) fn replace_whole(
    directory: &dyn Directory,
    (unfinished, name): (&str, &str),
    write: impl FnOnce(&Arc<dyn File>) -> Result<()>,
) -> Result<()> {
    directory.remove(unfinished)?;
    let file = directory.create(unfinished)?;
    write(&file)?;
    file.sync()?;
    directory.rename(unfinished, name)
}

/// Reads `length` bytes of `file` from `offset`; fewer where the file ends before.
pub(crate) fn read_range(file: &dyn File, offset: u64, length: usize) -> Result<Vec<u8>> {
    let available = file.length()?.saturating_sub(offset);
    let length = length.min(usize::try_from(available).unwrap_or(usize::MAX));
    let mut bytes = vec![0; length];
    let found = file.read_at(&mut bytes, offset)?;
    bytes.truncate(found);
    Ok(bytes)
}

/// Reads all of `file`, at most `limit` bytes of it.
pub(crate) fn read_whole(file: &dyn File, limit: usize) -> Result<Vec<u8>> {
    read_range(file, 0, limit)
}
