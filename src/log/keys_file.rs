//! The file `KEYS`, which has the keys of records whose segments are deleted, and the keys in the
//! frames of those that are not.
//!
//! It is replaced whole, by whoever holds `reclaiming`:
//! 1. Written under another name, into blocks that were reserved before, and synced.
//! 2. Renamed.
//! 3. The folder synced. Only now `STATE` may say that the segments are gone.
//! 4. The blocks of the next one reserved.
//!
//! It tells of durable records alone, and a key that counts is in it or in a frame behind what it
//! covers, at any moment: a crash leaves the old file with all segments, or the new one.

use std::ops::Range;
use std::sync::Arc;

use super::keys::oldest_known;
use super::lookup::{Here, find};
use super::notices::Notices;
use super::{Log, Preallocate};
use crate::error::{Corruption, Error, ErrorKind, Result};
use crate::format::{Control, Defect, KEYS, KeyEntry, KeyFile, narrow, temporary};
use crate::position::{Offset, SegmentNumber, Sequence};
use crate::segment::resync;
use crate::storage::{Access, File, open_if_there, read_whole};
use crate::sync::atomic::Ordering;

impl Log {
    /// Before the segments below `base` go: their keys are durable elsewhere. The caller holds
    /// `reclaiming`, and everything below `base` is durable.
    pub(super) fn keep_keys(&self, base: Sequence, notices: &mut Notices) -> Result<()> {
        let oldest = oldest_known(self.durable(), self.settings.once_window);
        if base <= oldest {
            return Ok(());
        }
        let held = {
            let appends = self.appends.lock();
            let keys = appends.keys.as_ref();
            keys.map(|keys| keys.between(&(oldest..base)))
        };
        let entries = match held {
            Some(entries) => entries,
            None => match self.read_keys() {
                Ok(Some(file)) if file.covered < base => {
                    let mut entries = file.entries;
                    entries.retain(|entry| entry.sequence >= oldest);
                    let from = oldest.max(file.covered);
                    self.collect_keys(&(from..base), &mut entries)?;
                    entries
                }
                Ok(_) => return Ok(()),
                // Who has a key is told, and is the one to decide; deleting goes on.
                Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(()),
                Err(error) => return Err(error),
            },
        };
        self.write_keys(base, entries, notices)
    }

    /// The base of the first segment: what is below is deleted.
    pub(super) fn first_base(&self) -> Sequence {
        Sequence::new(self.first_base.load(Ordering::Acquire))
    }

    /// What is in `KEYS`; `None` without such a file.
    pub(super) fn read_keys(&self) -> Result<Option<KeyFile>> {
        let Some(file) = open_if_there(&*self.directory, KEYS, Access::Read)? else {
            return Ok(None);
        };
        let length = file.length()?.min(KeyFile::BYTES_MAX);
        let bytes = read_whole(&*file, narrow(length))?;
        let judged = KeyFile::decode(&bytes).and_then(|keys| self.judge_keys(keys));
        let next = self.next();
        judged.map(Some).map_err(|defect| {
            if matches!(defect, Defect::Version { .. }) {
                let what = "the keys of reclaimed records";
                return defect.into_error(ErrorKind::Corrupt, what, file.path());
            }
            Error::corrupt(Corruption {
                file: file.path().to_owned(),
                offset: Offset::ZERO,
                range: next..next,
                expected: defect.expected(),
                found: defect.found(),
            })
        })
    }

    /// Whether the keys are of this log, as far as it goes.
    fn judge_keys(&self, keys: KeyFile) -> std::result::Result<KeyFile, Defect> {
        if keys.queue != self.identity.queue {
            return Err(Defect::Owner { name: "queue" });
        }
        if keys.epoch > self.epoch {
            let found = keys.epoch.get();
            let name = "keys epoch";
            return Err(Defect::Field { name, found });
        }
        if keys.covered > self.next() {
            let found = keys.covered.get();
            let name = "keys covered, beyond the log";
            return Err(Defect::Field { name, found });
        }
        Ok(keys)
    }

    /// Replaces `KEYS` by one that has `entries` and covers everything below `covered`.
    pub(super) fn write_keys(
        &self,
        covered: Sequence,
        entries: Vec<KeyEntry>,
        notices: &mut Notices,
    ) -> Result<()> {
        let file = KeyFile {
            queue: self.identity.queue,
            epoch: self.epoch,
            covered,
            entries,
        };
        let bytes = file.encode();
        let mut written = self.write_unfinished(&bytes, notices);
        // What no record needs goes before a reclaim is put off for want of room.
        if written.as_ref().is_err_and(Error::is_disk_full) && self.free_room()? {
            written = self.write_unfinished(&bytes, notices);
        }
        written?;
        self.check()?;
        self.keys_reserved.store(false, Ordering::Release);
        self.directory.rename(&temporary(KEYS), KEYS)?;
        self.sync_in_turn(notices, || self.directory.sync(""))?;
        // Where there is no room now, the next file takes it when it is written.
        self.reserve_keys().ok();
        Ok(())
    }

    fn write_unfinished(&self, bytes: &[u8], notices: &mut Notices) -> Result<()> {
        let file = self.open_unfinished()?;
        file.write_at(bytes, 0)?;
        // Nobody else can sync this file, so that its sync needs no turn.
        file.sync()
            .map_err(|error| self.poison_quietly(&error, notices))
    }

    /// Reserves the blocks of the next file, as many as the window may ever need. Otherwise a full
    /// disk, which is where deleting matters, would not let anything be deleted.
    pub(super) fn reserve_keys(&self) -> Result<()> {
        self.check()?;
        if self.settings.preallocate == Preallocate::None {
            return Ok(());
        }
        let bytes = KeyFile::file_bytes(self.settings.once_window);
        self.open_unfinished()?.allocate(bytes)
    }

    /// The file under its other name: what follows the keys in it counts for nothing. One of an
    /// earlier process goes first: a sync of it may have failed, and writing its blocks again may
    /// not reach the medium then (`storage/rewrite.rs`).
    fn open_unfinished(&self) -> Result<Arc<dyn File>> {
        let unfinished = temporary(KEYS);
        if self.keys_reserved.load(Ordering::Acquire) {
            return self.directory.open(&unfinished, Access::Write);
        }
        self.directory.remove(&unfinished)?;
        let file = self.directory.create(&unfinished)?;
        self.keys_reserved.store(true, Ordering::Release);
        Ok(file)
    }

    /// Adds the keys of the records in `range`, as the frames have them. The key of a record that
    /// cannot be read is not known.
    pub(super) fn collect_keys(
        &self,
        range: &Range<Sequence>,
        entries: &mut Vec<KeyEntry>,
    ) -> Result<()> {
        let first = self.table.segment_of(range.start)?;
        let Some(first) = first.filter(|_| !range.is_empty()) else {
            return Ok(());
        };
        let numbers = self.table.numbers();
        let mut end = range.end;
        let mut parts = Vec::new();
        for number in numbers.into_iter().rev().filter(|number| *number >= first) {
            // What a segment has from the base of the next one on is not of the log.
            if let Some(known) = self.table.known(number)? {
                parts.push((number, range.start.max(known.base)..end));
                end = end.min(known.base);
            }
        }
        for (number, part) in parts.iter().rev() {
            self.collect_keys_in(*number, part, entries)?;
        }
        Ok(())
    }

    fn collect_keys_in(
        &self,
        number: SegmentNumber,
        part: &Range<Sequence>,
        entries: &mut Vec<KeyEntry>,
    ) -> Result<()> {
        let Ok(segment) = self.table.open(number)? else {
            return Ok(());
        };
        let here = if segment.base == part.start {
            Some(Here::at_start(segment)?)
        } else {
            let active = |number| self.active_index(number, part.start);
            find(self, part.start, active)?
        };
        here.map_or(Ok(()), |mut here| collect(&mut here, part, entries))
    }
}

/// Adds the keys of the records in `range`, from `here` to the end of the segment, past damage.
fn collect(here: &mut Here, range: &Range<Sequence>, entries: &mut Vec<KeyEntry>) -> Result<()> {
    let mut due = range.start.max(here.segment.base);
    while due < range.end {
        match here.stream.frame_at(here.offset, here.limit)? {
            Ok(span) if span.header.flags.is_control() => {
                if Control::of(&span.header) == Ok(Control::Footer) {
                    break;
                }
                due = due.max(span.gone().end);
                here.offset = span.end;
            }
            Ok(span) => {
                let sequence = span.header.sequence;
                let (key, _) = span.header.divide(here.stream.payload(&span));
                if let Some(key) = key.filter(|_| range.contains(&sequence)) {
                    entries.push(KeyEntry { key, sequence });
                }
                due = due.max(span.next);
                here.offset = span.end;
            }
            Err(_) => match resync(&here.segment, here.offset, due)? {
                Some(mark) => here.offset = mark.offset,
                None => break,
            },
        }
    }
    Ok(())
}
