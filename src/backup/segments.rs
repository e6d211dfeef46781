//! Which segments are copied, and how far.

use std::sync::Arc;

use super::claims::list_if_there;
use crate::error::Result;
use crate::format::{BLOCK_BYTES, SEGMENTS, SegmentFile, segment_file};
use crate::position::{Offset, QueueId, SegmentNumber};
use crate::segment::{Ending, Segment, is_zero_from, read_header, scan};
use crate::storage::{Access, Directory, File, open_if_there};

/// The segments from `first` to the last one that holds anything, in order.
pub(super) fn list_segments(
    directory: &dyn Directory,
    first: SegmentNumber,
) -> Result<Vec<SegmentNumber>> {
    let names = list_if_there(directory, SEGMENTS)?;
    let mut numbers: Vec<SegmentNumber> = names
        .iter()
        .filter_map(|name| SegmentFile::parse(name))
        .filter(|(number, file)| *file == SegmentFile::Log && *number >= first)
        .map(|(number, _)| number)
        .collect();
    numbers.sort_unstable();
    // From the newest back: whatever is begun after this look, all before the one found here are
    // complete.
    while let Some(last) = numbers.last() {
        let name = segment_file(*last, SegmentFile::Log);
        let file = open_if_there(directory, &name, Access::Read)?;
        if let Some(file) = file
            && !is_zero_from(&*file, BLOCK_BYTES)?
        {
            break;
        }
        numbers.pop();
    }
    Ok(numbers)
}

/// How much of the last segment is copied: what a writer at work has finished there. Where nobody
/// is at work, everything.
pub(super) fn settled_bytes(
    file: &Arc<dyn File>,
    queue: QueueId,
    number: SegmentNumber,
) -> Result<u64> {
    let length = file.length()?;
    let Ok(header) = read_header(&**file, queue, number)? else {
        return Ok(length);
    };
    let Ok(segment) = Segment::started(Arc::clone(file), header)? else {
        return Ok(length);
    };
    let found = scan(&segment)?;
    for run in &found.runs {
        // A frame that was not there, and is now, was on its way into the file: so may be those
        // that were found behind it.
        if let Ending::Defect { offset, .. } = run.ending
            && is_frame_now(&segment, offset)?
        {
            return Ok(run.to.offset.get());
        }
    }
    Ok(found.used.get())
}

fn is_frame_now(segment: &Segment, offset: Offset) -> Result<bool> {
    let limit = Offset::new(segment.file.length()?);
    Ok(segment.stream().frame_at(offset, limit)?.is_ok())
}
