//! What to verify, with how many threads, and how far it has come.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::num::NonZero;

use super::anchor::Anchor;

/// More threads than any machine has use for.
const JOBS_MAX: usize = 256;

/// How fast [`verify`](super::verify()) reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pace {
    /// Without rest.
    Full,
    /// Each thread rests after every mebibyte for three times as long as that took: a quarter as
    /// fast, and a quarter as much in the way of a writer on a machine with few processors.
    Gentle,
    /// `Gentle` where the queue was not closed, because a program may be writing; `Full` elsewhere.
    #[default]
    Fitting,
}

/// What [`verify`](super::verify()) looks at.
///
/// # Examples
///
/// ```
/// use forebay::inspect::VerifyOptions;
///
/// let thorough = VerifyOptions::new().chain(true).jobs(2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    jobs: Option<NonZero<usize>>,
    chain: bool,
    pace: Pace,
    anchor: Option<Anchor>,
}

impl VerifyOptions {
    /// Checksums, sequences and structures, with the default number of threads and pace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many segments are read at once, each by a thread of its own. 0 is the default: one less
    /// than the machine runs at once, so that a writer beside keeps its place, and at least 1. More
    /// than 256 are as many as that.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = NonZero::new(jobs);
        self
    }

    /// How much it keeps out of the way of a writer beside.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Whether every hash of the chain is computed again; nothing to do where integrity is
    /// [`Crc32c`](crate::Integrity::Crc32c).
    #[must_use]
    pub fn chain(mut self, chain: bool) -> Self {
        self.chain = chain;
        self
    }

    /// The value of the chain as it was witnessed, to be found again; asks for the chain too.
    #[must_use]
    pub fn anchor(mut self, anchor: Anchor) -> Self {
        self.anchor = Some(anchor);
        self
    }

    pub(super) fn wants_chain(&self) -> bool {
        self.chain || self.anchor.is_some()
    }

    /// Whether to rest, in a queue that `is_closed` or not.
    pub(super) fn is_gentle(&self, is_closed: bool) -> bool {
        match self.pace {
            Pace::Full => false,
            Pace::Gentle => true,
            Pace::Fitting => !is_closed,
        }
    }

    pub(super) fn wanted_anchor(&self) -> Option<Anchor> {
        self.anchor
    }

    pub(super) fn thread_count(&self) -> usize {
        let spare = || {
            let all = std::thread::available_parallelism().map_or(1, NonZero::get);
            all.saturating_sub(1).max(1)
        };
        self.jobs.map_or_else(spare, NonZero::get).min(JOBS_MAX)
    }
}

/// How far [`verify`](super::verify()) has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of segments that are done with.
    pub bytes: u64,
    /// Bytes of all segments, reserved space included.
    pub total_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_program_may_be_writing_the_fitting_pace_is_gentle_and_elsewhere_full() {
        let fitting = VerifyOptions::new();
        assert!(fitting.is_gentle(false) && !fitting.is_gentle(true));
        for is_closed in [false, true] {
            assert!(!VerifyOptions::new().pace(Pace::Full).is_gentle(is_closed));
            assert!(VerifyOptions::new().pace(Pace::Gentle).is_gentle(is_closed));
        }
    }
}
