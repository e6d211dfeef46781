//! What opening found and did, for the caller.

use std::time::Duration;

use super::Survey;
use super::plan::Recovery;
use super::walk::Damage;
use crate::error::Corruption;
use crate::event::TornTail;
use crate::format::{SegmentFile, segment_file};
use crate::position::{Epoch, SegmentNumber, Sequence};
use crate::storage::Directory;

/// What opening a queue found, kept and removed.
///
/// # Examples
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let queue = forebay::Queue::open(folder.path().join("queue"))?;
/// let report = queue.recovery();
/// assert!(report.created && report.torn.is_none() && report.corruption.is_empty());
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// The queue was made by this open.
    pub created: bool,
    /// The last owner closed the queue, and nothing speaks against it: nothing was scanned.
    pub clean: bool,
    /// `STATE` was lost and rebuilt from the segments.
    pub state_rebuilt: bool,
    /// What must have happened, in words.
    pub event: &'static str,
    /// The sequence that the next record gets.
    pub next: Sequence,
    /// The epoch that the queue goes on in.
    pub epoch: Epoch,
    /// Segments scanned.
    pub scanned_segments: usize,
    /// Bytes of segments scanned.
    pub scanned_bytes: u64,
    /// What followed the end of the log, if anything did. It is removed, and copied to
    /// `quarantine`, before the next record is written.
    pub torn: Option<TornTail>,
    /// Damage to records that had been durable. Nothing of it is removed.
    pub corruption: Vec<Corruption>,
    /// Segments that are not of the log.
    pub dropped_segments: Vec<SegmentNumber>,
    /// How long opening took.
    pub elapsed: Duration,
}

impl RecoveryReport {
    /// The report on a queue just made.
    pub(crate) fn of_creation(epoch: Epoch) -> Self {
        Self {
            created: true,
            clean: true,
            event: "created",
            epoch,
            ..Self::default()
        }
    }

    /// The report on a queue that had been closed.
    pub(crate) fn of_clean_end(next: Sequence, epoch: Epoch) -> Self {
        Self {
            clean: true,
            event: "closed",
            next,
            epoch,
            ..Self::default()
        }
    }

    /// The report on a queue that had not been closed.
    pub(crate) fn of_recovery(
        directory: &dyn Directory,
        survey: &Survey,
        recovery: &Recovery,
        epoch: Epoch,
    ) -> Self {
        let walked = &recovery.walked;
        let file = |segment| {
            directory
                .path()
                .join(segment_file(segment, SegmentFile::Log))
        };
        let torn = walked.torn.as_ref().map(|torn| {
            let position = torn.position;
            TornTail {
                seen: torn.seen.clone(),
                possibly_acknowledged: torn.frame_at_end,
                ..TornTail::new(file(position.segment), position.offset, torn.bytes)
            }
        });
        Self {
            created: false,
            clean: false,
            state_rebuilt: recovery.state.is_none(),
            event: recovery.event,
            next: walked.end.next,
            epoch,
            scanned_segments: survey.segments.len(),
            scanned_bytes: survey.scanned_bytes,
            torn,
            corruption: walked
                .damages
                .iter()
                .map(|damage| damage.to_corruption(directory))
                .collect(),
            dropped_segments: walked.dropped.clone(),
            elapsed: Duration::ZERO,
        }
    }
}

impl Damage {
    /// The damage with the path of its file.
    pub(crate) fn to_corruption(&self, directory: &dyn Directory) -> Corruption {
        let name = segment_file(self.position.segment, SegmentFile::Log);
        Corruption {
            file: directory.path().join(name),
            offset: self.position.offset,
            range: self.range.clone(),
            expected: self.defect.expected(),
            found: self.defect.found(),
        }
    }
}
