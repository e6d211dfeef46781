//! The choices that shape a log, as data.

use std::time::Duration;

use super::append::Acceptance;
use crate::format::Integrity;
use crate::recovery::CorruptionPolicy;

/// When a record becomes durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncPolicy {
    /// `enqueue` returns when its record is durable. Callers that enqueue at the same time share
    /// one sync.
    #[default]
    Always,
    /// `enqueue` returns when its record is written, which survives the process but not power
    /// loss; a sync in the background follows within the interval.
    Interval(Duration),
    /// `enqueue` returns when its record is written; `sync` makes it durable.
    Manual,
}

/// What `enqueue` does at capacity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// Fail with [`ErrorKind::Full`](crate::ErrorKind::Full).
    #[default]
    Reject,
    /// Wait for room, at most so long; then fail as `Reject` does.
    Block(Duration),
    /// Accept, and give up the oldest records: as many as exceed the capacity, counted.
    DropOldest,
}

/// How a segment's blocks are reserved when it is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preallocate {
    /// Not at all: the file grows as it is written, and every sync has to update its length.
    None,
    /// The blocks of a whole segment are reserved, so that a full disk shows when a segment is
    /// begun. A sync still has to note which of them were written for the first time.
    Allocate,
    /// They are also filled with zeros, in the background, ahead of their use, so that a sync
    /// writes data only. Every byte is written twice for that. Done with [`SyncPolicy::Always`],
    /// where a caller waits for each sync; as `Allocate` with the others. Neither is done on
    /// network file systems and on those that copy on write.
    #[default]
    Zero,
}

/// What is kept apart on the medium between two commits.
///
/// It protects what a commit made durable from the commits after it. It does not protect records
/// that were on the medium without a commit of theirs, by luck, when the power went: opening
/// makes them durable where they stand, and the end that is then written may share their sector.
/// Nor does it protect against a power cut while a recovery writes again what it keeps: that begins
/// in the middle of what was durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitPadding {
    /// Nothing: the device is trusted not to damage bytes that a write does not change
    /// ("powersafe overwrite").
    #[default]
    None,
    /// Each commit begins at a new 512-byte sector.
    Sector,
    /// Each commit begins at a new 4 KiB page.
    Page,
}

impl CommitPadding {
    pub(crate) fn unit(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Sector => Some(512),
            Self::Page => Some(4096),
        }
    }
}

/// How much longer acknowledged records are kept than they are needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retention {
    /// A segment is deleted once every consumer has acknowledged all of it.
    #[default]
    UntilAcked,
    /// The newest segments with at least so many bytes of records stay.
    KeepBytes(u64),
    /// Records stay at least so long.
    KeepAge(Duration),
    /// Everything stays.
    KeepForever,
    /// Records stay until the published snapshot of this name covers them
    /// ([`Queue::snapshots`](crate::Queue::snapshots)); everything stays until there is one that
    /// can be used. It holds for as long as the queue is open with it: whoever opens it with
    /// another retention deletes by that one.
    UntilSnapshot(String),
}

/// Everything that shapes a log.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) sync_policy: SyncPolicy,
    pub(crate) segment_bytes: u64,
    pub(crate) max_records: u64,
    pub(crate) max_bytes: u64,
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_record_bytes: u32,
    pub(crate) overflow: Overflow,
    pub(crate) integrity: Integrity,
    pub(crate) corruption_policy: CorruptionPolicy,
    pub(crate) preallocate: Preallocate,
    pub(crate) commit_padding: CommitPadding,
    pub(crate) retention: Retention,
    /// How many of the newest records are looked at for a key.
    pub(crate) once_window: u64,
    pub(crate) may_create: bool,
    /// Whether the leader of a commit waits for those who are about to join it.
    pub(crate) gather: bool,
}

/// The size of a queue's first segment. Those after it are larger, so that a queue that never
/// holds much takes little.
const FIRST_SEGMENT_BYTES: u64 = 1 << 20;

impl Settings {
    /// What a caller waits for by the policy.
    pub(crate) fn acceptance(&self) -> Acceptance {
        match self.sync_policy {
            SyncPolicy::Always => Acceptance::Durable,
            SyncPolicy::Interval(_) | SyncPolicy::Manual => Acceptance::Written,
        }
    }

    /// The size of a segment that begins after `log_bytes` of the log: as much again, so that the
    /// log doubles with each, within its limits.
    pub(crate) fn segment_bytes_at(&self, log_bytes: u64) -> u64 {
        let least = FIRST_SEGMENT_BYTES.min(self.segment_bytes);
        log_bytes.clamp(least, self.segment_bytes)
    }
}
