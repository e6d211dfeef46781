//! The ways in which records are shown.

use std::io::Write as _;

use clap::ValueEnum;
use forebay::Record;

use crate::output::append_line;
use crate::record_json::RecordJson;
use crate::units::append_hex;

/// How a record is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The payloads, back to back.
    Raw,
    /// A line each: the sequence, and the payload's bytes in hexadecimal.
    Hex,
    /// A JSON object each.
    Jsonl,
    /// A line each: the sequence, and how many bytes the payload has.
    Len,
}

impl Format {
    /// Adds `record` to `out`.
    pub(crate) fn append(self, record: &Record<'_>, out: &mut Vec<u8>) {
        let (sequence, payload) = (record.sequence, record.payload);
        match self {
            Self::Raw => out.extend_from_slice(payload),
            Self::Hex => {
                // Writing to memory cannot fail.
                write!(out, "{sequence} ").ok();
                append_hex(payload, out);
                out.push(b'\n');
            }
            Self::Jsonl => append_line(&RecordJson::of(record), out),
            Self::Len => {
                writeln!(out, "{sequence} {}", payload.len()).ok();
            }
        }
    }
}
