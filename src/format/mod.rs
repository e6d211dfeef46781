//! Bytes to structures and back: pure, explicit little-endian, field by field.
//!
//! `docs/FORMAT.md` is normative; the golden tests in `tests` guard every structure. Nothing here
//! does I/O, reads a clock, or panics on input. A decoder answers with a [`Defect`]; what a defect
//! means is decided elsewhere (`recovery`, the reader).

mod chain;
mod checksum;
mod control;
mod cursor;
mod defect;
mod envelope;
mod fields;
mod frame;
mod identity;
mod index;
mod keys;
mod names;
mod segment_header;
mod slot;
mod snapshot;
mod state;

pub(crate) use chain::{Chain, RecordDigest};
pub(crate) use control::{Control, Footer, Gone, Start};
pub(crate) use cursor::{CursorSlot, consumer_id, filter_id};
pub(crate) use defect::Defect;
pub(crate) use fields::{narrow, wide};
pub(crate) use frame::{Flags, FrameHeader, Framing};
pub(crate) use identity::Identity;
pub(crate) use index::{IndexEntry, IndexHeader};
pub(crate) use keys::{KEY_BYTES, Key, KeyEntry, KeyFile};
pub(crate) use names::{
    CURSORS, IDENTITY, KEYS, LOCK, MANIFEST, QUARANTINE, SEGMENTS, SNAPSHOTS, STATE, SegmentFile,
    consumer_of, cursor_file, hexadecimal, is_segment_number, is_unfinished_snapshot,
    quarantined_snapshot, segment_file, snapshot_file, snapshot_of, temporary, unfinished_index_of,
    unfinished_snapshot, valid_consumer_name,
};
pub(crate) use segment_header::SegmentHeader;
pub(crate) use slot::{Pair, Slot};
pub(crate) use snapshot::{SnapshotHeader, StateSum};
pub(crate) use state::{End, StateSlot};

/// The version that this release writes, and the newest that it reads.
pub(crate) const VERSION: u32 = 1;

/// The unit of segment headers and slots: the page of the platforms we run on.
pub(crate) const BLOCK_BYTES: u64 = 4096;

/// Frames start at multiples of this.
pub(crate) const ALIGNMENT: u64 = 8;

/// The largest segment: offsets divided by [`ALIGNMENT`] go into checksums and the index as `u32`.
pub(crate) const SEGMENT_BYTES_MAX: u64 = (u32::MAX as u64) * ALIGNMENT;

/// What every record frame carries besides the checksums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Integrity {
    /// Checksums and a keyed BLAKE3 chain: every record's hash depends on all records before it,
    /// so that history cannot be changed unseen. 72 bytes a record.
    #[default]
    Chained,
    /// Checksums only: 40 bytes a record, and faster.
    Crc32c,
}

/// Whether all of `bytes` are zero. In blocks, each looked at whole: the compiler makes wide
/// comparisons of that, and a reserved segment has many megabytes of zeros.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<256>();
    let one = |block: &[u8]| block.iter().fold(0, |seen, byte| seen | byte) == 0;
    blocks.iter().all(|block| one(block)) && one(rest)
}

#[cfg(test)]
mod tests;
