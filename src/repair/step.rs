//! One step of a repair: what is wrong, what it gives up, and what is done about it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use super::aside::place_of;
use super::draft::Draft;
use crate::error::{Result, Unreadable};
use crate::position::{QueueId, Sequence};
use crate::storage::Directory;

/// One thing that is wrong, and what is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairStep {
    /// The file, within the queue's directory.
    pub file: String,
    /// What is wrong.
    pub problem: String,
    /// What is done.
    pub action: RepairAction,
    /// The records that are given up by this: those that cannot be read.
    pub lost: Vec<Range<Sequence>>,
    /// Where the file, as it is now, is kept.
    pub kept: Option<PathBuf>,
    /// What the system does not give back of the file: zeros are kept in its place.
    pub unreadable: Vec<Unreadable>,
    pub(super) work: Work,
}

/// What a step does to its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RepairAction {
    /// Moves it to `quarantine`.
    SetAside,
    /// Gives it another name.
    Rename,
    /// Puts one in its place in which what is lost is marked, and all else is as it was.
    Replace,
    /// Makes it anew.
    Create,
    /// Has the next open walk the log.
    Reopen,
}

impl RepairAction {
    /// One word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SetAside => "set-aside",
            Self::Rename => "rename",
            Self::Replace => "replace",
            Self::Create => "create",
            Self::Reopen => "reopen",
        }
    }
}

/// What a step needs to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    SetAside,
    Rename {
        to: String,
    },
    Write {
        bytes: Vec<u8>,
    },
    Draft(Box<Draft>),
    /// Puts a copy that can be read in its place.
    Copy,
    MarkUnclean {
        queue: QueueId,
    },
}

impl RepairStep {
    /// A step that gives up no record, and keeps nothing of its file.
    pub(super) fn new(
        file: &str,
        problem: impl Into<String>,
        action: RepairAction,
        work: Work,
    ) -> Self {
        Self {
            file: file.to_owned(),
            problem: problem.into(),
            action,
            lost: Vec::new(),
            kept: None,
            unreadable: Vec::new(),
            work,
        }
    }

    /// The step that moves `file` to `quarantine`.
    pub(super) fn set_aside(
        directory: &dyn Directory,
        file: &str,
        problem: impl Into<String>,
    ) -> Result<Self> {
        let step = Self::new(file, problem, RepairAction::SetAside, Work::SetAside);
        let kept = Some(PathBuf::from(place_of(directory, file)?));
        Ok(Self { kept, ..step })
    }

    /// The step that puts something whole in the place of `file`, or makes it where it is missing.
    pub(super) fn replacing(
        directory: &dyn Directory,
        file: &str,
        problem: impl Into<String>,
        work: Work,
    ) -> Result<Self> {
        let (action, kept) = match place_of(directory, file) {
            Ok(place) => (RepairAction::Replace, Some(PathBuf::from(place))),
            Err(error) if error.is_missing() => (RepairAction::Create, None),
            Err(error) => return Err(error),
        };
        let step = Self::new(file, problem, action, work);
        Ok(Self { kept, ..step })
    }
}

impl fmt::Display for RepairStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; ", self.file, self.problem)?;
        match (&self.action, &self.work) {
            (_, Work::Rename { to }) => write!(f, "gets the name {to}")?,
            (_, Work::Copy) => f.write_str("is replaced by a copy")?,
            (RepairAction::Replace, _) => f.write_str("is replaced")?,
            (RepairAction::Create, _) => f.write_str("is made anew")?,
            (RepairAction::Reopen, _) => f.write_str("the next open walks the log")?,
            (RepairAction::SetAside | RepairAction::Rename, _) => f.write_str("is set aside")?,
        }
        for range in &self.lost {
            write!(f, ", gives up the records {}..{}", range.start, range.end)?;
        }
        if let Some(kept) = &self.kept {
            write!(f, ", kept as {}", kept.display())?;
        }
        let bytes = self.unreadable.iter().filter_map(|found| found.bytes);
        match bytes.fold(0, u64::saturating_add) {
            0 => Ok(()),
            bytes => write!(f, ", but for {bytes} bytes that cannot be read"),
        }
    }
}
