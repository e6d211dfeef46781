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
    gentle: bool,
    anchor: Option<Anchor>,
}

impl VerifyOptions {
    /// Checksums, sequences and structures, with the default number of threads.
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

    /// Whether each thread rests after every mebibyte for as long as that took: half as fast, and
    /// half as much in the way of a writer on a machine with few processors.
    #[must_use]
    pub fn gentle(mut self, gentle: bool) -> Self {
        self.gentle = gentle;
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

    pub(super) fn is_gentle(&self) -> bool {
        self.gentle
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
