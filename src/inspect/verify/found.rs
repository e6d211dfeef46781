//! What verifying finds, as plain data.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use super::anchor::AnchorOutcome;
use crate::error::{Error, Unreadable};
use crate::format::{Defect, Integrity};
use crate::position::{Offset, QueueId, Sequence};
use crate::recovery::RecoveryReport;

/// What a [`Finding`] means to the owner of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// A cache or a spare copy: a power cut may leave it like this, and opening puts it right.
    Minor,
    /// Something that opening or a consumer needs. Every record is there.
    Damage,
    /// Records that were durable cannot be read.
    Loss,
    /// Checksums hold and hashes do not follow: these are not the bytes that were enqueued.
    Tampering,
}

/// One thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: Offset,
    /// How many bytes from there on cannot be read; `None` where that is not known.
    pub bytes: Option<u64>,
    /// The records concerned, half open: lost, or not as they were enqueued. Empty where it is
    /// about no record.
    pub range: Range<Sequence>,
    /// What the place should have held.
    pub expected: String,
    /// What it holds.
    pub found: String,
    /// What it means.
    pub severity: Severity,
}

impl Finding {
    /// A finding about no record.
    pub(super) fn plain(
        severity: Severity,
        file: PathBuf,
        offset: Offset,
        words: (String, String),
    ) -> Self {
        Self {
            file,
            offset,
            bytes: None,
            range: Sequence::ZERO..Sequence::ZERO,
            expected: words.0,
            found: words.1,
            severity,
        }
    }

    /// The finding that something cannot be read, whatever it holds.
    pub(super) fn of_unreadable(found: &Unreadable) -> Self {
        let words = (found.expected.clone(), found.found.clone());
        Self {
            bytes: found.bytes,
            ..Self::plain(Severity::Damage, found.file.clone(), found.offset, words)
        }
    }

    pub(super) fn of(severity: Severity, file: PathBuf, offset: Offset, defect: Defect) -> Self {
        let words = (defect.expected(), defect.found());
        Self::plain(severity, file, offset, words)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, offset) = (self.file.display(), self.offset);
        write!(f, "{file} at offset {offset}")?;
        if let Some(bytes) = self.bytes {
            write!(f, ", {bytes} bytes")?;
        }
        if !self.range.is_empty() {
            write!(f, ", sequences {}..{}", self.range.start, self.range.end)?;
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

/// What [`verify`](super::verify()) found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verification {
    /// The queue's directory, absolute.
    pub path: PathBuf,
    /// The queue's identity.
    pub id: QueueId,
    /// What every record carries besides checksums.
    pub integrity: Integrity,
    /// What opening would report and do if it came now, as in
    /// [`Inspection`](crate::inspect::Inspection::opening), the torn tail among it; or the error
    /// that it would give.
    pub opening: Result<RecoveryReport, Error>,
    /// The oldest sequence that is retained.
    pub first: Sequence,
    /// The sequence after the last whole record.
    pub next: Sequence,
    /// Everything below survives power loss, and was judged; what follows it may be torn.
    pub durable: Sequence,
    /// Segments of the log.
    pub segments: usize,
    /// Whole records.
    pub records: u64,
    /// Bytes of segments that were read.
    pub bytes: u64,
    /// Whether every hash was computed again.
    pub chain: bool,
    /// What is wrong, in the order of the files; before it, what cannot be read.
    pub findings: Vec<Finding>,
    /// What the system does not give back: each is a finding, too. Records that are not proven
    /// durable may be in it, and nobody can tell.
    pub unreadable: Vec<Unreadable>,
    /// Records that a repair has given up: known, and no finding.
    pub gaps: Vec<Range<Sequence>>,
    /// What became of the anchor, where one was given.
    pub anchor: Option<AnchorOutcome>,
    /// Files in quarantine, and their bytes; they are counted, not read.
    pub quarantined: (usize, u64),
    /// How long it took.
    pub elapsed: Duration,
}

impl Verification {
    /// The worst of the findings.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Whether the queue is as it was written: no finding but minor ones, and the anchor, where
    /// there is one, proven.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let anchored = self
            .anchor
            .is_none_or(|outcome| outcome == AnchorOutcome::Proven);
        anchored && self.worst().is_none_or(|worst| worst == Severity::Minor)
    }

    /// How many records that were durable cannot be read.
    #[must_use]
    pub fn lost_records(&self) -> u64 {
        let lost = self
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Loss);
        lost.map(|finding| finding.range.end.since(finding.range.start))
            .fold(0, u64::saturating_add)
    }
}
