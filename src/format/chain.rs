//! The tamper-evident chain: `chain_n = BLAKE3 keyed by chain_{n-1}`, one 64-byte block a record.
//!
//! The payload's own hash is an input, so that it can be computed before the record has a place.
//! New epochs and gaps are bound in; control frames and watermarks are not.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::checksum::crc32c;
use super::fields::{FieldFiller, FieldWriter};
use super::{FrameHeader, Integrity};
use crate::position::{Epoch, Sequence};

/// The chain's value after some record; zeros before the first and where there is no chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain([u8; 32]);

/// What of a record can be computed before its place is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordDigest {
    /// CRC-32C of the payload, unmasked.
    pub(crate) checksum: u32,
    /// BLAKE3 of the payload; zeros without a chain.
    hash: [u8; 32],
}

impl RecordDigest {
    pub(super) fn of(payload: &[u8], integrity: Integrity) -> Self {
        let hash = match integrity {
            Integrity::Chained => *blake3::hash(payload).as_bytes(),
            Integrity::Crc32c => [0; 32],
        };
        Self {
            checksum: crc32c(payload),
            hash,
        }
    }
}

impl Chain {
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The chain after the record that `header` and `digest` describe.
    pub(crate) fn after_record(self, header: &FrameHeader, digest: &RecordDigest) -> Self {
        let mut block = [0; 56];
        FieldFiller(&mut block)
            .put(digest.hash)
            .put(header.sequence.get().to_le_bytes())
            .put(header.time.to_le_bytes())
            .put(header.length.to_le_bytes())
            .put(header.kind.to_le_bytes())
            .put(header.flags.bits().to_le_bytes());
        self.keyed(&block)
    }

    /// The chain at the start of `epoch`, which begins at `sequence` in the segment with `salt`.
    pub(crate) fn after_epoch(self, epoch: Epoch, salt: u64, sequence: Sequence) -> Self {
        self.after_event(b"epoch", &[epoch.get(), salt, sequence.get()])
    }

    /// The chain after the records `[from, to)` were lost to damage.
    pub(crate) fn after_gap(self, from: Sequence, to: Sequence) -> Self {
        self.after_event(b"gap", &[from.get(), to.get()])
    }

    fn after_event(self, name: &[u8], values: &[u64]) -> Self {
        let mut bytes = Vec::new();
        let mut writer = FieldWriter(&mut bytes);
        writer.bytes(name);
        for value in values {
            writer.u64(*value);
        }
        self.keyed(&bytes)
    }

    fn keyed(self, input: &[u8]) -> Self {
        Self(*blake3::keyed_hash(&self.0, input).as_bytes())
    }
}
