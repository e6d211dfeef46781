//! How the frames of a file are checked whose header is gone.
//!
//! Nobody knows the salt any more, but the frames do: both checksums of a frame are masked alike,
//! and the mask gives what all masks of the file are made of ([`Framing::recovered`]). A payload may
//! hold frames too, of another file or made to deceive. So every frame has a vote, of its bytes,
//! and what it holds has none. Of a payload that is damaged nothing tells where it ends; but what it
//! holds stands between frames of the file.

use std::cmp::Reverse;
use std::collections::HashMap;
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
/// That much may be summed up beside it.
const EFFORT_BYTES: u64 = 64 << 20;
/// Framings remembered at once, of which a file may pretend to have any number.
const CANDIDATES_MAX: usize = 1 << 14;

/// The framing under which most bytes of the file are frames, and at least two of them; of equal
/// ones that of the first frame. One whose frames all stand between two of another is out of it.
///
/// One frame may agree by chance; a second one under the same masks does not.
pub(super) fn recover(file: &Arc<dyn File>) -> Result<Option<Framing>> {
    let length = file.length()?;
    let mut search = Search {
        file,
        length,
        effort_left: length.saturating_add(EFFORT_BYTES),
        candidates: HashMap::new(),
    };
    let mut offset = BLOCK_BYTES;
    while offset < length {
        offset = search.step(offset)?;
    }
    let mut proven = search.candidates;
    proven.retain(|_, candidate| candidate.frames >= 2);
    let outer = outermost(proven.into_iter().collect());
    let best = outer.max_by_key(|(_, candidate)| (candidate.bytes, Reverse(candidate.first)));
    Ok(best.map(|(framing, _)| framing))
}

/// Those of `candidates` whose frames do not all stand between two of another one.
fn outermost(
    mut candidates: Vec<(Framing, Candidate)>,
) -> impl Iterator<Item = (Framing, Candidate)> {
    candidates.sort_unstable_by_key(|(_, candidate)| candidate.first);
    let mut reached = 0;
    candidates.into_iter().filter(move |(_, candidate)| {
        let is_outer = candidate.last > reached;
        reached = reached.max(candidate.last);
        is_outer
    })
}

/// What speaks for a framing.
#[derive(Debug)]
struct Candidate {
    frames: u64,
    bytes: u64,
    /// Where the first frame begins, and the last.
    first: u64,
    last: u64,
}

struct Search<'a> {
    file: &'a Arc<dyn File>,
    length: u64,
    /// Bytes that may still be summed up; more with every byte of the file that is passed.
    effort_left: u64,
    candidates: HashMap<Framing, Candidate>,
}

impl Search<'_> {
    /// Looks at every place from `begin` where a frame may begin, up to the end of one read; where
    /// to go on.
    fn step(&mut self, begin: u64) -> Result<u64> {
        // One header more, so that a frame may begin at the end of the step.
        let wanted = STEP_BYTES.saturating_add(HEADER_BYTES_MAX);
        let bytes = read_range(&**self.file, begin, wanted)?;
        if bytes.is_empty() {
            return Ok(self.length);
        }
        let end = begin.saturating_add(wide(STEP_BYTES));
        if is_zero(&bytes) {
            return Ok(end);
        }
        let mut offset = begin;
        while offset < end {
            let rest = bytes.get(narrow(offset.saturating_sub(begin))..);
            let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
                return Ok(self.length);
            };
            let passed = match self.frame(rest, offset)? {
                Some((framing, passed)) => {
                    self.note(framing, passed, offset);
                    passed.next_multiple_of(ALIGNMENT)
                }
                None => ALIGNMENT,
            };
            let gained = passed.saturating_mul(EFFORT.saturating_sub(1));
            self.effort_left = self.effort_left.saturating_add(gained);
            offset = offset.saturating_add(passed);
        }
        Ok(offset)
    }

    /// The framing under which a frame begins at `offset`, where the file goes on with `rest`, and
    /// how long that frame is.
    fn frame(&mut self, rest: &[u8], offset: u64) -> Result<Option<(Framing, u64)>> {
        let left = self.length.saturating_sub(offset);
        for integrity in [Integrity::Chained, Integrity::Crc32c] {
            let supposed = Framing::supposed_bytes(rest, integrity);
            let Some(needed) = supposed.filter(|needed| *needed <= left) else {
                continue;
            };
            // What is too long for now is passed like any other bytes.
            let Some(less) = self.effort_left.checked_sub(needed) else {
                continue;
            };
            self.effort_left = less;
            let at = Offset::new(offset);
            let framing = if wide(rest.len()) >= needed {
                Framing::recovered(rest, at, integrity)
            } else {
                let frame = read_range(&**self.file, offset, narrow(needed))?;
                Framing::recovered(&frame, at, integrity)
            };
            if let Some(framing) = framing {
                return Ok(Some((framing, needed)));
            }
        }
        Ok(None)
    }

    fn note(&mut self, framing: Framing, bytes: u64, offset: u64) {
        if self.candidates.len() >= CANDIDATES_MAX && !self.candidates.contains_key(&framing) {
            let mut sizes: Vec<u64> = self.candidates.values().map(|one| one.bytes).collect();
            let middle = sizes.len() / 2;
            let (_, median, _) = sizes.select_nth_unstable(middle);
            let median = *median;
            self.candidates.retain(|_, one| one.bytes > median);
        }
        let candidate = self.candidates.entry(framing).or_insert(Candidate {
            frames: 0,
            bytes: 0,
            first: offset,
            last: offset,
        });
        candidate.frames = candidate.frames.saturating_add(1);
        candidate.bytes = candidate.bytes.saturating_add(bytes);
        candidate.last = offset;
    }
}

#[cfg(all(test, feature = "test-support"))]
mod tests {
    use super::*;
    use crate::format::Chain;
    use crate::position::{QueueId, Sequence};
    use crate::segment::{ControlPlace, encode_filling};
    use crate::storage::memory::MemoryDirectory;
    use crate::storage::{Access, Directory};

    const FRAME_BYTES: u64 = 48;

    fn framing(salt: u64) -> Framing {
        Framing::new(QueueId::new([5; 16]), salt, Integrity::Crc32c)
    }

    /// Adds a frame of that framing at the end.
    fn put(bytes: &mut Vec<u8>, salt: u64) {
        let place = ControlPlace {
            next: Sequence::ZERO,
            watermark: Sequence::ZERO,
            chain: Chain::default(),
            time: 1,
        };
        let from = Offset::new(wide(bytes.len()));
        let range = from..from.plus(FRAME_BYTES);
        assert!(encode_filling(framing(salt), place, range, bytes));
    }

    fn recovered(bytes: &[u8]) -> Option<Framing> {
        let memory = MemoryDirectory::new();
        memory.put_file("file", bytes);
        let file = memory.open("file", Access::Read).expect("it is there");
        recover(&file).expect("memory works")
    }

    #[test]
    fn any_number_of_pretended_framings_leaves_the_one_with_most_bytes() {
        for own_first in [true, false] {
            let mut bytes = vec![0; narrow(BLOCK_BYTES)];
            let own = |bytes: &mut Vec<u8>| (0..3).for_each(|_| put(bytes, 1));
            if own_first {
                own(&mut bytes);
            }
            for salt in 0..3 * wide(CANDIDATES_MAX) {
                put(&mut bytes, 100 + salt);
            }
            if !own_first {
                own(&mut bytes);
            }
            assert_eq!(recovered(&bytes), Some(framing(1)), "{own_first}");
        }
    }

    #[test]
    fn what_looks_like_long_frames_does_not_use_up_the_search_for_short_ones() {
        let mut bytes = vec![0; narrow(BLOCK_BYTES)];
        let lengths: [u32; 4] = [3 << 20, 1 << 14, 1 << 7, 0];
        for length in lengths.iter().cycle().take((2 << 20) / 40) {
            bytes.extend_from_slice(&[0; 8]);
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&[0, 0, 1, 0]);
            bytes.extend_from_slice(&[0; 24]);
        }
        for _ in 0..(3 << 20) / FRAME_BYTES {
            put(&mut bytes, 1);
        }
        assert_eq!(recovered(&bytes), Some(framing(1)));
    }

    #[test]
    fn one_frame_is_no_proof() {
        let mut bytes = vec![0; narrow(BLOCK_BYTES)];
        put(&mut bytes, 1);
        assert_eq!(recovered(&bytes), None);
        put(&mut bytes, 1);
        assert_eq!(recovered(&bytes), Some(framing(1)));
    }
}
