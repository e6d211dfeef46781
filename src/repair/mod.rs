//! Repair: an operator's decision to give up what is damaged, and to say exactly what that was.
//!
//! [`plan`] reads and changes nothing. [`RepairPlan::apply`] takes the writer's lock, plans anew,
//! and carries the steps out in this order, each of them whole before the next begins:
//!
//! 1. The file `QUEUE` is written anew, where all segments agree on what was in it.
//! 2. What is not of this queue is set aside, and segments that have each other's names get their
//!    own back.
//! 3. A `STATE` that says *clean* is marked otherwise, so that the next open walks the log and begins
//!    a new epoch.
//! 4. Segments, the last one first: a new file in which gap frames stand for what is lost takes the
//!    place of the damaged one. All other frames keep their places.
//! 5. A `STATE` that is lost is written anew, which tells no end.
//! 6. Cursors, snapshots and keys that cannot be used are set aside.
//!
//! What the medium does not give back is taken for zeros, and such a file is replaced in any case:
//! by a copy first of all, where nothing else is wrong with it. Where a log that was not closed may
//! end there, nothing is planned: zeros would pass for its end.
//!
//! A file is changed by putting a synced new one in its place, after a synced copy of the old one is
//! in `quarantine`. So a crash leaves the old file or the new one, and planning again finds what is
//! left to do. Opening the queue afterwards ends it: a torn tail is cut there, as always.

mod apply;
mod aside;
mod beside;
mod draft;
mod ending;
mod files;
mod members;
mod mend;
mod plan;
mod segments;
mod stand_in;
mod state;
mod step;
mod unreadable;
mod unstarted;
mod view;
mod whole;

pub use plan::{RepairPlan, RepairReport, plan};
#[cfg(feature = "test-support")]
pub use plan::{apply_on, plan_on};
pub use step::{RepairAction, RepairStep};
