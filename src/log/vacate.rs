//! Deleting every segment of a log that nobody needs a record of, the one that grows included.
//!
//! Reclaim leaves the segment that grows, and where that has filled the device there is room neither
//! for its footer nor for the next one's header: however much is acknowledged, such a log could
//! never go on. So, when a record does not fit, and not before:
//! 1. Everything is durable, cursors are synced, and the keys durable elsewhere, as in `reclaim.rs`.
//! 2. Under the log's lock, `STATE` says durably that the log ends here, and that its first segment
//!    is one which nobody has begun.
//! 3. The files are cut to nothing, so that who has one open holds no room, and unlinked; the folder
//!    is synced.
//! 4. The next append begins, as after opening, and binds a new run into the chain.
//!
//! Opening deletes what a crash in between has left. Nothing here needs room, but for a file of keys
//! that nothing was reserved for.

use super::Log;
use super::begin::Resume;
use super::floor::Place;
use super::notices::{Notice, Notices};
use super::table::Known;
use crate::error::Result;
use crate::event::GapReason;
use crate::format::{End, SegmentFile, segment_file};
use crate::position::SegmentNumber;
use crate::storage::Access;
use crate::sync::atomic::Ordering;

impl Log {
    /// Deletes all segments, if nobody needs any; whether there were some.
    pub(super) fn vacate(&self) -> Result<bool> {
        let mut notices = Notices::default();
        let vacated = self.vacate_and_tell(&mut notices);
        self.tell_all(notices);
        match vacated {
            // The keys found no room.
            Err(error) if error.is_disk_full() => Ok(false),
            vacated => vacated,
        }
    }

    /// The same, after dropping all that waits: on a full disk the oldest segment goes, and here the
    /// oldest is the only one.
    pub(super) fn drop_only_segment(&self) -> Result<bool> {
        self.commit()?;
        let end = self.appends.lock().end();
        if self.is_kept(&end) {
            return Ok(false);
        }
        let mut notices = Notices::default();
        let to = Place::new(end.next, Some(end.log_bytes));
        self.drop_to(to, GapReason::Dropped, &mut notices);
        self.tell_all(notices);
        self.vacate()
    }

    fn vacate_and_tell(&self, notices: &mut Notices) -> Result<bool> {
        let _turn = self.reclaiming.lock();
        self.commit()?;
        self.sync_cursors()
            .map_err(|error| self.poison_on_loss(error, notices))?;
        let end = self.appends.lock().end();
        let needed = self.floor.reclaimable_to(self.durable_floor());
        if needed.is_none_or(|needed| needed < end.next) || self.is_kept(&end) {
            return Ok(false);
        }
        self.keep_keys(end.next, notices)?;
        let gone = self.take_all(end, notices)?;
        for number in &gone {
            self.table.remove(*number);
            let name = segment_file(*number, SegmentFile::Log);
            let cut = self.directory.open(&name, Access::Write);
            cut.and_then(|file| file.set_length(0)).ok();
            let bytes = self.delete_now(*number)?;
            notices.push(Notice::Reclaimed {
                segment: *number,
                bytes,
            });
        }
        self.sync_names(notices)?;
        Ok(!gone.is_empty())
    }

    /// Step 2; returns the segments that are not of the log any more. None are, where somebody was
    /// faster than this.
    fn take_all(&self, end: End, notices: &mut Notices) -> Result<Vec<SegmentNumber>> {
        let mut appends = self.appends.lock();
        let is_settled = appends.is_written_out() && appends.end() == end;
        let is_durable = end.next == self.durable();
        let resume = appends.resume.clone();
        let is_damaged = resume.as_ref().is_some_and(|resume| resume.damaged);
        let gone = self.table.numbers();
        if !is_settled || !is_durable || is_damaged || gone.is_empty() {
            return Ok(Vec::new());
        }
        // Its number would be below the first. None can be ordered while the lock is held.
        self.discard_next();
        let first = appends.highest.following();
        let floor = self.floor.dropped_to().sequence;
        let committed = self.state.lock().commit_vacated(end, first, floor);
        committed.map_err(|error| self.poison_on_loss(error, notices))?;
        self.first_base.store(end.next.get(), Ordering::Release);
        appends.last = end;
        appends.active = None;
        appends.oldest = None;
        appends.resume = Some(Resume {
            continues: false,
            damaged: false,
            dropped: resume.map_or(Vec::new(), |resume| resume.dropped),
        });
        Ok(gone)
    }

    /// Whether retention keeps what ends at `end`.
    fn is_kept(&self, end: &End) -> bool {
        let behind = Known {
            base: end.next,
            epoch: self.epoch,
            log_bytes: end.log_bytes,
            previous: (end.position.segment, end.position.offset),
            started_at: self.host.now(),
        };
        self.is_retained(&behind, self.durable_floor())
    }
}
