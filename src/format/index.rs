//! The offset index of a segment: one entry for the first frame of every 4 KiB. A cache.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::checksum::crc32c;
use super::fields::{FieldReader, FieldWriter, wide};
use super::{ALIGNMENT, BLOCK_BYTES, Defect, envelope};
use crate::position::{Offset, QueueId, SegmentNumber, Sequence};

const MAGIC: [u8; 8] = *b"FBYINDEX";

/// What an index file says about itself and its segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexHeader {
    pub(crate) queue: QueueId,
    pub(crate) segment: SegmentNumber,
    /// The segment's salt: tells its twins apart.
    pub(crate) salt: u64,
    pub(crate) base: Sequence,
    /// The sequence after the last one covered.
    pub(crate) next: Sequence,
    /// Where the covered part of the segment ends.
    pub(crate) end: Offset,
}

/// Where one frame is, relative to its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) sequence: Sequence,
    pub(crate) offset: Offset,
}

impl IndexHeader {
    /// Where the entries begin.
    pub(crate) const ENTRIES_OFFSET: usize = 128;
    /// Bytes of one entry.
    pub(crate) const ENTRY_BYTES: usize = 8;

    /// The most that the index file of a segment of `segment_bytes` has: an entry for each block.
    pub(crate) fn bytes_max(segment_bytes: u64) -> u64 {
        let entries = segment_bytes.div_ceil(BLOCK_BYTES);
        wide(Self::ENTRIES_OFFSET).saturating_add(entries.saturating_mul(wide(Self::ENTRY_BYTES)))
    }

    /// The whole index file.
    pub(crate) fn encode(&self, entries: &[IndexEntry]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(entries.len().saturating_mul(Self::ENTRY_BYTES));
        for entry in entries {
            let relative = u32::try_from(entry.sequence.since(self.base)).unwrap_or(u32::MAX);
            let units = entry.offset.get().checked_div(ALIGNMENT).unwrap_or(0);
            FieldWriter(&mut packed)
                .u32(relative)
                .u32(u32::try_from(units).unwrap_or(u32::MAX));
        }
        let mut body = Vec::new();
        FieldWriter(&mut body)
            .bytes(&self.queue.get())
            .u64(self.segment.get())
            .u64(self.salt)
            .u64(self.base.get())
            .u64(self.next.get())
            .u64(self.end.get())
            .u64(wide(entries.len()))
            .u32(crc32c(&packed));
        let mut file = envelope::seal(MAGIC, &body);
        file.resize(Self::ENTRIES_OFFSET, 0);
        file.extend_from_slice(&packed);
        file
    }

    /// The header and the packed entries of an index file, checksums verified.
    pub(crate) fn decode(file: &[u8]) -> Result<(Self, &[u8]), Defect> {
        let body = envelope::open(MAGIC, file)?;
        let (header, count, checksum) = Self::fields(body).ok_or(Defect::Field {
            name: "index body",
            found: wide(body.len()),
        })?;
        let bytes = count.saturating_mul(wide(Self::ENTRY_BYTES));
        let end = wide(Self::ENTRIES_OFFSET).saturating_add(bytes);
        if wide(file.len()) != end {
            return Err(Defect::Short {
                needed: end,
                found: wide(file.len()),
            });
        }
        let packed = file.get(Self::ENTRIES_OFFSET..).unwrap_or_default();
        let expected = crc32c(packed);
        if checksum != expected {
            return Err(Defect::Checksum {
                expected,
                found: checksum,
            });
        }
        Ok((header, packed))
    }

    fn fields(body: &[u8]) -> Option<(Self, u64, u32)> {
        let mut fields = FieldReader::new(body);
        let header = Self {
            queue: QueueId::new(fields.bytes()?),
            segment: SegmentNumber::new(fields.u64()?),
            salt: fields.u64()?,
            base: Sequence::new(fields.u64()?),
            next: Sequence::new(fields.u64()?),
            end: Offset::new(fields.u64()?),
        };
        Some((header, fields.u64()?, fields.u32()?))
    }

    /// The last entry at or before `sequence` among `packed` entries, which are in order.
    pub(crate) fn at_or_before(&self, packed: &[u8], sequence: Sequence) -> Option<IndexEntry> {
        let count = packed.len().checked_div(Self::ENTRY_BYTES)?;
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low.midpoint(high);
            if self.entry(packed, middle)?.sequence <= sequence {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        self.entry(packed, low.checked_sub(1)?)
    }

    /// All `packed` entries.
    pub(crate) fn entries(&self, packed: &[u8]) -> Vec<IndexEntry> {
        let count = packed.len().checked_div(Self::ENTRY_BYTES).unwrap_or(0);
        (0..count).map_while(|at| self.entry(packed, at)).collect()
    }

    fn entry(&self, packed: &[u8], at: usize) -> Option<IndexEntry> {
        let start = at.checked_mul(Self::ENTRY_BYTES)?;
        let mut fields = FieldReader::new(packed.get(start..)?);
        Some(IndexEntry {
            sequence: self.base.plus(u64::from(fields.u32()?)),
            offset: Offset::new(u64::from(fields.u32()?).saturating_mul(ALIGNMENT)),
        })
    }
}

/// The number of entries that `file_bytes` of index can hold.
#[cfg(test)]
pub(crate) fn entry_count(file_bytes: u64) -> usize {
    super::narrow(file_bytes).saturating_sub(IndexHeader::ENTRIES_OFFSET) / IndexHeader::ENTRY_BYTES
}

#[cfg(test)]
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "the numbers are the test's own"
)]
mod tests {
    use super::*;

    fn index() -> (IndexHeader, Vec<IndexEntry>) {
        let header = IndexHeader {
            base: Sequence::new(100),
            ..IndexHeader::default()
        };
        let entry = |at: u64| IndexEntry {
            sequence: Sequence::new(100 + at * 10),
            offset: Offset::new(4096 + at * 4000),
        };
        (header, (0..5).map(entry).collect())
    }

    #[test]
    fn a_lookup_finds_the_entry_at_or_before() {
        let (header, entries) = index();
        let file = header.encode(&entries);
        assert_eq!(entry_count(wide(file.len())), 5);
        let (_, packed) = IndexHeader::decode(&file).expect("just encoded");
        let at = |sequence| header.at_or_before(packed, Sequence::new(sequence));
        assert_eq!(at(99), None);
        assert_eq!(at(100), Some(entries[0]));
        assert_eq!(at(119), Some(entries[1]));
        assert_eq!(at(u64::MAX), Some(entries[4]));
        assert_eq!(header.at_or_before(&[], Sequence::new(100)), None);
    }

    #[test]
    fn a_longer_a_shorter_and_a_flipped_index_are_refused() {
        let (header, entries) = index();
        let good = header.encode(&entries);
        let mut longer = good.clone();
        longer.push(0);
        assert!(IndexHeader::decode(&longer).is_err());
        assert!(IndexHeader::decode(&good[..good.len() - 1]).is_err());
        assert!(IndexHeader::decode(&[]).is_err());
        let mut flipped = good;
        *flipped.last_mut().expect("not empty") ^= 1;
        assert!(matches!(
            IndexHeader::decode(&flipped),
            Err(Defect::Checksum { .. })
        ));
    }
}
