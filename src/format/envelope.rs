//! The one wrapping of every structure that is not a frame.
//!
//! ```text
//! 0        8         12        16             16+n     20+n
//! | magic  | version | body n  | body ...      | CRC-32C |
//! ```
//! The checksum covers everything before it. This much is the same in every version, so that a file
//! of a later release is told from a damaged one.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::checksum::crc32c;
use super::fields::{FieldReader, FieldWriter, narrow, wide};
use super::{Defect, VERSION};

/// Bytes before the body.
const LEAD_BYTES: usize = 16;

/// Bytes after the body.
const CHECKSUM_BYTES: usize = 4;

/// `body` in its envelope.
pub(super) fn seal(magic: [u8; 8], body: &[u8]) -> Vec<u8> {
    let around = LEAD_BYTES.saturating_add(CHECKSUM_BYTES);
    let mut bytes = Vec::with_capacity(body.len().saturating_add(around));
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    FieldWriter(&mut bytes)
        .bytes(&magic)
        .u32(VERSION)
        .u32(length)
        .bytes(body);
    let checksum = crc32c(&bytes);
    FieldWriter(&mut bytes).u32(checksum);
    bytes
}

/// The body inside `bytes`, which may go on after the envelope.
pub(super) fn open(magic: [u8; 8], bytes: &[u8]) -> Result<&[u8], Defect> {
    let short = |needed: u64| Defect::Short {
        needed,
        found: wide(bytes.len()),
    };
    let mut lead = FieldReader::new(bytes);
    let found = lead.bytes::<8>().ok_or(short(wide(LEAD_BYTES)))?;
    if found != magic {
        return Err(Defect::Magic {
            expected: magic,
            found,
        });
    }
    let version = lead.u32().ok_or(short(wide(LEAD_BYTES)))?;
    let length = lead.u32().ok_or(short(wide(LEAD_BYTES)))?;
    let body_end = LEAD_BYTES.saturating_add(narrow(u64::from(length)));
    let (covered, rest) = bytes
        .split_at_checked(body_end)
        .ok_or(short(wide(body_end).saturating_add(4)))?;
    let stored = FieldReader::new(rest)
        .u32()
        .ok_or(short(wide(body_end).saturating_add(4)))?;
    let expected = crc32c(covered);
    if stored != expected {
        return Err(Defect::Checksum {
            expected,
            found: stored,
        });
    }
    if version != VERSION {
        return Err(Defect::Version { found: version });
    }
    covered.get(LEAD_BYTES..).ok_or(Defect::Zeros)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "the bytes are the test's own")]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_and_what_follows_is_ignored() {
        let mut bytes = seal(*b"FBYTESTS", b"body");
        bytes.extend_from_slice(&[9; 100]);
        assert_eq!(open(*b"FBYTESTS", &bytes), Ok(&b"body"[..]));
    }

    #[test]
    fn magic_version_checksum_and_length_are_four_different_defects() {
        let good = seal(*b"FBYTESTS", b"body");
        assert!(matches!(
            open(*b"FBYOTHER", &good),
            Err(Defect::Magic { .. })
        ));
        let mut future = good.clone();
        future[8] = 9;
        let body_end = future.len() - 4;
        let checksum = crc32c(&future[..body_end]);
        future[body_end..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(
            open(*b"FBYTESTS", &future),
            Err(Defect::Version { found: 9 })
        );
        let mut damaged = good.clone();
        damaged[17] ^= 1;
        assert!(matches!(
            open(*b"FBYTESTS", &damaged),
            Err(Defect::Checksum { .. })
        ));
        assert!(matches!(
            open(*b"FBYTESTS", &good[..good.len() - 1]),
            Err(Defect::Short { .. })
        ));
    }
}
