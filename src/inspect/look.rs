//! Looks once, and decides what opening would do.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::consumers::measure_lag;
use super::disk::disk_use;
use super::inspection::Inspection;
use super::records::Records;
use super::settled::{Glance, settled_glance};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{End, Identity};
use crate::position::Sequence;
use crate::recovery::{
    CorruptionPolicy, Plan, RecoveryReport, Refusal, Survey, is_backup, make_plan, survey,
};
use crate::storage::{Directory, DiskDirectory};

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
    inspect_on(&DiskDirectory::open(path.as_ref())?)
}

/// Looks at the queue in `directory`, as [`inspect`] does.
///
/// # Errors
///
/// As [`inspect`].
#[cfg_attr(
    not(feature = "test-support"),
    expect(unreachable_pub, reason = "public with the feature test-support")
)]
pub fn inspect_on(directory: &dyn Directory) -> Result<Inspection> {
    let started = Instant::now();
    let Glance {
        mut look,
        segments,
        mut consumers,
        snapshots,
    } = settled_glance(directory)?;
    let lowest = consumers.iter().filter_map(|consumer| consumer.next).min();
    let floor = look.dropped.max(lowest.unwrap_or_default());
    let base = segments.iter().find_map(|segment| segment.base);
    // A log that was emptied has no segment to tell.
    let base = base.or(look.survey.state.map(|state| state.first_base));
    let next = look.end.next;
    let mut records = Records::new(directory, &look, &segments);
    let waits = (floor < next).then_some(floor);
    let oldest = waits.and_then(|floor| records.find(floor));
    measure_lag(&mut consumers, &look, &mut records);
    let caught_up = (floor >= next).then_some(0);
    let waiting = oldest.map(|found| look.end.log_bytes.saturating_sub(found.log_bytes));
    let disk = disk_use(directory);
    look.opening.elapsed = started.elapsed();
    Ok(Inspection {
        path: directory.path().to_path_buf(),
        id: look.identity.queue,
        integrity: look.identity.integrity,
        created: moment(look.identity.created).unwrap_or(UNIX_EPOCH),
        epoch: look.opening.epoch,
        first: look.dropped.max(base.unwrap_or_default()),
        next,
        durable: look.durable,
        floor,
        waiting_records: next.since(floor),
        waiting_bytes: waiting.or(caught_up),
        oldest_waiting: oldest.map(|found| found.enqueued_at),
        log_bytes: look.end.log_bytes,
        disk_bytes: disk.total,
        quarantine_bytes: disk.quarantine,
        free_bytes: disk.free,
        opening: look.opening,
        backup: is_backup(directory)?,
        segments,
        consumers,
        snapshots,
    })
}

pub(super) fn look_once(directory: &dyn Directory) -> Result<Look> {
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

/// The moment `nanoseconds` after 1970-01-01; `None` where the clock does not go so far.
pub(super) fn moment(nanoseconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_nanos(nanoseconds))
}

pub(super) fn no_queue(directory: &dyn Directory) -> Error {
    Error::at(ErrorKind::NotFound, "no queue is here", directory.path())
}

fn refused(refusal: Refusal, directory: &dyn Directory) -> Error {
    let what = match refusal {
        Refusal::NotThere => return no_queue(directory),
        Refusal::IdentityLost => "segments are here but the file QUEUE is missing",
        Refusal::IdentityDamaged => "the file QUEUE is damaged",
        Refusal::StateGone => "the file STATE is lost, and no segment tells where the log was",
        Refusal::Damage => "records are damaged",
    };
    Error::at(ErrorKind::Corrupt, what, directory.path())
}
