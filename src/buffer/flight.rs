//! The events that a sink has been given and not answered for, in order.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

use super::sink::{Accepted, AsyncSink, Delivery, SinkError};

/// An event with what the sink said of it.
type Landing<T> = (Delivery<T>, Result<(), SinkError>);

type Flying<'a, T> = Pin<Box<dyn Future<Output = VecDeque<Landing<T>>> + Send + 'a>>;

/// One event in flight, or several that were handed over together.
enum Place<'a, T> {
    Flying(Flying<'a, T>, Waker),
    /// What is not taken yet, the oldest first; never empty.
    Landed(VecDeque<Landing<T>>),
}

/// Which of those in flight have news, so that one that wakes does not have all others polled.
#[derive(Debug, Default)]
struct Tower(Mutex<News>);

#[derive(Debug, Default)]
struct News {
    woken: Vec<u64>,
    waiting: Option<Waker>,
}

/// Wakes one of those in flight.
struct Call {
    tower: Arc<Tower>,
    number: u64,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut news = self.tower.0.lock();
        news.woken.push(self.number);
        let waiting = news.waiting.take();
        drop(news);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

/// Everything in flight, the oldest first. Dropped, it drops the sink's futures.
pub(super) struct Flight<'a, T> {
    places: VecDeque<Place<'a, T>>,
    /// The number of the first place, and of the next one to come.
    first: u64,
    next: u64,
    /// How many places have not landed.
    flying: usize,
    /// How many events there are in all places, and how many of them have landed refused.
    events: usize,
    refused: usize,
    tower: Arc<Tower>,
}

impl<T> fmt::Debug for Flight<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("first", &self.first)
            .field("flying", &self.flying)
            .finish_non_exhaustive()
    }
}

impl<'a, T: Send + 'a> Flight<'a, T> {
    pub(super) fn new() -> Self {
        Self {
            places: VecDeque::new(),
            first: 0,
            next: 0,
            flying: 0,
            events: 0,
            refused: 0,
            tower: Arc::default(),
        }
    }

    /// How many there are, with those that have landed behind one that has not.
    pub(super) fn len(&self) -> usize {
        self.events
    }

    /// Whether the sink has answered for all.
    pub(super) fn is_down(&self) -> bool {
        self.flying == 0
    }

    /// Whether any that is still here was refused.
    pub(super) fn has_refusal(&self) -> bool {
        self.refused > 0
    }

    /// Gives `deliveries` to `sink`, and polls their future for the first time.
    pub(super) fn launch(&mut self, sink: &'a dyn AsyncSink<T>, deliveries: Vec<Delivery<T>>) {
        let number = self.next;
        self.next += 1;
        let waker = Waker::from(Arc::new(Call {
            tower: Arc::clone(&self.tower),
            number,
        }));
        self.events += deliveries.len();
        let flying = Box::pin(async move {
            let accepted = match deliveries.as_slice() {
                [one] => sink.accept(one).await.into(),
                several => sink.accept_batch(several).await,
            };
            landings(deliveries, accepted)
        });
        self.places.push_back(Place::Flying(flying, waker));
        self.flying += 1;
        self.poll_place(self.places.len() - 1);
    }

    /// Polls those that have news; `context` is woken when others have.
    pub(super) fn poll(&mut self, context: &Context<'_>) {
        let mut news = self.tower.0.lock();
        news.waiting = Some(context.waker().clone());
        let woken = std::mem::take(&mut news.woken);
        drop(news);
        for number in woken {
            // One that woke when it had landed may be gone.
            let at = number.checked_sub(self.first).map(usize::try_from);
            if let Some(Ok(at)) = at {
                self.poll_place(at);
            }
        }
    }

    fn poll_place(&mut self, at: usize) {
        let Some(place) = self.places.get_mut(at) else {
            return;
        };
        let Place::Flying(flying, waker) = place else {
            return;
        };
        let polled = flying.as_mut().poll(&mut Context::from_waker(waker));
        if let Poll::Ready(landings) = polled {
            self.refused += landings.iter().filter(|(_, said)| said.is_err()).count();
            self.flying -= 1;
            *place = Place::Landed(landings);
        }
    }

    /// The oldest one, if it has landed.
    pub(super) fn take_landed(&mut self) -> Option<Landing<T>> {
        let Some(Place::Landed(landings)) = self.places.front_mut() else {
            return None;
        };
        let landing = landings.pop_front();
        if landings.is_empty() {
            self.places.pop_front();
            self.first += 1;
        }
        let landing = landing?;
        self.events -= 1;
        self.refused -= usize::from(landing.1.is_err());
        Some(landing)
    }
}

/// What is said of each of `deliveries`. Those behind a refused one come again.
fn landings<T>(deliveries: Vec<Delivery<T>>, accepted: Accepted) -> VecDeque<Landing<T>> {
    let mut refused = accepted.refused;
    let said = |(at, delivery): (usize, Delivery<T>)| {
        let said = if at < accepted.events {
            Ok(())
        } else {
            let why = refused.take();
            Err(why.unwrap_or_else(|| SinkError::retry("an event before it was not accepted")))
        };
        (delivery, said)
    };
    deliveries.into_iter().enumerate().map(said).collect()
}
