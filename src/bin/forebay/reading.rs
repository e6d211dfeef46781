//! Reading a queue from outside, with what cannot be read told and counted.

use std::path::Path;

use forebay::inspect::inspect;
use forebay::{Batch, Error, ErrorKind, Follower, Sequence, Start};

use crate::failure::Failure;
use crate::note;

/// Records asked for at once; a batch is rarely so long, as it comes from one read.
const BATCH_RECORDS: u64 = 1 << 16;

/// A reader that takes no lock and writes nothing.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) follower: Follower,
    /// The records from here on are not wanted.
    end: Sequence,
    skips_damage: bool,
    damaged_ranges: u64,
    damaged_records: u64,
}

impl Reading {
    pub(crate) fn open(path: &Path, start: Start, skips_damage: bool) -> Result<Self, Failure> {
        let opened = if skips_damage {
            Follower::open_forgiving(path, start)
        } else {
            Follower::open_from(path, start)
        };
        let follower = opened.map_err(|error| {
            if error.kind() == ErrorKind::OutOfRange {
                return Failure::Input {
                    what: error.to_string(),
                    remedy: "name a sequence up to that one, or a time with --since",
                };
            }
            if error.kind() != ErrorKind::NotFound {
                return Failure::Queue(error);
            }
            // A queue that lost its identity looks to a follower like one that is not made yet.
            Failure::Queue(inspect(path).err().unwrap_or(error))
        })?;
        Ok(Self {
            follower,
            end: Sequence::new(u64::MAX),
            skips_damage,
            damaged_ranges: 0,
            damaged_records: 0,
        })
    }

    /// Ends before `end`.
    pub(crate) fn ends_at(&mut self, end: Sequence) {
        self.end = end;
    }

    /// Hands the next records to `take`, which passes over those at the end or behind it; false
    /// when there are none.
    pub(crate) fn read(&mut self, take: impl FnOnce(&Batch<'_>)) -> Result<bool, Failure> {
        let found = loop {
            let left = self.end.since(self.follower.next_sequence());
            let wanted = usize::try_from(left.min(BATCH_RECORDS)).unwrap_or(usize::MAX);
            match self.follower.next_batch(wanted) {
                Ok(batch) => {
                    take(&batch);
                    break !batch.is_empty();
                }
                Err(error) => self.pass(error)?,
            }
        };
        self.tell_gaps();
        Ok(found)
    }

    /// Passes over damage, where that is wanted.
    fn pass(&mut self, error: Error) -> Result<(), Failure> {
        let Some(corruption) = error.corruption() else {
            return Err(Failure::Queue(error));
        };
        if !self.skips_damage {
            return Err(Failure::Damage(error));
        }
        self.tell_gaps();
        note(&format!("passed over damage in {corruption}"));
        // What was damaged at first may be whole, or deleted, when it is looked at again.
        if let Some(gap) = self.follower.skip_corrupt()? {
            self.damaged_ranges += 1;
            self.damaged_records += gap.range.end.since(gap.range.start);
            // Told just now, with its place.
            self.follower.take_gaps();
        }
        Ok(())
    }

    fn tell_gaps(&mut self) {
        for gap in self.follower.take_gaps() {
            let (start, end, reason) = (gap.range.start, gap.range.end, gap.reason);
            note(&format!("the records {start}..{end} are gone: {reason}"));
        }
    }

    /// The finding that something was damaged, where it was.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.tell_gaps();
        let unreadable = self.follower.unreadable();
        for found in &unreadable {
            note(&format!("not all of it can be read: {found}"));
        }
        let (records, ranges) = (self.damaged_records, self.damaged_ranges);
        if ranges == 0 && unreadable.is_empty() {
            return Ok(());
        }
        let what = format!("damaged records passed over: {records}, in ranges: {ranges}");
        Err(Failure::Finding(what))
    }
}
