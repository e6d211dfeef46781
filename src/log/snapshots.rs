//! What snapshots of a user's state ask of the log, and what they allow it to delete.

use super::{Log, Retention};
use crate::error::Result;
use crate::position::{Epoch, Sequence};
use crate::sync::atomic::Ordering;

impl Log {
    /// The snapshot `name`, which survives power loss, covers every record below `covers`: where
    /// records are kept for it, those may go.
    pub(crate) fn snapshot_covers(&self, name: &str, covers: Sequence) {
        if matches!(&self.settings.retention, Retention::UntilSnapshot(kept) if kept == name) {
            // Of two that are published side by side the older one may come here last.
            self.snapshot_covers
                .fetch_max(covers.get(), Ordering::AcqRel);
            self.bell.reclaim_soon();
        }
    }

    /// Every record below this is in the snapshot for which records are kept.
    pub(super) fn covered_by_snapshot(&self) -> Sequence {
        Sequence::new(self.snapshot_covers.load(Ordering::Acquire))
    }

    /// What `next`, said in `epoch`, is worth against the log as it is now: never past its end, and
    /// never past the start of a later epoch, whose sequences name other records.
    pub(crate) fn effective_place(&self, next: Sequence, epoch: Epoch) -> Result<Sequence> {
        let mut effective = next.min(self.next());
        if epoch < self.epoch
            && let Some(base) = self.table.base_after_epoch(epoch)?
        {
            effective = effective.min(base);
        }
        Ok(effective)
    }

    /// 64 random bits.
    pub(crate) fn random(&self) -> u64 {
        self.host.random()
    }
}
