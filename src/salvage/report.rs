//! What salvaging has found, as plain data.

use std::ops::Range;
use std::path::PathBuf;

use crate::error::Unreadable;
use crate::position::{QueueId, Sequence};
use crate::rebuild::Rebuilt;

/// What came out of a queue, and what did not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// The new queue.
    pub rebuilt: Rebuilt,
    /// The records that are missing, half open, in order: they were in the queue, and no valid
    /// frame of them is left.
    pub lost: Vec<Range<Sequence>>,
    /// Records that were known to be gone before: a repair had given them up.
    pub known_gaps: Vec<Range<Sequence>>,
    /// The records that nothing proves to have been durable, half open: opening the old queue may
    /// have removed them as a torn tail. They are in the new one.
    pub unproven: Range<Sequence>,
    /// The last records that are left of batches without their end. They are in the new queue,
    /// though as batches these were never whole.
    pub cut_batches: Vec<Sequence>,
    /// Records in segments that had been reclaimed and were still there; left out.
    pub reclaimed: u64,
    /// Records that were found more than once, the same each time.
    pub duplicates: u64,
    /// Records whose sequence belongs to another one of a newer epoch; kept aside.
    pub superseded: u64,
    /// The file with those records, if there are any.
    pub superseded_in: Option<PathBuf>,
    /// Other queues of which files were found.
    pub foreign: Vec<ForeignQueue>,
    /// Every file that was looked into.
    pub files: Vec<SalvagedFile>,
    /// The consumers that go on where they were.
    pub consumers: Vec<SalvagedConsumer>,
    /// The consumers whose place is not known. They are not in the new queue: each begins with the
    /// first record when it is made anew.
    pub lost_consumers: Vec<LostConsumer>,
    /// The names of snapshots, which are not taken over.
    pub snapshots_left: Vec<String>,
    /// What the system did not give back of the old queue. It hides the records that are lost, and
    /// perhaps others that nothing else tells of.
    pub unreadable: Vec<Unreadable>,
}

impl Salvaged {
    pub(super) fn new(rebuilt: Rebuilt) -> Self {
        let next = rebuilt.next;
        Self {
            rebuilt,
            lost: Vec::new(),
            known_gaps: Vec::new(),
            unproven: next..next,
            cut_batches: Vec::new(),
            reclaimed: 0,
            duplicates: 0,
            superseded: 0,
            superseded_in: None,
            foreign: Vec::new(),
            files: Vec::new(),
            consumers: Vec::new(),
            lost_consumers: Vec::new(),
            snapshots_left: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// Whether no record is missing, as far as anything left can tell, all consumers keep their
    /// places, and everything could be read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty() && self.lost_consumers.is_empty() && self.unreadable.is_empty()
    }

    /// How many records are missing.
    #[must_use]
    pub fn lost_records(&self) -> u64 {
        let each = self.lost.iter().map(|range| range.end.since(range.start));
        each.fold(0, u64::saturating_add)
    }
}

/// Another queue of which files were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignQueue {
    /// Its identity.
    pub id: QueueId,
    /// How many files.
    pub files: u64,
    /// Records in them, those that are there twice counted twice.
    pub records: u64,
}

impl ForeignQueue {
    pub(super) fn new(id: QueueId) -> Self {
        Self {
            id,
            files: 0,
            records: 0,
        }
    }
}

/// One file that was looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvagedFile {
    /// Its name in the queue's directory.
    pub name: String,
    /// What it is.
    pub state: FileState,
    /// Records that came out of it, and are in no other file read before.
    pub records: u64,
    /// Whether there is something in it that is no frame.
    pub damaged: bool,
}

impl SalvagedFile {
    pub(super) fn new(name: &str, state: FileState, records: u64, damaged: bool) -> Self {
        Self {
            name: name.to_owned(),
            state,
            records,
            damaged,
        }
    }
}

/// What a file is to the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileState {
    /// A segment under its own name.
    Segment,
    /// A segment under another name: that of the number in its header is expected.
    Misnamed {
        /// The number in the header.
        number: u64,
    },
    /// A segment whose header is gone. That its records are of this queue, and the epoch they are
    /// given, is told by the sequences beside them.
    WithoutHeader,
    /// A segment of another queue.
    Foreign,
    /// Of a later version of the format.
    LaterVersion,
    /// No frame could be proven to be in it.
    Unreadable,
}

/// A consumer that goes on where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvagedConsumer {
    /// Its name.
    pub name: String,
    /// The next record that it gets.
    pub next: Sequence,
}

impl SalvagedConsumer {
    pub(super) fn new(name: &str, next: Sequence) -> Self {
        Self {
            name: name.to_owned(),
            next,
        }
    }
}

/// A consumer whose place is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostConsumer {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl LostConsumer {
    pub(super) fn new(name: &str, reason: String) -> Self {
        Self {
            name: name.to_owned(),
            reason,
        }
    }
}
