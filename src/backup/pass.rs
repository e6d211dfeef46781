//! Goes through a queue once, and copies what is not copied yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::claims::{Claims, read_state};
use super::copier::Copier;
use super::manifest::{FOLDERS, is_name_of_a_queue};
use super::segments::{list_segments, settled_bytes};
use crate::error::Result;
use crate::format::{IDENTITY, KEYS, QUARANTINE, SegmentFile, segment_file};
use crate::position::{Epoch, QueueId, SegmentNumber};
use crate::storage::{Access, Directory, File, Lenient, list_if_there, open_if_there};

/// How many segments are held open at a time, so that they can be read though they are deleted.
const OPEN_MAX: usize = 128;
/// How deep folders in `quarantine` are followed.
const DEPTH_MAX: usize = 4;

/// A copy in the making.
#[derive(Debug)]
pub(super) struct Making<'a> {
    from: &'a Lenient<&'a dyn Directory>,
    queue: QueueId,
    copier: Copier<'a>,
    /// Segments that are copied and will not change.
    complete: BTreeSet<SegmentNumber>,
    /// The run of the log in which they were complete.
    run: Option<Epoch>,
}

/// What became of one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// Everything that belongs together is copied.
    Whole,
    /// Something was taken away, or begun anew, before it was copied.
    Moved,
}

impl<'a> Making<'a> {
    pub(super) fn new(
        from: &'a Lenient<&'a dyn Directory>,
        to: &'a dyn Directory,
        queue: QueueId,
    ) -> Self {
        Self {
            from,
            queue,
            copier: Copier::new(to),
            complete: BTreeSet::new(),
            run: None,
        }
    }

    pub(super) fn copier(&self) -> &Copier<'a> {
        &self.copier
    }

    /// Nothing that was copied is trusted any more.
    pub(super) fn begin_again(&mut self) {
        self.complete.clear();
    }

    /// Goes through the queue, in the order that the module tells.
    pub(super) fn pass(&mut self) -> Result<Passed> {
        for folder in FOLDERS {
            self.copier.make_folder(folder)?;
        }
        let identity = self.from.open(IDENTITY, Access::Read)?;
        self.copier
            .put_file(IDENTITY, &*identity, identity.length()?)?;
        let Some(claims) = Claims::read(self.from, self.queue)? else {
            return Ok(Passed::Moved);
        };
        let keys = open_if_there(self.from, KEYS, Access::Read)?;
        self.note_run(&claims);
        let numbers = list_segments(self.from, claims.first_segment())?;
        self.complete.retain(|number| numbers.contains(number));
        let complete = &self.complete;
        self.copier.keep(|name| {
            let segment = name.rsplit_once('/').map(|(_, name)| name);
            let number = segment.and_then(SegmentFile::parse);
            name == IDENTITY || number.is_some_and(|(number, _)| complete.contains(&number))
        })?;
        if self.copy_segments(&numbers)? == Passed::Moved {
            return Ok(Passed::Moved);
        }
        self.copy_claims(&claims, keys.as_ref())?;
        let (_, state) = read_state(self.from, self.queue)?;
        if state.map(|state| state.epoch) != claims.state.map(|state| state.epoch) {
            self.begin_again();
            return Ok(Passed::Moved);
        }
        self.copy_folder(QUARANTINE, DEPTH_MAX)?;
        Ok(Passed::Whole)
    }

    /// Segments stay complete while the log goes on in one run, and its writer is at work: the
    /// first append after an open may still cut what follows the end.
    fn note_run(&mut self, claims: &Claims) {
        let run = claims.state.filter(|state| !state.clean);
        let run = run.map(|state| state.epoch);
        if run.is_none() || run != self.run {
            self.complete.clear();
        }
        self.run = run;
    }

    fn copy_segments(&mut self, numbers: &[SegmentNumber]) -> Result<Passed> {
        let missing = numbers
            .iter()
            .filter(|number| !self.complete.contains(number));
        let missing: Vec<SegmentNumber> = missing.copied().collect();
        for some in missing.chunks(OPEN_MAX) {
            let mut open: Vec<(SegmentNumber, Arc<dyn File>, u64)> = Vec::new();
            for number in some {
                let name = segment_file(*number, SegmentFile::Log);
                let Some(file) = open_if_there(self.from, &name, Access::Read)? else {
                    return Ok(Passed::Moved);
                };
                let bytes = file.length()?;
                open.push((*number, file, bytes));
            }
            for (number, file, bytes) in open {
                let is_last = numbers.last() == Some(&number);
                if self.copy_segment((number, is_last), &file, bytes)? == Passed::Moved {
                    return Ok(Passed::Moved);
                }
            }
        }
        Ok(Passed::Whole)
    }

    fn copy_segment(
        &mut self,
        (number, is_last): (SegmentNumber, bool),
        file: &Arc<dyn File>,
        bytes: u64,
    ) -> Result<Passed> {
        let wanted = if is_last {
            settled_bytes(file, self.queue, number)?
        } else {
            bytes
        };
        let name = segment_file(number, SegmentFile::Log);
        let copied = self.copier.put_file(&name, &**file, wanted)?;
        // On its way out a segment is shrunk.
        if copied.bytes < wanted {
            return Ok(Passed::Moved);
        }
        if !is_last {
            self.complete.insert(number);
        }
        Ok(Passed::Whole)
    }

    fn copy_claims(&mut self, claims: &Claims, keys: Option<&Arc<dyn File>>) -> Result<()> {
        for (name, bytes) in &claims.slots {
            self.copier.put_bytes(name, bytes)?;
        }
        let keys = keys.map(|file| (KEYS.to_owned(), Arc::clone(file)));
        for (name, file) in claims.snapshots.iter().chain(&keys) {
            self.copier.put_file(name, &**file, file.length()?)?;
        }
        Ok(())
    }

    /// Copies what is in `folder`, and in the folders in it.
    fn copy_folder(&mut self, folder: &str, depth: usize) -> Result<()> {
        for name in list_if_there(self.from, folder)? {
            let path = format!("{folder}/{name}");
            if !is_name_of_a_queue(&path) {
                continue;
            }
            if depth > 0 && self.from.list(&path).is_ok() {
                self.copier.make_folder(&path)?;
                self.copy_folder(&path, depth - 1)?;
            } else if let Some(file) = open_if_there(self.from, &path, Access::Read)?
                && self.from.is_a_file(&path)
            {
                self.copier.put_file(&path, &*file, file.length()?)?;
            }
        }
        Ok(())
    }
}
