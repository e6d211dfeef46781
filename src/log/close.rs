//! Leaving the log so that the next open reads no frame.
//!
//! 1. Everything accepted is committed.
//! 2. Cursors are synced.
//! 3. The active segment's index is written; a segment without records is deleted, and the next
//!    one that was made ready.
//! 4. `STATE` says durably where the log ends.
//!
//! A poisoned log writes nothing.

use std::task::Waker;

use super::appends::Appends;
use super::notices::Notices;
use super::{Log, watermark};
use crate::error::Result;
use crate::format::{SegmentFile, segment_file};
use crate::segment::write_index;
use crate::sync::atomic::Ordering;
use crate::sync::{MutexGuard, thread};

impl Log {
    /// Closes the log. Nothing is accepted from the moment this is called; the commit thread must
    /// have been stopped.
    pub(crate) fn close(&self) -> Result<()> {
        if self.closing.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.floor.nudge();
        let mut notices = Notices::default();
        let closed = self.close_files(&mut notices);
        self.tell_all(notices);
        match &closed {
            Ok(()) => {
                let wakers = self.watermark.fail(&watermark::closed());
                wakers.into_iter().for_each(Waker::wake);
            }
            Err(error) => {
                self.poison(error);
            }
        }
        self.floor.nudge();
        closed
    }

    /// The lock, once nobody is left who got in before closing began.
    fn settled(&self) -> Result<MutexGuard<'_, Appends>> {
        loop {
            self.commit()?;
            let mut appends = self.appends.lock();
            while appends.writing || appends.committing {
                appends = self.turn.wait(appends);
            }
            if appends.pending.is_empty() && appends.next == self.durable() {
                return Ok(appends);
            }
            self.check()?;
            // Somebody has a place for its records and is about to lead their commit.
            drop(appends);
            thread::yield_now();
        }
    }

    fn close_files(&self, notices: &mut Notices) -> Result<()> {
        self.check()?;
        let mut appends = self.settled()?;
        self.sync_cursors()?;
        if let Some(resume) = &appends.resume {
            // Nothing was appended: the slot that opening committed still says all there is,
            // unless an append that found no room has cleared the flag.
            return self.sync_in_turn(notices, || {
                let mut state = self.state.lock();
                if state.newest().clean {
                    return state.sync();
                }
                let floor = self.floor.dropped_to().sequence;
                state.commit_clean(appends.last, resume.continues, floor)
            });
        }
        let mut removed = self.empty_trash() | self.discard_next();
        // What holds no record goes, so that the end is in a segment that has some.
        if let Some(empty) = appends.active.take_if(|active| !active.started) {
            let number = empty.segment.number();
            self.table.remove(number);
            self.directory
                .remove(&segment_file(number, SegmentFile::Log))?;
            removed = true;
        }
        if removed {
            self.sync_names(notices)?;
        }
        let end = appends.end();
        if let Some(active) = &appends.active {
            let covered = (end.next, end.position.offset);
            write_index(&*self.directory, &active.segment, &active.index, covered).ok();
        }
        let continues = appends.active.is_some();
        let floor = self.floor.dropped_to().sequence;
        // Not clean, if a sync of anybody else has failed, of files or of names.
        self.sync_in_turn(notices, || {
            let _names = self.naming.lock();
            self.check()?;
            self.state.lock().commit_clean(end, continues, floor)
        })
    }
}
