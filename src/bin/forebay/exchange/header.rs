//! The first and the last line of an export: which queue it is of, and that it is whole.

use std::time::{Duration, UNIX_EPOCH};

use forebay::inspect::Inspection;
use forebay::rebuild::RebuildOptions;
use forebay::{QueueId, Sequence};
use serde::{Deserialize, Serialize};

use crate::facts::{bytes_called, epoch_called, integrity, integrity_called, unix_ns};

/// What the field `format` says.
const FORMAT: &str = "forebay-export";
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    format: String,
    version: u32,
    id: String,
    integrity: String,
    created_unix_ns: u64,
    /// The newest epoch of the queue, which may have no record.
    epoch: String,
    first: u64,
    next: u64,
}

/// The last line: without it an export that was cut off would look like one with a gap.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trailer {
    /// How many records there are.
    pub(crate) exported: u64,
}

impl Trailer {
    /// The last line, if `line` is one.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        // No record begins so: the others are not parsed twice.
        let is_last = line.starts_with(b"{\"exported\"");
        is_last.then(|| serde_json::from_slice(line).ok())?
    }
}

impl Header {
    /// The header of the records from `first` up to `next`.
    pub(crate) fn of(queue: &Inspection, first: Sequence, next: Sequence) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            id: queue.id.to_string(),
            integrity: integrity(queue.integrity).to_owned(),
            created_unix_ns: unix_ns(queue.created),
            epoch: queue.epoch.to_string(),
            first: first.get(),
            next: next.get(),
        }
    }

    /// The header that `line` is, or what is wrong with it.
    pub(crate) fn read(line: &[u8]) -> Result<Self, String> {
        let header: Self = serde_json::from_slice(line)
            .map_err(|error| format!("not the first line of an export: {error}"))?;
        if header.format != FORMAT {
            return Err(format!("the format is {:?}, not {FORMAT:?}", header.format));
        }
        if header.version != VERSION {
            let version = header.version;
            return Err(format!(
                "the version is {version}; this command reads {VERSION}"
            ));
        }
        if header.first > header.next {
            let (first, next) = (header.first, header.next);
            return Err(format!("the records {first}..{next} are none"));
        }
        Ok(header)
    }

    /// The sequence of the first record.
    pub(crate) fn first(&self) -> Sequence {
        Sequence::new(self.first)
    }

    /// The sequence after the last record.
    pub(crate) fn next(&self) -> Sequence {
        Sequence::new(self.next)
    }

    /// A queue of the same identity.
    pub(crate) fn options(&self) -> Result<RebuildOptions, String> {
        let integrity = integrity_called(&self.integrity)
            .ok_or_else(|| format!("the integrity is {:?}", self.integrity))?;
        let epoch = epoch_called(&self.epoch).ok_or("epoch: expected 16 hexadecimal digits")?;
        let id = bytes_called(&self.id).ok_or("id: expected 32 hexadecimal digits")?;
        Ok(RebuildOptions::new()
            .id(QueueId::new(id))
            .integrity(integrity)
            .first(Sequence::new(self.first))
            .created(UNIX_EPOCH + Duration::from_nanos(self.created_unix_ns))
            .epoch_above(epoch))
    }
}
