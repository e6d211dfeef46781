//! The `QUEUE` file: written once and last at creation, whose commit point it is.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::fields::{FieldReader, FieldWriter};
use super::{Defect, Integrity, envelope};
use crate::position::QueueId;

const MAGIC: [u8; 8] = *b"FBYQUEUE";

/// Who a queue is, and what was fixed when it was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) queue: QueueId,
    pub(crate) integrity: Integrity,
    /// Nanoseconds since 1970.
    pub(crate) created: u64,
}

impl Identity {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        FieldWriter(&mut body)
            .bytes(&self.queue.get())
            .u64(integrity_code(self.integrity))
            .u64(self.created);
        envelope::seal(MAGIC, &body)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Defect> {
        let body = envelope::open(MAGIC, bytes)?;
        Self::fields(body).ok_or(Defect::Field {
            name: "identity body",
            found: super::wide(body.len()),
        })?
    }

    fn fields(body: &[u8]) -> Option<Result<Self, Defect>> {
        let mut fields = FieldReader::new(body);
        let queue = QueueId::new(fields.bytes()?);
        let integrity = fields.u64()?;
        let created = fields.u64()?;
        Some(integrity_of(integrity).map(|integrity| Self {
            queue,
            integrity,
            created,
        }))
    }
}

pub(super) fn integrity_code(integrity: Integrity) -> u64 {
    match integrity {
        Integrity::Chained => 1,
        Integrity::Crc32c => 2,
    }
}

pub(super) fn integrity_of(code: u64) -> Result<Integrity, Defect> {
    match code {
        1 => Ok(Integrity::Chained),
        2 => Ok(Integrity::Crc32c),
        found => Err(Defect::Field {
            name: "integrity",
            found,
        }),
    }
}
