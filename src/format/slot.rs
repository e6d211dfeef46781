//! Two alternating slots, one code for `STATE` and for cursors.
//!
//! Each slot stands at the start of its own 4 KiB block and carries a generation. Of two valid
//! slots the higher generation counts; a torn one leaves the other.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::{BLOCK_BYTES, Defect, envelope, narrow, wide};
use crate::position::{Offset, QueueId};

/// No slot's body is longer.
pub(super) const SLOT_BODY_BYTES: usize = 160;

/// A structure that lives in a slot.
pub(crate) trait Slot: Sized {
    /// The first eight bytes of such a slot.
    const MAGIC: [u8; 8];

    /// The slot's fields, generation first.
    fn encode_body(&self) -> Vec<u8>;

    /// The structure in a body whose envelope was good.
    fn decode_body(body: &[u8]) -> Option<Result<Self, Defect>>;

    /// The queue that the slot is of.
    fn queue(&self) -> QueueId;

    /// Which of two slots is newer.
    fn generation(&self) -> u64;

    /// Numbers the slot for its next write.
    fn set_generation(&mut self, generation: u64);

    /// The slot's bytes.
    fn encode(&self) -> Vec<u8> {
        envelope::seal(Self::MAGIC, &self.encode_body())
    }

    /// The structure in a slot's bytes.
    fn decode(bytes: &[u8]) -> Result<Self, Defect> {
        let body = envelope::open(Self::MAGIC, bytes)?;
        Self::decode_body(body).unwrap_or(Err(Defect::Field {
            name: "slot body",
            found: wide(body.len()),
        }))
    }
}

/// Both slots of a file, each good or defective.
#[derive(Debug)]
pub(crate) struct Pair<S> {
    pub(crate) slots: [Result<S, Defect>; 2],
}

impl<S: Slot> Pair<S> {
    /// Bytes of a file of two slots.
    pub(crate) const FILE_BYTES: u64 = BLOCK_BYTES.saturating_mul(2);

    /// Where slot `which` (0 or 1) stands.
    pub(crate) fn offset(which: usize) -> Offset {
        Offset::new(BLOCK_BYTES.saturating_mul(wide(which)))
    }

    /// Both slots of a file's bytes.
    pub(crate) fn decode(file: &[u8]) -> Self {
        let block = narrow(BLOCK_BYTES);
        let first = file.get(..block.min(file.len())).unwrap_or_default();
        let second = file.get(block..).unwrap_or_default();
        Self {
            slots: [S::decode(first), S::decode(second)],
        }
    }

    /// The slot that counts in `queue`, and which one it is. Another queue's counts only where
    /// there is no other, so that whoever refuses it can say whose it is.
    pub(crate) fn newest_of(&self, queue: QueueId) -> Option<(usize, &S)> {
        let valid = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(at, slot)| Some((at, slot.as_ref().ok()?)));
        valid.max_by_key(|(_, slot)| (slot.queue() == queue, slot.generation()))
    }

    /// The slot that counts in `queue`, if one is of it.
    pub(crate) fn newest_own(&self, queue: QueueId) -> Option<&S> {
        let (_, newest) = self.newest_of(queue)?;
        (newest.queue() == queue).then_some(newest)
    }

    /// Both slots that are good.
    pub(crate) fn valid(&self) -> impl Iterator<Item = &S> {
        self.slots.iter().filter_map(|slot| slot.as_ref().ok())
    }

    /// Why there is none: the defect of the first slot that is not merely empty.
    pub(crate) fn defect(&self) -> Option<Defect> {
        self.slots
            .iter()
            .find_map(|slot| slot.as_ref().err().copied())
    }

    /// The version of a slot that a later release has written: the other may be out of date.
    pub(crate) fn future_version(&self) -> Option<Defect> {
        let future = |slot: &Result<S, Defect>| match slot {
            Err(defect @ Defect::Version { .. }) => Some(*defect),
            Err(_) | Ok(_) => None,
        };
        self.slots.iter().find_map(future)
    }
}
