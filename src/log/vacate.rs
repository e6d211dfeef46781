//! Deleting every segment of a log that nobody needs a record of, the one that grows included.
//!
//! Reclaim leaves the segment that grows, and where that has filled the device there is room neither
//! for its footer nor for the next one's header: however much is acknowledged, such a log could
//! never go on. So, when a record does not fit, and not before:
//! 1. Everything is durable. Nobody needs a record, and cursors that say so are synced; the keys are
//!    durable elsewhere, as in `reclaim.rs`.
//! 2. Under the log's lock, if all of this still holds, `STATE` says durably that the log ends here,
//!    and that its first segment is one which nobody has begun.
//! 3. The files go, as in `reclaim.rs` from its step 4 on.
//! 4. The next append begins, as after opening, and binds a new run into the chain.
//!
//! With `Overflow::DropOldest` what waits is given up first, in step 2: the oldest segment goes, and
//! here the oldest is the only one.
//!
//! Opening deletes what a crash in between has left. Nothing here needs room, but for a file of keys
//! that nothing was reserved for.

use super::Log;
use super::begin::Resume;
use super::floor::Place;
use super::notices::Notices;
use super::reclaim::Haste;
use super::table::Known;
use crate::error::Result;
use crate::event::GapReason;
use crate::format::End;
use crate::position::{SegmentNumber, Sequence};
use crate::sync::atomic::Ordering;

/// How often to begin again where somebody appends meanwhile.
const ATTEMPTS_MAX: u32 = 16;

/// What came of one attempt.
enum Vacated {
    /// These segments are not of the log any more.
    Gone(Vec<SegmentNumber>),
    /// Somebody needs a record, or something else stands in the way.
    Kept,
    /// Somebody appended meanwhile.
    Busy,
}

impl Log {
    /// Deletes all segments, if nobody needs any; whether there were some.
    pub(super) fn vacate(&self) -> Result<bool> {
        self.try_to_vacate(false)
    }

    /// The same, after dropping all that waits.
    pub(super) fn drop_and_vacate(&self) -> Result<bool> {
        self.try_to_vacate(true)
    }

    fn try_to_vacate(&self, drops: bool) -> Result<bool> {
        for _ in 0..ATTEMPTS_MAX {
            // With no lock held: who is told of it may call the queue back.
            self.commit()?;
            let mut notices = Notices::default();
            let vacated = self.vacate_once(drops, &mut notices);
            self.tell_all(notices);
            match vacated {
                Ok(Vacated::Busy) => {}
                Ok(Vacated::Gone(_)) => return Ok(true),
                Ok(Vacated::Kept) => return Ok(false),
                // The keys found no room.
                Err(error) if error.is_disk_full() => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn vacate_once(&self, drops: bool, notices: &mut Notices) -> Result<Vacated> {
        let _turn = self.reclaiming.lock();
        self.check_open()?;
        let end = self.appends.lock().end();
        let dropped = if drops {
            end.next
        } else {
            self.durable_floor()
        };
        let needed = self.floor.reclaimable_to(dropped);
        let is_needed = needed.is_none_or(|needed| needed < end.next);
        if is_needed || self.is_kept(&end, dropped) || self.table.count() == 0 {
            return Ok(Vacated::Kept);
        }
        // Only now: no cursor that was counted on may point into what is gone.
        self.sync_cursors()
            .map_err(|error| self.poison_on_loss(error, notices))?;
        self.keep_keys(end.next, notices)?;
        let taken = self.take_all(end, drops, notices)?;
        if let Vacated::Gone(gone) = &taken {
            self.delete_segments(gone, Haste::Now, notices)?;
        }
        Ok(taken)
    }

    /// Step 2.
    fn take_all(&self, end: End, drops: bool, notices: &mut Notices) -> Result<Vacated> {
        let mut appends = self.appends.lock();
        self.check_open()?;
        let resume = appends.resume.clone();
        if resume.as_ref().is_some_and(|resume| resume.damaged) {
            return Ok(Vacated::Kept);
        }
        let is_settled = appends.is_written_out() && appends.end() == end;
        if !is_settled || end.next != self.durable() {
            return Ok(Vacated::Busy);
        }
        // Its number would be below the first. None can be ordered while the lock is held.
        self.discard_next();
        let first = appends.highest.following();
        let floor = if drops {
            end.next
        } else {
            self.floor.dropped_to().sequence
        };
        let committed = self.state.lock().commit_vacated(end, first, floor);
        committed.map_err(|error| self.poison_on_loss(error, notices))?;
        if drops {
            self.committed_floor
                .fetch_max(end.next.get(), Ordering::AcqRel);
            let to = Place::new(end.next, Some(end.log_bytes));
            self.drop_to(to, GapReason::Dropped, notices);
        }
        self.first_base.store(end.next.get(), Ordering::Release);
        appends.last = end;
        appends.active = None;
        appends.oldest = None;
        appends.resume = Some(Resume {
            continues: false,
            damaged: false,
            dropped: resume.map_or(Vec::new(), |resume| resume.dropped),
        });
        // A new one may be begun as soon as the lock is free.
        Ok(Vacated::Gone(self.table.numbers()))
    }

    /// Whether retention keeps what ends at `end`; what is below `dropped` was given up.
    fn is_kept(&self, end: &End, dropped: Sequence) -> bool {
        let behind = Known {
            base: end.next,
            epoch: self.epoch,
            log_bytes: end.log_bytes,
            previous: (end.position.segment, end.position.offset),
            started_at: self.host.now(),
        };
        self.is_retained(&behind, dropped)
    }
}
