//! How the frames of a file are checked whose header is gone.
//!
//! Nobody knows the salt any more, but the frames do: both checksums of a frame are masked alike,
//! and the mask gives what all masks of the file are made of ([`Framing::recovered`]).

use std::sync::Arc;

use crate::error::Result;
use crate::format::{ALIGNMENT, BLOCK_BYTES, Framing, Integrity, is_zero, narrow, wide};
use crate::position::Offset;
use crate::storage::{File, read_range};

/// Bytes looked at together.
const STEP_BYTES: usize = 256 * 1024;
/// The largest frame header.
const HEADER_BYTES_MAX: usize = 72;
/// How often the file's own size may be summed up in search of a frame. Places that look like a
/// long frame are rare, but someone may have filled a file with them.
const EFFORT: u64 = 16;

/// Tries every place where a frame may begin, until `is_proven` accepts what one tells.
pub(super) fn recover<T>(
    file: &Arc<dyn File>,
    mut is_proven: impl FnMut(Framing) -> Result<Option<T>>,
) -> Result<Option<(Framing, T)>> {
    let length = file.length()?;
    let mut effort_left = length.saturating_mul(EFFORT).saturating_add(64 << 20);
    let mut begin = BLOCK_BYTES;
    while begin < length {
        // One header more, so that a frame may begin at the end of the step.
        let bytes = read_range(&**file, begin, STEP_BYTES.saturating_add(HEADER_BYTES_MAX))?;
        if bytes.is_empty() {
            break;
        }
        let step = if is_zero(&bytes) {
            0
        } else {
            bytes.len().min(STEP_BYTES)
        };
        for at in (0..step).step_by(narrow(ALIGNMENT)) {
            let rest = bytes.get(at..).unwrap_or_default();
            let offset = Offset::new(begin.saturating_add(wide(at)));
            for integrity in [Integrity::Chained, Integrity::Crc32c] {
                let supposed = Framing::supposed_bytes(rest, integrity);
                let left = length.saturating_sub(offset.get());
                let Some(needed) = supposed.filter(|needed| *needed <= left) else {
                    continue;
                };
                let Some(less) = effort_left.checked_sub(needed) else {
                    return Ok(None);
                };
                effort_left = less;
                let framing = if wide(rest.len()) >= needed {
                    Framing::recovered(rest, offset, integrity)
                } else {
                    let frame = read_range(&**file, offset.get(), narrow(needed))?;
                    Framing::recovered(&frame, offset, integrity)
                };
                if let Some(framing) = framing
                    && let Some(proof) = is_proven(framing)?
                {
                    return Ok(Some((framing, proof)));
                }
            }
        }
        begin = begin.saturating_add(wide(STEP_BYTES));
    }
    Ok(None)
}
