//! Looking at a queue on disk without touching it.
//!
//! [`inspect`] takes no lock, writes nothing and repairs nothing, so it is safe beside a live
//! writer and on evidence. It reads identity, state, cursors and start frames, and after an unclean
//! end what opening would scan; never more records than it takes to find the oldest one waiting.

mod consumers;
mod inspection;
mod look;
mod oldest;
mod segments;
mod settled;

pub use inspection::{ConsumerView, Inspection, SegmentRole, SegmentView};
pub use look::inspect;
#[cfg(feature = "test-support")]
pub use look::inspect_on;
#[cfg(not(feature = "test-support"))]
pub(crate) use look::inspect_on;
