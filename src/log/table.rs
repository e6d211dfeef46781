//! Which segments the log has, and in which of them a sequence is.
//!
//! Only numbers are held for sure. What a start frame says is read when it is first asked for and
//! kept, so that opening costs nothing that grows with the backlog; files are not kept open.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{ErrorKind, Result};
use crate::format::{Defect, SegmentFile, segment_file};
use crate::position::{Epoch, Offset, QueueId, SegmentNumber, Sequence};
use crate::segment::Segment;
use crate::storage::{Access, Directory};
use crate::sync::RwLock;

/// The segments of the log, oldest first.
#[derive(Debug)]
pub(crate) struct SegmentTable {
    directory: Arc<dyn Directory>,
    queue: QueueId,
    known: RwLock<BTreeMap<SegmentNumber, Option<Known>>>,
}

/// What is remembered of a start frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) base: Sequence,
    pub(crate) epoch: Epoch,
    pub(crate) log_bytes: u64,
    /// Where the log left the segment before.
    pub(crate) previous: (SegmentNumber, Offset),
    /// When the segment was begun, in nanoseconds since 1970.
    pub(crate) started_at: u64,
}

impl Known {
    fn of(segment: &Segment) -> Self {
        Self {
            base: segment.base,
            epoch: segment.header.epoch,
            log_bytes: segment.start.log_bytes,
            previous: (segment.start.previous, segment.start.previous_end),
            started_at: segment.started_at,
        }
    }
}

impl SegmentTable {
    pub(crate) fn new(
        directory: Arc<dyn Directory>,
        queue: QueueId,
        numbers: impl IntoIterator<Item = SegmentNumber>,
    ) -> Self {
        let known = numbers.into_iter().map(|number| (number, None)).collect();
        Self {
            directory,
            queue,
            known: RwLock::new(known),
        }
    }

    pub(crate) fn contains(&self, number: SegmentNumber) -> bool {
        self.known.read().contains_key(&number)
    }

    pub(crate) fn count(&self) -> usize {
        self.known.read().len()
    }

    pub(crate) fn first(&self) -> Option<SegmentNumber> {
        self.known.read().keys().next().copied()
    }

    pub(crate) fn numbers(&self) -> Vec<SegmentNumber> {
        self.known.read().keys().copied().collect()
    }

    /// The segment after `number`.
    pub(crate) fn following(&self, number: SegmentNumber) -> Option<SegmentNumber> {
        self.known
            .read()
            .range(number.following()..)
            .next()
            .map(|(number, _)| *number)
    }

    /// The segment whose start frame names `number`: not always the following one, because a file
    /// without records may stand between them after a crash.
    pub(crate) fn successor(&self, number: SegmentNumber) -> Result<Option<SegmentNumber>> {
        let mut at = number;
        while let Some(following) = self.following(at) {
            let known = self.known(following)?;
            if known.is_some_and(|known| known.previous.0 == number) {
                return Ok(Some(following));
            }
            at = following;
        }
        Ok(None)
    }

    /// Adds a segment whose start frame has just been encoded.
    pub(crate) fn add(&self, segment: &Segment) {
        self.known
            .write()
            .insert(segment.number(), Some(Known::of(segment)));
    }

    pub(crate) fn remove(&self, number: SegmentNumber) {
        self.known.write().remove(&number);
    }

    /// Opens a segment; the inner error says why it cannot be read as one of ours.
    pub(crate) fn open(
        &self,
        number: SegmentNumber,
    ) -> Result<std::result::Result<Segment, Defect>> {
        let opened = Segment::open(&*self.directory, self.queue, number, Access::Read)?;
        if let Err(defect @ Defect::Version { .. }) = opened {
            return Err(defect.into_error(ErrorKind::Corrupt, "a segment", &self.path(number)));
        }
        if let Ok(segment) = &opened
            && let Some(known) = self.known.write().get_mut(&number)
        {
            *known = Some(Known::of(segment));
        }
        Ok(opened)
    }

    /// What the start frame of a segment says; `None` when it cannot be read.
    pub(crate) fn known(&self, number: SegmentNumber) -> Result<Option<Known>> {
        if let Some(Some(known)) = self.known.read().get(&number) {
            return Ok(Some(*known));
        }
        Ok(self.open(number)?.ok().map(|segment| Known::of(&segment)))
    }

    /// The last segment that begins at or before `sequence`, or the first one.
    pub(crate) fn segment_of(&self, sequence: Sequence) -> Result<Option<SegmentNumber>> {
        let numbers = self.numbers();
        let (mut low, mut high) = (0, numbers.len());
        while low < high {
            let middle = low.midpoint(high);
            // An unreadable segment is judged by the next readable one before `high`.
            let mut probe = middle;
            let mut found = None;
            while probe < high && found.is_none() {
                found = self.known(numbers[probe])?;
                probe += 1;
            }
            match found {
                Some(known) if known.base <= sequence => low = probe,
                Some(_) | None => high = middle,
            }
        }
        Ok(numbers.get(low.saturating_sub(1)).copied())
    }

    /// The base of the first segment whose epoch is newer than `epoch`.
    pub(crate) fn base_after_epoch(&self, epoch: Epoch) -> Result<Option<Sequence>> {
        let mut first = None;
        for number in self.numbers().into_iter().rev() {
            match self.known(number)? {
                Some(known) if known.epoch > epoch => first = Some(known.base),
                Some(_) => break,
                None => {}
            }
        }
        Ok(first)
    }

    /// The largest base of a segment that was begun before `time`, in nanoseconds since 1970.
    pub(crate) fn base_before_time(&self, time: u64) -> Result<Sequence> {
        let mut base = Sequence::ZERO;
        for number in self.numbers() {
            let known = self.known(number)?;
            // 0 is a time that a repair did not know.
            let begun_before =
                known.filter(|known| known.started_at > 0 && known.started_at < time);
            base = begun_before.map_or(base, |known| base.max(known.base));
        }
        Ok(base)
    }

    /// The first base above `sequence`, of `from` and the segments after it.
    pub(crate) fn base_above(
        &self,
        from: SegmentNumber,
        sequence: Sequence,
    ) -> Result<Option<Sequence>> {
        for number in self.numbers().into_iter().filter(|at| *at >= from) {
            let known = self.known(number)?.filter(|known| known.base > sequence);
            if let Some(known) = known {
                return Ok(Some(known.base));
            }
        }
        Ok(None)
    }

    /// The path of a segment's file, for messages.
    pub(crate) fn path(&self, number: SegmentNumber) -> std::path::PathBuf {
        self.directory
            .path()
            .join(segment_file(number, SegmentFile::Log))
    }
}
