//! Looking at a queue on disk without touching it.
//!
//! [`inspect`] takes no lock, writes nothing and repairs nothing, so it is safe beside a live
//! writer and on evidence. It reads identity, state, cursors and start frames, and after an unclean
//! end what opening would scan; of the records no more than it takes to find where each consumer
//! stands. [`timeline`] reads a few records more.

mod consumers;
mod disk;
mod inspection;
mod look;
mod records;
mod segments;
mod settled;
mod snapshots;
mod timeline;

pub use inspection::{
    ConsumerView, FilterView, Inspection, SegmentRole, SegmentView, SnapshotView,
};
pub use look::inspect;
#[cfg(feature = "test-support")]
pub use look::inspect_on;
pub use timeline::{Moment, timeline};
