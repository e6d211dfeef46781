//! As much of a runtime as the tests need: one future, one thread.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Ends a hang; nothing is measured by it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A future that is polled by hand.
pub(crate) struct Task<'a, R> {
    future: Pin<Box<dyn Future<Output = R> + Send + 'a>>,
    waker: Waker,
}

impl<'a, R> Task<'a, R> {
    /// Takes `future`, which any executor may move between its threads.
    pub(crate) fn new(future: impl Future<Output = R> + Send + 'a) -> Self {
        Self {
            future: Box::pin(future),
            waker: Waker::from(Arc::new(Unpark(thread::current()))),
        }
    }

    /// Polls once.
    pub(crate) fn poll(&mut self) -> Poll<R> {
        let mut context = Context::from_waker(&self.waker);
        self.future.as_mut().poll(&mut context)
    }

    /// Polls once, with a waker of the test's own.
    pub(crate) fn poll_with(&mut self, context: &mut Context<'_>) -> Poll<R> {
        self.future.as_mut().poll(context)
    }

    /// Polls when woken until `is_enough` or until it is ready.
    pub(crate) fn run_until(&mut self, mut is_enough: impl FnMut() -> bool) -> Option<R> {
        let started = Instant::now();
        loop {
            if let Poll::Ready(value) = self.poll() {
                return Some(value);
            }
            if is_enough() {
                return None;
            }
            thread::park_timeout(PATIENCE);
            assert!(started.elapsed() < PATIENCE, "nobody wakes the future");
        }
    }

    /// Polls when woken until it is ready.
    pub(crate) fn finish(mut self) -> R {
        self.run_until(|| false).expect("it is ready")
    }
}

/// Runs `future` on this thread.
pub(crate) fn block_on<R>(future: impl Future<Output = R> + Send) -> R {
    Task::new(future).finish()
}
