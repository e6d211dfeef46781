//! What a rebuilt queue is to be.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::random::Draw;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Identity, Integrity, SEGMENT_BYTES_MAX};
use crate::position::{Epoch, QueueId, Sequence};

/// As for a queue that is opened.
const SEGMENT_BYTES_MIN: u64 = 8192;
const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;

/// What a queue that is made by a [`Rebuild`](super::Rebuild) is to be.
///
/// # Examples
///
/// ```
/// use forebay::rebuild::RebuildOptions;
/// use forebay::{Integrity, QueueId};
///
/// let options = RebuildOptions::new()
///     .id(QueueId::new([7; 16]))
///     .integrity(Integrity::Crc32c)
///     .segment_bytes(1 << 20);
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a rebuild is begun with them"]
pub struct RebuildOptions {
    id: Option<QueueId>,
    integrity: Integrity,
    pub(super) segment_bytes: u64,
    pub(super) first: Option<Sequence>,
    pub(super) epoch_above: Epoch,
    created: Option<SystemTime>,
    seed: Option<u64>,
}

impl Default for RebuildOptions {
    fn default() -> Self {
        Self {
            id: None,
            integrity: Integrity::default(),
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            first: None,
            epoch_above: Epoch::default(),
            created: None,
            seed: None,
        }
    }
}

impl RebuildOptions {
    /// A queue with an identity of its own, created now.
    pub fn new() -> Self {
        Self::default()
    }

    /// The queue's identity: that of the queue that the records are from, where their ids are to
    /// stay the same. Default: a new one.
    pub fn id(mut self, id: QueueId) -> Self {
        self.id = Some(id);
        self
    }

    /// What every record carries besides checksums. Default: [`Integrity::Chained`].
    pub fn integrity(mut self, integrity: Integrity) -> Self {
        self.integrity = integrity;
        self
    }

    /// How large a segment is to become, 8 KiB to 32 GiB; default 64 MiB. A larger record has one
    /// to itself.
    pub fn segment_bytes(mut self, segment_bytes: u64) -> Self {
        self.segment_bytes = segment_bytes;
        self
    }

    /// The sequence that the queue begins with: what is missing between it and the first record is
    /// a gap. Default: the first record's.
    pub fn first(mut self, first: Sequence) -> Self {
        self.first = Some(first);
        self
    }

    /// An epoch that records may have been written in, though none of them is left: records that
    /// come later get an epoch above it, so that no id is ever given twice. Those of the records
    /// that are added need not be said.
    pub fn epoch_above(mut self, epoch: Epoch) -> Self {
        self.epoch_above = epoch;
        self
    }

    /// When the queue was created. Default: now.
    pub fn created(mut self, created: SystemTime) -> Self {
        self.created = Some(created);
        self
    }

    /// What random bits are made of, so that a test sees the same each time.
    #[cfg(feature = "test-support")]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let range = SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX;
        if range.contains(&self.segment_bytes) {
            return Ok(());
        }
        let what = format!(
            "the option segment_bytes is {}, its range is 8192 to 34359738360",
            self.segment_bytes
        );
        Err(Error::new(ErrorKind::InvalidInput, what))
    }

    pub(super) fn draw(&self) -> Draw {
        self.seed.map_or_else(Draw::new, Draw::of)
    }

    pub(super) fn identity(&self, draw: &mut Draw) -> Identity {
        let created = self.created.unwrap_or_else(SystemTime::now);
        let since = created.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Identity {
            queue: self.id.unwrap_or_else(|| draw.queue()),
            integrity: self.integrity,
            created: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
        }
    }
}
