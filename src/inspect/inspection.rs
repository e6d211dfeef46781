//! What looking finds, as plain data.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::format::Integrity;
use crate::position::{Epoch, QueueId, SegmentNumber, Sequence};
use crate::recovery::RecoveryReport;

/// A queue on disk as it was found by [`inspect`](super::inspect()).
///
/// Beside a live writer it is a moment in the past, and the end is the last whole record found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The queue's directory, absolute.
    pub path: PathBuf,
    /// The queue's identity.
    pub id: QueueId,
    /// What every record carries besides checksums.
    pub integrity: Integrity,
    /// When the queue was created.
    pub created: SystemTime,
    /// The run of the log found. Opening a queue that was not closed begins a new one.
    pub epoch: Epoch,
    /// What opening would report and do if it came now, with the default policy; its `epoch` is
    /// the one found and its `elapsed` how long looking took. `clean` is false while a writer has
    /// the queue open and has enqueued, as well as after a kill. Of a backup it is what opening the
    /// restored queue comes to: the backup itself is refused.
    pub opening: RecoveryReport,
    /// Whether this is a backup, or what was to be one.
    pub backup: bool,
    /// The oldest record that can be read.
    pub first: Sequence,
    /// The sequence that the next record gets.
    pub next: Sequence,
    /// Everything below is proven, by what was found, to survive power loss.
    pub durable: Sequence,
    /// Everything below was delivered to every readable consumer, or dropped.
    pub floor: Sequence,
    /// Records that wait: from the floor to the next.
    pub waiting_records: u64,
    /// Frame bytes of the records that wait; `None` when the oldest one cannot be found.
    pub waiting_bytes: Option<u64>,
    /// When the oldest record that waits was enqueued; `None` when there is none, or it cannot be
    /// read.
    pub oldest_waiting: Option<SystemTime>,
    /// Frame bytes of the whole log since the queue was created, reclaimed segments included.
    pub log_bytes: u64,
    /// The segment files, in order.
    pub segments: Vec<SegmentView>,
    /// The consumers, by name.
    pub consumers: Vec<ConsumerView>,
    /// The published snapshots, by name.
    pub snapshots: Vec<SnapshotView>,
    /// The lengths of the queue's files, reserved space and quarantine included.
    pub disk_bytes: u64,
    /// The lengths of the files in quarantine, which no reader needs.
    pub quarantine_bytes: u64,
    /// What this process may still write where the queue is; `None` where nobody knows.
    pub free_bytes: Option<u64>,
}

impl Inspection {
    /// Whether something is damaged: records, a segment's beginning, a cursor, a snapshot's
    /// beginning.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        !self.opening.corruption.is_empty()
            || self.opening.state_rebuilt
            || self.segments.iter().any(|segment| segment.defect.is_some())
            || self
                .consumers
                .iter()
                .any(|consumer| consumer.defect.is_some())
            || self
                .snapshots
                .iter()
                .any(|snapshot| snapshot.defect.is_some())
    }
}

/// One segment file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentView {
    /// The segment's number.
    pub number: SegmentNumber,
    /// What the file is to the log.
    pub role: SegmentRole,
    /// The sequence of its first record; `None` where neither its start frame nor the segment
    /// before it tells.
    pub base: Option<Sequence>,
    /// The sequence after its last record, where the log tells it.
    pub next: Option<Sequence>,
    /// How many records it holds, those of gaps included; `None` where base or next is not known.
    pub records: Option<u64>,
    /// Bytes of frames between its start frame and the end of the log in it.
    pub frame_bytes: Option<u64>,
    /// The chain at the end of the log in it, as the segment after it or the state says it; `None`
    /// where nobody does, and in a queue that has no chain.
    pub chain: Option<[u8; 32]>,
    /// The run of the log that it was begun in.
    pub epoch: Option<Epoch>,
    /// When it was begun, by the clock of the writer.
    pub begun: Option<SystemTime>,
    /// The file's length, reserved space included.
    pub file_bytes: u64,
    /// Why the file is not readable as a segment of this queue; `None` where it is part of a torn
    /// tail.
    pub defect: Option<String>,
}

/// What a segment file is to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SegmentRole {
    /// Made ahead of need; no record yet.
    Prepared,
    /// The log ends here.
    Active,
    /// Complete, with its footer.
    Sealed,
    /// The log goes on in a later segment, but no footer is where this one ends.
    Unsealed,
    /// Not of the log: left by a crash, or put there by somebody.
    Stray,
    /// The log goes on from it, but there is no such file.
    Missing,
}

/// One consumer as its cursor file was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerView {
    /// The consumer's name.
    pub name: String,
    /// The sequence of the next record to deliver; `None` when the cursor cannot be used.
    pub next: Option<Sequence>,
    /// How many records are left to deliver; an upper bound, as some may turn out dropped.
    pub lag: Option<u64>,
    /// Frame bytes of those records; `None` when the first of them cannot be found.
    pub lag_bytes: Option<u64>,
    /// When the first of them was enqueued; `None` when there is none, or it cannot be read.
    pub oldest: Option<SystemTime>,
    /// Which kinds of records it is given, as far as its cursor tells.
    pub filter: FilterView,
    /// Why the cursor cannot be used.
    pub defect: Option<String>,
}

/// What a cursor tells of its consumer's filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FilterView {
    /// Nothing, as the cursor cannot be used.
    Unknown,
    /// Every kind is delivered.
    Everything,
    /// Records of this kind alone.
    Kind(u16),
    /// Records of some other set of kinds; the cursor has no more than this hash of them.
    Kinds([u8; 32]),
}

/// One published snapshot as its file was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotView {
    /// The snapshot's name.
    pub name: String,
    /// Every record below this is in its state; `None` when the file cannot be used.
    pub covers: Option<Sequence>,
    /// The file's length.
    pub file_bytes: u64,
    /// Why its beginning cannot be used. The state behind it is not read.
    pub defect: Option<String>,
}
