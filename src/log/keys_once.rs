//! Enqueueing a record once: found by its key, or appended.
//!
//! The keys are asked under the log's lock, and again under the lock under which the record gets
//! its sequence, so that of two callers with one key the second finds the first.
//!
//! What is known is read when the first caller has a key:
//! 1. Nobody deletes segments meanwhile.
//! 2. The file `KEYS` is read. Where there is none an empty one is made, durable before the first
//!    record with a key is written: without the file no record has one, which reclaim relies on.
//! 3. The frames behind what the file covers are read, as far as their keys count.
//! 4. Under the log's lock all of it is there at once. No record got a key since 1: nobody could
//!    have looked whether it is known.

use super::Log;
use super::append::{Acceptance, Appended};
use super::appends::Prepared;
use super::keys::{First, KeyWindow, oldest_known};
use super::notices::Notices;
use crate::error::{ErrorKind, Result};
use crate::format::{KEY_BYTES, Key};
use crate::position::Sequence;

impl Log {
    /// Makes a record with a key ready, `stored` being the key and the payload behind it.
    pub(crate) fn prepare_keyed<'a>(
        &self,
        key: Key,
        stored: &'a [u8],
        kind: u16,
    ) -> Result<Prepared<'a>> {
        self.check_length(stored.len().saturating_sub(KEY_BYTES))?;
        Ok(Prepared {
            payload: stored,
            length: u32::try_from(stored.len()).unwrap_or(u32::MAX),
            kind,
            key: Some(key),
            digest: self.framing.digest(stored),
        })
    }

    /// Appends `record`, unless one with its key counts; where the record is, or the one before it.
    pub(crate) fn append_unless_known(
        &self,
        key: Key,
        record: &Prepared<'_>,
        acceptance: Acceptance,
    ) -> Result<Sequence> {
        loop {
            self.check_open()?;
            let mut found = self.find_key(&key)?;
            if found.is_none() {
                match self.append_or_find(std::slice::from_ref(record), acceptance) {
                    Ok(Appended::New(range)) => return Ok(range.start),
                    Ok(Appended::Known(first)) => found = Some(first),
                    // Somebody with the same key may have got the room.
                    Err(error) if matches!(error.kind(), ErrorKind::Full { .. }) => {
                        found = Some(self.find_key(&key)?.ok_or(error)?);
                    }
                    Err(error) => return Err(error),
                }
            }
            let Some(first) = found else { continue };
            if self.is_accepted(first, acceptance)? {
                return Ok(first.sequence);
            }
            // A full disk took it back: this caller's own is the first now.
        }
    }

    fn find_key(&self, key: &Key) -> Result<Option<First>> {
        loop {
            let appends = self.appends.lock();
            if let Some(keys) = &appends.keys {
                return Ok(keys.find(key, appends.next));
            }
            drop(appends);
            let mut notices = Notices::default();
            let built = self.build_keys(&mut notices);
            self.tell_all(notices);
            built?;
        }
    }

    /// Waits until the record found is as safe as the caller's own would be; false when it was
    /// taken back instead.
    fn is_accepted(&self, first: First, acceptance: Acceptance) -> Result<bool> {
        let target = first.sequence.plus(1);
        let is_written = acceptance == Acceptance::Written && self.next_written() >= target;
        if !is_written && !self.commit_through(target, None)? {
            return Ok(false);
        }
        let appends = self.appends.lock();
        let taken_back = appends.keys.as_ref().map(|keys| keys.taken_back());
        Ok(taken_back == Some(first.taken_back))
    }

    fn build_keys(&self, notices: &mut Notices) -> Result<()> {
        let _turn = self.hold_reclaim();
        if self.appends.lock().keys.is_some() {
            return Ok(());
        }
        let window = self.settings.once_window;
        let oldest = oldest_known(self.durable(), window);
        let mut entries = Vec::new();
        let mut from = oldest;
        if let Some(file) = self.read_keys()? {
            from = oldest.max(file.covered);
            entries = file.entries;
            entries.retain(|entry| entry.sequence >= oldest);
            self.reserve_keys().ok();
        } else {
            self.reserve_keys()?;
            self.write_keys(self.first_base(), Vec::new(), notices)?;
        }
        self.collect_keys(&(from..self.next_written()), &mut entries)?;
        self.appends.lock().keys = Some(Box::new(KeyWindow::new(window, entries)));
        Ok(())
    }
}
