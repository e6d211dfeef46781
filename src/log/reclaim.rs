//! Deleting segments that nobody needs.
//!
//! 1. Cursors synced: they must not point into what is gone.
//! 2. The keys in what goes are durable in the file `KEYS`, as far as they count (`keys_file.rs`).
//! 3. `STATE` says durably which segment is the first now.
//! 4. Each file renamed to `.trash`, its index unlinked.
//! 5. The file cut to nothing, so that who has it open holds no room, and unlinked: at once for a
//!    caller who wants the room, else in steps (`trash.rs`).
//! 6. The folder synced.
//!
//! Opening deletes what a crash in between has left: any `.trash`, and any segment below the first.
//! Records count as needed until every consumer has acknowledged them or they were dropped; with
//! no consumer at all, only what was dropped goes.

use super::floor::Place;
use super::host::is_older;
use super::notices::{Notice, Notices};
use super::table::Known;
use super::trash::Doomed;
use super::{Log, Retention};
use crate::error::Result;
use crate::event::GapReason;
use crate::format::{SegmentFile, segment_file};
use crate::position::{Offset, SegmentNumber, Sequence};
use crate::segment::{IndexBuilder, Segment, write_index};
use crate::storage::Access;
use crate::sync::atomic::{Ordering, fence};

/// How soon the room of a deleted segment is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    Now,
    InSteps,
}

impl Log {
    /// Deletes every segment that nobody needs, now; returns how many.
    pub(crate) fn reclaim(&self) -> Result<usize> {
        self.reclaim_with(Haste::Now)
    }

    /// Deletes every segment that nobody needs, large ones in steps that hold up nobody.
    pub(super) fn reclaim_gently(&self) -> Result<usize> {
        self.reclaim_with(Haste::InSteps)
    }

    fn reclaim_with(&self, haste: Haste) -> Result<usize> {
        let mut notices = Notices::default();
        let reclaimed = self.reclaim_and_remember(haste, &mut notices);
        self.tell_all(notices);
        reclaimed
    }

    fn reclaim_and_remember(&self, haste: Haste, notices: &mut Notices) -> Result<usize> {
        // One at a time: the order above is for one caller.
        let _turn = self.reclaiming.lock();
        self.check()?;
        if haste == Haste::Now {
            self.empty_trash();
        }
        let before = self.reclaim_marks();
        let reclaimed = self.reclaim_segments(haste, notices);
        // After a failure the next acknowledgement tries again.
        let again_at = reclaimed
            .as_ref()
            .map_or(Sequence::ZERO, |(_, again_at)| *again_at);
        self.reclaim_at.fetch_min(again_at.get(), Ordering::AcqRel);
        // With the fence of `floor_moved`: either the floor is seen here, or this is seen there.
        fence(Ordering::SeqCst);
        // What rose meanwhile may have found nobody to ring for.
        if self.reclaim_marks() != before {
            self.floor_moved();
        }
        reclaimed.map(|(count, _)| count)
    }

    /// What decides which segments may go.
    fn reclaim_marks(&self) -> [Sequence; 3] {
        [self.floor.sequence(), self.durable(), self.durable_floor()]
    }

    /// Deletes what may go; returns how many segments that were, and the floor at which to look
    /// again.
    fn reclaim_segments(&self, haste: Haste, notices: &mut Notices) -> Result<(usize, Sequence)> {
        let (free, again_at) = self.free_segments()?;
        let Some(last) = free.last() else {
            return Ok((0, again_at));
        };
        let Some(first) = self.table.following(*last) else {
            return Ok((0, again_at));
        };
        self.sync_cursors()
            .map_err(|error| self.poison_on_loss(error, notices))?;
        let floor = self.durable_floor();
        let Some(known) = self.table.known(first)? else {
            return Ok((0, again_at));
        };
        self.keep_keys(known.base, notices)?;
        let committed = self.state.lock().commit_first((first, known.base), floor);
        committed.map_err(|error| self.poison_on_loss(error, notices))?;
        self.state_synced(notices);
        self.first_base.store(known.base.get(), Ordering::Release);
        self.delete_segments(&free, haste, notices)?;
        Ok((free.len(), again_at))
    }

    /// The segments that may go, oldest first, and the floor at which to look again.
    fn free_segments(&self) -> Result<(Vec<SegmentNumber>, Sequence)> {
        let never = Sequence::new(u64::MAX);
        let dropped = self.durable_floor();
        let Some(needed) = self.floor.reclaimable_to(dropped) else {
            return Ok((Vec::new(), never));
        };
        let needed = needed.min(self.durable());
        let numbers = self.table.numbers();
        let mut free = Vec::new();
        let mut is_held = false;
        for pair in numbers.windows(2) {
            let &[number, following] = pair else { continue };
            let Some(next) = self.table.known(following)? else {
                break;
            };
            // The log must not shrink to a segment of which nothing is durable.
            if next.base > needed || next.base >= self.durable() {
                return Ok((free, next.base));
            }
            is_held |= self.is_retained(&next, dropped);
            if !is_held {
                free.push(number);
            }
        }
        Ok((free, never))
    }

    /// The floor rose: rings for the commit thread when that may have freed a segment.
    pub(super) fn floor_moved(&self) {
        fence(Ordering::SeqCst);
        let floor = self.floor.sequence().get();
        let at = self.reclaim_at.load(Ordering::Acquire);
        // Whoever wins rings; reclaiming says when to look again.
        if floor >= at
            && self
                .reclaim_at
                .compare_exchange(at, u64::MAX, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        {
            self.bell.reclaim_soon();
        }
    }

    /// Whether acknowledged records are kept that end where the segment `next` begins; what is
    /// below `dropped` was given up.
    pub(super) fn is_retained(&self, next: &Known, dropped: Sequence) -> bool {
        match &self.settings.retention {
            Retention::UntilAcked => false,
            Retention::KeepForever => true,
            Retention::KeepBytes(bytes) => self.log_bytes().saturating_sub(next.log_bytes) < *bytes,
            Retention::KeepAge(age) => !is_older(next.started_at, *age, self.host.now()),
            // No state can be made of what was given up: it is not kept for one.
            Retention::UntilSnapshot(_) => next.base > self.covered_by_snapshot().max(dropped),
        }
    }

    /// Writes the index file of a sealed segment, unless segments are being deleted right now or
    /// this one is gone. A cache: when it is not written, the next look-up scans.
    pub(super) fn keep_index(
        &self,
        segment: &Segment,
        index: &IndexBuilder,
        end: (Sequence, Offset),
    ) {
        let Some(_turn) = self.reclaiming.try_lock() else {
            return;
        };
        if self.check().is_ok() && self.table.contains(segment.number()) {
            write_index(self.directory(), segment, index, end).ok();
        }
    }

    /// Deletes segments that `STATE` says are not of the log.
    pub(super) fn delete_segments(
        &self,
        numbers: &[SegmentNumber],
        haste: Haste,
        notices: &mut Notices,
    ) -> Result<()> {
        for number in numbers {
            self.table.remove(*number);
            let bytes = self.delete_segment(*number, haste)?;
            notices.push(Notice::Reclaimed {
                segment: *number,
                bytes,
            });
        }
        self.sync_names(notices)
    }

    fn delete_segment(&self, number: SegmentNumber, haste: Haste) -> Result<u64> {
        let log = segment_file(number, SegmentFile::Log);
        let trash = segment_file(number, SegmentFile::Trash);
        let file = self.directory.open(&log, Access::Write);
        let bytes = file.as_ref().map_or(Ok(0), |file| file.length());
        let bytes = bytes.unwrap_or(0);
        let doomed = match self.directory.rename(&log, &trash) {
            Ok(()) => trash,
            // The longer name may need a block that a full disk does not have. `STATE` says
            // already that the segment is not of the log.
            Err(error) if error.is_disk_full() => log,
            Err(error) => return Err(error),
        };
        self.directory
            .remove(&segment_file(number, SegmentFile::Index))?;
        match (file, haste) {
            (Ok(file), Haste::InSteps) => self.throw_away(Doomed::new(doomed, file, bytes))?,
            (Ok(file), Haste::Now) => {
                // Who has it open would hold its room until he lets go of it.
                file.set_length(0).ok();
                self.directory.remove(&doomed)?;
            }
            (Err(_), _) => self.directory.remove(&doomed)?,
        }
        Ok(bytes)
    }

    /// What of the drop floor the records below the watermark alone enforce: a record may be
    /// dropped, durably, only once those that pushed it out are durable themselves.
    pub(super) fn durable_floor(&self) -> Sequence {
        let appends = self.appends.lock();
        if appends.next == self.durable() {
            return self.floor.dropped_to().sequence;
        }
        Sequence::new(self.committed_floor.load(Ordering::Acquire))
    }

    /// On a full disk: drops all records of the oldest segment and deletes it.
    pub(super) fn drop_oldest_segment(&self) -> Result<bool> {
        let Some(first) = self.table.first() else {
            return Ok(false);
        };
        let Some(second) = self.table.following(first) else {
            return self.drop_and_vacate();
        };
        let Some(next) = self.table.known(second)? else {
            return Ok(false);
        };
        if next.base > self.durable() {
            return Ok(false);
        }
        let mut notices = Notices::default();
        // A full device decides at once, whatever is durable beyond.
        self.committed_floor
            .fetch_max(next.base.get(), Ordering::AcqRel);
        let to = Place::new(next.base, Some(next.log_bytes));
        self.drop_to(to, GapReason::Dropped, &mut notices);
        self.tell_all(notices);
        self.reclaim()?;
        // Somebody else's reclaim may have deleted it.
        Ok(self.table.first() != Some(first))
    }
}
