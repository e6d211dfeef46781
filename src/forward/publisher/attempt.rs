//! Handing events to the sink: with a timeout, and without its panics.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::time::Duration;

use parking_lot::Mutex;

use super::options::PublisherOptions;
use super::race::{First, caught, first};
use super::stop::Stop;
use super::told::Told;
use crate::buffer::{
    Accepted, AsyncSink, BatchFuture, Delivery, Refusal, Sent, SinkError, SinkFuture,
};
use crate::forward::listener::Loss;
use crate::position::RecordId;

/// What `sink` says of `deliveries`. No answer in time, and a panic, are refusals that ask for
/// another try: nobody knows which events have arrived.
pub(super) async fn attempt<T>(
    sink: &dyn AsyncSink<T>,
    deliveries: &[Delivery<T>],
    timeout: Duration,
) -> Accepted
where
    T: Send + Sync,
{
    // A sink may panic when it is called as well as when it is polled.
    let accepted = caught(async {
        match deliveries {
            [one] => Accepted::from(sink.accept(one).await),
            several => sink.accept_batch(several).await,
        }
    });
    let unknown = |why| Accepted::before(0, SinkError::retry(why));
    match tokio::time::timeout(timeout, accepted).await {
        Ok(Ok(said)) => Accepted {
            events: said.events.min(deliveries.len()),
            ..said
        },
        Ok(Err(panic)) => unknown(format!("the sink panicked: {panic}")),
        Err(_elapsed) => unknown(format!("no answer within {timeout:?}")),
    }
}

/// The sink as a flush sees it: every event, or what is handed over together, is an [`attempt`],
/// none is begun after the deadline of a shutdown, and an event that was rejected for good can be given up.
///
/// The flush is ended by a refusal, never dropped: what was accepted is acknowledged.
pub(super) struct Attempts<'a, T> {
    sink: &'a dyn AsyncSink<T>,
    options: &'a PublisherOptions,
    stop: Option<&'a Stop>,
    told: &'a Told,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The next event to be handed out is the first one of the buffer.
    is_first: bool,
    /// What the sink said of events that it rejected.
    rejected: HashMap<RecordId, SinkError>,
    /// How many of the events accepted since the pass began were in truth given up.
    given_up: usize,
    /// How many the sink has confirmed since the pass began.
    confirmed: usize,
    /// How many were confirmed in the passes before.
    flushed: usize,
    /// How many have become dead letters in them.
    parked: usize,
}

impl<T> fmt::Debug for Attempts<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl<'a, T: Send + Sync> Attempts<'a, T> {
    pub(super) fn new(
        sink: &'a dyn AsyncSink<T>,
        options: &'a PublisherOptions,
        stop: Option<&'a Stop>,
        told: &'a Told,
    ) -> Self {
        Self {
            sink,
            options,
            stop,
            told,
            seen: Mutex::default(),
        }
    }

    /// A drain of the buffer begins.
    pub(super) fn begin(&self) {
        self.seen.lock().is_first = true;
    }

    /// A drain has ended with `sent`, whose count leaves out what was confirmed behind a refused
    /// event and will come again.
    pub(super) fn end(&self, sent: &Sent) {
        let mut seen = self.seen.lock();
        seen.flushed += sent.accepted.saturating_sub(seen.given_up);
        seen.parked += sent.parked;
        seen.given_up = 0;
        seen.confirmed = 0;
    }

    /// Whether the next drain is to begin, and to give up what was `refused` in this one.
    pub(super) fn will_give_up(&self, refused: &SinkError) -> bool {
        refused.refusal() == Refusal::Reject && !self.options.has_letters
    }

    /// How many events were delivered in all drains that have ended.
    pub(super) fn flushed(&self) -> usize {
        self.seen.lock().flushed
    }

    /// Gives the event up, if it is first and the sink has rejected it before. Only the first one:
    /// what is accepted behind an event that is refused comes again, and would be given up twice.
    fn gives_up(&self, delivery: &Delivery<T>) -> bool {
        let mut seen = self.seen.lock();
        let is_first = std::mem::take(&mut seen.is_first);
        let Some(record) = delivery.record.filter(|_| is_first) else {
            return false;
        };
        let Some(error) = seen.rejected.remove(&record) else {
            return false;
        };
        seen.given_up += 1;
        drop(seen);
        self.told.lost(&Loss::Rejected(&error));
        true
    }

    async fn ask(&self, deliveries: &[Delivery<T>]) -> Accepted {
        let given_up = usize::from(deliveries.first().is_some_and(|first| self.gives_up(first)));
        let Some(rest) = deliveries.get(given_up..).filter(|rest| !rest.is_empty()) else {
            return Accepted::all(given_up);
        };
        if self.stop.is_some_and(Stop::is_expired) {
            return Accepted::before(given_up, ending());
        }
        let attempted = attempt(self.sink, rest, self.options.attempt_timeout);
        let said = match self.stop {
            None => attempted.await,
            Some(stop) => match first(attempted, stop.expired()).await {
                First::One(said) => said,
                First::Other(()) => Accepted::before(0, ending()),
            },
        };
        let mut seen = self.seen.lock();
        seen.confirmed += said.events;
        let refused = match said.refused {
            Some(error) if self.will_give_up(&error) => {
                let same = SinkError::reject(error.to_string());
                let record = rest.get(said.events).and_then(|refused| refused.record);
                seen.rejected.extend(record.map(|record| (record, error)));
                Some(same)
            }
            refused => refused,
        };
        let mut accepted = Accepted::all(given_up + said.events);
        accepted.refused = refused;
        accepted
    }
}

fn ending() -> SinkError {
    SinkError::retry("the publisher is shutting down")
}

impl<T: Send + Sync> AsyncSink<T> for Attempts<'_, T> {
    fn accept<'a>(&'a self, delivery: &'a Delivery<T>) -> SinkFuture<'a> {
        Box::pin(async move {
            let said = self.ask(std::slice::from_ref(delivery)).await;
            said.refused.map_or(Ok(()), Err)
        })
    }

    fn accept_batch<'a>(&'a self, deliveries: &'a [Delivery<T>]) -> BatchFuture<'a> {
        Box::pin(self.ask(deliveries))
    }

    fn batch_max(&self) -> NonZeroUsize {
        self.sink.batch_max()
    }

    fn in_flight_max(&self) -> NonZeroUsize {
        self.sink.in_flight_max()
    }

    fn reconnected(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.sink.reconnected()
    }
}

/// Told when the flush ends, however it does: also when its future is dropped, or the buffer fails.
impl<T> Drop for Attempts<'_, T> {
    fn drop(&mut self) {
        let seen = self.seen.get_mut();
        // What was confirmed in a drain that did not end is not in anybody's count.
        let flushed = seen.flushed + seen.confirmed;
        if flushed > 0 {
            self.told.flushed(flushed);
        }
        if seen.parked > 0 {
            self.told.parked(seen.parked);
        }
    }
}
