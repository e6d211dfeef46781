//! What survives what: crash images, failing calls, damaged files, and the order of storage calls.
//!
//! The tests attack the crate from outside: they cut the power on an in-memory disk, fail the Nth
//! call, flip bits in files, and then ask an opened queue for what it had promised.

#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the names are the queue's own"
)]
#![expect(
    clippy::single_range_in_vec_init,
    reason = "a list of ranges may have one"
)]

mod detection;
mod gate;
mod golden;
mod ledger;
mod session;
mod structure;
mod support;
mod verdict;

mod concurrent;
mod crash_cases;
mod damage;
mod faults;
mod given_up;
mod images;
mod lives;
mod misplaced;
mod once;
mod order;
mod planted_gaps;
mod prepared;
mod repair;
mod rules;
mod shrinking;
mod silence;
mod snapshots;
mod vacated;
