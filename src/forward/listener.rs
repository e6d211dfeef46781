//! What a publisher tells, on the task of its caller and before the call returns.

use std::fmt;

use crate::buffer::SinkError;
use crate::error::Error;
use crate::queue::Queue;

/// Hears what a publisher does. Every method does nothing unless it is overridden.
///
/// Methods are called on the caller's task, before its call returns, with no lock held; what the
/// flush loop does is told on the task of the loop. They should be quick, and must not panic.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use forebay::{Loss, PublisherListener};
///
/// #[derive(Default)]
/// struct Losses(AtomicU64);
///
/// impl PublisherListener for Losses {
///     fn lost(&self, _why: &Loss<'_>) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
/// ```
#[expect(
    unused_variables,
    reason = "the names in the default methods are documentation"
)]
pub trait PublisherListener: Send + Sync {
    /// The sink confirmed an event that did not pass through the buffer.
    fn published(&self) {}

    /// The sink did not confirm an event that was handed to it directly. What becomes of the event
    /// is told next.
    fn publish_error(&self, error: &SinkError) {}

    /// An event is in the buffer.
    fn buffered(&self) {}

    /// The sink confirmed so many `events` of the buffer: once for each flush that delivered any.
    fn flushed(&self, events: usize) {}

    /// A flush ended before the buffer was empty, because the sink did not confirm an event. The
    /// event is still first.
    fn flush_refused(&self, error: &SinkError) {}

    /// A flush failed in the buffer itself.
    fn flush_failed(&self, error: &Error) {}

    /// So many `events` of the buffer are dead letters now: once for each flush that parked any.
    fn parked(&self, events: usize) {}

    /// An event is gone: neither delivered nor stored.
    fn lost(&self, why: &Loss<'_>) {}

    /// The flush loop is about to wait: the time to look at numbers that change by themselves. Told
    /// on a thread that may be held up.
    fn resting(&self, queue: &Queue) {}
}

impl fmt::Debug for dyn PublisherListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublisherListener")
    }
}

/// Why an event is gone.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Loss<'a> {
    /// It could not be delivered, and not be stored either.
    NotStored(&'a Error),
    /// It could not be delivered, and the buffer's capacity is 0.
    NoCapacity,
    /// The sink rejected it for good, and there are no dead letters.
    Rejected(&'a SinkError),
}

impl fmt::Display for Loss<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStored(error) => write!(f, "not stored: {error}"),
            Self::NoCapacity => f.write_str("not stored: the buffer's capacity is 0"),
            Self::Rejected(error) => write!(f, "rejected: {error}"),
        }
    }
}
