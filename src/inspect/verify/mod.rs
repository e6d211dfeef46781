//! Reads every retained byte and says what of it is wrong, and what that costs.
//!
//! Each segment is walked by itself, several at a time (`crew`, `walk`); what the walks found is
//! then joined in order (`joints`), because only the neighbours tell how many records a hole hides.
//! Everything else of a queue is small (`files`, `cursors`, `snapshots`).
//!
//! Beside a writer only what lies below the durable watermark is judged, and the watermark is read
//! before the bytes (`ground`): those bytes do not change any more. They may be deleted, though, so
//! a segment in which something is wrong is read a second time, and counts only if it is retained
//! even then.
//!
//! What the medium does not give back counts as zeros and is told, also where no record can be
//! (`rest`); what opening would do is asked of the medium itself.

mod anchor;
mod crew;
mod cursors;
mod files;
mod found;
mod ground;
mod index;
mod joints;
mod options;
mod order;
mod rest;
mod run;
mod snapshots;
mod walk;

pub use anchor::{Anchor, AnchorOutcome};
pub use found::{Finding, Severity, Verification};
pub(super) use ground::Ground;
pub use options::{Pace, Progress, VerifyOptions};
pub(super) use order::Started;
pub use run::verify;
#[cfg(feature = "test-support")]
pub use run::verify_on;
