//! An index: one encoding, and lookups that agree with the list of its entries.

use super::input::Input;
use super::structures::{envelope_end, mended};
use crate::format::{IndexEntry, IndexHeader, narrow, wide};
use crate::position::Sequence;

/// Where the number and the checksum of the entries stand.
const COUNT: std::ops::Range<usize> = 72..80;
const ENTRIES_CHECKSUM: std::ops::Range<usize> = 80..84;
/// Lookups for this many entries tell as much as for all.
const LOOKUPS_MAX: usize = 32;
/// The envelope of this version's header.
const HEADER_BYTES: usize = 88;

/// An index file.
pub fn index(data: &[u8]) {
    let mut input = Input::new(data);
    let sought = Sequence::new(input.long());
    let mut file = input.rest().to_vec();
    if file.len() >= IndexHeader::ENTRIES_OFFSET && envelope_end(&file) == Some(HEADER_BYTES) {
        // Checksums that no random bytes have.
        let entries = (file.len() - IndexHeader::ENTRIES_OFFSET) / IndexHeader::ENTRY_BYTES;
        let checksum = crc32c::crc32c(&file[IndexHeader::ENTRIES_OFFSET..]);
        file[COUNT].copy_from_slice(&wide(entries).to_le_bytes());
        file[ENTRIES_CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    }
    if mended(&mut file, |bytes| IndexHeader::decode(bytes).map(|_| ())).is_err() {
        return;
    }
    let (header, packed) = IndexHeader::decode(&file).expect("it did a moment ago");
    let entries = header.entries(packed);
    assert_eq!(entries.len() * IndexHeader::ENTRY_BYTES, packed.len());
    let near = entries.iter().take(LOOKUPS_MAX).flat_map(|entry| {
        let sequence = entry.sequence.get();
        [
            sequence.saturating_sub(1),
            sequence,
            sequence.saturating_add(1),
        ]
        .map(Sequence::new)
    });
    for sought in near.chain([sought]) {
        assert_lookup(&header, packed, &entries, sought);
    }

    let is_whole = header.base.get() <= u64::MAX - u64::from(u32::MAX);
    if is_whole && envelope_end(&file) == Some(HEADER_BYTES) {
        let encoded = header.encode(&entries);
        assert_eq!(encoded[..HEADER_BYTES], file[..HEADER_BYTES]);
        assert_eq!(encoded[IndexHeader::ENTRIES_OFFSET..], *packed);
    }
    let bit = narrow(sought.get()) % (packed.len() * 8 + 1);
    let at = IndexHeader::ENTRIES_OFFSET + bit / 8;
    assert!(IndexHeader::decode(&file[..file.len() - 1]).is_err());
    if let Some(byte) = file.get_mut(at) {
        *byte ^= 1 << (bit % 8);
        assert!(
            IndexHeader::decode(&file).is_err(),
            "bit {bit} flipped unseen"
        );
    }
    file.push(0);
    assert!(
        IndexHeader::decode(&file).is_err(),
        "a byte more is a defect"
    );
}

fn assert_lookup(header: &IndexHeader, packed: &[u8], entries: &[IndexEntry], sought: Sequence) {
    let found = header.at_or_before(packed, sought);
    if let Some(found) = found {
        assert!(
            entries.contains(&found) && found.sequence <= sought,
            "{found:?}"
        );
    }
    if entries.is_sorted_by_key(|entry| entry.sequence) {
        let right = entries.iter().rfind(|entry| entry.sequence <= sought);
        assert_eq!(found.as_ref(), right);
    }
}
