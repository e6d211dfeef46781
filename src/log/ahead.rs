//! The next segment, made ready before the log needs it, so that a rotation costs its caller
//! neither a file nor the sync of a name.
//!
//! 1. A number is taken under the log's lock, the file created, its blocks reserved, the header
//!    block written. A rotation that needs the segment meanwhile waits for this: it would have to
//!    do the same. From here on it may take the segment at any moment.
//! 2. The file is synced, then its name.
//! 3. With [`Preallocate::Zero`], zeros are written in slices, at the pace at which the active
//!    segment fills, and a little ahead of it: the cost follows the use. A writer that is faster
//!    gets a segment that is zeroed in part.
//!
//! Zeros never meet records: each piece is written under the lock under which the segment is taken,
//! and only while it is not. Whoever syncs it after that waits for a sync from here that is still
//! under way, because the system tells of a page that it could not write only once.

use std::sync::Arc;

use super::appends::Appends;
use super::notices::Notices;
use super::{Log, Preallocate, SyncPolicy};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    BLOCK_BYTES, SEGMENTS, SegmentFile, SegmentHeader, is_segment_number, narrow, segment_file,
    wide,
};
use crate::position::SegmentNumber;
use crate::segment::{NewSegment, create_segment};
use crate::storage::File;
use crate::sync::{Condvar, Mutex};

/// What is zeroed at a time. The device is told to take it at once: a whole segment of dirty pages
/// would hold up the first commit in it.
const SLICE_BYTES: u64 = 64 << 10;

/// Pieces in which zeros are written. Larger writes leave larger units in the page cache, which
/// slow every later write into them (docs/PERFORMANCE.md).
const PIECE_BYTES: usize = 4096;

/// The next segment is zeroed 5/4 as fast as the active one fills.
const LEAD: (u64, u64) = (5, 4);

static ZEROS: [u8; PIECE_BYTES] = [0; PIECE_BYTES];

/// A segment that nothing was written to.
#[derive(Debug)]
pub(super) struct Created {
    pub(super) segment: NewSegment,
    /// Whether its header and its name survive power loss.
    pub(super) named: bool,
}

/// The next segment on its way.
#[derive(Debug)]
struct Next {
    created: Created,
    /// Everything before this was written once.
    zeroed: u64,
    /// Where that may end.
    bytes: u64,
}

/// Where the next segment stands.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    stage: Mutex<Stage>,
    /// Signalled when something of `stage` is over.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Stage {
    next: Option<Next>,
    /// Its file is being created.
    creating: bool,
    /// The segment in `next`, or the one that was, is being synced.
    syncing: bool,
}

/// `part` of `whole`, as a share of `of`.
fn share(of: u64, part: u64, whole: u64) -> u64 {
    let share = u128::from(of) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

impl Ahead {
    /// The next segment, for whoever needs it now.
    pub(super) fn take(&self) -> Option<Created> {
        let mut stage = self.stage.lock();
        while stage.creating {
            stage = self.changed.wait(stage);
        }
        stage.next.take().map(|next| next.created)
    }

    /// Waits until nobody else syncs a segment that was taken.
    pub(super) fn rest(&self) {
        let mut stage = self.stage.lock();
        while stage.syncing && stage.next.is_none() {
            stage = self.changed.wait(stage);
        }
    }

    /// The file of the next segment, to be synced by the caller, who says when that is over.
    fn begin_sync(&self) -> Option<Arc<dyn File>> {
        let mut stage = self.stage.lock();
        let next = stage.next.as_ref()?;
        let file = Arc::clone(&next.created.segment.file);
        stage.syncing = true;
        Some(file)
    }

    fn change(&self, change: impl FnOnce(&mut Stage)) {
        change(&mut self.stage.lock());
        self.changed.notify_all();
    }

    /// Writes the next piece of zeros; false when there is none to be written.
    fn zero_piece(&self) -> bool {
        let mut stage = self.stage.lock();
        let Some(next) = &mut stage.next else {
            return false;
        };
        let left = next.bytes.saturating_sub(next.zeroed);
        let Some(zeros) = ZEROS.get(..narrow(left).min(PIECE_BYTES)) else {
            return false;
        };
        let file = &next.created.segment.file;
        if file.write_at(zeros, next.zeroed).is_err() {
            // A full device, or a bad one: that is for those to meet who have records to lose.
            next.bytes = next.zeroed;
            return false;
        }
        next.zeroed += wide(zeros.len());
        !zeros.is_empty()
    }

    /// Nobody prepares anything any more: nobody may wait for it.
    pub(super) fn abandon(&self) {
        self.change(|stage| {
            stage.creating = false;
            stage.syncing = false;
        });
    }
}

impl Log {
    /// Asks for what is due for the next segment, if the active one has come that far. Under the
    /// log's lock.
    pub(super) fn note_growth(&self, appends: &mut Appends) {
        let Some(active) = &appends.active else {
            return;
        };
        if active.offset.get() >= appends.prepare_at {
            appends.prepare_at = u64::MAX;
            self.bell.prepare_soon();
        }
    }

    /// Does what is due for the next segment: makes it, or writes one slice of zeros.
    pub(super) fn prepare_next(&self) {
        let mut notices = Notices::default();
        if self.ahead.stage.lock().next.is_none() {
            self.make_next(&mut notices);
        } else if self.zeroes() {
            self.zero_slice();
        }
        self.ask_again();
        self.tell_all(notices);
    }

    /// Says when there is more to do.
    fn ask_again(&self) {
        if !self.zeroes() {
            return;
        }
        let mut appends = self.appends.lock();
        let stage = self.ahead.stage.lock();
        let Some(active) = &appends.active else {
            return;
        };
        let Some(next) = stage.next.as_ref().filter(|next| next.zeroed < next.bytes) else {
            return;
        };
        // Where a slice more is due.
        let due = share(active.bytes, next.zeroed, next.bytes);
        appends.prepare_at = due / LEAD.0 * LEAD.1;
        drop(stage);
        self.note_growth(&mut appends);
    }

    /// Steps 1 and 2. What does not succeed is left to the rotation, which meets the error itself.
    fn make_next(&self, notices: &mut Notices) {
        let ordered = {
            let mut appends = self.appends.lock();
            let Some(active) = appends.active.as_ref().filter(|_| self.check().is_ok()) else {
                return;
            };
            let log_bytes = active.segment.start.log_bytes.saturating_add(active.bytes);
            let bytes = self.settings.segment_bytes_at(log_bytes);
            let ordered = self.order_segment(&mut appends);
            self.ahead.stage.lock().creating = ordered.is_ok();
            ordered.map(|header| (header, bytes))
        };
        let Ok((header, bytes)) = ordered else {
            return;
        };
        let segment = create_segment(&*self.directory, header, self.reserve(bytes)).ok();
        // Where not all could be reserved, zeros would take the room that records need.
        let length = segment.as_ref().and_then(|new| new.file.length().ok());
        self.ahead.change(|stage| {
            stage.creating = false;
            stage.next = segment.map(|segment| Next {
                created: Created {
                    segment,
                    named: false,
                },
                zeroed: BLOCK_BYTES,
                bytes: bytes.min(length.unwrap_or(0)),
            });
        });
        if self.sync_next(notices) && self.sync_names(notices).is_ok() {
            self.ahead.change(|stage| {
                if let Some(next) = &mut stage.next {
                    next.created.named = true;
                }
            });
        }
    }

    /// One slice of step 3.
    fn zero_slice(&self) {
        let mut written = 0;
        while written < SLICE_BYTES && self.check().is_ok() && self.ahead.zero_piece() {
            written += wide(PIECE_BYTES);
        }
        let slice = self.ahead.stage.lock().next.as_ref().map(|next| {
            let range = next.zeroed.saturating_sub(written)..next.zeroed;
            (Arc::clone(&next.created.segment.file), range)
        });
        // The device may have no room for more at once: nobody waits for that but this thread.
        if let Some((file, range)) = slice {
            file.start_writeback(range);
        }
    }

    /// Syncs what was written of the next segment, unless it is in use by now.
    fn sync_next(&self, notices: &mut Notices) -> bool {
        let Some(file) = self.ahead.begin_sync() else {
            return false;
        };
        let synced = self.check().and_then(|()| file.sync());
        if let Err(error) = &synced {
            // Before anybody else syncs the file.
            self.poison_quietly(error, notices);
        }
        self.ahead.change(|stage| stage.syncing = false);
        synced.is_ok()
    }

    /// Gives up the next segment: closing needs none, and a full device needs the room. Whether
    /// there was one. Its name is gone for good once the names are synced.
    pub(super) fn discard_next(&self) -> bool {
        let unused = self.ahead.take();
        if let Some(unused) = &unused {
            self.remove_unused(unused.segment.header.number);
        }
        unused.is_some()
    }

    /// A file that stays although it should not is unstarted: the next open sets it aside.
    pub(super) fn remove_unused(&self, number: SegmentNumber) {
        let name = segment_file(number, SegmentFile::Log);
        self.directory.remove(&name).ok();
    }

    /// Creates the next segment here and now. After an error nothing of it is left.
    pub(super) fn create_following(&self, appends: &mut Appends) -> Result<Created> {
        let header = self.order_segment(appends)?;
        let bytes = self.settings.segment_bytes_at(appends.last.log_bytes);
        let segment = create_segment(&*self.directory, header, self.reserve(bytes))?;
        Ok(Created {
            segment,
            named: false,
        })
    }

    /// The header of a segment with the next number.
    fn order_segment(&self, appends: &mut Appends) -> Result<SegmentHeader> {
        let number = appends.highest.following();
        if !is_segment_number(number) {
            // Only a file that no queue has made leads here: records behind it would be lost.
            let what = "segment numbers are used up: a file here or in quarantine has the last one";
            let path = self.directory.path().join(SEGMENTS);
            return Err(Error::at(ErrorKind::Foreign, what, &path));
        }
        // Also a number whose creation fails is not used again: its file may still be there.
        appends.highest = number;
        Ok(SegmentHeader {
            queue: self.identity.queue,
            number,
            epoch: self.epoch,
            salt: self.host.random(),
            integrity: self.identity.integrity,
        })
    }

    /// How much of a segment of `bytes` is reserved.
    fn reserve(&self, bytes: u64) -> Option<u64> {
        match self.settings.preallocate {
            Preallocate::Allocate | Preallocate::Zero => Some(bytes),
            Preallocate::None => None,
        }
    }

    /// Whether the next segment is zeroed. It pays where every record waits for a sync.
    fn zeroes(&self) -> bool {
        self.settings.preallocate == Preallocate::Zero
            && self.settings.sync_policy == SyncPolicy::Always
    }
}
