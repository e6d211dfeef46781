//! Looking at a queue on disk without touching it.
//!
//! [`inspect`] takes no lock, writes nothing and repairs nothing, so it is safe beside a live
//! writer and on evidence. It reads identity, state, cursors and start frames, and after an unclean
//! end what opening would scan; of the records no more than it takes to find where each consumer
//! stands. [`timeline`] reads a few records more; [`verify()`] reads everything, and [`head()`] tells
//! the value of the chain that a later [`Anchor`] is held against.

mod consumers;
mod disk;
mod head;
mod inspection;
mod look;
mod records;
mod segments;
mod settled;
mod snapshots;
mod timeline;
mod verify;

#[cfg(feature = "test-support")]
pub use head::head_on;
pub use head::{ChainHead, head};
pub use inspection::{
    ConsumerView, FilterView, Inspection, SegmentRole, SegmentView, SnapshotView,
};
pub use look::inspect;
#[cfg(feature = "test-support")]
pub use look::inspect_on;
#[cfg(not(feature = "test-support"))]
pub(crate) use look::inspect_on;
pub use timeline::{Moment, timeline};
#[cfg(feature = "test-support")]
pub use verify::verify_on;
pub use verify::{
    Anchor, AnchorOutcome, Finding, Pace, Progress, Severity, Verification, VerifyOptions, verify,
};
