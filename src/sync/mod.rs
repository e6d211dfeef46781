//! Locks, threads and deadlines: the one seam through which everything that synchronises goes.
//!
//! The library runs on `system`. Its concurrency models run on `modelled`, where a scheduler under
//! test decides who goes on at every lock, atomic and wait: with `--cfg shuttle` over the whole
//! queue (`tests/interleave`), with `--cfg loom` over its smallest parts (`log/orderings`). Only a
//! build of the unit tests can have either, so no dependant ever sees the packages.

#[cfg(all(test, any(loom, shuttle)))]
mod modelled;
#[cfg(not(all(test, any(loom, shuttle))))]
mod system;

pub(crate) use std::thread::panicking;
use std::thread::sleep;
use std::time::{Duration, Instant};

#[cfg(all(test, any(loom, shuttle)))]
pub(crate) use modelled::*;
#[cfg(not(all(test, any(loom, shuttle))))]
pub(crate) use system::*;

/// The moment `timeout` from now; `None`, that is never, when it is too far to be told.
pub(crate) fn deadline_after(timeout: Duration) -> Option<Instant> {
    now().checked_add(timeout)
}

/// Whether `deadline` has come.
pub(crate) fn is_past(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| now() >= deadline)
}

/// Does nothing for `duration`: for who has nobody to be woken by.
pub(crate) fn pause(duration: Duration) {
    sleep(duration);
}
