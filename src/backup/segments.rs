//! Which segments are copied, and how far.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::error::Result;
use crate::format::{BLOCK_BYTES, SEGMENTS, SegmentFile, segment_file};
use crate::position::{Offset, QueueId, SegmentNumber};
use crate::segment::{Ending, Segment, is_zero_from, read_header, scan};
use crate::storage::{Access, Directory, File, Lenient, list_if_there, open_if_there};

/// How often to look for a frame that is not there yet, and how long to wait in between: a tenth of
/// a second, for a queue that ends in half a frame.
const LOOKS_MAX: u32 = 20;
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// The segments from `first` to the last one that holds anything, in order.
pub(super) fn list_segments(
    directory: &Lenient<&dyn Directory>,
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
        // What could not be read may have been frames.
        if let Some(file) = file
            && (!is_zero_from(&*file, BLOCK_BYTES)? || !directory.noted_of(&name).is_empty())
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
            && is_frame_soon(&segment, offset)?
        {
            return Ok(run.to.offset.get());
        }
    }
    Ok(found.used.get())
}

/// Whether a good frame comes to stand at `offset`. A writer may be held up in the middle of a write
/// by whatever else the machine has to do; one that was killed writes no more.
fn is_frame_soon(segment: &Segment, offset: Offset) -> Result<bool> {
    for _ in 0..LOOKS_MAX {
        let limit = Offset::new(segment.file.length()?);
        if segment.stream().frame_at(offset, limit)?.is_ok() {
            return Ok(true);
        }
        thread::sleep(LOOK_PAUSE);
    }
    Ok(false)
}
