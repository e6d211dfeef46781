//! Files of two slots: the newest good one counts, and the next write leaves it alone.

use std::fmt::Debug;

use super::structures::{assert_sealed, envelope_end, mended};
use crate::format::{CursorSlot, Defect, Pair, Slot, StateSlot, narrow};
use crate::position::QueueId;
use crate::slots::{SlotFile, read_slots};
use crate::storage::memory::MemoryDirectory;

const NAME: &str = "SLOTS";
/// Where a slot's generation stands.
const GENERATION: std::ops::Range<usize> = 16..24;

/// A `STATE` file.
pub fn state(data: &[u8]) {
    pair::<StateSlot>(data);
}

/// A cursor file.
pub fn cursor(data: &[u8]) {
    pair::<CursorSlot>(data);
}

/// A file of two slots out of `data`, which holds one after the other, neither padded to a block.
fn pair<S: Slot + Clone + Debug + PartialEq>(data: &[u8]) {
    let block = narrow(Pair::<S>::offset(1).get());
    let middle = envelope_end(data).map_or(data.len(), |end| end.min(data.len()));
    let (first, second) = data.split_at(middle.min(block));
    let mut file = first.to_vec();
    file.resize(block, 0);
    file.extend_from_slice(second);
    let slots = [
        mended(&mut file[..block], S::decode),
        mended(&mut file[block..], S::decode),
    ];
    for (slot, at) in slots.iter().zip([0, block]) {
        if let Ok(slot) = slot {
            assert_eq!(S::decode(&slot.encode()).as_ref(), Ok(slot));
            assert_sealed(&file[at..], &slot.encode(), S::decode);
            let stored = file[at..][GENERATION].first_chunk::<8>();
            assert_eq!(stored, Some(&slot.generation().to_le_bytes()));
        }
    }
    assert_newest(&file, &slots);
    assert_next_write::<S>(&file, block);
}

/// The queue whose file this is: that of the first good slot.
fn owner<S: Slot>(slots: &[Result<S, Defect>; 2]) -> QueueId {
    let first = slots.iter().flatten().next();
    first.map(Slot::queue).unwrap_or_default()
}

fn assert_newest<S: Slot + Debug + PartialEq>(file: &[u8], slots: &[Result<S, Defect>; 2]) {
    let pair = Pair::<S>::decode(file);
    assert_eq!(&pair.slots, slots);
    let right = match slots {
        [Ok(first), Ok(second)]
            if first.queue() != second.queue() || first.generation() > second.generation() =>
        {
            Some((0, first))
        }
        [_, Ok(second)] => Some((1, second)),
        [Ok(first), Err(_)] => Some((0, first)),
        [Err(_), Err(_)] => None,
    };
    assert_eq!(pair.newest_of(owner(slots)), right);
    let is_future = |slot: &Result<S, Defect>| matches!(slot, Err(Defect::Version { .. }));
    assert_eq!(pair.future_version().is_some(), slots.iter().any(is_future));
    assert_eq!(pair.valid().count(), slots.iter().flatten().count());
}

/// Opens the file and writes it twice, losing the power in between.
fn assert_next_write<S>(file: &[u8], block: usize)
where
    S: Slot + Clone + Debug + PartialEq,
{
    let directory = MemoryDirectory::new();
    directory.put_file(NAME, file);
    let pair = Pair::<S>::decode(file);
    let owner = owner(&pair.slots);
    let opened = SlotFile::<S>::open(&directory, NAME, owner).expect("memory does not fail");
    let Some((current, newest)) = pair.newest_of(owner) else {
        assert!(opened.is_err(), "a slot out of nothing");
        return;
    };
    let mut slots = opened.expect("one slot is good");
    assert_eq!(slots.newest(), newest);
    if newest.generation() == u64::MAX {
        return; // No writer gets there: 2^64 writes.
    }
    slots.write(newest.clone()).expect("memory does not fail");
    let written: S = read(&directory, owner);
    assert_eq!(written.generation(), newest.generation() + 1);
    let encoded = newest.encode();
    let kept = directory.file_bytes(NAME).expect("it is there");
    let kept = kept[current * block..].get(..encoded.len());
    assert_eq!(kept, Some(&encoded[..]), "the slot that counts was touched");
    let after = directory.crash_losing_all();
    assert_eq!(
        &read::<S>(&after, owner),
        newest,
        "a power cut before the sync"
    );
    slots.sync().expect("memory does not fail");
    assert_eq!(read::<S>(&directory.crash_losing_all(), owner), written);
}

fn read<S: Slot + Clone>(directory: &MemoryDirectory, owner: QueueId) -> S {
    let pair = read_slots::<S>(directory, NAME).expect("memory does not fail");
    let pair = pair.expect("the file is there");
    pair.newest_of(owner).expect("one slot is good").1.clone()
}
