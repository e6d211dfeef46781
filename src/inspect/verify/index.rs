//! An index file, held against the frames as they go by.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use crate::error::Result;
use crate::format::{
    BLOCK_BYTES, Defect, IndexEntry, IndexHeader, SegmentFile, narrow, segment_file,
};
use crate::position::{Offset, Sequence};
use crate::segment::Segment;
use crate::storage::{Access, Directory, open_if_there, read_whole};

/// What is left of an index to be compared.
#[derive(Debug)]
pub(super) struct IndexCheck {
    entries: std::vec::IntoIter<IndexEntry>,
    /// The sequence after the last one covered.
    next: Sequence,
    block: Option<u64>,
    fault: Option<Defect>,
    /// Behind a hole nobody knows which frame was the first of its block.
    blind: bool,
}

impl IndexCheck {
    /// The index of `segment`; `None` where there is none.
    pub(super) fn open(directory: &dyn Directory, segment: &Segment) -> Result<Option<Self>> {
        let name = segment_file(segment.number(), SegmentFile::Index);
        let Some(file) = open_if_there(directory, &name, Access::Read)? else {
            return Ok(None);
        };
        // One byte more: a longer file is not cut into a good one.
        let bytes_max = IndexHeader::bytes_max(segment.file.length()?).saturating_add(1);
        let bytes = read_whole(&*file, narrow(bytes_max))?;
        let (entries, next, fault) = match IndexHeader::decode(&bytes) {
            Ok((header, packed)) => {
                let fault = foreign(&header, segment);
                (header.entries(packed), header.next, fault)
            }
            Err(defect) => (Vec::new(), segment.base, Some(defect)),
        };
        Ok(Some(Self {
            entries: entries.into_iter(),
            next,
            block: None,
            blind: fault.is_some(),
            fault,
        }))
    }

    /// The frame of `sequence` stands at `offset`.
    pub(super) fn note(&mut self, sequence: Sequence, offset: Offset) {
        let block = offset.get().checked_div(BLOCK_BYTES);
        if self.blind || sequence >= self.next || self.block == block {
            return;
        }
        self.block = block;
        let entry = self.entries.next();
        if entry != Some(IndexEntry { sequence, offset }) {
            self.blind = true;
            self.fault = Some(Defect::Field {
                name: "entry for the frame",
                found: entry.map_or(0, |entry| entry.offset.get()),
            });
        }
    }

    pub(super) fn pass_hole(&mut self) {
        self.blind = true;
    }

    /// What is wrong with the index, all records below `next` having been noted.
    pub(super) fn finish(mut self, next: Sequence) -> Option<Defect> {
        let whole = next >= self.next && !self.blind;
        if let Some(entry) = self.entries.next().filter(|_| whole) {
            return Some(Defect::Field {
                name: "number of entries",
                found: entry.sequence.get(),
            });
        }
        self.fault
    }
}

fn foreign(header: &IndexHeader, segment: &Segment) -> Option<Defect> {
    let own = segment.header;
    let name = if header.queue != own.queue {
        "queue"
    } else if header.segment != own.number || header.base != segment.base {
        "segment"
    } else if header.salt != own.salt {
        "salt"
    } else {
        return None;
    };
    Some(Defect::Owner { name })
}
