//! Who may hand events to the sink: direct attempts, as many as the sink takes at once, or one flush.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::race::{First, first};

/// What keeps publishing in order.
///
/// 1. An event goes directly only if, after its `publish` began, there was a moment at which nothing
///    waited in the buffer and no flush was under way.
/// 2. An event that another `publish` has stored before that was in the buffer at that moment, or
///    had been confirmed. So nobody overtakes an event whose `publish` had returned before.
#[derive(Debug)]
pub(super) struct Gate {
    permits: Semaphore,
    /// How many permits there are.
    width: u32,
    /// Flushes that run or wait for the direct attempts to end.
    flushes: AtomicUsize,
    /// Told to those who wait for a permit, when they have to go into the buffer instead.
    closed: Notify,
}

impl Gate {
    pub(super) fn new(width: NonZeroUsize) -> Self {
        let width = u16::try_from(width.get()).unwrap_or(u16::MAX);
        Self {
            permits: Semaphore::new(usize::from(width)),
            width: u32::from(width),
            flushes: AtomicUsize::new(0),
            closed: Notify::new(),
        }
    }

    /// The right to a direct attempt; none where the event has to go into the buffer, because a
    /// flush is under way or `backlog` says that events wait. Nobody waits here for a flush.
    pub(super) async fn direct(&self, backlog: impl Fn() -> bool) -> Option<SemaphorePermit<'_>> {
        let mut closed = std::pin::pin!(self.closed.notified());
        // From here on a call of `close` is noticed, so that none falls between asking and waiting.
        closed.as_mut().enable();
        if self.is_flushing() || backlog() {
            return None;
        }
        match first(closed, self.permits.acquire()).await {
            First::One(()) | First::Other(Err(_)) => None,
            // Others may have stored events while this one waited.
            First::Other(Ok(_)) if self.is_flushing() || backlog() => None,
            First::Other(Ok(permit)) => Some(permit),
        }
    }

    /// Sends those who wait for a permit into the buffer.
    pub(super) fn close(&self) {
        self.closed.notify_waiters();
    }

    /// Waits for the direct attempts in flight and for other flushes. Until the turn is dropped
    /// everything that is published goes into the buffer.
    pub(super) async fn flush(&self) -> Turn<'_> {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        let mut turn = Turn {
            gate: self,
            permits: None,
        };
        self.close();
        // The semaphore is never closed.
        turn.permits = self.permits.acquire_many(self.width).await.ok();
        turn
    }

    fn is_flushing(&self) -> bool {
        self.flushes.load(Ordering::SeqCst) > 0
    }
}

/// A flush that waits for its turn or has it.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    gate: &'a Gate,
    permits: Option<SemaphorePermit<'a>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // First, so that whoever gets a permit next finds no flush.
        self.gate.flushes.fetch_sub(1, Ordering::SeqCst);
        drop(self.permits.take());
    }
}
