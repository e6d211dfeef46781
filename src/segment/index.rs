//! Sequence to offset inside one segment: a cache, built while appending or by a scan.
//!
//! An index never decides where the log ends, and what it points to is verified before use.

use std::sync::Arc;

use super::Segment;
use crate::error::Result;
use crate::format::{BLOCK_BYTES, IndexEntry, IndexHeader, SegmentFile, segment_file, temporary};
use crate::position::{Offset, Sequence};
use crate::storage::{Access, Directory, Map, read_whole};

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

/// A mapped index file.
#[derive(Clone, Debug)]
pub(crate) struct IndexFile {
    header: IndexHeader,
    map: Arc<Map>,
}

impl IndexFile {
    /// The sequence after the last one covered, and where the covered part of the segment ends.
    pub(crate) fn end(&self) -> (Sequence, Offset) {
        (self.header.next, self.header.end)
    }

    /// The last frame known at or before `sequence`.
    pub(crate) fn at_or_before(&self, sequence: Sequence) -> Option<IndexEntry> {
        let packed = self.map.get(IndexHeader::ENTRIES_OFFSET..)?;
        self.header.at_or_before(packed, sequence)
    }
}

/// What the index file of `segment` knows, to go on from; nothing when it cannot be used.
pub(crate) fn known_index(directory: &dyn Directory, segment: &Segment) -> IndexBuilder {
    let mut known = IndexBuilder::new(segment.base);
    if let Some(index) = read_index(directory, segment) {
        let packed = index.map.get(IndexHeader::ENTRIES_OFFSET..);
        known.entries = index.header.entries(packed.unwrap_or_default());
    }
    known
}

/// The last frame at or before `sequence` that the index file of `segment` knows, read and not
/// mapped: for a directory on which another machine may delete the file.
pub(crate) fn read_index_entry(
    directory: &dyn Directory,
    segment: &Segment,
    sequence: Sequence,
) -> Option<IndexEntry> {
    let name = segment_file(segment.number(), SegmentFile::Index);
    let file = directory.open(&name, Access::Read).ok()?;
    let bytes = read_whole(&*file, usize::MAX).ok()?;
    let (header, packed) = IndexHeader::decode(&bytes).ok()?;
    let own = header_of(segment, header.next, header.end) == header;
    own.then(|| header.at_or_before(packed, sequence))?
}

/// The index file of `segment`; `None` when it is missing, damaged, or of another segment.
pub(crate) fn read_index(directory: &dyn Directory, segment: &Segment) -> Option<IndexFile> {
    let name = segment_file(segment.number(), SegmentFile::Index);
    let map = directory
        .open(&name, Access::Read)
        .and_then(|file| file.map())
        .ok()?;
    let (header, _) = IndexHeader::decode(&map).ok()?;
    let own = header_of(segment, header.next, header.end) == header;
    own.then(|| IndexFile {
        header,
        map: Arc::new(map),
    })
}
