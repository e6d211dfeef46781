//! When the records of a queue were enqueued, by a bounded sample of them.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::path::Path;
use std::time::SystemTime;

use super::records::Records;
use super::settled::{Glance, settled_glance};
use crate::error::Result;
use crate::format::wide;
use crate::position::Sequence;
use crate::storage::{Directory, DiskDirectory};

/// When one record was enqueued, and how much of the log is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moment {
    /// The record.
    pub sequence: Sequence,
    /// When it was enqueued, by the clock of the writer, which may have been set back since.
    pub enqueued_at: SystemTime,
    /// Frame bytes of the log before it.
    pub log_bytes: u64,
}

/// When the records of the queue in the directory `path` were enqueued: at most `moments_max` of
/// them, in order, spread evenly over the log, its first and its last record among them.
///
/// As [`inspect`](super::inspect()), it takes no lock and changes nothing. A record that cannot be
/// read is left out.
///
/// # Errors
///
/// As [`inspect`](super::inspect()).
///
/// # Examples
///
/// ```
/// use forebay::{Queue, inspect};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("queue");
/// let queue = Queue::open(&path)?;
/// queue.enqueue_batch(["one", "two", "three", "four", "five"])?;
///
/// let moments = inspect::timeline(&path, 3)?;
/// let sequences: Vec<_> = moments.iter().map(|moment| moment.sequence.get()).collect();
/// assert_eq!(sequences, [0, 2, 4]);
/// # Ok::<(), forebay::Error>(())
/// ```
pub fn timeline(path: impl AsRef<Path>, moments_max: usize) -> Result<Vec<Moment>> {
    timeline_on(&DiskDirectory::open(path.as_ref())?, moments_max)
}

fn timeline_on(directory: &dyn Directory, moments_max: usize) -> Result<Vec<Moment>> {
    let Glance { look, segments, .. } = settled_glance(directory)?;
    let first = segments.iter().find_map(|segment| segment.base);
    let first = look.dropped.max(first.unwrap_or_default());
    let mut records = Records::new(directory, &look, &segments);
    let targets = spread(first, look.end.next, wide(moments_max));
    let moments = targets.filter_map(|sequence| {
        let found = records.find(sequence)?;
        Some(Moment {
            sequence,
            enqueued_at: found.enqueued_at,
            log_bytes: found.log_bytes,
        })
    });
    Ok(moments.collect())
}

/// At most `count` sequences of `[first, next)`, evenly, both ends among them.
fn spread(first: Sequence, next: Sequence, count: u64) -> impl Iterator<Item = Sequence> {
    let records = next.since(first);
    let count = count.min(records);
    let last = u128::from(records.saturating_sub(1));
    (0..count).map(move |at| {
        let steps = u128::from(count.saturating_sub(1).max(1));
        let skipped = last.saturating_mul(u128::from(at)).checked_div(steps);
        first.plus(u64::try_from(skipped.unwrap_or(0)).unwrap_or(u64::MAX))
    })
}
