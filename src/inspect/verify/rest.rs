//! What no walk has a reason to read: behind the end of the log, and segments that are not of it.
//! Whether the medium gives it back is to be known all the same.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use crate::error::Result;
use crate::format::{SegmentFile, segment_file, wide};
use crate::position::{Offset, SegmentNumber};
use crate::storage::{Access, Directory, open_if_there};

const STEP_BYTES: usize = 256 << 10;

/// Reads the segment `number` from `offset` to the end of its file, if it is still there.
pub(super) fn read_rest(
    directory: &dyn Directory,
    number: SegmentNumber,
    mut offset: Offset,
    told: &dyn Fn(u64),
) -> Result<()> {
    let name = segment_file(number, SegmentFile::Log);
    let Some(file) = open_if_there(directory, &name, Access::Read)? else {
        return Ok(());
    };
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        let found = wide(file.read_at(&mut buffer, offset.get())?);
        if found == 0 {
            return Ok(());
        }
        told(found);
        offset = offset.plus(found);
    }
}
