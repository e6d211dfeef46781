//! What a repair would do, as data: each step with what is wrong and what it gives up.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::apply::apply_steps;
use super::beside::plan_beside;
use super::files::lay_out;
use super::segments::plan_segments;
use super::step::RepairStep;
use super::unreadable::settle;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{CURSORS, IDENTITY, LOCK, SEGMENTS, SNAPSHOTS};
use crate::position::Sequence;
use crate::recovery::refuse_backup;
use crate::storage::{Directory, DiskDirectory, Lenient};

/// What a repair of a queue would do. Empty where nothing is to be repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairPlan {
    /// The queue's directory, absolute.
    pub path: PathBuf,
    /// The steps, in their order.
    pub steps: Vec<RepairStep>,
}

/// What a repair did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// The queue's directory, absolute.
    pub path: PathBuf,
    /// What was done, in its order.
    pub done: Vec<RepairStep>,
}

impl RepairReport {
    /// The records that were given up, in order.
    #[must_use]
    pub fn lost(&self) -> Vec<Range<Sequence>> {
        lost_by(&self.done)
    }
}

impl RepairPlan {
    /// Whether nothing is to be repaired.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The records that would be given up, in order.
    #[must_use]
    pub fn lost(&self) -> Vec<Range<Sequence>> {
        lost_by(&self.steps)
    }

    /// Carries the plan out.
    ///
    /// # Durability
    ///
    /// What was done survives power loss on return. An error, or a crash at any moment, leaves a
    /// queue that a new plan ends the same.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`] while a writer has the queue open; [`ErrorKind::InvalidInput`] when the
    /// queue is not any more as it was planned for, and nothing is changed; [`ErrorKind::Full`] and
    /// [`ErrorKind::Io`]; otherwise as for [`plan`].
    pub fn apply(&self) -> Result<RepairReport> {
        let directory = DiskDirectory::open(&self.path)?;
        apply_in(&directory, Some(self))
    }
}

fn lost_by(steps: &[RepairStep]) -> Vec<Range<Sequence>> {
    let mut ranges: Vec<_> = steps.iter().flat_map(|step| step.lost.clone()).collect();
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<Sequence>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(before) if before.end >= range.start => before.end = before.end.max(range.end),
            Some(_) | None => joined.push(range),
        }
    }
    joined
}

/// What a repair of the queue in the directory `path` would do. Takes no lock and changes nothing.
///
/// A torn tail is nothing to repair: opening sees to that.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] and [`ErrorKind::Foreign`] where no queue is, or a backup of one, whose
/// manifest would not fit any more;
/// [`ErrorKind::UnsupportedVersion`] for a later format; [`ErrorKind::Corrupt`] where too little is
/// left to tell what the queue was, where segments contradict each other (salvage takes what there
/// is), or where the log may end in what the system does not give back;
/// [`ErrorKind::Io`].
///
/// # Examples
///
/// ```
/// use forebay::{Queue, repair};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("queue");
/// let queue = Queue::open(&path)?;
/// queue.enqueue(b"whole")?;
/// queue.close()?;
///
/// let plan = repair::plan(&path)?;
/// assert!(plan.is_empty() && plan.lost().is_empty());
/// # Ok::<(), forebay::Error>(())
/// ```
pub fn plan(path: impl AsRef<Path>) -> Result<RepairPlan> {
    plan_in(&DiskDirectory::open(path.as_ref())?)
}

/// What a repair of the queue in `directory` would do.
///
/// # Errors
///
/// As for [`plan`].
#[cfg(feature = "test-support")]
pub fn plan_on(directory: &dyn Directory) -> Result<RepairPlan> {
    plan_in(directory)
}

/// Repairs the queue in `directory`, whatever there is to do.
///
/// # Errors
///
/// As for [`RepairPlan::apply`].
#[cfg(feature = "test-support")]
pub fn apply_on(directory: &dyn Directory) -> Result<RepairReport> {
    apply_in(directory, None)
}

/// Refuses a directory in which no queue is, and a backup.
fn refuse_other(directory: &dyn Directory) -> Result<()> {
    let names = directory.list("")?;
    let is_ours = |name: &String| [IDENTITY, SEGMENTS].contains(&name.as_str());
    if !names.iter().any(is_ours) {
        return Err(Error::at(
            ErrorKind::NotFound,
            "no queue is here",
            directory.path(),
        ));
    }
    refuse_backup(directory)
}

fn plan_in(directory: &dyn Directory) -> Result<RepairPlan> {
    refuse_other(directory)?;
    let lenient = Lenient::over(directory);
    let mut laid_out = lay_out(&lenient)?;
    let mut steps = std::mem::take(&mut laid_out.steps);
    let (of_segments, bounds) = plan_segments(&laid_out)?;
    steps.extend(of_segments);
    steps.extend(plan_beside(&lenient, &laid_out.identity, &bounds)?);
    Ok(RepairPlan {
        path: directory.path().to_path_buf(),
        steps: settle(&lenient, &laid_out, &bounds, steps)?,
    })
}

fn apply_in(directory: &dyn Directory, expected: Option<&RepairPlan>) -> Result<RepairReport> {
    // The lock would be the first file there.
    refuse_other(directory)?;
    let lock = directory.lock(LOCK, &format!("{}\n", std::process::id()))?;
    // A repair before may have been killed between a change of names and the sync of its folder.
    for folder in ["", SEGMENTS, CURSORS, SNAPSHOTS] {
        match directory.sync(folder) {
            Err(error) if error.is_missing() => {}
            synced => synced?,
        }
    }
    let plan = plan_in(directory)?;
    if expected.is_some_and(|expected| expected.steps != plan.steps) {
        let what = "the queue is not any more as it was planned for; plan again";
        return Err(Error::at(ErrorKind::InvalidInput, what, directory.path()));
    }
    apply_steps(directory, &plan.steps)?;
    drop(lock);
    Ok(RepairReport {
        path: plan.path,
        done: plan.steps,
    })
}
