//! One asynchronous drain: reads ahead, keeps the sink busy, acknowledges in order.
//!
//! Everything is in one state, and one poll turns it on: nothing is awaited in between, so there is
//! no place where a drain that is dropped could have half done something.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::answer::Answer;
use super::codec::{Codec, undecodable};
use super::courier::Courier;
use super::dead_letters::SendOptions;
use super::desk::{Desk, Errand, Haul, Lease};
use super::flight::Flight;
use super::sent::Sent;
use super::sink::{AsyncSink, Delivery, Refusal, SinkError};
use crate::error::{Error, ErrorKind, Result};
use crate::position::Sequence;
use crate::queue::Queue;

/// How many records are read ahead of the sink at most.
const AHEAD_RECORDS: usize = 1024;
/// With so many bytes read ahead no more are read.
const AHEAD_BYTES: usize = 1 << 20;
/// How many events one poll hands to the sink before others have their turn on the executor.
const LAUNCHES_PER_POLL: usize = 128;

/// What is known of the records that were not read yet.
#[derive(Debug)]
enum Input {
    /// There may be some.
    Open,
    /// There were none when it was last looked.
    Dry,
    /// The next one cannot be read.
    Unreadable(Error),
    /// The next one is not what the codec knows.
    Undecodable(Error),
}

/// What the answers for what is in flight are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Each says what becomes of its event.
    Straight,
    /// It was handed out before the last dead letter was refused: perhaps refused for that alone.
    BehindLetter,
    /// Nothing: it comes again, with what was read ahead.
    Again,
    /// Nothing: an event before it is neither accepted nor parked.
    Hole,
}

/// What a drain works with.
pub(super) struct Route<'a, T, C> {
    pub(super) queue: &'a Queue,
    pub(super) courier: &'a Courier,
    pub(super) codec: &'a C,
    pub(super) sink: &'a dyn AsyncSink<T>,
    pub(super) options: &'a SendOptions,
}

/// A drain under way.
pub(super) struct Drain<'a, T, C> {
    route: Route<'a, T, C>,
    /// Before the lease: the sink's futures end before another drain may begin.
    flight: Flight<'a, T>,
    ahead: VecDeque<Delivery<()>>,
    ahead_bytes: usize,
    input: Input,
    errand: Option<Answer<Haul>>,
    /// Where the errand reads: how many events were done with when it was sent.
    reads_since: Option<usize>,
    is_first: bool,
    /// A dead letter that is being parked.
    parking: Option<Answer<Result<()>>>,
    course: Course,
    /// Every event before this one is acknowledged.
    settled: Sequence,
    sent: Sent,
    /// Why nothing more is handed out, where the queue is the reason.
    failure: Option<Error>,
    launches: usize,
    lease: Lease<'a>,
}

impl<T, C> fmt::Debug for Drain<'_, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain")
            .field("input", &self.input)
            .field("flight", &self.flight)
            .field("ahead", &self.ahead.len())
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl<T, C> Drop for Drain<'_, T, C> {
    fn drop(&mut self) {
        // A dropped future cannot wait for it, but nobody has to ask for it again.
        if self.settled < self.lease.desk().accepted() {
            let errand = Errand {
                first: false,
                records_max: 0,
            };
            drop(self.route.courier.ask(move |desk| desk.run(errand)));
        }
    }
}

impl<T, C> Unpin for Drain<'_, T, C> {}

impl<T: Send, C: Codec<T>> Future for Drain<'_, T, C> {
    type Output = Result<Sent>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Sent>> {
        self.launches = 0;
        loop {
            self.hear(context);
            self.hear_parked(context);
            self.flight.poll(context);
            let landed = self.land();
            let launched = self.launch();
            let asked = self.ask();
            if let Some(ended) = self.end() {
                return Poll::Ready(ended);
            }
            if self.launches >= LAUNCHES_PER_POLL {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            // What was asked for just now must be polled once, to be heard of.
            if !(landed || launched || asked) {
                return Poll::Pending;
            }
        }
    }
}

impl<'a, T: Send, C: Codec<T>> Drain<'a, T, C> {
    pub(super) fn new(lease: Lease<'a>, route: Route<'a, T, C>) -> Self {
        Self {
            route,
            flight: Flight::new(),
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            input: Input::Open,
            errand: None,
            reads_since: None,
            is_first: true,
            parking: None,
            course: Course::Straight,
            settled: lease.desk().accepted(),
            sent: Sent::default(),
            failure: None,
            launches: 0,
            lease,
        }
    }

    /// Whether nothing more is to be handed out.
    fn is_halted(&self) -> bool {
        self.sent.refused.is_some()
            || self.parking.is_some()
            || self.failure.is_some()
            || self.course == Course::Again
            || self.flight.has_refusal()
    }

    /// Takes in what the thread has brought.
    fn hear(&mut self, context: &mut Context<'_>) {
        let Some(errand) = &mut self.errand else {
            return;
        };
        let Poll::Ready(haul) = Pin::new(errand).poll(context) else {
            return;
        };
        self.errand = None;
        let Some(Haul { settled, parcels }) = haul else {
            self.failure = Some(panicked());
            return;
        };
        match settled {
            Ok(settled) => self.settled = settled,
            Err(error) => self.failure = Some(error),
        }
        // It was on its way already, and must not overtake what stands before it.
        if self.course == Course::Again || matches!(self.input, Input::Undecodable(_)) {
            return;
        }
        match parcels {
            // What the sink enqueued until it accepted the last one is this drain's, too.
            Ok(parcels) if parcels.is_empty() && self.reads_since == Some(self.removed()) => {
                self.input = Input::Dry;
            }
            Ok(parcels) => {
                self.ahead_bytes += parcels.iter().map(|one| one.payload.len()).sum::<usize>();
                self.ahead.extend(parcels);
            }
            Err(error) => self.input = Input::Unreadable(error),
        }
    }

    /// Takes in what the sink has answered, in order; whether there was anything.
    fn land(&mut self) -> bool {
        let mut any = false;
        while self.sent.refused.is_none()
            && self.parking.is_none()
            && self.course != Course::Hole
            && let Some((delivery, said)) = self.flight.take_landed()
        {
            any = true;
            match said {
                _ if self.course == Course::Again => {}
                Ok(()) => self.accept(delivery.sequence()),
                Err(refused)
                    if self.course == Course::BehindLetter
                        && refused.refusal() == Refusal::Retry =>
                {
                    self.course = Course::Again;
                }
                Err(refused) => self.refuse(delivery, refused),
            }
        }
        if self.course == Course::BehindLetter && self.flight.len() == 0 {
            self.course = Course::Straight;
        }
        any | self.begin_again()
    }

    /// Once nothing is under way any more, goes back to the first event that was not accepted.
    fn begin_again(&mut self) -> bool {
        let is_over = self.flight.len() == 0 && self.errand.is_none();
        let is_due = self.course == Course::Again && is_over;
        if is_due {
            self.course = Course::Straight;
            self.ahead.clear();
            self.ahead_bytes = 0;
            self.input = Input::Open;
            self.is_first = true;
        }
        is_due
    }

    fn accept(&mut self, sequence: Sequence) {
        self.sent.accepted += 1;
        self.lease.desk().accept_below(sequence.plus(1));
        self.look_again();
    }

    /// How many events are done with.
    fn removed(&self) -> usize {
        self.sent.accepted + self.sent.parked
    }

    fn look_again(&mut self) {
        if matches!(self.input, Input::Dry) {
            self.input = Input::Open;
        }
    }

    fn refuse(&mut self, delivery: Delivery<T>, refused: SinkError) {
        let Some((letters, letter)) = self.route.options.letter(delivery, &refused) else {
            self.sent.refused = Some(refused);
            return;
        };
        let lease = self.lease.number();
        let park = move |desk: &Desk| desk.park(lease, &letters, &letter);
        self.parking = Some(self.route.courier.ask(park));
    }

    /// Goes on when the refused event is parked.
    fn hear_parked(&mut self, context: &mut Context<'_>) {
        let Some(parking) = &mut self.parking else {
            return;
        };
        let Poll::Ready(parked) = Pin::new(parking).poll(context) else {
            return;
        };
        self.parking = None;
        match parked.unwrap_or_else(|| Err(panicked())) {
            Ok(()) => {
                self.sent.parked += 1;
                self.course = Course::BehindLetter;
                self.look_again();
            }
            Err(error) => {
                self.course = Course::Hole;
                self.failure = Some(error);
            }
        }
    }

    /// Hands out what may be in flight; whether anything was.
    fn launch(&mut self) -> bool {
        let most = self.route.sink.in_flight_max().get();
        let batch_max = self.route.sink.batch_max().get();
        let mut batch = Vec::new();
        let mut any = false;
        while !self.is_halted()
            && self.flight.len() + batch.len() < most
            && self.launches < LAUNCHES_PER_POLL
            && let Some(parcel) = self.ahead.pop_front()
        {
            any = true;
            self.ahead_bytes -= parcel.payload.len();
            let sequence = parcel.sequence();
            // Dropped at capacity since it was read: it is counted, and a gap of the consumer's.
            if sequence < self.route.queue.first() {
                self.look_again();
                continue;
            }
            match self.route.codec.decode(&parcel.payload) {
                Ok(event) => {
                    batch.push(parcel.carrying(event));
                    self.launches += 1;
                    if batch.len() >= batch_max {
                        let batch = std::mem::take(&mut batch);
                        self.flight.launch(self.route.sink, batch);
                    }
                }
                Err(why) => {
                    self.ahead.clear();
                    self.ahead_bytes = 0;
                    self.input = Input::Undecodable(undecodable(sequence, &why));
                }
            }
        }
        if !batch.is_empty() {
            self.flight.launch(self.route.sink, batch);
        }
        any
    }

    /// Sends the thread for more, or to acknowledge; whether it was sent.
    fn ask(&mut self) -> bool {
        if self.errand.is_some() || self.failure.is_some() {
            return false;
        }
        let is_wanted = matches!(self.input, Input::Open)
            && !self.is_halted()
            && self.ahead.len() < AHEAD_RECORDS / 2
            && self.ahead_bytes < AHEAD_BYTES;
        if !is_wanted && self.settled >= self.lease.desk().accepted() {
            return false;
        }
        self.reads_since = is_wanted.then_some(self.removed());
        let errand = Errand {
            first: std::mem::take(&mut self.is_first),
            records_max: if is_wanted {
                AHEAD_RECORDS - self.ahead.len()
            } else {
                0
            },
        };
        self.errand = Some(self.route.courier.ask(move |desk| desk.run(errand)));
        true
    }

    /// What came of it, once all is done.
    fn end(&mut self) -> Option<Result<Sent>> {
        let is_begun = self.errand.is_some() || self.parking.is_some();
        if is_begun || self.course == Course::Again || !self.flight.is_down() {
            return None;
        }
        if let Some(error) = self.failure.take() {
            return Some(Err(error));
        }
        let is_over = self.sent.refused.is_some()
            || (self.flight.len() == 0
                && self.ahead.is_empty()
                && !matches!(self.input, Input::Open));
        // Nothing is left to be acknowledged: the thread would be under way for it.
        if !is_over {
            return None;
        }
        let sent = std::mem::take(&mut self.sent);
        let is_idle = sent.accepted + sent.parked == 0 && sent.refused.is_none();
        match std::mem::replace(&mut self.input, Input::Dry) {
            Input::Unreadable(error) if sent.refused.is_none() => Some(Err(error)),
            Input::Undecodable(error) if is_idle => Some(Err(error)),
            Input::Open | Input::Dry | Input::Unreadable(_) | Input::Undecodable(_) => {
                Some(Ok(sent))
            }
        }
    }
}

fn panicked() -> Error {
    let what = "the buffer's thread panicked in a listener of the queue";
    Error::new(ErrorKind::Io, what)
}
