//! Why the command ends without success: what happened, its exit code, and what to do.

use std::fmt;
use std::io;
use std::process::ExitCode;

use forebay::{Error, ErrorKind};

/// Why the command ends without success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The queue refused.
    Queue(Error),
    /// A repair was refused, or did not come to its end.
    Repair(Error),
    /// Records that are damaged were met, and are not passed over unless that is asked for.
    Damage(Error),
    /// Something outside the queue failed.
    Io { what: String, source: io::Error },
    /// The input or an argument cannot be used.
    Input { what: String, remedy: &'static str },
    /// All went as asked, and what came out should not be so.
    Finding(String),
    /// The one that failed, and how far it came before.
    After { done: String, cause: Box<Failure> },
}

impl Failure {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// The same failure, with what is done and stays done.
    pub(crate) fn after(self, done: String) -> Self {
        Self::After {
            done,
            cause: Box::new(self),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Finding(_) | Self::Damage(_) => ExitCode::from(1),
            Self::Queue(error) | Self::Repair(error) if error.kind() == ErrorKind::Corrupt => {
                ExitCode::from(1)
            }
            Self::Queue(_) | Self::Repair(_) | Self::Io { .. } | Self::Input { .. } => {
                ExitCode::from(2)
            }
            Self::After { cause, .. } => cause.exit_code(),
        }
    }

    /// What the user can do about it.
    pub(crate) fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Repair(error) if error.kind() == ErrorKind::Corrupt => {
                Some("`forebay salvage` gets every valid record out of it into a new queue")
            }
            Self::Queue(error) | Self::Repair(error) if is_forbidden(error) => Some(
                "run it as a user who may; what only looks (`stats`, `dump`, `verify`) needs \
                 permission to read alone",
            ),
            Self::Queue(error) | Self::Repair(error) if error.is_of_medium() => Some(
                "the medium does not give back its bytes: `forebay verify` tells which, `forebay \
                 salvage` gets out all other records",
            ),
            Self::Queue(error) | Self::Repair(error) if is_backup(error) => {
                Some("`forebay restore` does that; `forebay backup --check` proves it")
            }
            Self::Queue(error) | Self::Repair(error) => remedy(error.kind()),
            Self::Damage(_) => Some("go on behind it with --skip-damage"),
            Self::Input { remedy, .. } => Some(remedy),
            Self::Io { .. } | Self::Finding(_) => None,
            Self::After { cause, .. } => cause.remedy(),
        }
    }
}

fn is_forbidden(error: &Error) -> bool {
    let cause = error.io_error();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied)
}

/// Whether a finished backup was named where a queue should be.
fn is_backup(error: &Error) -> bool {
    let path = error.path().filter(|_| error.kind() == ErrorKind::Foreign);
    path.is_some_and(|path| path.join("MANIFEST").exists())
}

fn remedy(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NotFound => Some("check the path"),
        ErrorKind::Foreign => Some(
            "a queue is a directory of its own, with plain files in it: put right what is there, \
             or choose another path",
        ),
        ErrorKind::Locked { .. } => {
            Some("one process has a queue open at a time; `forebay stats` works beside it")
        }
        ErrorKind::Corrupt => {
            Some("`forebay verify` tells what is damaged, `forebay repair` what it would give up")
        }
        ErrorKind::UnsupportedVersion { .. } => {
            Some("the data is fine: use a forebay that knows this version")
        }
        ErrorKind::Poisoned => Some("a sync failed: check the device, then run the command again"),
        ErrorKind::Full { .. } => Some("nothing was lost: free space, then go on"),
        ErrorKind::RecordTooLarge => Some("allow it with --max-record-bytes"),
        ErrorKind::Io
        | ErrorKind::Busy
        | ErrorKind::OutOfRange
        | ErrorKind::InvalidInput
        | ErrorKind::Closed
        | ErrorKind::Forked
        | ErrorKind::TimedOut
        | ErrorKind::Encode
        | ErrorKind::Decode
        | _ => None,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Queue(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(error) | Self::Repair(error) | Self::Damage(error) => error.fmt(f),
            Self::Io { what, source } => write!(f, "{what}: {source}"),
            Self::Input { what, .. } | Self::Finding(what) => f.write_str(what),
            Self::After { done, cause } => write!(f, "{cause} ({done})"),
        }
    }
}
