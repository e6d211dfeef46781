//! Going on in the next segment. The caller waits for no sync, with one exception.
//!
//! 1. At most two sealed segments may be unsettled: a rotation that would make a third commits
//!    first. This bounds what opening has to scan after a crash.
//! 2. The next segment is taken from those who made it ready (`ahead.rs`). Where it is not, its
//!    file is made first, so that a full disk leaves the log as it was.
//! 3. Pending frames are written, then the footer.
//! 4. The next segment's start frame is written with its first records.
//!
//! The watermark crosses the sealed segment's end only after its data, its footer and its name are
//! synced; the next commit does that, oldest segment first.

use super::Log;
use super::appends::{Appends, Unsettled};
use super::notices::{Notice, Notices};
use crate::error::Result;
use crate::segment::{ControlPlace, encode_footer};
use crate::sync::MutexGuard;
use crate::sync::atomic::Ordering;

/// Sealed segments whose end may not be durable yet.
const UNSETTLED_MAX: usize = 2;

impl Log {
    /// Goes on in a new segment; `None` when the lock had to be released instead.
    pub(super) fn rotate<'a>(
        &'a self,
        mut appends: MutexGuard<'a, Appends>,
        notices: &mut Notices,
    ) -> Result<Option<MutexGuard<'a, Appends>>> {
        if appends.writing {
            // Frames of this very segment are on their way into it.
            drop(self.turn.wait(appends));
            return Ok(None);
        }
        if let Some(oldest) = appends.unsettled.get(UNSETTLED_MAX - 1) {
            // Its end is the watermark's next mark: wait until the commit after it is through.
            let target = oldest.end.0.plus(1);
            drop(appends);
            self.commit_through(target, None)?;
            return Ok(None);
        }
        self.state
            .lock()
            .check_opener()
            .map_err(|error| self.poison_quietly(&error, notices))?;
        let created = match self.ahead.take() {
            Some(created) => created,
            None => self.create_following(&mut appends)?,
        };
        let sealed = self.seal_active(&mut appends, notices);
        if let Err(error) = sealed {
            // A segment without records is not of the log; it is gone before the next attempt.
            if self.check().is_ok() {
                self.remove_unused(created.segment.header.number);
            }
            return Err(error);
        }
        self.install(&mut appends, &created, false);
        notices.push(Notice::Rotated {
            sealed: appends.last.position.segment,
            active: created.segment.header.number,
        });
        // Where the floor has passed the sealed segment already, it may go once it is settled.
        let next = appends.last.next.get();
        self.reclaim_at.fetch_min(next, Ordering::AcqRel);
        self.bell.commit_soon();
        Ok(Some(appends))
    }

    /// Writes what is pending and the footer, and moves the active segment to the unsettled ones.
    fn seal_active(&self, appends: &mut Appends, notices: &mut Notices) -> Result<()> {
        self.write_pending(appends, notices)?;
        let end = appends.end();
        let Some(active) = &appends.active else {
            return Ok(());
        };
        let place = ControlPlace {
            next: end.next,
            watermark: self.durable(),
            chain: end.chain,
            time: self.host.now(),
        };
        let mut footer = Vec::new();
        encode_footer(&active.segment, place, active.offset, &mut footer);
        let written = active.segment.file.write_at(&footer, active.offset.get());
        if let Err(error) = written {
            let rewind = appends.here();
            return Err(self.undo(appends, rewind, &error, notices));
        }
        if let Some(active) = appends.active.take() {
            appends.unsettled.push_back(Unsettled {
                end: (end.next, active.offset),
                named: active.named,
                segment: active.segment,
                index: active.index,
            });
        }
        appends.last = end;
        Ok(())
    }
}
