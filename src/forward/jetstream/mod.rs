//! A stream of NATS `JetStream` as the other side: published in order, confirmed, stored once.

mod flight;
mod link;
mod look;
mod options;
mod refusal;
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
use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream;
use tokio::sync::Mutex;

use crate::buffer::{AsyncSink, Delivery, SinkError, SinkFuture};
use flight::{Flight, Place};
use link::Link;
use look::Found;
pub use options::{JetStreamOptions, Writers};
use stored::headers;
pub use subject::Subject;

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
/// refuses whatever follows a hole; delivery goes on at the hole. With [`Writers::Many`] only one
/// event is in flight.
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
/// assert_eq!(sink.in_flight_max().get(), 256);
/// # Ok(())
/// # }
/// ```
pub struct JetStream<T> {
    context: Context,
    link: Link,
    route: Route<T>,
    flight: Flight,
    /// Held while an event is sent, so that events are sent in the order in which their futures
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

/// What became of an event that was to be sent.
enum Sending {
    /// The stream has it already.
    Stored,
    /// It was sent, on a connection that had been lost this often.
    Sent { ack: PublishAckFuture, losses: u64 },
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

    async fn deliver(&self, delivery: &Delivery<T>, place: Place<'_>) -> Result<(), SinkError> {
        let outcome = match self.send(delivery).await {
            Ok(Sending::Stored) => Ok(()),
            Ok(Sending::Sent { ack, losses }) => self.confirmed(ack, losses, delivery).await,
            Err(why) => Err(why),
        };
        if outcome.is_ok() {
            place.land(delivery.record);
        } else {
            let connects = self.link.now().connects;
            self.connects_seen.store(connects, Ordering::Relaxed);
        }
        outcome
    }

    /// Sends the event in its turn, unless one before it failed.
    async fn send(&self, delivery: &Delivery<T>) -> Result<Sending, SinkError> {
        let _turn = self.turn.lock().await;
        if self.flight.is_broken() {
            return Err(SinkError::retry("an event before it was not accepted"));
        }
        let losses = self.link.losses();
        if !self.is_connected() {
            return Err(self.absent());
        }
        let id = delivery.id();
        if self.flight.is_doubtful(delivery.record) {
            // What was barred before may be allowed by now; who tries again was asked to.
            self.link.forgive();
            self.look(losses).await?;
        }
        if self.flight.holds(&id, delivery) {
            return Ok(Sending::Stored);
        }
        let previous = match self.route.writers {
            Writers::One => self.flight.previous(),
            Writers::Many => None,
        };
        let payload = match &self.route.payload {
            Some(make) => make(delivery),
            None => delivery.payload.clone(),
        };
        let message = PublishMessage::build()
            .payload(payload.into())
            .headers(headers(
                delivery,
                &id,
                &self.route.stream,
                previous.as_deref(),
            ));
        let subject = (self.route.subject)(delivery).to_string();
        let ack = self
            .context
            .send_publish(subject, message)
            .await
            .map_err(refusal::of_publish)?;
        self.flight.sent(id);
        Ok(Sending::Sent { ack, losses })
    }

    /// Waits for the server's answer, for as long as one can come.
    async fn confirmed(
        &self,
        ack: PublishAckFuture,
        losses: u64,
        delivery: &Delivery<T>,
    ) -> Result<(), SinkError> {
        tokio::select! {
            biased;
            answer = ack => match answer {
                Ok(_) => Ok(()),
                Err(why) if why.kind() == PublishErrorKind::StreamNotFound => {
                    let subject = (self.route.subject)(delivery).to_string();
                    Err(look::nobody_listens(&self.context, &self.route, &subject, why).await)
                }
                Err(why) => Err(refusal::of_publish(why)),
            },
            () = self.link.lost_after(losses) => Err(self.absent()),
        }
    }

    /// Looks what the stream has, and makes it where it is missing and that is wanted.
    async fn look(&self, losses: u64) -> Result<(), SinkError> {
        if self.route.writers == Writers::Many && self.route.create.is_none() {
            self.flight.looked(None);
            return Ok(());
        }
        let Found { last } = tokio::select! {
            biased;
            found = look::look(&self.context, &self.route) => found?,
            () = self.link.lost_after(losses) => return Err(self.absent()),
        };
        self.flight.looked(last);
        Ok(())
    }

    /// Why nothing can be sent now.
    fn absent(&self) -> SinkError {
        match self.link.now().barred {
            Some(why) => SinkError::stop(why),
            None => SinkError::retry("the server is not connected"),
        }
    }
}

impl<T: Send + Sync> AsyncSink<T> for JetStream<T> {
    fn accept<'a>(&'a self, delivery: &'a Delivery<T>) -> SinkFuture<'a> {
        let place = self.flight.join();
        // A budget that is used up would let later events pass this one on their first poll.
        Box::pin(tokio::task::unconstrained(self.deliver(delivery, place)))
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
