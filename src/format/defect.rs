//! What a decoder found wrong, with the value expected and the value found.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use std::path::Path;

/// Why bytes are not the structure that was asked for.
///
/// Cheap to make: the search for frames past a hole makes millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Fewer bytes are left than the structure needs.
    Short { needed: u64, found: u64 },
    /// Nothing but zeros where a frame header should be.
    Zeros,
    /// The first eight bytes are of something else.
    Magic { expected: [u8; 8], found: [u8; 8] },
    /// A version that this release does not read.
    Version { found: u32 },
    /// A checksum over a header or a whole structure.
    Checksum { expected: u32, found: u32 },
    /// The checksum over a record's payload.
    Payload { expected: u32, found: u32 },
    /// Reserved flag bits are set, or the bit that is always set is not.
    Flags { found: u16 },
    /// A whole frame with another sequence than the one due.
    Sequence { expected: u64, found: u64 },
    /// A field whose value no writer produces.
    Field { name: &'static str, found: u64 },
    /// A structure of another queue, segment or consumer.
    Owner { name: &'static str },
    /// A batch whose last frame is missing.
    OpenBatch,
    /// No such file, or a segment that no successor names.
    Missing,
}

impl Defect {
    /// What the place should have held, for a person.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Short { needed, .. } => format!("{needed} bytes"),
            Self::Zeros => "a frame".to_owned(),
            Self::Magic { expected, .. } => format!("magic {}", expected.escape_ascii()),
            Self::Version { .. } => format!("version {} or older", super::VERSION),
            Self::Checksum { expected, .. } => format!("checksum {expected:08x}"),
            Self::Payload { expected, .. } => format!("payload checksum {expected:08x}"),
            Self::Flags { .. } => "flags of this version".to_owned(),
            Self::Sequence { expected, .. } => format!("sequence {expected}"),
            Self::Field { name, .. } => format!("a legal {name}"),
            Self::Owner { name } => format!("the {name} of this file"),
            Self::OpenBatch => "the rest of the batch".to_owned(),
            Self::Missing => "a segment of this log".to_owned(),
        }
    }

    /// What the place holds, for a person.
    pub(crate) fn found(&self) -> String {
        match self {
            Self::Short { found, .. } => format!("{found} bytes"),
            Self::Zeros => "zeros".to_owned(),
            Self::Magic { found, .. } => found.escape_ascii().to_string(),
            Self::Version { found } => format!("version {found}"),
            Self::Checksum { found, .. } | Self::Payload { found, .. } => format!("{found:08x}"),
            Self::Flags { found } => format!("flags {found:#06x}"),
            Self::Sequence { found, .. } => format!("sequence {found}"),
            Self::Field { found, .. } => found.to_string(),
            Self::Owner { name } => format!("another {name}"),
            Self::OpenBatch => "its end".to_owned(),
            Self::Missing => "none".to_owned(),
        }
    }

    /// The defect of a file that is no frame, as an error: an unknown version is not corruption.
    pub(crate) fn into_error(self, kind: ErrorKind, what: &str, path: &Path) -> Error {
        let kind = if let Self::Version { found } = self {
            let supported = super::VERSION;
            ErrorKind::UnsupportedVersion { found, supported }
        } else {
            kind
        };
        Error::at(kind, format!("{what}: {self}"), path)
    }

    /// The defect of a file that goes for damaged: one of a later version does not, and is refused.
    pub(crate) fn refuse_version(self, what: &str, path: &Path) -> Result<Self> {
        if matches!(self, Self::Version { .. }) {
            return Err(self.into_error(ErrorKind::Corrupt, what, path));
        }
        Ok(self)
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected(), self.found())
    }
}
