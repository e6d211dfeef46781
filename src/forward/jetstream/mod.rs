//! A stream of NATS `JetStream` as the other side: published in order, confirmed, stored once.

mod flight;
mod link;
mod look;
mod options;
mod refusal;
mod run;
mod stored;
mod subject;

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::stream;
use tokio::sync::Mutex;

use crate::buffer::{AsyncSink, BatchFuture, Delivery, SinkFuture};
use flight::Flight;
use link::Link;
pub use options::{JetStreamOptions, Writers};
pub use subject::Subject;

/// How many events are confirmed by one answer at most.
const RUN_MAX: usize = 128;

/// Something made of an event on its way.
type Making<T, R> = Box<dyn Fn(&Delivery<T>) -> R + Send + Sync>;

/// What becomes of an event on its way to the stream.
struct Route<T> {
    stream: String,
    subject: Making<T, Subject>,
    payload: Option<Making<T, Vec<u8>>>,
    writers: Writers,
    in_flight_max: NonZeroUsize,
    ack_timeout: Duration,
    create: Option<stream::Config>,
}

impl<T> fmt::Debug for Route<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("stream", &self.stream)
            .field("writers", &self.writers)
            .field("in_flight_max", &self.in_flight_max)
            .finish_non_exhaustive()
    }
}

/// Publishes events into a stream, each confirmed by the server before it counts as accepted.
///
/// A message carries [`Delivery::id`] as `Nats-Msg-Id`, so that the server stores a redelivery
/// once, and where it comes from in `Forebay-Queue`, `Forebay-Epoch`, `Forebay-Sequence`,
/// `Forebay-Kind` and `Forebay-Enqueued-At` (nanoseconds since 1970).
///
/// # Order
///
/// The client re-sends after an outage what it had not written yet, and loses what it had: left
/// alone, later events would be stored before earlier ones. So with [`Writers::One`] every message
/// whose predecessor is not confirmed yet names it (`Nats-Expected-Last-Msg-Id`), and the server
/// refuses whatever follows a hole; delivery goes on at the hole. For the same reason one answer is
/// enough for a run of up to 128 events: the server has stored the last one only if it has stored
/// all. With [`Writers::Many`] only one event is in flight.
///
/// # Durability
///
/// Accepted means that the stream has stored the event, as durably as the stream is set up. An
/// event whose confirmation was lost is sent again. The server knows it within the stream's window
/// for duplicates (two minutes unless set). With [`Writers::One`] the sink also asks for the
/// stream's last message, at the start and after anything went wrong, and takes what is there
/// already as accepted, however long ago that was; that needs a record of the run of the log that
/// wrote the last message (an event that was never in the buffer has none, and after a crash a new
/// run begins) and the right to ask `$JS.API.STREAM.INFO` and `$JS.API.STREAM.MSG.GET`.
///
/// # Refusals
///
/// Retry: not connected, no answer in time, connection lost, no room in the stream, a hole.
/// Reject: larger than the server or the stream takes. Stop: no such stream (unless it is to be
/// made), not the stream's subject, not allowed.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use forebay::{AsyncSink, JetStream, JetStreamOptions};
///
/// let sink: JetStream<String> = JetStreamOptions::new("AUDIT", "audit.{kind}")?
///     .connect("nats://127.0.0.1:4222")
///     .await?;
/// assert_eq!(sink.in_flight_max().get(), 512);
/// # Ok(())
/// # }
/// ```
pub struct JetStream<T> {
    context: Context,
    link: Link,
    route: Route<T>,
    flight: Flight,
    /// Held while a run of events is sent, so that runs are sent in the order in which their futures
    /// were first polled. Fair.
    turn: Mutex<()>,
    /// How often the connection had been made when an event was last refused, or when somebody was
    /// last told that it is back.
    connects_seen: AtomicU64,
}

impl<T> fmt::Debug for JetStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JetStream")
            .field("route", &self.route)
            .field("flight", &self.flight)
            .finish_non_exhaustive()
    }
}

impl<T: Send + Sync> JetStream<T> {
    fn new(mut context: Context, link: Link, route: Route<T>) -> Self {
        context.set_timeout(route.ack_timeout);
        Self {
            context,
            link,
            route,
            flight: Flight::new(),
            turn: Mutex::new(()),
            connects_seen: AtomicU64::new(0),
        }
    }

    /// Whether the connection is there now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.context.client().connection_state() == State::Connected
    }
}

impl<T: Send + Sync> AsyncSink<T> for JetStream<T> {
    fn accept<'a>(&'a self, delivery: &'a Delivery<T>) -> SinkFuture<'a> {
        let place = self.flight.join();
        let run = std::slice::from_ref(delivery);
        Box::pin(tokio::task::unconstrained(async move {
            let accepted = self.deliver(run, place).await;
            accepted.refused.map_or(Ok(()), Err)
        }))
    }

    fn accept_batch<'a>(&'a self, deliveries: &'a [Delivery<T>]) -> BatchFuture<'a> {
        let place = self.flight.join();
        // A budget that is used up would let later events pass these on their first poll.
        Box::pin(tokio::task::unconstrained(self.deliver(deliveries, place)))
    }

    /// Half of what may be in flight, so that one run is on its way while another is confirmed.
    fn batch_max(&self) -> NonZeroUsize {
        let half = self.in_flight_max().get().div_ceil(2).min(RUN_MAX);
        NonZeroUsize::new(half).unwrap_or(NonZeroUsize::MIN)
    }

    fn in_flight_max(&self) -> NonZeroUsize {
        match self.route.writers {
            Writers::One => self.route.in_flight_max,
            Writers::Many => NonZeroUsize::MIN,
        }
    }

    fn reconnected(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let seen = self.connects_seen.load(Ordering::Relaxed);
            self.link.made_after(seen).await;
            let connects = self.link.now().connects;
            self.connects_seen.store(connects, Ordering::Relaxed);
        })
    }
}
