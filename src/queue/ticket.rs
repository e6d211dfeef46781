//! The promise that a record will be durable.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Inner;
use crate::error::Result;
use crate::position::Sequence;
use crate::sync::deadline_after;

/// A record that is written and will be durable: wait for it, or `.await` it in any runtime.
///
/// Dropping a ticket cancels nothing. The background commits for tickets whatever the sync policy.
///
/// # Examples
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let queue = forebay::Queue::open(folder.path().join("queue"))?;
/// let tickets: Vec<_> =
///     (0..100_u32).map(|n| queue.submit(n.to_string())).collect::<Result<_, _>>()?;
/// for ticket in &tickets {
///     ticket.wait()?;
/// }
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a submitted record is durable only once its ticket says so"]
pub struct Ticket {
    inner: Arc<Inner>,
    sequence: Sequence,
}

impl Ticket {
    pub(super) fn new(inner: Arc<Inner>, sequence: Sequence) -> Self {
        Self { inner, sequence }
    }

    /// The record's sequence.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Whether the record is durable already.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.inner.log.durable() > self.sequence
    }

    /// Waits until the record is durable, and returns its sequence.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Poisoned`](crate::ErrorKind::Poisoned) when its sync failed: whether the record
    /// is there shows when the queue is opened again.
    pub fn wait(&self) -> Result<Sequence> {
        self.inner.log.commit_through(self.sequence.plus(1), None)?;
        Ok(self.sequence)
    }

    /// Waits at most `timeout`; `None` when the record is not durable by then.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<Sequence>> {
        // The background commits: to lead a sync here could take longer than the timeout.
        let reached = self
            .inner
            .log
            .wait_durable(self.sequence.plus(1), deadline_after(timeout))?;
        Ok(reached.then_some(self.sequence))
    }
}

impl Future for Ticket {
    type Output = Result<Sequence>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let target = self.sequence.plus(1);
        match self.inner.log.wake_when_durable(target, context.waker()) {
            Ok(true) => Poll::Ready(Ok(self.sequence)),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
