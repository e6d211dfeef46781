//! Sequence to offset inside one segment: a cache, built while appending or by a scan.
//!
//! An index never decides where the log ends, and what it points to is verified before use.

use super::Segment;
use crate::error::Result;
use crate::format::{BLOCK_BYTES, IndexEntry, IndexHeader, SegmentFile, segment_file, temporary};
use crate::position::{Offset, Sequence};
use crate::storage::{Access, Directory, File, Map, read_whole};

/// The index of a segment that still grows, or is being scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexBuilder {
    base: Sequence,
    entries: Vec<IndexEntry>,
}

impl IndexBuilder {
    pub(crate) fn new(base: Sequence) -> Self {
        Self {
            base,
            entries: Vec::new(),
        }
    }

    /// Notes that the frame of `sequence` stands at `offset`; keeps the first of every 4 KiB.
    pub(crate) fn note(&mut self, sequence: Sequence, offset: Offset) {
        let last = self.entries.last().map(|entry| entry.offset);
        if last.is_none_or(|last| last.get() / BLOCK_BYTES < offset.get() / BLOCK_BYTES) {
            self.entries.push(IndexEntry { sequence, offset });
        }
    }

    /// The last frame known at or before `sequence`.
    pub(crate) fn at_or_before(&self, sequence: Sequence) -> Option<IndexEntry> {
        let after = self
            .entries
            .partition_point(|entry| entry.sequence <= sequence);
        self.entries.get(after.checked_sub(1)?).copied()
    }

    /// Forgets everything from `sequence` on.
    pub(crate) fn cut(&mut self, sequence: Sequence) {
        self.entries.retain(|entry| entry.sequence < sequence);
    }
}

/// Writes the index file of `segment`, which ends at `end` before `next`.
///
/// # Durability
///
/// None, on purpose: an index that is lost or torn is rebuilt.
pub(crate) fn write_index(
    directory: &dyn Directory,
    segment: &Segment,
    index: &IndexBuilder,
    (next, end): (Sequence, Offset),
) -> Result<()> {
    let header = header_of(segment, next, end);
    let name = segment_file(segment.number(), SegmentFile::Index);
    let unfinished = temporary(&name);
    directory.remove(&unfinished)?;
    let file = directory.create(&unfinished)?;
    let written = file.write_at(&header.encode(&index.entries), 0);
    if written.is_err() {
        // Where the device is full, what was begun is in the way. Opening deletes what stays.
        directory.remove(&unfinished).ok();
    }
    written?;
    directory.rename(&unfinished, &name)
}

fn header_of(segment: &Segment, next: Sequence, end: Offset) -> IndexHeader {
    IndexHeader {
        queue: segment.header.queue,
        segment: segment.number(),
        salt: segment.header.salt,
        base: segment.base,
        next,
        end,
    }
}

/// The index file of a segment, its checksums verified.
#[derive(Debug)]
pub(crate) struct IndexFile {
    header: IndexHeader,
    bytes: Map,
}

impl IndexFile {
    /// The index of `segment`, out of what `load` makes of its file; `None` when it is missing,
    /// damaged, or of another segment.
    fn open(
        directory: &dyn Directory,
        segment: &Segment,
        load: impl FnOnce(&dyn File) -> Result<Map>,
    ) -> Option<Self> {
        let name = segment_file(segment.number(), SegmentFile::Index);
        let file = directory.open(&name, Access::Read).ok()?;
        if file.length().ok()? > IndexHeader::bytes_max(segment.file.length().ok()?) {
            return None;
        }
        let bytes = load(&*file).ok()?;
        let (header, _) = IndexHeader::decode(&bytes).ok()?;
        let own = header_of(segment, header.next, header.end) == header;
        own.then_some(Self { header, bytes })
    }

    /// The sequence after the last one covered, and where the covered part of the segment ends.
    pub(crate) fn end(&self) -> (Sequence, Offset) {
        (self.header.next, self.header.end)
    }

    /// The last frame known at or before `sequence`.
    pub(crate) fn at_or_before(&self, sequence: Sequence) -> Option<IndexEntry> {
        self.header.at_or_before(self.packed(), sequence)
    }

    fn packed(&self) -> &[u8] {
        self.bytes
            .get(IndexHeader::ENTRIES_OFFSET..)
            .unwrap_or_default()
    }
}

/// The index file of `segment`, mapped: for one look-up of whoever holds the queue's lock.
pub(crate) fn map_index(directory: &dyn Directory, segment: &Segment) -> Option<IndexFile> {
    IndexFile::open(directory, segment, |file| file.map())
}

/// The index file of `segment`, read and not mapped: to be kept, and for a directory in which
/// somebody else may delete or damage the file meanwhile.
pub(crate) fn read_index(directory: &dyn Directory, segment: &Segment) -> Option<IndexFile> {
    let read = |file: &dyn File| read_whole(file, usize::MAX).map(Map::of_bytes);
    IndexFile::open(directory, segment, read)
}

/// What the index file of `segment` knows, to go on from; nothing when it cannot be used.
pub(crate) fn known_index(directory: &dyn Directory, segment: &Segment) -> IndexBuilder {
    let mut known = IndexBuilder::new(segment.base);
    if let Some(index) = read_index(directory, segment) {
        known.entries = index.header.entries(index.packed());
    }
    known
}
