//! Queues that are damaged: what was done to each, and which records that cost.

use std::fs;

use super::making::closed;
use super::{BLOCK, HEADER, MIDDLE, Scene, frames, killed, records, segment, segments, whole};

/// One bit of one record is another, in a settled segment.
pub(crate) fn one_flip() -> Scene {
    let mut scene = whole();
    let frames = frames(&scene, MIDDLE);
    let frame = frames
        .iter()
        .skip(frames.len() / 2)
        .find(|frame| frame.record.is_some() && frame.end - frame.start > HEADER + 100);
    let frame = frame.expect("a long record");
    let at = frame.start + HEADER + 50;
    scene.change(&segment(MIDDLE), |bytes| bytes[at] ^= 0x10);
    scene.damaged.extend(frame.record);
    scene
}

/// A page in the middle of a settled segment was never written, or lost.
pub(crate) fn zeroed_page() -> Scene {
    let mut scene = whole();
    let page = 2 * BLOCK..3 * BLOCK;
    let hit: Vec<_> = frames(&scene, MIDDLE)
        .into_iter()
        .filter(|frame| frame.start < page.end && frame.end > page.start)
        .collect();
    scene
        .damaged
        .extend(hit.iter().filter_map(|hit| hit.record));
    scene.change(&segment(MIDDLE), |bytes| bytes[page].fill(0));
    scene
}

/// The file of a settled segment is not there.
pub(crate) fn missing_segment() -> Scene {
    let mut scene = whole();
    scene.damaged = records(&scene, MIDDLE);
    fs::remove_file(scene.file(&segment(MIDDLE))).expect("a segment");
    scene
}

/// The files of two settled segments have each other's names. The records are there, but not where
/// they are looked for: they count as damaged, which salvage may do better than.
pub(crate) fn swapped_files() -> Scene {
    let mut scene = whole();
    let (one, other) = (segment(MIDDLE - 1), segment(MIDDLE));
    scene.damaged = records(&scene, MIDDLE - 1);
    scene.damaged.append(&mut records(&scene, MIDDLE));
    let read = |name: &str| fs::read(scene.file(name)).expect("a segment");
    let (first, second) = (read(&one), read(&other));
    fs::write(scene.file(&one), second).expect("a writable file");
    fs::write(scene.file(&other), first).expect("a writable file");
    scene
}

/// Its program was killed in the middle of a write: what follows the log's end is no frame.
pub(crate) fn torn_tail() -> Scene {
    let scene = killed();
    // The last file may be a segment made ahead of need, which has no frame.
    let numbers = segments(&scene).into_iter().rev();
    let mut ends = numbers.filter_map(|number| Some((number, frames(&scene, number).last()?.end)));
    let (last, end) = ends.next().expect("an active segment");
    scene.change(&segment(last), |bytes| {
        bytes.truncate(end);
        bytes.extend((0..100_u8).map(|number| number.wrapping_mul(37) | 1));
    });
    scene
}

/// A settled segment was replaced by that of another queue.
pub(crate) fn mixed_queues() -> Scene {
    let mut scene = whole();
    scene.damaged = records(&scene, MIDDLE);
    fs::write(scene.file(&segment(MIDDLE)), foreign_segment(MIDDLE)).expect("a writable file");
    scene
}

/// A segment of another queue lies behind the last one.
pub(crate) fn foreign_beside() -> Scene {
    let scene = whole();
    let number = segments(&scene).last().expect("a segment") + 1;
    fs::write(scene.file(&segment(number)), foreign_segment(MIDDLE)).expect("room");
    scene
}

fn foreign_segment(number: u64) -> Vec<u8> {
    let other = closed(2);
    fs::read(other.file(&segment(number))).expect("a segment of the other queue")
}

/// Both slots of STATE are damaged, and the program was killed.
pub(crate) fn state_gone() -> Scene {
    let scene = killed();
    scene.change("STATE", |bytes| damage_slots(bytes));
    scene
}

/// The first block of a settled segment is zeros.
pub(crate) fn header_gone() -> Scene {
    let mut scene = whole();
    scene.damaged = records(&scene, MIDDLE);
    scene.change(&segment(MIDDLE), |bytes| bytes[..BLOCK].fill(0));
    scene
}

/// Both slots of a consumer's cursor are damaged.
pub(crate) fn cursor_gone() -> Scene {
    let scene = whole();
    scene.change("cursors/ship.cursor", |bytes| damage_slots(bytes));
    scene
}

/// The file that says which queue this is has gone.
pub(crate) fn identity_gone() -> Scene {
    let scene = whole();
    fs::remove_file(scene.file("QUEUE")).expect("an identity");
    scene
}

fn damage_slots(bytes: &mut [u8]) {
    for slot in [0, BLOCK] {
        bytes[slot + 40] ^= 0x10;
    }
}
