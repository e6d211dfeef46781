//! Group commit: one sync for all who wait for it, one sync in flight.
//!
//! Whoever needs a commit and finds none in flight leads it: it writes what is pending, syncs, and
//! raises the watermark for everyone. A waiter is released only by a sync that started after its
//! bytes were written, because what a commit covers is settled under the lock before its sync.

use std::sync::Arc;
use std::time::Instant;

use super::Log;
use super::appends::{Appends, Rewind};
use super::group::Waiting;
use super::notices::{Notice, Notices};
use crate::error::{Error, Result};
use crate::format::{Chain, wide};
use crate::position::{Offset, SegmentNumber, Sequence};
use crate::segment::{ControlPlace, encode_padding};
use crate::storage::File;
use crate::sync::atomic::{Ordering, fence};
use crate::sync::{MutexGuard, is_past, now};

/// What one leader took over to write.
struct Taken {
    waiting: Waiting,
    written: Vec<Waiting>,
    frames: Vec<u8>,
    /// Where the frames go, if there are any.
    file: Option<Arc<dyn File>>,
    rewind: Rewind,
}

impl Taken {
    /// How many wait for this commit.
    fn callers(&self) -> u64 {
        let written: u64 = self.written.iter().map(Waiting::callers).sum();
        self.waiting.callers() + written
    }
}

/// What one commit makes durable.
struct Target {
    next: Sequence,
    chain: Chain,
    /// What the records below `next` alone enforce.
    floor: Sequence,
    /// Oldest first.
    files: Vec<Arc<dyn File>>,
    /// Whether a segment's name does not survive power loss yet.
    unnamed: bool,
    /// The active segment and where it will be synced to.
    active: Option<(SegmentNumber, Offset)>,
    sealed: usize,
}

impl Log {
    /// Makes everything before `target` durable; false when the deadline comes first, or when a
    /// full disk takes some of it back. A commit that this caller leads is finished whatever the
    /// deadline.
    pub(crate) fn commit_through(
        &self,
        target: Sequence,
        deadline: Option<Instant>,
    ) -> Result<bool> {
        let mut notices = Notices::default();
        let reached = self.commit_or_wait(target, deadline, &mut notices);
        self.tell_all(notices);
        reached
    }

    fn commit_or_wait(
        &self,
        target: Sequence,
        deadline: Option<Instant>,
        notices: &mut Notices,
    ) -> Result<bool> {
        loop {
            if self.durable() >= target {
                return Ok(true);
            }
            self.check()?;
            let mut appends = self.appends.lock();
            if appends.next < target {
                // A full disk took back what was to become durable: nobody will make it so.
                return Ok(false);
            }
            if !std::mem::replace(&mut appends.committing, true) {
                drop(appends);
                self.lead(notices)?;
                continue;
            }
            while appends.committing && self.durable() < target {
                if is_past(deadline) {
                    return Ok(false);
                }
                appends = self.turn.wait_until(appends, deadline);
            }
        }
    }

    /// Makes everything written so far durable.
    pub(crate) fn commit(&self) -> Result<()> {
        self.commit_through(self.next_written(), None).map(drop)
    }

    /// Writes and syncs for everyone. The caller has set `committing`.
    pub(super) fn lead(&self, notices: &mut Notices) -> Result<()> {
        if self.settings.gather {
            self.gather.wait();
        }
        let started = now();
        let mut taken = self.take();
        if let Err(error) = self.check() {
            // The commit before this one failed: a sync that succeeds now would prove nothing.
            let mut appends = self.appends.lock();
            appends.writing = false;
            return self.end_commit(appends, &taken, None, Err(error));
        }
        let written = match &taken.file {
            Some(file) => file.write_at(&taken.frames, taken.rewind.frames_at()),
            None => Ok(()),
        };
        let mut appends = self.appends.lock();
        appends.writing = false;
        self.turn.notify_all();
        // What others have written before is synced also when these frames did not fit.
        let mut refused = None;
        if let Err(error) = written {
            let error = self.undo(&mut appends, taken.rewind, &error, notices);
            if self.check().is_err() {
                return self.end_commit(appends, &taken, None, Err(error));
            }
            refused = Some(error);
        }
        let frames = std::mem::take(&mut taken.frames);
        appends.recycle(frames);
        self.watermark.note_written(appends.next_written());
        self.evict(&mut appends, self.host.now(), notices);
        let target = self.target(&appends);
        drop(appends);
        let synced = self.sync_target(&target, notices);
        if synced.is_ok() {
            self.gather.note_commit(now().duration_since(started));
            self.settle(&target, started, notices);
        }
        let appends = self.appends.lock();
        self.end_commit(appends, &taken, refused, synced)
    }

    /// Takes over everything that is pending.
    fn take(&self) -> Taken {
        let mut appends = self.appends.lock();
        self.pad(&mut appends);
        let waiting = std::mem::take(&mut appends.waiting);
        let written = std::mem::take(&mut appends.written);
        let rewind = appends.rewind;
        let mut frames = Vec::new();
        let mut file = None;
        if !appends.pending.is_empty() {
            let spare = std::mem::take(&mut appends.spare);
            frames = std::mem::replace(&mut appends.pending, spare);
            appends.writing = true;
            appends.writing_from = rewind.next;
            let active = appends.active.as_ref();
            file = active.map(|active| Arc::clone(&active.segment.file));
        }
        Taken {
            waiting,
            written,
            frames,
            file,
            rewind,
        }
    }

    /// Fills the rest of the sector or page, so that the next commit begins at a new one.
    fn pad(&self, appends: &mut Appends) {
        let Some(unit) = self.settings.commit_padding.unit() else {
            return;
        };
        let time = self.host.now();
        let place = ControlPlace {
            next: appends.next,
            watermark: self.durable(),
            chain: appends.chain,
            time,
        };
        let here = appends.here();
        let Some(active) = &mut appends.active else {
            return;
        };
        if !active.started || active.offset <= active.synced {
            return;
        }
        if appends.pending.is_empty() {
            appends.rewind = here;
        }
        let before = appends.pending.len();
        let framing = active.segment.framing;
        encode_padding(framing, place, (active.offset, unit), &mut appends.pending);
        active.offset = active.offset.plus(wide(appends.pending.len() - before));
    }

    /// What a sync that starts now will make durable.
    fn target(&self, appends: &Appends) -> Target {
        let unsettled = appends.unsettled.iter();
        let mut unnamed = unsettled.clone().any(|sealed| !sealed.named);
        let mut files: Vec<_> = unsettled
            .map(|sealed| Arc::clone(&sealed.segment.file))
            .collect();
        // Frames that others added since are neither written nor part of this commit.
        let (next, chain, end) = if appends.pending.is_empty() {
            (appends.next, appends.chain, None)
        } else {
            (
                appends.rewind.next,
                appends.rewind.chain,
                Some(appends.rewind.offset),
            )
        };
        let mut reached = None;
        if let Some(active) = appends.active.as_ref().filter(|active| active.started) {
            let end = end.unwrap_or(active.offset);
            unnamed |= !active.named;
            if end > active.synced || !active.named {
                files.push(Arc::clone(&active.segment.file));
            }
            reached = Some((active.segment.number(), end));
        }
        let floor = self.floor.dropped_to().sequence;
        Target {
            next,
            chain,
            floor,
            files,
            unnamed,
            active: reached,
            sealed: appends.unsettled.len(),
        }
    }

    /// The syncs of a commit, oldest segment first, then their names.
    fn sync_target(&self, target: &Target, notices: &mut Notices) -> Result<()> {
        self.sync_in_turn(notices, || {
            for file in &target.files {
                file.sync()?;
            }
            Ok(())
        })?;
        if target.unnamed {
            self.sync_names(notices)?;
        }
        Ok(())
    }

    /// After the syncs succeeded: the watermark, `STATE`, and what is settled now.
    fn settle(&self, target: &Target, started: Instant, notices: &mut Notices) {
        if target.files.is_empty() && !target.unnamed {
            return;
        }
        let mut appends = self.appends.lock();
        let settled: Vec<_> = appends.unsettled.drain(..target.sealed).collect();
        if let Some(active) = &mut appends.active
            && let Some((number, end)) = target.active
            && active.segment.number() == number
        {
            active.synced = active.synced.max(end);
            active.named = true;
        }
        // A segment sealed while this sync ran has its name synced all the same.
        for sealed in &mut appends.unsettled {
            sealed.named |= target
                .active
                .is_some_and(|(number, _)| number == sealed.segment.number());
        }
        drop(appends);
        let records = target.next.since(self.durable());
        self.syncs.fetch_add(1, Ordering::Relaxed);
        notices.wake_later(self.watermark.raise(target.next, target.chain));
        self.committed_floor
            .fetch_max(target.floor.get(), Ordering::AcqRel);
        // Pairs with the fence of `state_synced`: either this is seen there, or its lock is free.
        fence(Ordering::SeqCst);
        self.write_state((target.next, target.floor), notices);
        if self.listener.is_some() {
            notices.push(Notice::Synced {
                duration: now().duration_since(started),
                records,
            });
        }
        self.bell.settle_later(settled);
        self.floor_moved();
    }

    /// Writes the watermark and its floor into `STATE`, for followers to see, unless somebody holds
    /// the lock for a sync: then he does, in `state_synced`.
    fn write_state(&self, (watermark, floor): (Sequence, Sequence), notices: &mut Notices) {
        if let Some(mut state) = self.state.try_lock()
            && self.check().is_ok()
            && let Err(error) = state.write_watermark(watermark, floor)
        {
            self.poison_on_loss(error, notices);
        }
    }

    /// After `STATE` was synced and its lock given back: does what a commit could not do meanwhile.
    pub(super) fn state_synced(&self, notices: &mut Notices) {
        fence(Ordering::SeqCst);
        let floor = self.durable_floor();
        let durable = self.durable();
        let state = self.state.try_lock();
        if state.is_some_and(|state| state.newest().watermark < durable) {
            self.write_state((durable, floor), notices);
        }
    }

    /// Lets the next leader in and tells this commit's callers how it ended: those whose frames
    /// were `refused` by a full device that, all others how the sync ended.
    fn end_commit(
        &self,
        mut appends: MutexGuard<'_, Appends>,
        taken: &Taken,
        refused: Option<Error>,
        synced: Result<()>,
    ) -> Result<()> {
        appends.committing = false;
        // Callers that came too late for this commit, when there will be no other.
        let mut cut_off = Vec::new();
        let failure = self.check().err();
        if failure.is_some() {
            cut_off.append(&mut appends.written);
            cut_off.push(std::mem::take(&mut appends.waiting));
        } else if let Some(waiting) = appends.written.first() {
            waiting.call_leader();
        } else if appends.waiting.callers() > 0 {
            appends.waiting.call_leader();
        }
        self.gather.release(taken.callers());
        drop(appends);
        self.turn.notify_all();
        taken.waiting.finish(refused.map_or(synced.clone(), Err));
        for waiting in &taken.written {
            waiting.finish(synced.clone());
        }
        if let Some(error) = failure {
            for waiting in &cut_off {
                waiting.finish(Err(error.clone()));
            }
        }
        synced
    }

    /// After a failed write: a full device takes back the records of everyone whose frames were
    /// not written; anything else leaves the medium unknown.
    pub(super) fn undo(
        &self,
        appends: &mut Appends,
        rewind: Rewind,
        error: &Error,
        notices: &mut Notices,
    ) -> Error {
        let Some(active) = appends.active.as_ref().filter(|_| error.is_disk_full()) else {
            return self.poison_quietly(error, notices);
        };
        // Parts of the failed write may be in the file as whole, valid frames. They are gone, and
        // known to be gone, before their place is used again: cutting needs no space.
        let file = &active.segment.file;
        let cut = || {
            file.set_length(rewind.frames_at())
                .and_then(|()| file.sync())
        };
        if let Err(failed) = self.sync_in_turn(notices, cut) {
            return failed;
        }
        appends.go_back(rewind);
        let behind = std::mem::take(&mut appends.waiting);
        behind.finish(Err(error.clone()));
        error.clone()
    }
}
