//! The `KEYS` file: the keys of records whose segments are gone, as far as they still count.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::fields::{FieldReader, FieldWriter, narrow, wide};
use super::{Defect, envelope};
use crate::position::{Epoch, QueueId, Sequence};

const MAGIC: [u8; 8] = *b"FBYKEYED";

/// Bytes of the body before the entries.
const LEAD_BYTES: u64 = 40;

/// Bytes of the envelope.
const AROUND_BYTES: u64 = 20;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 16;

/// What a caller names a record by, so that it is enqueued once.
pub(crate) type Key = [u8; KEY_BYTES];

/// A key and the record that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyEntry {
    pub(crate) key: Key,
    pub(crate) sequence: Sequence,
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyFile {
    pub(crate) queue: QueueId,
    /// The epoch of the log when the file was written.
    pub(crate) epoch: Epoch,
    /// The keys of records from here on are in the segments.
    pub(crate) covered: Sequence,
    /// In the order of their sequences, all below `covered`.
    pub(crate) entries: Vec<KeyEntry>,
}

impl KeyFile {
    /// Bytes of one entry.
    pub(crate) const ENTRY_BYTES: u64 = 24;
    /// More than the largest window takes.
    pub(crate) const BYTES_MAX: u64 = 512 << 20;

    /// The size of a file of `count` entries.
    pub(crate) fn file_bytes(count: u64) -> u64 {
        let entries = count.saturating_mul(Self::ENTRY_BYTES);
        AROUND_BYTES
            .saturating_add(LEAD_BYTES)
            .saturating_add(entries)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let count = wide(self.entries.len());
        let mut body = Vec::with_capacity(narrow(Self::file_bytes(count)));
        let mut fields = FieldWriter(&mut body);
        fields
            .bytes(&self.queue.get())
            .u64(self.epoch.get())
            .u64(self.covered.get())
            .u64(count);
        for entry in &self.entries {
            fields.bytes(&entry.key).u64(entry.sequence.get());
        }
        envelope::seal(MAGIC, &body)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Defect> {
        let body = envelope::open(MAGIC, bytes)?;
        let mut fields = FieldReader::new(body);
        let (mut file, count) = Self::lead(&mut fields).ok_or(Defect::Field {
            name: "keys body",
            found: wide(body.len()),
        })?;
        let room = wide(body.len()).saturating_sub(LEAD_BYTES);
        let room = room.checked_div(Self::ENTRY_BYTES).unwrap_or(0);
        if count > room {
            return Err(Defect::Field {
                name: "keys count",
                found: count,
            });
        }
        file.entries.reserve_exact(narrow(count));
        let mut least = Sequence::ZERO;
        while wide(file.entries.len()) < count
            && let (Some(key), Some(sequence)) = (fields.bytes(), fields.u64())
        {
            let sequence = Sequence::new(sequence);
            if sequence < least || sequence >= file.covered {
                return Err(Defect::Field {
                    name: "keys sequence",
                    found: sequence.get(),
                });
            }
            least = sequence.plus(1);
            file.entries.push(KeyEntry { key, sequence });
        }
        Ok(file)
    }

    /// The file without its entries, and how many these are.
    fn lead(fields: &mut FieldReader<'_>) -> Option<(Self, u64)> {
        let file = Self {
            queue: QueueId::new(fields.bytes()?),
            epoch: Epoch::new(fields.u64()?),
            covered: Sequence::new(fields.u64()?),
            entries: Vec::new(),
        };
        Some((file, fields.u64()?))
    }
}
