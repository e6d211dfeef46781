//! What to do with what a crash left: survey, then plan, then apply, then report.
//!
//! `survey` reads and changes nothing. `plan` and `walk` are pure. `apply` is small and can be
//! interrupted anywhere: until its last step, one synced `STATE` slot, the next open finds the same
//! facts and decides the same.

mod apply;
mod copy;
mod plan;
mod report;
mod survey;
mod walk;

pub(crate) use apply::{apply_recovery, create_queue};
pub(crate) use copy::{is_backup, refuse_backup};
pub use plan::CorruptionPolicy;
pub(crate) use plan::{Plan, Refusal, make_plan};
pub use report::RecoveryReport;
pub(crate) use survey::{CursorFact, SegmentFact, Survey, read_identity, survey};
