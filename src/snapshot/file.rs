//! The files of snapshots: one that is published, and those that are being written aside.

use std::sync::Arc;

use crate::error::Result;
use crate::format::{
    Defect, SNAPSHOTS, SnapshotHeader, StateSum, consumer_id, is_unfinished_snapshot, narrow,
    snapshot_file, unfinished_snapshot, wide,
};
use crate::position::Offset;
use crate::storage::{Access, Directory, File, open_if_there, read_range};

/// How much of a state is read or written at once.
const CHUNK_BYTES: usize = 256 << 10;

/// What is where a published snapshot should be.
#[derive(Debug)]
pub(super) enum Stored {
    Missing,
    Whole(SnapshotHeader),
    /// Not what was written, from this place on.
    Damaged(Defect, Offset),
}

/// Reads the published snapshot `name`, all of it, and gives its state to `sink` piece by piece:
/// what was given counts only where the answer is `Whole`.
pub(super) fn read(
    directory: &dyn Directory,
    name: &str,
    mut sink: impl FnMut(&[u8]),
) -> Result<Stored> {
    let Some(file) = open_if_there(directory, &snapshot_file(name), Access::Read)? else {
        return Ok(Stored::Missing);
    };
    let front = read_range(&*file, 0, SnapshotHeader::STATE_OFFSET)?;
    let header = match SnapshotHeader::decode(&front, file.length()?) {
        Ok(header) => header,
        Err(defect) => return Ok(Stored::Damaged(defect, Offset::ZERO)),
    };
    let begin = Offset::new(wide(SnapshotHeader::STATE_OFFSET));
    let mut sum = StateSum::default();
    while sum.bytes < header.state.bytes {
        let left = header.state.bytes.saturating_sub(sum.bytes);
        let wanted = narrow(left).min(CHUNK_BYTES);
        let piece = read_range(&*file, begin.plus(sum.bytes).get(), wanted)?;
        if piece.is_empty() {
            break;
        }
        sum.add(&piece);
        sink(&piece);
    }
    Ok(match header.check(sum) {
        Ok(()) => Stored::Whole(header),
        Err(defect) => Stored::Damaged(defect, begin),
    })
}

/// Deletes what crashed processes have left of the snapshot `name`.
pub(super) fn sweep(directory: &dyn Directory, name: &str) -> Result<()> {
    let id = consumer_id(name);
    let names = match directory.list(SNAPSHOTS) {
        Ok(names) => names,
        Err(error) if error.is_missing() => return Ok(()),
        Err(error) => return Err(error),
    };
    for stale in names.iter().filter(|name| is_unfinished_snapshot(id, name)) {
        directory.remove(&format!("{SNAPSHOTS}/{stale}"))?;
    }
    Ok(())
}

/// A state that is being written beside the published one.
#[derive(Debug)]
pub(super) struct Unfinished {
    file: Arc<dyn File>,
    /// Its path inside the queue's directory.
    pub(super) path: String,
    pub(super) sum: StateSum,
    /// What was not written yet.
    pending: Vec<u8>,
}

impl Unfinished {
    /// Begins a file that nobody else has.
    pub(super) fn create(directory: &dyn Directory, name: &str, random: u64) -> Result<Self> {
        let path = unfinished_snapshot(consumer_id(name), random);
        Ok(Self {
            file: directory.create(&path)?,
            path,
            sum: StateSum::default(),
            pending: Vec::new(),
        })
    }

    /// Adds `bytes` at the end. After an error it is not known what of them is there.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<()> {
        if self.pending.len().saturating_add(bytes.len()) < CHUNK_BYTES {
            self.pending.extend_from_slice(bytes);
            return Ok(());
        }
        self.flush()?;
        self.write(bytes)
    }

    /// Writes what was held back.
    pub(super) fn flush(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.write(&pending)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let begin = wide(SnapshotHeader::STATE_OFFSET);
        if !bytes.is_empty() {
            let at = begin.saturating_add(self.sum.bytes);
            self.file.write_at(bytes, at)?;
            self.sum.add(bytes);
        }
        Ok(())
    }

    /// Writes the header in front of the state.
    ///
    /// # Durability
    ///
    /// The file's bytes survive power loss on return; under this name nobody reads them.
    pub(super) fn seal(&self, header: &SnapshotHeader) -> Result<()> {
        self.file.write_at(&header.encode(), 0)?;
        self.file.sync()
    }
}
