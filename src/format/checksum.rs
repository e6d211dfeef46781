//! CRC-32C (Castagnoli), and the mask that ties a checksum to its place.
//!
//! A stored frame checksum is `crc32c(covered bytes) ^ mask(offset)`. The mask is the CRC-32C of
//! queue id, segment salt and offset / 8. For one segment it is injective in the offset (the last
//! four bytes of a CRC's input map one to one to its value), so a whole frame at another offset of
//! its own segment never validates; in another segment or queue it does so once in 2^32.
//! Masking instead of seeding lets the payload be summed before its offset is known.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::ALIGNMENT;
use crate::position::{Offset, QueueId};

/// Castagnoli's, lowest bit first.
const POLYNOMIAL: u32 = 0x82F6_3B78;
const HIGHEST_BIT: u32 = 1 << 31;

/// The CRC-32C of `bytes`.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    ::crc32c::crc32c(bytes)
}

/// What the masks of one segment are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MaskSeed(u32);

impl MaskSeed {
    pub(super) fn new(queue: QueueId, salt: u64) -> Self {
        Self(::crc32c::crc32c_append(
            crc32c(&queue.get()),
            &salt.to_le_bytes(),
        ))
    }

    /// The mask of the frame at `offset`, which is below `SEGMENT_BYTES_MAX`.
    pub(super) fn at(self, offset: Offset) -> u32 {
        let units = units_of(offset);
        ::crc32c::crc32c_append(self.0, &units.to_le_bytes())
    }

    /// The seed that gives `mask` at `offset`. There is exactly one: every step of a CRC can be
    /// taken back, and four bytes of input are 32 steps.
    pub(super) fn giving(mask: u32, offset: Offset) -> Self {
        let mut register = !mask;
        for _ in 0..u32::BITS {
            register = step_back(register);
        }
        Self(!(register ^ units_of(offset)))
    }
}

fn units_of(offset: Offset) -> u32 {
    let units = offset.get().checked_div(ALIGNMENT).unwrap_or(0);
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// The register before one bit was taken in. A bit that was set on its way out has left the
/// polynomial's highest bit behind, which nothing else sets.
fn step_back(register: u32) -> u32 {
    if register & HIGHEST_BIT == 0 {
        register << 1
    } else {
        ((register ^ POLYNOMIAL) << 1) | 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_mask_gives_back_the_seed_that_made_it(
            queue: [u8; 16],
            salt: u64,
            unit in 0..u32::MAX,
        ) {
            let seed = MaskSeed::new(QueueId::new(queue), salt);
            let offset = Offset::new(u64::from(unit) * ALIGNMENT);
            prop_assert_eq!(MaskSeed::giving(seed.at(offset), offset), seed);
        }
    }

    #[test]
    fn the_polynomial_is_castagnoli() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn masks_differ_between_offsets_salts_and_queues() {
        let seed = MaskSeed::new(QueueId::new([1; 16]), 7);
        let masks: std::collections::HashSet<u32> = (0..100_000)
            .map(|unit| seed.at(Offset::new(unit * 8)))
            .collect();
        assert_eq!(masks.len(), 100_000);
        let here = seed.at(Offset::new(4096));
        assert_ne!(
            here,
            MaskSeed::new(QueueId::new([1; 16]), 8).at(Offset::new(4096))
        );
        assert_ne!(
            here,
            MaskSeed::new(QueueId::new([2; 16]), 7).at(Offset::new(4096))
        );
    }
}
