//! What the queue tells a listener, on the thread that did it and before the call returns.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Corruption, Error};
use crate::position::{Offset, SegmentNumber, Sequence};

/// Hears what a queue does. Every method does nothing unless it is overridden.
///
/// Methods are called on the thread that did the thing, before its call returns, with no lock
/// held: they may call the queue back. They should be quick, and must not panic.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Count(AtomicU64);
///
/// impl forebay::Listener for Count {
///     fn enqueued(&self, records: u64, _bytes: u64) {
///         self.0.fetch_add(records, Ordering::Relaxed);
///     }
/// }
/// ```
#[expect(
    unused_variables,
    reason = "the names in the default methods are documentation"
)]
pub trait Listener: Send + Sync {
    /// `records` with `bytes` of payload were accepted.
    fn enqueued(&self, records: u64, bytes: u64) {}

    /// Records were given up. `count` of them had not been delivered; it can be lower than the
    /// range where a record in flight is yet to be decided.
    fn dropped(&self, gap: &Gap, count: u64) {}

    /// `consumer` acknowledged `records`.
    fn delivered(&self, consumer: &str, records: u64) {}

    /// One sync of the log, which made `records` durable, took `duration`.
    fn synced(&self, duration: Duration, records: u64) {}

    /// The log went on from the segment `sealed` to the segment `active`.
    fn rotated(&self, sealed: SegmentNumber, active: SegmentNumber) {}

    /// A segment that nobody needs was deleted, and its file's `bytes` given back.
    fn reclaimed(&self, segment: SegmentNumber, bytes: u64) {}

    /// Opening removed what followed the end of the log after a crash.
    fn torn_tail_removed(&self, torn: &TornTail) {}

    /// Durable bytes were found damaged.
    fn corruption(&self, corruption: &Corruption) {}

    /// A sync failed; the queue serves no one until it is opened again.
    fn poisoned(&self, error: &Error) {}
}

impl fmt::Debug for dyn Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// A range of records that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Which records, half open.
    pub range: Range<Sequence>,
    /// Why.
    pub reason: GapReason,
}

impl Gap {
    pub(crate) fn new(range: Range<Sequence>, reason: GapReason) -> Self {
        Self { range, reason }
    }
}

/// Adds `gap` to the ones that are to be told, joined to the one before where they touch.
pub(crate) fn join_gap(gaps: &mut Vec<Gap>, gap: Gap) {
    match gaps.last_mut() {
        Some(last) if last.reason == gap.reason && last.range.end == gap.range.start => {
            last.range.end = gap.range.end;
        }
        Some(_) | None => gaps.push(gap),
    }
}

/// Why a range of records is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapReason {
    /// The queue was at capacity and gives up its oldest records.
    Dropped,
    /// The records were older than `max_age`.
    Expired,
    /// The records are damaged and were skipped.
    Damaged,
    /// The segment of the records was deleted: they had been acknowledged, or, where a follower
    /// tells it, given up.
    Reclaimed,
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dropped => "dropped to make room",
            Self::Expired => "older than the queue keeps them",
            Self::Damaged => "damaged",
            Self::Reclaimed => "reclaimed",
        })
    }
}

/// What followed the end of the log after a crash, and was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TornTail {
    /// The segment file that was cut, or the first one that was dropped whole.
    pub file: PathBuf,
    /// Where the log ends in it.
    pub offset: Offset,
    /// Bytes after that place that were not zero, whole dropped segments included.
    pub bytes: u64,
    /// The sequences of whole frames among them, half open; empty when there were none.
    pub seen: Range<Sequence>,
    /// Whether a record that had been acknowledged as durable may be among them. It takes a fault
    /// of the medium inside the last group, beside the power cut.
    pub possibly_acknowledged: bool,
}

impl TornTail {
    pub(crate) fn new(file: PathBuf, offset: Offset, bytes: u64) -> Self {
        let seen = Sequence::ZERO..Sequence::ZERO;
        Self {
            file,
            offset,
            bytes,
            seen,
            possibly_acknowledged: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_ends_a_sentence_about_records_that_are_gone() {
        let told = |reason: GapReason| format!("the records 3..5 are gone: {reason}");
        let reasons = [
            GapReason::Dropped,
            GapReason::Expired,
            GapReason::Damaged,
            GapReason::Reclaimed,
        ];
        assert_eq!(
            reasons.map(told),
            [
                "the records 3..5 are gone: dropped to make room",
                "the records 3..5 are gone: older than the queue keeps them",
                "the records 3..5 are gone: damaged",
                "the records 3..5 are gone: reclaimed",
            ]
        );
    }
}
