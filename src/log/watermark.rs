//! The durable watermark: who waits for it, and why nobody needs to wait any more.

use std::task::Waker;
use std::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::format::Chain;
use crate::position::Sequence;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::{Condvar, Mutex, is_past};

/// Every sequence below the watermark survives power loss. It only rises.
#[derive(Debug)]
pub(crate) struct Watermark {
    /// Written under `marks`; read anywhere. Release on write pairs with Acquire on read, so that
    /// whoever sees the watermark sees the bytes below it in the file.
    durable: AtomicU64,
    /// Every sequence below this is in the file. Same pairing.
    written: AtomicU64,
    /// How many wait for records, written or durable.
    waiting: AtomicUsize,
    /// Whether `marks.failure` is set, so that the common case needs no lock.
    failed: AtomicBool,
    marks: Mutex<Marks>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Marks {
    /// The chain at the watermark.
    chain: Chain,
    /// Why the log serves no one any more.
    failure: Option<Error>,
    /// Tasks to wake when the watermark reaches a sequence.
    wakers: Vec<(Sequence, Waker)>,
}

impl Watermark {
    pub(crate) fn new(durable: Sequence, chain: Chain) -> Self {
        Self {
            durable: AtomicU64::new(durable.get()),
            written: AtomicU64::new(durable.get()),
            waiting: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            marks: Mutex::new(Marks {
                chain,
                ..Marks::default()
            }),
            changed: Condvar::new(),
        }
    }

    /// Every sequence below this survives power loss.
    pub(crate) fn durable(&self) -> Sequence {
        Sequence::new(self.durable.load(Ordering::Acquire))
    }

    /// Every sequence below this is in the file, though perhaps not durable.
    pub(crate) fn written(&self) -> Sequence {
        Sequence::new(self.written.load(Ordering::Acquire))
    }

    /// Everything before `written` is in the file. Called under the log's lock.
    pub(crate) fn note_written(&self, written: Sequence) {
        // The fences, here and in `wait_written`: either the waiter is seen here, or it sees this.
        self.written.store(written.get(), Ordering::Release);
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            drop(self.marks.lock());
            self.changed.notify_all();
        }
    }

    /// Waits until the record `sequence` is in the file; false at the deadline, and when `give_up`.
    pub(crate) fn wait_written(
        &self,
        sequence: Sequence,
        deadline: Option<Instant>,
        give_up: impl Fn() -> bool,
    ) -> Result<bool> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let is_there = || self.written.load(Ordering::Acquire) > sequence.get();
        let waited = self.wait_while(deadline, || !is_there() && !give_up());
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        waited.map(|_| is_there())
    }

    /// Wakes all who wait, to look again.
    pub(crate) fn nudge(&self) {
        drop(self.marks.lock());
        self.changed.notify_all();
    }

    /// The watermark with the chain there.
    pub(crate) fn head(&self) -> (Sequence, Chain) {
        let marks = self.marks.lock();
        (self.durable(), marks.chain)
    }

    /// Raises the watermark to `durable` and wakes the threads that waited for it. The tasks that
    /// did are returned, to be woken when no lock is held and no commit is under way: a waker runs
    /// the user's code, which may drop the queue.
    #[must_use]
    pub(crate) fn raise(&self, durable: Sequence, chain: Chain) -> Vec<Waker> {
        let mut marks = self.marks.lock();
        if durable < self.durable() {
            return Vec::new();
        }
        self.durable.store(durable.get(), Ordering::Release);
        marks.chain = chain;
        let reached: Vec<Waker> = take_reached(&mut marks.wakers, durable);
        drop(marks);
        self.changed.notify_all();
        reached
    }

    /// The log serves no one from now on, for the reason `error`. The first reason stays. Returns
    /// the tasks to be woken, as [`raise`](Self::raise) does.
    #[must_use]
    pub(crate) fn fail(&self, error: &Error) -> Vec<Waker> {
        let mut marks = self.marks.lock();
        if marks.failure.is_none() {
            marks.failure = Some(error.clone());
        }
        self.failed.store(true, Ordering::Release);
        let all: Vec<Waker> = marks.wakers.drain(..).map(|(_, waker)| waker).collect();
        drop(marks);
        self.changed.notify_all();
        all
    }

    /// Ok while the log serves.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        self.marks.lock().failure.clone().map_or(Ok(()), Err)
    }

    /// Waits until `target` is durable; false at the deadline.
    pub(crate) fn wait(&self, target: Sequence, deadline: Option<Instant>) -> Result<bool> {
        self.wait_while(deadline, || self.durable() < target)
    }

    /// Waits until `blocked` is false; false at the deadline. `blocked` is asked again after every
    /// change.
    pub(crate) fn wait_while(
        &self,
        deadline: Option<Instant>,
        mut blocked: impl FnMut() -> bool,
    ) -> Result<bool> {
        let mut marks = self.marks.lock();
        loop {
            if !blocked() {
                return Ok(true);
            }
            if let Some(error) = &marks.failure {
                return Err(error.clone());
            }
            if is_past(deadline) {
                return Ok(false);
            }
            marks = self.changed.wait_until(marks, deadline);
        }
    }

    /// Wakes `waker` when `target` is durable; true when it is already.
    pub(crate) fn register(&self, target: Sequence, waker: &Waker) -> Result<bool> {
        let mut marks = self.marks.lock();
        if self.durable() >= target {
            return Ok(true);
        }
        if let Some(error) = &marks.failure {
            return Err(error.clone());
        }
        let known = marks
            .wakers
            .iter_mut()
            .find(|(wanted, known)| *wanted == target && known.will_wake(waker));
        if known.is_none() {
            marks.wakers.push((target, waker.clone()));
        }
        Ok(false)
    }
}

fn take_reached(wakers: &mut Vec<(Sequence, Waker)>, durable: Sequence) -> Vec<Waker> {
    let (reached, waiting) = wakers
        .drain(..)
        .partition::<Vec<_>, _>(|(at, _)| *at <= durable);
    *wakers = waiting;
    reached.into_iter().map(|(_, waker)| waker).collect()
}

/// The error of every call after the handle was closed.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the queue was closed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::deadline_after;
    use std::time::Duration;

    /// I2: what states a watermark is written after the watermark was reached; it never falls.
    #[test]
    fn the_watermark_never_falls() {
        let watermark = Watermark::new(Sequence::new(5), Chain::default());
        drop(watermark.raise(Sequence::new(3), Chain::default()));
        assert_eq!(watermark.durable(), Sequence::new(5));
    }

    #[test]
    fn a_failure_wakes_every_waiter_with_the_first_reason() {
        let watermark = Watermark::new(Sequence::ZERO, Chain::default());
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| watermark.wait(Sequence::new(1), None)))
                .collect();
            drop(watermark.fail(&Error::new(ErrorKind::Poisoned, "first")));
            drop(watermark.fail(&Error::new(ErrorKind::Poisoned, "second")));
            for waiter in waiters {
                let error = waiter
                    .join()
                    .expect("no panic")
                    .expect_err("nothing was raised");
                assert_eq!(error.to_string(), "first");
            }
        });
        assert!(watermark.check().is_err());
    }

    #[test]
    fn waiting_ends_at_the_deadline() {
        let watermark = Watermark::new(Sequence::ZERO, Chain::default());
        let deadline = deadline_after(Duration::from_millis(1));
        assert!(
            !watermark
                .wait(Sequence::new(1), deadline)
                .expect("no failure")
        );
    }
}
