//! The one error type: what happened, where, and what the caller should do.
//!
//! Every I/O error carries the operation and the path; every corruption carries file, offset,
//! sequences, expected and found. Errors are cheap to clone, because one failed sync is the answer
//! to many callers.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::position::{Offset, Sequence};

/// `EIO`, and `ERROR_IO_DEVICE` where there is none.
pub(crate) const EIO: i32 = if cfg!(windows) { 1117 } else { 5 };
/// What else a system answers where a device fails: of Linux `ENODATA`, `EBADMSG`, `EUCLEAN` and
/// `EREMOTEIO`.
const EIO_ALIKE: &[i32] = if cfg!(target_os = "linux") {
    &[61, 74, 117, 121]
} else {
    &[]
};

/// The result of everything that can fail in forebay.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and why.
///
/// [`kind`](Self::kind) tells what to do about it; the `Display` text tells a person.
///
/// # Examples
///
/// ```
/// use forebay::{ErrorKind, QueueOptions};
///
/// let error = QueueOptions::new().segment_bytes(1).open("queue").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0)]
pub struct Error(Arc<Report>);

#[derive(Debug)]
struct Report {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    source: Option<io::Error>,
    corruption: Option<Corruption>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(path) = &self.path {
            write!(f, ": {}", path.display())?;
        }
        if let Some(corruption) = &self.corruption {
            write!(f, ": {corruption}")?;
        }
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

/// What to do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused. Nothing is lost; the cause is in the text.
    Io,
    /// A sync failed, so the state of the medium is unknown. Drop the queue and open it again:
    /// what had been acknowledged is there.
    Poisoned,
    /// Bytes that were proven durable are damaged. [`Error::corruption`] says where; look with
    /// `inspect` before deciding to skip or repair.
    Corrupt,
    /// The files are of another version of the format. The data is fine; use a release that knows
    /// it.
    UnsupportedVersion {
        /// The version in the file.
        found: u32,
        /// The newest version this release reads.
        supported: u32,
    },
    /// Another handle has the queue open. Close it, or look at the process named.
    Locked {
        /// The process that wrote its number into the lock file, when that can be read.
        pid: Option<u32>,
    },
    /// The named consumer already has a live handle, or a drain is already under way.
    Busy,
    /// There is no room. The call changed nothing; drain, wait, or free space, then try again.
    Full {
        /// Which limit was met.
        reason: FullReason,
    },
    /// The record, or the batch, is larger than the queue accepts. Nothing was written.
    RecordTooLarge,
    /// The sequence asked for is not in the log.
    OutOfRange,
    /// An option, a name or an argument is not usable; the text names it, its value and its range.
    InvalidInput,
    /// The queue was asked for with `open_existing` and is not there.
    NotFound,
    /// The path is a file, or holds a backup, or a link is where a file of the queue belongs. A
    /// directory with other files in it is no reason.
    Foreign,
    /// The handle was closed.
    Closed,
    /// The process was forked and this is the child. Open queues after forking, not before.
    Forked,
    /// Waiting took longer than allowed. What was waited for may still happen.
    TimedOut,
    /// A value could not be turned into bytes. Nothing was written.
    Encode,
    /// A record's bytes could not be turned into a value. Skip it explicitly, or fix the codec.
    Decode,
}

/// Which limit a [`Full`](ErrorKind::Full) error met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FullReason {
    /// `max_records`.
    Records,
    /// `max_bytes`.
    Bytes,
    /// The device, or the user's quota on it.
    Disk,
}

/// Where bytes proven durable are damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Corruption {
    /// The damaged file.
    pub file: PathBuf,
    /// Where in the file the damage was met.
    pub offset: Offset,
    /// The records that cannot be read, half open. Empty when the file holds no records.
    pub range: Range<Sequence>,
    /// What the place should have held.
    pub expected: String,
    /// What it holds.
    pub found: String,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at offset {}, sequences {}..{}: expected {}, found {}",
            self.file.display(),
            self.offset,
            self.range.start,
            self.range.end,
            self.expected,
            self.found
        )
    }
}

/// Bytes that the system does not give back, or something that is no file where one should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: Offset,
    /// How many bytes from there on; `None` where there is no file.
    pub bytes: Option<u64>,
    /// What the place should have held.
    pub expected: String,
    /// What it holds, or the system's error.
    pub found: String,
}

impl Unreadable {
    /// The bytes `range` of `file` cannot be read, because of `found`.
    pub(crate) fn bytes(file: PathBuf, range: &Range<u64>, found: String) -> Self {
        Self {
            file,
            offset: Offset::new(range.start),
            bytes: Some(range.end.saturating_sub(range.start)),
            expected: "bytes that can be read".to_owned(),
            found,
        }
    }

    /// In the place of `file` there is something else.
    pub(crate) fn no_file(file: PathBuf, found: String) -> Self {
        Self {
            file,
            offset: Offset::ZERO,
            bytes: None,
            expected: "a file".to_owned(),
            found,
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(bytes) = self.bytes {
            write!(f, " at offset {}, {bytes} bytes", self.offset)?;
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file or directory concerned, when there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0
            .path
            .as_deref()
            .or_else(|| self.corruption().map(|found| found.file.as_path()))
    }

    /// Where the damage is, when this is [`ErrorKind::Corrupt`].
    #[must_use]
    pub fn corruption(&self) -> Option<&Corruption> {
        self.0.corruption.as_ref()
    }

    /// The operating system's own error, when there is one.
    #[must_use]
    pub fn io_error(&self) -> Option<&io::Error> {
        self.0.source.as_ref()
    }

    /// Whether the medium fails: the device does not take bytes or give them back.
    ///
    /// What a system answers only for a while, or to one user, is nothing of the medium.
    #[must_use]
    pub fn is_of_medium(&self) -> bool {
        let number = self.io_error().and_then(io::Error::raw_os_error);
        number.is_some_and(|number| number == EIO || EIO_ALIKE.contains(&number))
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Report {
            kind,
            message: message.into(),
            path: None,
            source: None,
            corruption: None,
        }))
    }

    pub(crate) fn at(kind: ErrorKind, message: impl Into<String>, path: &Path) -> Self {
        Self(Arc::new(Report {
            kind,
            message: message.into(),
            path: Some(path.to_path_buf()),
            source: None,
            corruption: None,
        }))
    }

    pub(crate) fn io(operation: &str, path: &Path, source: io::Error) -> Self {
        Self::io_of_kind(ErrorKind::Io, operation, path, source)
    }

    pub(crate) fn io_of_kind(
        kind: ErrorKind,
        operation: &str,
        path: &Path,
        source: io::Error,
    ) -> Self {
        Self(Arc::new(Report {
            kind,
            message: operation.to_owned(),
            path: Some(path.to_path_buf()),
            source: Some(source),
            corruption: None,
        }))
    }

    pub(crate) fn corrupt(corruption: Corruption) -> Self {
        Self::corrupt_because("corrupt", corruption)
    }

    /// The same, where there is something to be said about the cause or the remedy.
    pub(crate) fn corrupt_because(message: impl Into<String>, corruption: Corruption) -> Self {
        Self(Arc::new(Report {
            kind: ErrorKind::Corrupt,
            message: message.into(),
            path: None,
            source: None,
            corruption: Some(corruption),
        }))
    }

    /// The same failure as the reason why the queue no longer serves anyone.
    pub(crate) fn poison(&self) -> Self {
        Self::new(
            ErrorKind::Poisoned,
            format!("poisoned, reopen the queue; cause: {self}"),
        )
    }

    /// The text without path and cause.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn is_disk_full(&self) -> bool {
        self.0.kind
            == ErrorKind::Full {
                reason: FullReason::Disk,
            }
    }

    pub(crate) fn is_missing(&self) -> bool {
        self.0
            .source
            .as_ref()
            .is_some_and(|source| source.kind() == io::ErrorKind::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_names_operation_path_and_cause() {
        let error = Error::io("sync", Path::new("/q/STATE"), io::Error::other("gone"));
        assert_eq!(error.to_string(), "sync: /q/STATE: gone");
        assert_eq!(error.path(), Some(Path::new("/q/STATE")));
    }

    #[test]
    fn a_corruption_names_the_place_and_both_values() {
        let error = Error::corrupt(Corruption {
            file: "/q/segments/1.log".into(),
            offset: Offset::new(4096),
            range: Sequence::new(3)..Sequence::new(5),
            expected: "a frame".to_owned(),
            found: "zeros".to_owned(),
        });
        assert_eq!(
            error.to_string(),
            "corrupt: /q/segments/1.log at offset 4096, sequences 3..5: \
             expected a frame, found zeros"
        );
        assert_eq!(error.path(), Some(Path::new("/q/segments/1.log")));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_what_a_failing_device_answers_is_of_the_medium() {
        let is_of_medium = |number| {
            let source = io::Error::from_raw_os_error(number);
            Error::io("read", Path::new("/q/STATE"), source).is_of_medium()
        };
        for number in 1..134 {
            let source = io::Error::from_raw_os_error(number).to_string();
            let is_listed = [5, 61, 74, 117, 121].contains(&number);
            assert_eq!(is_of_medium(number), is_listed, "{source}");
        }
        let source = io::ErrorKind::TimedOut.into();
        let error = Error::io("read", Path::new("/q/STATE"), source);
        assert!(!error.is_of_medium());
    }

    #[test]
    fn poison_keeps_the_cause_in_its_text() {
        let error = Error::io("sync", Path::new("/q"), io::Error::other("gone")).poison();
        assert_eq!(error.kind(), ErrorKind::Poisoned);
        assert!(error.to_string().contains("sync: /q: gone"));
    }
}
