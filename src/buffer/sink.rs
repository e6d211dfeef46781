//! Where events go: what a sink is given, and what it may answer.

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use crate::consumer::Record;
use crate::position::{QueueId, RecordId, Sequence};

/// An event on its way to a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery<T> {
    /// The event.
    pub event: T,
    /// The bytes that the buffer's codec made of it.
    pub payload: Vec<u8>,
    /// The kind it was enqueued with; 0 unless chosen.
    pub kind: u16,
    /// When it was enqueued, by the clock of the machine.
    pub enqueued_at: SystemTime,
    /// The record that holds it; `None` where it never was in the buffer.
    pub record: Option<RecordId>,
    /// The key that it was published or enqueued with.
    pub key: Option<[u8; 16]>,
}

impl Delivery<()> {
    /// What `record` holds, not decoded yet.
    pub(super) fn of(record: &Record<'_>) -> Self {
        Self {
            event: (),
            payload: record.payload.to_vec(),
            kind: record.kind,
            enqueued_at: record.enqueued_at,
            record: Some(record.id()),
            key: record.key,
        }
    }

    /// The same, with the event that is in it.
    pub(super) fn carrying<T>(self, event: T) -> Delivery<T> {
        Delivery {
            event,
            payload: self.payload,
            kind: self.kind,
            enqueued_at: self.enqueued_at,
            record: self.record,
            key: self.key,
        }
    }
}

impl<T> Delivery<T> {
    /// The sequence of its record; 0 where it never was in the buffer.
    pub(super) fn sequence(&self) -> Sequence {
        self.record.map_or(Sequence::ZERO, |record| record.sequence)
    }

    /// What names the event for ever, the same text each time that it is delivered: what a
    /// receiver can know a redelivery by. The key where there is one, else the record.
    #[must_use]
    pub fn id(&self) -> String {
        match (self.key, self.record) {
            // As text of the same shape as a queue's identity.
            (Some(key), _) => QueueId::new(key).to_string(),
            (None, Some(record)) => record.to_string(),
            (None, None) => String::new(),
        }
    }
}

/// What a sink's refusal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The event stays first, and may be tried again: the other side is down, slow or full.
    Retry,
    /// The event will never be accepted: it is parked with the dead letters where there are any,
    /// and stays first where there are none.
    Reject,
    /// Nothing will be accepted before somebody does something: credentials, a missing stream.
    /// The event stays first, and nothing is tried again unasked.
    Stop,
}

/// Why a sink did not accept an event.
#[derive(Debug)]
pub struct SinkError {
    refusal: Refusal,
    reason: Box<dyn std::error::Error + Send + Sync>,
    retry_after: Option<Duration>,
}

impl SinkError {
    fn new(refusal: Refusal, reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            refusal,
            reason: reason.into(),
            retry_after: None,
        }
    }

    /// [`Refusal::Retry`], because of `reason`.
    pub fn retry(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Refusal::Retry, reason)
    }

    /// [`Refusal::Reject`], because of `reason`.
    pub fn reject(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Refusal::Reject, reason)
    }

    /// [`Refusal::Stop`], because of `reason`.
    pub fn stop(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Refusal::Stop, reason)
    }

    /// The same, with how long the other side asked to be left alone.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// What is asked for.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// How long the other side asked to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for SinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.reason)
    }
}

/// Accepts events, one after another, on the calling thread. Closures are sinks.
///
/// `Ok` means that the other side has confirmed the event: it is removed from the buffer then. A
/// crash between the two delivers it again, with the same [`Delivery::id`].
pub trait Sink<T> {
    /// Delivers one event.
    ///
    /// # Errors
    ///
    /// Whatever keeps the event from being confirmed, with what is to become of it.
    fn accept(&mut self, delivery: &Delivery<T>) -> Result<(), SinkError>;
}

impl<T, F: FnMut(&Delivery<T>) -> Result<(), SinkError>> Sink<T> for F {
    fn accept(&mut self, delivery: &Delivery<T>) -> Result<(), SinkError> {
        self(delivery)
    }
}

/// What an [`AsyncSink`] gives back for one event.
pub type SinkFuture<'a> = Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>>;

/// What an [`AsyncSink`] says of events that it was given together.
#[derive(Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// How many of them the other side has confirmed: the first ones.
    pub events: usize,
    /// Why the event behind those was not accepted; `None` where there is none behind them.
    pub refused: Option<SinkError>,
}

impl Accepted {
    /// The other side has confirmed all of them, `events` in number.
    #[must_use]
    pub fn all(events: usize) -> Self {
        let refused = None;
        Self { events, refused }
    }

    /// The other side has confirmed the first `events`, and not the one behind them.
    #[must_use]
    pub fn before(events: usize, refused: SinkError) -> Self {
        let refused = Some(refused);
        Self { events, refused }
    }
}

/// The answer for one event.
impl From<Result<(), SinkError>> for Accepted {
    fn from(said: Result<(), SinkError>) -> Self {
        said.map_or_else(|refused| Self::before(0, refused), |()| Self::all(1))
    }
}

/// What an [`AsyncSink`] gives back for events that it was given together.
pub type BatchFuture<'a> = Pin<Box<dyn Future<Output = Accepted> + Send + 'a>>;

/// Accepts events without holding up a thread. Object-safe.
///
/// `Ok` means that the other side has *confirmed* the event, not that it was sent: the event is
/// removed from the buffer then. A future that is dropped before it is ready counts as not
/// accepted; the event comes again, with the same [`Delivery::id`].
pub trait AsyncSink<T>: Send + Sync {
    /// Delivers one event.
    ///
    /// Where more than one may be in flight, futures are made and polled for the first time in the
    /// order of the events: what fixes the order must happen there. After a refusal no later event
    /// is handed out before those in flight have ended, and then delivery goes on at the refused
    /// one: a sink that allows several in flight must see to it that the other side takes none of
    /// the later ones before it, or knows by its id what it has.
    fn accept<'a>(&'a self, delivery: &'a Delivery<T>) -> SinkFuture<'a>;

    /// How many events may be in flight at once. Default: one.
    fn in_flight_max(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    /// Delivers several events, in order: none may arrive before those in front of it. Called
    /// where [`batch_max`](Self::batch_max) allows it, otherwise as [`accept`](Self::accept) is.
    /// Default: one after another, up to the first that is refused.
    fn accept_batch<'a>(&'a self, deliveries: &'a [Delivery<T>]) -> BatchFuture<'a> {
        let each: Vec<_> = deliveries.iter().map(|one| self.accept(one)).collect();
        Box::pin(async move {
            let all = each.len();
            for (events, one) in each.into_iter().enumerate() {
                if let Err(refused) = one.await {
                    return Accepted::before(events, refused);
                }
            }
            Accepted::all(all)
        })
    }

    /// How many events are handed over together at most: for another side that takes or confirms
    /// several at once. Default: one. All of them count as in flight, and a `Publisher` waits for all
    /// of them no longer than for one event.
    fn batch_max(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    /// Ready when the other side came back after it was away, so that whoever waits to try again
    /// need not wait longer. Default: never.
    fn reconnected(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}
