//! Looks, decides what opening would do, and looks again where a writer may have been in the way.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::consumers::view_consumers;
use super::inspection::Inspection;
use super::oldest::oldest_waiting;
use super::segments::{disk_bytes, view_segments};
use crate::error::{Corruption, Error, ErrorKind, Result};
use crate::format::{End, Identity};
use crate::position::Sequence;
use crate::recovery::{CorruptionPolicy, Plan, RecoveryReport, Refusal, Survey, make_plan, survey};
use crate::storage::{Directory, DiskDirectory};

/// How often to look until two looks agree. A writer that outruns all of them leaves the last.
const LOOKS_MAX: usize = 8;

/// What one look decides.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) survey: Survey,
    pub(super) identity: Identity,
    pub(super) opening: RecoveryReport,
    pub(super) end: End,
    pub(super) durable: Sequence,
    /// Everything below was dropped.
    pub(super) dropped: Sequence,
}

/// Looks at the queue in the directory `path`.
///
/// Takes no lock and changes nothing: it may be used beside a live writer, on a queue that was
/// killed, and on a damaged one. Files that come, go or grow meanwhile are no error.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] and [`ErrorKind::Foreign`] where no queue is;
/// [`ErrorKind::UnsupportedVersion`] for a later format; [`ErrorKind::Corrupt`] when the identity
/// file is damaged or missing, without which nothing else can be told; [`ErrorKind::Io`].
///
/// # Examples
///
/// ```
/// use forebay::{Queue, inspect};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("queue");
/// let queue = Queue::open(&path)?;
/// queue.enqueue(b"waits")?;
///
/// // The writer is still there, and does not notice.
/// let found = inspect::inspect(&path)?;
/// assert_eq!(found.waiting_records, 1);
/// assert!(found.oldest_waiting.is_some() && !found.is_damaged());
/// # Ok::<(), forebay::Error>(())
/// ```
pub fn inspect(path: impl AsRef<Path>) -> Result<Inspection> {
    let started = Instant::now();
    let directory = DiskDirectory::open(path.as_ref())?;
    let mut look = settled_look(&directory)?;
    let segments = view_segments(&directory, &look);
    let consumers = view_consumers(&look, &segments);
    let lowest = consumers.iter().filter_map(|consumer| consumer.next).min();
    let floor = look.dropped.max(lowest.unwrap_or_default());
    let base = segments.first().and_then(|segment| segment.base);
    let next = look.end.next;
    let oldest = if floor < next {
        oldest_waiting(&directory, &look, &segments, floor)
    } else {
        None
    };
    let caught_up = (floor >= next).then_some(0);
    let waiting = oldest.map(|found| look.end.log_bytes.saturating_sub(found.log_bytes));
    look.opening.elapsed = started.elapsed();
    Ok(Inspection {
        path: directory.path().to_path_buf(),
        id: look.identity.queue,
        integrity: look.identity.integrity,
        created: UNIX_EPOCH
            .checked_add(Duration::from_nanos(look.identity.created))
            .unwrap_or(UNIX_EPOCH),
        epoch: look.opening.epoch,
        first: look.dropped.max(base.unwrap_or_default()),
        next,
        durable: look.durable,
        floor,
        waiting_records: next.since(floor),
        waiting_bytes: waiting.or(caught_up),
        oldest_waiting: oldest.map(|found| found.enqueued_at),
        disk_bytes: disk_bytes(&directory),
        opening: look.opening,
        segments,
        consumers,
    })
}

/// A look that is not an accident of a writer at work. A record on its way into the file looks
/// like a torn tail, or like damage when a later one was read too; a segment that is reclaimed
/// meanwhile looks lost. What is really so is still so in the next look.
fn settled_look(directory: &dyn Directory) -> Result<Look> {
    let mut last: Option<Look> = None;
    let mut vanished = None;
    for _ in 0..LOOKS_MAX {
        let mut look = match look_once(directory) {
            Ok(look) => look,
            // A segment was listed and then reclaimed.
            Err(error) if error.is_missing() => {
                vanished = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let found = &look.opening;
        let quiet = found.torn.is_none() && found.corruption.is_empty();
        let again = last.as_ref().is_some_and(|last| {
            last.opening.torn == found.torn && last.opening.corruption == found.corruption
        });
        if quiet || again {
            return Ok(look);
        }
        if let Some(last) = &last {
            // Without agreement in the end, only what two looks in a row saw is told.
            let seen = |damage: &Corruption| last.opening.corruption.contains(damage);
            look.opening.corruption.retain(seen);
            look.opening.torn = None;
        }
        last = Some(look);
    }
    last.ok_or_else(|| vanished.unwrap_or_else(|| no_queue(directory)))
}

fn look_once(directory: &dyn Directory) -> Result<Look> {
    let survey = survey(directory)?;
    let (identity, state, end, opening) =
        match make_plan(&survey, CorruptionPolicy::default(), false) {
            Plan::Continue { identity, state } => {
                let report = RecoveryReport::of_clean_end(state.end.next, state.epoch);
                (identity, Some(state), state.end, report)
            }
            Plan::Recover(recovery) => {
                let epoch = survey.epoch;
                let report = RecoveryReport::of_recovery(directory, &survey, &recovery, epoch);
                let end = recovery.walked.end;
                (recovery.identity, recovery.state, end, report)
            }
            Plan::Refuse(refusal, _) => return Err(refused(refusal, directory)),
            Plan::Create => return Err(no_queue(directory)),
        };
    let dropped = state.map_or(Sequence::ZERO, |state| state.floor);
    Ok(Look {
        identity,
        end,
        durable: survey.watermark.min(end.next),
        dropped: dropped.min(end.next),
        opening,
        survey,
    })
}

fn no_queue(directory: &dyn Directory) -> Error {
    Error::at(ErrorKind::NotFound, "no queue is here", directory.path())
}

fn refused(refusal: Refusal, directory: &dyn Directory) -> Error {
    let what = match refusal {
        Refusal::NotThere => return no_queue(directory),
        Refusal::IdentityLost => "segments are here but the file QUEUE is missing",
        Refusal::IdentityDamaged => "the file QUEUE is damaged",
        Refusal::Damage => "records are damaged",
    };
    Error::at(ErrorKind::Corrupt, what, directory.path())
}
