//! A snapshot file: what stands before the user's state, and the sum over that state.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::fields::{FieldReader, FieldWriter, wide};
use super::{Defect, envelope};
use crate::position::{Epoch, QueueId, Sequence};

const MAGIC: [u8; 8] = *b"FBYSNAPS";

/// Whose a snapshot is, what it covers, and what its state must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SnapshotHeader {
    pub(crate) queue: QueueId,
    /// Which snapshot: the first 16 bytes of its name's BLAKE3 hash.
    pub(crate) name: [u8; 16],
    /// The queue's epoch when the snapshot was published.
    pub(crate) epoch: Epoch,
    /// Every record below this is in the state.
    pub(crate) covers: Sequence,
    /// Every sequence below this was durable before the header was written.
    pub(crate) watermark: Sequence,
    pub(crate) state: StateSum,
}

/// Length and checksum of a state, summed as it goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StateSum {
    pub(crate) bytes: u64,
    pub(crate) checksum: u32,
}

impl StateSum {
    /// The sum with `bytes` after all that came before.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(wide(bytes.len()));
        self.checksum = ::crc32c::crc32c_append(self.checksum, bytes);
    }
}

impl SnapshotHeader {
    /// Where the state begins.
    pub(crate) const STATE_OFFSET: usize = 128;

    /// All bytes before the state.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        FieldWriter(&mut body)
            .bytes(&self.queue.get())
            .bytes(&self.name)
            .u64(self.epoch.get())
            .u64(self.covers.get())
            .u64(self.watermark.get())
            .u64(self.state.bytes)
            .u32(self.state.checksum);
        let mut bytes = envelope::seal(MAGIC, &body);
        bytes.resize(Self::STATE_OFFSET, 0);
        bytes
    }

    /// The header at the front of a file of `file_bytes`, whose length it vouches for.
    pub(crate) fn decode(front: &[u8], file_bytes: u64) -> Result<Self, Defect> {
        let body = envelope::open(MAGIC, front)?;
        let header = Self::fields(body).ok_or(Defect::Field {
            name: "snapshot body",
            found: wide(body.len()),
        })?;
        // The log is made durable first, so that no snapshot can say this.
        if header.covers > header.watermark {
            return Err(Defect::Field {
                name: "covered sequence",
                found: header.covers.get(),
            });
        }
        let needed = wide(Self::STATE_OFFSET).saturating_add(header.state.bytes);
        if needed != file_bytes {
            let found = file_bytes;
            return Err(Defect::Short { needed, found });
        }
        Ok(header)
    }

    /// Ok where the state that was read, `found`, is the one that was written.
    pub(crate) fn check(&self, found: StateSum) -> Result<(), Defect> {
        if found.bytes != self.state.bytes {
            return Err(Defect::Short {
                needed: self.state.bytes,
                found: found.bytes,
            });
        }
        if found.checksum != self.state.checksum {
            return Err(Defect::Payload {
                expected: self.state.checksum,
                found: found.checksum,
            });
        }
        Ok(())
    }

    fn fields(body: &[u8]) -> Option<Self> {
        let mut fields = FieldReader::new(body);
        Some(Self {
            queue: QueueId::new(fields.bytes()?),
            name: fields.bytes()?,
            epoch: Epoch::new(fields.u64()?),
            covers: Sequence::new(fields.u64()?),
            watermark: Sequence::new(fields.u64()?),
            state: StateSum {
                bytes: fields.u64()?,
                checksum: fields.u32()?,
            },
        })
    }
}
