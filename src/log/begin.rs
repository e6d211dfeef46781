//! The first append after opening.
//!
//! Opening itself changes no segment and needs no space; what it decided is carried out here:
//! 1. `STATE` says durably that the end is no longer known (`clean = 0`).
//! 2. After a clean close the segment at the end is taken up again, and that is all.
//! 3. Otherwise the segment at the end is sealed there: what follows is copied aside, a footer
//!    written, the file cut behind it and synced.
//! 4. Segments that are not of the log are moved to quarantine (or deleted, if they hold nothing),
//!    and both folders synced. Nothing of an older run can come back after this.
//! 5. A new segment is begun.
//!
//! Every step can be done again: a crash in between leaves the end in `STATE` as it was, and the
//! next open finds the same cut.

use std::sync::Arc;

use super::Log;
use super::ahead::Created;
use super::appends::{Active, Appends};
use super::notices::{Notice, Notices};
use crate::error::{Corruption, Result};
use crate::format::{
    BLOCK_BYTES, Chain, Control, Defect, End, Integrity, QUARANTINE, SEGMENTS, SegmentFile, Start,
    narrow, segment_file,
};
use crate::position::{Offset, SegmentNumber};
use crate::segment::{
    ControlPlace, IndexBuilder, Segment, encode_footer, is_zero_from, known_index,
};
use crate::storage::{Access, File, open_if_there, read_range};
use crate::sync::MutexGuard;

/// Bytes of a torn tail that are copied aside before they are cut off.
const QUARANTINE_BYTES_MAX: u64 = 16 << 20;

/// What the first append has to do.
#[derive(Clone, Debug)]
pub(super) struct Resume {
    /// The segment at the end may be appended to.
    pub(super) continues: bool,
    /// Damaged records follow the end in its segment: it is left as it is.
    pub(super) damaged: bool,
    /// Segment files that are not of the log.
    pub(super) dropped: Vec<SegmentNumber>,
}

impl Log {
    /// The lock, once there is an active segment with room for `bytes`; `None` when the lock had
    /// to be released and everything is to be looked at again.
    pub(super) fn with_segment<'a>(
        &'a self,
        mut appends: MutexGuard<'a, Appends>,
        bytes: u64,
        notices: &mut Notices,
    ) -> Result<Option<MutexGuard<'a, Appends>>> {
        match &appends.active {
            Some(active) if active.has_room(bytes) => Ok(Some(appends)),
            Some(_) => self.rotate(appends, notices),
            None => {
                self.begin(&mut appends, notices)?;
                Ok(None)
            }
        }
    }

    fn begin(&self, appends: &mut Appends, notices: &mut Notices) -> Result<()> {
        let Some(resume) = appends.resume.clone() else {
            return self.begin_segment(appends, false);
        };
        let cleared = self.state.lock().clear_clean();
        cleared.map_err(|error| self.poison_on_loss(error, notices))?;
        // Where the segment at the end cannot be read, it stays as it is; the log goes on behind.
        let taken = if resume.damaged {
            Ok(None)
        } else if resume.continues {
            self.take_up(appends.last)?.map(Some)
        } else {
            self.seal_at(appends.last, notices)?.map(|()| None)
        };
        let taken = taken.unwrap_or_else(|defect| {
            notices.push(self.unusable(appends.last, defect));
            None
        });
        // Among them, after a power cut, the next segment that a close had removed.
        self.set_aside(&resume.dropped, notices)?;
        match taken {
            Some(active) => appends.grow_in(active),
            None => self.begin_segment(appends, true)?,
        }
        appends.resume = None;
        Ok(())
    }

    /// Takes up the segment in which a clean close left the log.
    fn take_up(&self, end: End) -> Result<std::result::Result<Active, Defect>> {
        let segment = self.open_end(end)?;
        Ok(segment.map(|segment| Active {
            offset: end.position.offset,
            records_end: end.position.offset,
            synced: end.position.offset,
            bytes: self.settings.segment_bytes_at(segment.start.log_bytes),
            started: true,
            named: true,
            index: known_index(&*self.directory, &segment),
            segment,
        }))
    }

    /// The segment in which the log ends, open for writing.
    fn open_end(&self, end: End) -> Result<std::result::Result<Segment, Defect>> {
        let (directory, queue) = (&*self.directory, self.identity.queue);
        Segment::open(directory, queue, end.position.segment, Access::Write)
    }

    fn unusable(&self, end: End, defect: Defect) -> Notice {
        Notice::Corruption(Corruption {
            file: self.table.path(end.position.segment),
            offset: Offset::ZERO,
            range: end.next..end.next,
            expected: defect.expected(),
            found: defect.found(),
        })
    }

    /// Makes `end` the end of its segment, for good.
    fn seal_at(&self, end: End, notices: &mut Notices) -> Result<std::result::Result<(), Defect>> {
        let number = end.position.segment;
        if number < self.state.lock().newest().first_segment {
            // Deleted, or about to be: all its records were delivered or dropped.
            return Ok(Ok(()));
        }
        let segment = match self.open_end(end)? {
            Ok(segment) => segment,
            Err(defect) => return Ok(Err(defect)),
        };
        let file = Arc::clone(&segment.file);
        let mut footer = Vec::new();
        let place = ControlPlace {
            next: end.next,
            watermark: self.durable(),
            chain: end.chain,
            time: self.host.now(),
        };
        encode_footer(&segment, place, end.position.offset, &mut footer);
        let sealed = end.position.offset.plus(crate::format::wide(footer.len()));
        if !is_sealed(&segment, end)? {
            self.copy_aside(&*file, number, end.position.offset);
            let offset = end.position.offset.get();
            let written = file.write_at(&footer, offset).or_else(|error| {
                if error.is_disk_full() {
                    // Part of a footer would look like the beginning of a record.
                    file.set_length(offset)?;
                }
                Err(error)
            });
            written.map_err(|error| self.poison_on_loss(error, notices))?;
        }
        file.set_length(sealed.get())
            .map_err(|error| self.poison_on_loss(error, notices))?;
        file.sync()
            .map_err(|error| self.poison_quietly(&error, notices))?;
        Ok(Ok(()))
    }

    /// Copies what follows `offset` into quarantine: best effort, for a person to look at.
    fn copy_aside(&self, file: &dyn File, number: SegmentNumber, offset: Offset) {
        let copy = || -> Result<()> {
            let left = file.length()?.saturating_sub(offset.get());
            let bytes = narrow(left.min(QUARANTINE_BYTES_MAX));
            let mut tail = read_range(file, offset.get(), bytes)?;
            let used = tail
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last + 1);
            tail.truncate(used);
            if tail.is_empty() {
                return Ok(());
            }
            let name = format!("{QUARANTINE}/{:016}-{offset}.torn", number.get());
            self.directory.remove(&name)?;
            let written = self.directory.create(&name)?.write_at(&tail, 0);
            written.or_else(|_| self.directory.remove(&name))
        };
        // A full disk must not keep the queue from going on.
        copy().ok();
    }

    /// Copies what is damaged from `corruption` on, in the segment file `name`, into quarantine.
    pub(crate) fn copy_damage_aside(&self, corruption: &Corruption, name: &str) {
        let number = SegmentFile::parse(name).map(|(number, _)| number);
        let path = segment_file(number.unwrap_or_default(), SegmentFile::Log);
        if let Ok(file) = self.directory.open(&path, Access::Read) {
            self.copy_aside(&*file, number.unwrap_or_default(), corruption.offset);
        }
    }

    /// Moves segments that are not of the log out of the way.
    fn set_aside(&self, dropped: &[SegmentNumber], notices: &mut Notices) -> Result<()> {
        if dropped.is_empty() {
            return Ok(());
        }
        for number in dropped {
            let name = segment_file(*number, SegmentFile::Log);
            self.directory
                .remove(&segment_file(*number, SegmentFile::Index))?;
            let Some(file) = open_if_there(&*self.directory, &name, Access::Read)? else {
                continue;
            };
            if is_zero_from(&*file, BLOCK_BYTES)? {
                self.directory.remove(&name)?;
            } else {
                let aside = name.replacen(SEGMENTS, QUARANTINE, 1);
                self.directory.rename(&name, &aside)?;
                // A power cut in an earlier move may have left both names, and to rename one name
                // of a file to another one of it does nothing.
                self.directory.remove(&name)?;
            }
        }
        self.sync_in_turn(notices, || self.directory.sync(QUARANTINE))?;
        self.sync_names(notices)
    }

    /// Begins the segment after `appends.last`; `new_run` when an epoch has to be bound in.
    pub(super) fn begin_segment(&self, appends: &mut Appends, new_run: bool) -> Result<()> {
        let created = self.create_following(appends)?;
        self.install(appends, &created, new_run);
        Ok(())
    }

    /// Makes `created` the active segment.
    pub(super) fn install(&self, appends: &mut Appends, created: &Created, new_run: bool) {
        let last = appends.last;
        let start = Start {
            previous: last.position.segment,
            previous_end: last.position.offset,
            previous_next: last.next,
            log_bytes: last.log_bytes,
            previous_chain: last.chain,
        };
        let chain = match self.identity.integrity {
            Integrity::Chained if new_run => {
                last.chain
                    .after_epoch(self.epoch, created.segment.header.salt, last.next)
            }
            Integrity::Chained => last.chain,
            Integrity::Crc32c => Chain::default(),
        };
        let mut segment = created.segment.begin(start, last.next, chain);
        // What the table remembers; the start frame gets the time of its first record.
        segment.started_at = self.host.now();
        self.table.add(&segment);
        appends.grow_in(Active {
            offset: segment.data_start(),
            records_end: segment.data_start(),
            synced: Offset::new(BLOCK_BYTES),
            bytes: self.settings.segment_bytes_at(last.log_bytes),
            started: false,
            named: created.named,
            index: IndexBuilder::new(segment.base),
            segment,
        });
    }
}

/// Whether the footer of this very end is there already.
fn is_sealed(segment: &Segment, end: End) -> Result<bool> {
    let limit = Offset::new(segment.file.length()?);
    let found = segment.stream().frame_at(end.position.offset, limit)?;
    Ok(found.is_ok_and(|span| {
        span.header.flags.is_control()
            && Control::of(&span.header) == Ok(Control::Footer)
            && span.header.sequence == end.next
    }))
}
