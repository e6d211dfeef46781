//! A short wait of the leader for those who are about to join its commit.
//!
//! Callers that enqueue one record after the other come back right after their commit ended. A
//! leader that starts at once meets only those who came meanwhile: the callers fall into two
//! halves, and each sync serves one of them, for ever. So the leader lets others run until as many
//! have come as the last commit released, but not longer than a part of what a commit takes. Who
//! is alone has come back itself, and does not wait at all.
//!
//! Callers with something else to do between two records do not come back at once. A wait that
//! brings less than half of those it was for is in vain; after some of these only every sixteenth
//! commit tries again, until one is worth it.
//!
//! It yields and does not spin: who was just woken may be queued on this very processor.

use std::time::Duration;

use super::host::nanoseconds;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{now, thread};

/// How long the wait may be, in parts of the time of a commit: waking a halted processor takes
/// about a quarter of a sync on the devices measured (docs/PERFORMANCE.md).
const PART: u64 = 3;

/// No wait is longer, however slow a commit was: one may have met a disk that had to spin up.
const WAIT_MAX: Duration = Duration::from_millis(5);

/// After so many waits in vain ...
const VAIN: u64 = 3;
/// ... only every so manieth commit waits.
const SELDOM: u64 = 16;

/// How many have come, and how many are expected. Only hints: what a commit covers is settled
/// under the log's lock.
#[derive(Debug, Default)]
pub(super) struct Gather {
    /// Callers that have joined a group since the log was opened.
    arrived: AtomicU64,
    /// How many that will be when all whom the last commit released are back.
    expected: AtomicU64,
    /// The moving average of the time from the write to the end of the syncs.
    commit_nanoseconds: AtomicU64,
    /// Waits in vain since the last good one, with those that were left out.
    vain: AtomicU64,
}

impl Gather {
    /// A caller has joined the group of the next commit.
    pub(super) fn arrive(&self) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
    }

    /// A commit ended that `callers` waited for. Called under the log's lock.
    pub(super) fn release(&self, callers: u64) {
        let arrived = self.arrived.load(Ordering::Relaxed);
        self.expected.store(arrived + callers, Ordering::Relaxed);
    }

    /// A commit took so long.
    pub(super) fn note_commit(&self, duration: Duration) {
        let now = nanoseconds(duration);
        let before = self.commit_nanoseconds.load(Ordering::Relaxed);
        let average = if before == 0 {
            now
        } else {
            before - before / 8 + now / 8
        };
        self.commit_nanoseconds.store(average, Ordering::Relaxed);
    }

    /// Waits until those who are expected have come, or for long enough. One leader at a time.
    pub(super) fn wait(&self) {
        let part = self.commit_nanoseconds.load(Ordering::Relaxed) / PART;
        self.wait_at_most(Duration::from_nanos(part).min(WAIT_MAX));
    }

    fn wait_at_most(&self, limit: Duration) {
        let expected = self.expected.load(Ordering::Relaxed);
        let before = self.arrived.load(Ordering::Relaxed);
        if before >= expected {
            return;
        }
        let vain = self.vain.load(Ordering::Relaxed);
        if vain >= VAIN && !vain.is_multiple_of(SELDOM) {
            self.vain.store(vain + 1, Ordering::Relaxed);
            return;
        }
        let started = now();
        while !self.is_here(expected) && now().duration_since(started) < limit {
            thread::yield_now();
        }
        let came = self.arrived.load(Ordering::Relaxed) - before;
        let vain = if came * 2 < expected - before {
            vain + 1
        } else {
            0
        };
        self.vain.store(vain, Ordering::Relaxed);
    }

    fn is_here(&self, expected: u64) -> bool {
        self.arrived.load(Ordering::Relaxed) >= expected
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn a_lone_caller_that_comes_back_is_not_kept_waiting() {
        let gather = Gather::default();
        for _ in 0..3 {
            gather.arrive();
            gather.wait_at_most(LONG);
            gather.release(1);
        }
    }

    #[test]
    fn the_leader_waits_until_the_others_are_back() {
        let gather = Gather::default();
        gather.arrive();
        gather.arrive();
        gather.release(2);
        gather.arrive();
        thread::scope(|scope| {
            scope.spawn(|| gather.arrive());
            gather.wait_at_most(LONG);
            assert!(gather.is_here(4));
        });
    }

    #[test]
    fn who_does_not_come_back_is_not_waited_for_longer_than_a_part_of_a_commit() {
        let gather = Gather::default();
        for commit in [Duration::from_millis(3), LONG] {
            gather.note_commit(commit);
            gather.release(1);
            gather.wait();
        }
        assert!(!gather.is_here(1));
    }

    #[test]
    fn after_some_waits_in_vain_only_every_sixteenth_commit_waits() {
        let gather = Gather::default();
        gather.release(1);
        for _ in 0..VAIN {
            gather.wait_at_most(Duration::ZERO);
        }
        // These would not come back if they waited.
        for _ in VAIN..SELDOM {
            gather.wait_at_most(LONG);
        }
        thread::scope(|scope| {
            scope.spawn(|| gather.arrive());
            gather.wait_at_most(LONG);
            assert!(gather.is_here(1), "the sixteenth waited");
        });
        gather.release(1);
        thread::scope(|scope| {
            scope.spawn(|| gather.arrive());
            gather.wait_at_most(LONG);
            assert!(gather.is_here(2), "somebody came, so the next one waited");
        });
    }
}
