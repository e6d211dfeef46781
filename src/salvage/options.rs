//! What to salvage, and into what.

use crate::position::QueueId;
use crate::rebuild::RebuildOptions;

/// What [`salvage`](super::salvage()) looks for.
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until they are salvaged with"]
pub struct SalvageOptions {
    pub(super) queue: Option<QueueId>,
    pub(super) quarantine: bool,
    segment_bytes: Option<u64>,
    #[cfg(feature = "test-support")]
    seed: Option<u64>,
}

impl SalvageOptions {
    /// The records of the queue that the file `QUEUE` names, or else most of the segments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whose records to get out, where those of several queues are mixed. Where nothing is left
    /// that tells, the new queue gets this identity.
    pub fn queue(mut self, queue: QueueId) -> Self {
        self.queue = Some(queue);
        self
    }

    /// Looks into the folder `quarantine` too, for segments that a recovery or a repair has moved
    /// there. Their records were given up once: those whose place was taken by others since are
    /// kept aside.
    pub fn include_quarantine(mut self, quarantine: bool) -> Self {
        self.quarantine = quarantine;
        self
    }

    /// How large the segments of the new queue are to become, 8 KiB to 32 GiB; default 64 MiB.
    pub fn segment_bytes(mut self, segment_bytes: u64) -> Self {
        self.segment_bytes = Some(segment_bytes);
        self
    }

    /// What random bits are made of, so that a test sees the same each time.
    #[cfg(feature = "test-support")]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    pub(super) fn apply(&self, mut options: RebuildOptions) -> RebuildOptions {
        if let Some(bytes) = self.segment_bytes {
            options = options.segment_bytes(bytes);
        }
        #[cfg(feature = "test-support")]
        if let Some(seed) = self.seed {
            options = options.seed(seed);
        }
        options
    }
}
