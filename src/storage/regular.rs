//! Whether a file is where a file should be: a pipe would block whoever opens it, and a link leads
//! out of the queue.

use std::fs::{self, FileType};
use std::path::Path;

use super::no_file;
use crate::error::Result;

/// Refuses what is no file at `path`, before it is opened. Nothing there is nothing to refuse.
pub(super) fn refuse_other_than_file(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => refuse_kind(metadata.file_type(), path),
        Err(_) => Ok(()),
    }
}

/// Refuses what turns out to be no file once it is open: it may have come since it was looked at.
pub(super) fn refuse_opened(file: &fs::File, path: &Path) -> Result<()> {
    match file.metadata() {
        Ok(metadata) => refuse_kind(metadata.file_type(), path),
        Err(_) => Ok(()),
    }
}

fn refuse_kind(kind: FileType, path: &Path) -> Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    Err(no_file(word_for(kind), path))
}

fn word_for(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else {
        special(kind)
    }
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;

    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_kind: FileType) -> &'static str {
    "something else"
}
