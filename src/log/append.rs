//! The way of a record into the log.
//!
//! What can be computed before the record has a place (checksum and hash of its payload) is, before
//! any lock is taken. Under the lock it gets its sequence, its link of the chain and its frame.
//! Then it is written: at once by its caller where "written" is what was asked for, or together
//! with everyone else's by the leader of the next commit.

use std::ops::Range;

use super::appends::{Appends, Prepared};
use super::capacity::Lacking;
use super::group::Woken;
use super::keys::First;
use super::notices::{Notice, Notices};
use super::{Log, Overflow, SyncPolicy};
use crate::error::{Error, ErrorKind, FullReason, Result};
use crate::format::{SEGMENT_BYTES_MAX, Start, wide};
use crate::position::Sequence;
use crate::sync::atomic::Ordering;
use crate::sync::{MutexGuard, deadline_after};

/// What the caller waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acceptance {
    /// The records are in the kernel.
    Written,
    /// The records survive power loss.
    Durable,
}

/// What became of records.
#[derive(Debug)]
pub(super) enum Appended {
    /// They are in the log.
    New(Range<Sequence>),
    /// One with the same key was there.
    Known(First),
}

impl Log {
    /// Makes a record ready; refuses one that is too large.
    pub(crate) fn prepare<'a>(&self, payload: &'a [u8], kind: u16) -> Result<Prepared<'a>> {
        let length = self.check_length(payload.len())?;
        let digest = self.framing.digest(payload);
        Ok(Prepared {
            payload,
            length,
            kind,
            key: None,
            digest,
        })
    }

    /// The length of a payload of `bytes`, if that is allowed.
    pub(super) fn check_length(&self, bytes: usize) -> Result<u32> {
        let limit = self.settings.max_record_bytes;
        let length = u32::try_from(bytes).ok().filter(|length| *length <= limit);
        length.ok_or_else(|| {
            let what = format!("the record has {bytes} bytes, max_record_bytes allows {limit}");
            Error::new(ErrorKind::RecordTooLarge, what)
        })
    }

    /// Appends `records` as one batch: all or nothing, one after the other.
    pub(crate) fn append(
        &self,
        records: &[Prepared<'_>],
        acceptance: Acceptance,
    ) -> Result<Range<Sequence>> {
        match self.append_or_find(records, acceptance)? {
            Appended::New(range) => Ok(range),
            Appended::Known(first) => Ok(first.sequence..first.sequence.plus(1)),
        }
    }

    /// The same; a record whose key is known is found instead.
    pub(super) fn append_or_find(
        &self,
        records: &[Prepared<'_>],
        acceptance: Acceptance,
    ) -> Result<Appended> {
        let appended = self.append_once(records, acceptance);
        if !appended.as_ref().is_err_and(Error::is_disk_full) {
            return appended;
        }
        // What nobody needs goes before anybody is refused, and before a record is given up.
        for make_room in [Self::free_room, Self::reclaim_room, Self::vacate] {
            if make_room(self)? {
                let again = self.append_once(records, acceptance);
                if !again.as_ref().is_err_and(Error::is_disk_full) {
                    return again;
                }
            }
        }
        if self.settings.overflow == Overflow::DropOldest && self.drop_oldest_segment()? {
            return self.append_once(records, acceptance);
        }
        appended
    }

    /// Gives a full device back what no record needs: the next segment, and what was deleted.
    /// Whether there was any.
    pub(super) fn free_room(&self) -> Result<bool> {
        let freed = self.discard_next() | self.empty_trash();
        if freed {
            let mut notices = Notices::default();
            let synced = self.sync_names(&mut notices);
            self.tell_all(notices);
            synced?;
        }
        Ok(freed)
    }

    /// Deletes the segments that nobody needs, which the background may be about to do. Whether
    /// there was any.
    fn reclaim_room(&self) -> Result<bool> {
        match self.reclaim() {
            // The keys in them found no room.
            Err(error) if error.is_disk_full() => Ok(false),
            reclaimed => reclaimed.map(|count| count > 0),
        }
    }

    fn append_once(&self, records: &[Prepared<'_>], acceptance: Acceptance) -> Result<Appended> {
        let bytes = self.check_batch(records)?;
        let time = self.host.now();
        let mut notices = Notices::default();
        let appended = self.append_at(records, (bytes, time), acceptance, &mut notices);
        if let Ok(Appended::New(_)) = &appended {
            let payload = records.iter().map(Prepared::user_bytes).sum();
            let count = wide(records.len());
            self.enqueued.fetch_add(count, Ordering::Relaxed);
            self.tell(|listener| listener.enqueued(count, payload));
        }
        self.tell_all(notices);
        appended
    }

    fn append_at(
        &self,
        records: &[Prepared<'_>],
        (bytes, time): (u64, u64),
        acceptance: Acceptance,
        notices: &mut Notices,
    ) -> Result<Appended> {
        let mut appends = self.ready(records, bytes, acceptance, notices)?;
        // Somebody with the same key may have come first while the lock was waited for.
        if let Some(first) = appends.first_with_key(records) {
            return Ok(Appended::Known(first));
        }
        let range = appends.assign(records, time, self.durable());
        self.note_growth(&mut appends);
        if acceptance == Acceptance::Written {
            let outcome = self.write_pending(&mut appends, notices);
            if outcome.is_ok() {
                self.evict(&mut appends, time, notices);
            }
            drop(appends);
            outcome?;
            if let SyncPolicy::Interval(interval) = self.settings.sync_policy {
                self.bell.sync_within(interval);
            }
            return Ok(Appended::New(range));
        }
        let group = appends.waiting.join();
        self.gather.arrive();
        loop {
            if let Some(outcome) = group.outcome() {
                outcome?;
                return Ok(Appended::New(range));
            }
            let leads = !std::mem::replace(&mut appends.committing, true);
            drop(appends);
            if leads {
                // Its outcome reaches this caller through the group.
                self.lead(notices).ok();
            }
            match group.wait() {
                Woken::Done(outcome) => return outcome.map(|()| Appended::New(range)),
                Woken::Lead => appends = self.appends.lock(),
            }
        }
    }

    /// The lock, once the records can get their place: the log serves, there is room for them,
    /// and a segment to put them in.
    fn ready(
        &self,
        records: &[Prepared<'_>],
        bytes: u64,
        acceptance: Acceptance,
        notices: &mut Notices,
    ) -> Result<MutexGuard<'_, Appends>> {
        let mut deadline = None;
        loop {
            self.check_open()?;
            self.learn_floor_bytes()?;
            let mut appends = self.appends.lock();
            if acceptance == Acceptance::Written {
                while appends.writing {
                    appends = self.turn.wait(appends);
                }
            }
            // A commit in between may have failed, or the queue may have been closed.
            self.check_open()?;
            if appends.first_with_key(records).is_some() {
                // Found by the caller, who needs no room for it.
                return Ok(appends);
            }
            if self
                .lacking_room(&appends, wide(records.len()), bytes)
                .is_some()
            {
                self.evict_expired(&mut appends, self.host.now(), notices);
            }
            if let Some(Lacking { target, reason }) =
                self.lacking_room(&appends, wide(records.len()), bytes)
            {
                drop(appends);
                let Overflow::Block(timeout) = self.settings.overflow else {
                    return Err(full(reason));
                };
                let until = *deadline.get_or_insert_with(|| deadline_after(timeout));
                let Some(target) = target else {
                    return Err(full(reason));
                };
                if !self
                    .floor
                    .wait(target, until, || self.check_open().is_err())
                {
                    self.check_open()?;
                    return Err(full(reason));
                }
                continue;
            }
            if let Some(appends) = self.with_segment(appends, bytes, notices)? {
                return Ok(appends);
            }
        }
    }

    /// The frame bytes of a batch; refuses one that no segment can hold.
    fn check_batch(&self, records: &[Prepared<'_>]) -> Result<u64> {
        let framing = self.framing;
        let bytes = records.iter().fold(0_u64, |sum, record| {
            sum.saturating_add(framing.frame_bytes(record.length))
        });
        let lead = crate::format::BLOCK_BYTES + framing.frame_bytes(Start::BODY_BYTES) + 4096;
        if bytes > SEGMENT_BYTES_MAX - lead {
            let what = format!("a batch of {bytes} bytes does not fit in one segment");
            return Err(Error::new(ErrorKind::RecordTooLarge, what));
        }
        Ok(bytes)
    }

    /// Writes what is pending, under the lock.
    pub(super) fn write_pending(&self, appends: &mut Appends, notices: &mut Notices) -> Result<()> {
        if appends.pending.is_empty() {
            return Ok(());
        }
        let Some(active) = &appends.active else {
            return Ok(());
        };
        let written = active
            .segment
            .file
            .write_at(&appends.pending, appends.rewind.frames_at());
        match written {
            Ok(()) => {
                appends.note_written();
                self.watermark.note_written(appends.next);
                Ok(())
            }
            Err(error) => {
                let rewind = appends.rewind;
                Err(self.undo(appends, rewind, &error, notices))
            }
        }
    }

    pub(crate) fn tell_all(&self, notices: Notices) {
        notices.tell(self.listener.as_deref());
    }

    /// A full device is met before anything is lost; any other failed write leaves the medium
    /// unknown.
    pub(super) fn poison_on_loss(&self, error: Error, notices: &mut Notices) -> Error {
        if error.is_disk_full() {
            error
        } else {
            self.poison_quietly(&error, notices)
        }
    }

    /// Poisons the log while a lock is held: the listener hears of it later.
    pub(super) fn poison_quietly(&self, cause: &Error, notices: &mut Notices) -> Error {
        let error = if cause.kind() == ErrorKind::Poisoned {
            cause.clone()
        } else {
            cause.poison()
        };
        if self.watermark.check().is_ok() {
            notices.push(Notice::Poisoned(error.clone()));
        }
        notices.wake_later(self.watermark.fail(&error));
        self.floor.nudge();
        error
    }
}

fn full(reason: FullReason) -> Error {
    let what = match reason {
        FullReason::Records => "the queue holds max_records",
        FullReason::Bytes => "the queue holds max_bytes",
        FullReason::Disk => "the device is full",
    };
    Error::new(ErrorKind::Full { reason }, what)
}
