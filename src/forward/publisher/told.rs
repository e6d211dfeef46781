//! What is told, to the listeners and to the publisher's own counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::buffer::SinkError;
use crate::error::Error;
use crate::forward::listener::{Loss, PublisherListener};
use crate::queue::Queue;

/// What a publisher did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublisherStats {
    /// Events that the sink confirmed without the buffer.
    pub published: u64,
    /// Direct attempts that the sink did not confirm.
    pub publish_errors: u64,
    /// Events that went into the buffer.
    pub buffered: u64,
    /// Events of the buffer that the sink confirmed.
    pub flushed: u64,
    /// Events of the buffer that became dead letters.
    pub parked: u64,
    /// Events that are gone.
    pub lost: u64,
}

/// Counts, then tells. No lock is held.
#[derive(Debug, Default)]
pub(super) struct Told {
    listeners: Vec<Arc<dyn PublisherListener>>,
    published: AtomicU64,
    publish_errors: AtomicU64,
    buffered: AtomicU64,
    flushed: AtomicU64,
    parked: AtomicU64,
    lost: AtomicU64,
}

impl Told {
    pub(super) fn new(listeners: Vec<Arc<dyn PublisherListener>>) -> Self {
        Self {
            listeners,
            ..Self::default()
        }
    }

    pub(super) fn stats(&self) -> PublisherStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PublisherStats {
            published: read(&self.published),
            publish_errors: read(&self.publish_errors),
            buffered: read(&self.buffered),
            flushed: read(&self.flushed),
            parked: read(&self.parked),
            lost: read(&self.lost),
        }
    }

    pub(super) fn has_listeners(&self) -> bool {
        !self.listeners.is_empty()
    }

    pub(super) fn published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
        self.tell(|listener| listener.published());
    }

    pub(super) fn publish_error(&self, error: &SinkError) {
        self.publish_errors.fetch_add(1, Ordering::Relaxed);
        self.tell(|listener| listener.publish_error(error));
    }

    pub(super) fn buffered(&self) {
        self.buffered.fetch_add(1, Ordering::Relaxed);
        self.tell(|listener| listener.buffered());
    }

    pub(super) fn flushed(&self, events: usize) {
        let count = u64::try_from(events).unwrap_or(u64::MAX);
        self.flushed.fetch_add(count, Ordering::Relaxed);
        self.tell(|listener| listener.flushed(events));
    }

    pub(super) fn parked(&self, events: usize) {
        let count = u64::try_from(events).unwrap_or(u64::MAX);
        self.parked.fetch_add(count, Ordering::Relaxed);
        self.tell(|listener| listener.parked(events));
    }

    pub(super) fn lost(&self, why: &Loss<'_>) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.tell(|listener| listener.lost(why));
    }

    pub(super) fn flush_refused(&self, error: &SinkError) {
        self.tell(|listener| listener.flush_refused(error));
    }

    pub(super) fn flush_failed(&self, error: &Error) {
        self.tell(|listener| listener.flush_failed(error));
    }

    pub(super) fn resting(&self, queue: &Queue) {
        self.tell(|listener| listener.resting(queue));
    }

    fn tell(&self, what: impl Fn(&dyn PublisherListener)) {
        for listener in &self.listeners {
            what(&**listener);
        }
    }
}
