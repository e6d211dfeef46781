//! Structures in an envelope: right checksums for wrong bytes, one encoding each, no flipped bit.

use crate::format::{Defect, KeyFile, SegmentHeader, narrow, wide};

/// Magic, version and length of the body.
const LEAD_BYTES: usize = 16;
const LENGTH_FIELD: std::ops::Range<usize> = 12..16;

/// Decodes `bytes`; where nothing but the checksum speaks against them, it is put right first.
pub(super) fn mended<T>(
    bytes: &mut [u8],
    decode: impl Fn(&[u8]) -> Result<T, Defect>,
) -> Result<T, Defect> {
    let Err(Defect::Checksum { expected, .. }) = decode(bytes) else {
        return decode(bytes);
    };
    let place = envelope_end(bytes).and_then(|end| bytes.get_mut(end - 4..end));
    if let Some(place) = place {
        place.copy_from_slice(&expected.to_le_bytes());
    }
    decode(bytes)
}

/// Where the envelope that begins `bytes` says that it ends.
pub(super) fn envelope_end(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(LENGTH_FIELD)?.first_chunk::<4>()?;
    Some(LEAD_BYTES + narrow(u64::from(u32::from_le_bytes(*length))) + 4)
}

/// Claims of `bytes`, which decode, that they are what `encoded` is, if their length is that of
/// this version, and that no flipped bit of them goes unseen.
pub(super) fn assert_sealed<T>(
    bytes: &[u8],
    encoded: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, Defect>,
) {
    let end = envelope_end(bytes).expect("it decodes");
    let own = envelope_end(encoded).expect("it was just encoded");
    assert!(end >= own, "fewer bytes than its fields need");
    if end == own {
        assert_eq!(bytes[..end], encoded[..own], "two encodings of one value");
    }
    assert!(decode(&bytes[..end - 1]).is_err(), "it ends too early");
    let bit = narrow(u64::from(crc32c::crc32c(bytes))) % (end * 8);
    // A flipped length moves the checksum, which is then anything.
    if !LENGTH_FIELD.contains(&(bit / 8)) {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped).is_err(), "bit {bit} flipped unseen");
    }
}

/// A segment's header block.
pub fn segment_header(data: &[u8]) {
    let mut block = data.to_vec();
    let Ok(header) = mended(&mut block, SegmentHeader::decode) else {
        return;
    };
    let encoded = header.encode();
    assert_eq!(encoded.len(), 4096);
    assert_eq!(SegmentHeader::decode(&encoded), Ok(header));
    assert_sealed(&block, &encoded, SegmentHeader::decode);
}

/// A file of keys.
pub fn keys(data: &[u8]) {
    let mut file = data.to_vec();
    let Ok(keys) = mended(&mut file, KeyFile::decode) else {
        return;
    };
    assert!(KeyFile::file_bytes(wide(keys.entries.len())) <= wide(file.len()));
    let sequences = keys.entries.iter().map(|entry| entry.sequence);
    assert!(sequences.is_sorted_by(|one, next| one < next && *next < keys.covered));
    let encoded = keys.encode();
    assert_eq!(KeyFile::decode(&encoded), Ok(keys));
    assert_sealed(&file, &encoded, KeyFile::decode);
}
