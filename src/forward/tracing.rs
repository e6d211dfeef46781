//! What queue and publisher do, as events of `tracing`.

use std::time::Duration;

use ::tracing::{debug, error, info, trace, warn};

use super::listener::{Loss, PublisherListener};
use crate::buffer::SinkError;
use crate::error::{Corruption, Error};
use crate::event::{Gap, Listener, TornTail};
use crate::position::SegmentNumber;

/// Tells what a queue and a publisher do as events of `tracing`, with their numbers as fields.
///
/// | level | events |
/// | --- | --- |
/// | error | an event lost, corruption, poison |
/// | warn | an attempt or a flush refused or failed, an event parked, records dropped, a torn tail |
/// | info | a backlog flushed |
/// | debug | an event buffered, a rotation, a segment deleted |
/// | trace | everything else |
///
/// The same listener serves queues ([`QueueOptions::listener`](crate::QueueOptions::listener)) and
/// publishers (`PublisherOptions::listener`). With the feature `tracing` a publisher also has a
/// span of level debug around each publish and each flush.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use forebay::Queue;
/// use forebay::tracing::TracingListener;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("queue");
/// let queue = Queue::options().listener(Arc::new(TracingListener)).open(&path)?;
/// queue.enqueue(b"an event of level trace")?;
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingListener;

impl PublisherListener for TracingListener {
    fn published(&self) {
        trace!("published");
    }

    fn publish_error(&self, error: &SinkError) {
        warn!(%error, "the sink did not confirm an event");
    }

    fn buffered(&self) {
        debug!("buffered");
    }

    fn flushed(&self, events: usize) {
        info!(events, "flushed");
    }

    fn flush_refused(&self, error: &SinkError) {
        warn!(%error, "the sink refused, the backlog waits");
    }

    fn flush_failed(&self, error: &Error) {
        warn!(%error, "a flush failed");
    }

    fn parked(&self, events: usize) {
        warn!(events, "events became dead letters");
    }

    fn lost(&self, why: &Loss<'_>) {
        error!(%why, "an event is lost");
    }
}

impl Listener for TracingListener {
    fn enqueued(&self, records: u64, bytes: u64) {
        trace!(records, bytes, "enqueued");
    }

    fn dropped(&self, gap: &Gap, count: u64) {
        let (first, end) = (gap.range.start.get(), gap.range.end.get());
        warn!(first, end, count, reason = ?gap.reason, "records dropped");
    }

    fn delivered(&self, consumer: &str, records: u64) {
        trace!(consumer, records, "acknowledged");
    }

    fn synced(&self, duration: Duration, records: u64) {
        trace!(?duration, records, "synced");
    }

    fn rotated(&self, sealed: SegmentNumber, active: SegmentNumber) {
        debug!(%sealed, %active, "rotated");
    }

    fn reclaimed(&self, segment: SegmentNumber, bytes: u64) {
        debug!(%segment, bytes, "segment deleted");
    }

    fn torn_tail_removed(&self, torn: &TornTail) {
        let possibly_acknowledged = torn.possibly_acknowledged;
        let file = torn.file.display();
        warn!(%file, bytes = torn.bytes, possibly_acknowledged, "torn tail removed");
    }

    fn corruption(&self, corruption: &Corruption) {
        error!(%corruption, "corruption");
    }

    fn poisoned(&self, error: &Error) {
        error!(%error, "poisoned: the queue serves no one until it is opened anew");
    }
}
