//! The other side: accepts, refuses, dawdles, or answers only when it is told to.

use std::collections::HashMap;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::task::{Poll, Waker};

use forebay::{AsyncSink, Delivery, SinkError, SinkFuture};

/// What becomes of one event.
pub(crate) enum Answer {
    /// Accepted at once.
    Accept,
    /// Taken at once, and confirmed only after so many polls, each of which asks for the next.
    Late(u32),
    /// Refused at once.
    Refuse(SinkError),
    /// Nothing until [`Upstream::release`].
    Hold,
}

#[derive(Default)]
struct Ledger {
    offered: Vec<u32>,
    accepted: Vec<u32>,
    ids: Vec<String>,
    polls: usize,
    held: HashMap<u32, Waker>,
    released: HashMap<u32, Result<(), SinkError>>,
}

/// A sink that does what its script says.
pub(crate) struct Upstream<F> {
    in_flight: NonZeroUsize,
    script: F,
    ledger: Mutex<Ledger>,
}

impl<F: Fn(u32) -> Answer> Upstream<F> {
    pub(crate) fn new(in_flight: usize, script: F) -> Self {
        Self {
            in_flight: NonZeroUsize::new(in_flight).expect("at least one"),
            script,
            ledger: Mutex::default(),
        }
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no test panics with it")
    }

    /// What it was offered, in order.
    pub(crate) fn offered(&self) -> Vec<u32> {
        self.ledger().offered.clone()
    }

    /// What it accepted, in order.
    pub(crate) fn accepted(&self) -> Vec<u32> {
        self.ledger().accepted.clone()
    }

    /// The ids of what it was offered.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.ledger().ids.clone()
    }

    /// How often events that are held were polled.
    pub(crate) fn polls(&self) -> usize {
        self.ledger().polls
    }

    /// Answers for an event that is held.
    pub(crate) fn release(&self, event: u32, answer: Result<(), SinkError>) {
        let mut ledger = self.ledger();
        ledger.released.insert(event, answer);
        let waker = ledger.held.remove(&event);
        drop(ledger);
        waker.expect("the event is held").wake();
    }

    fn note(&self, event: u32, answer: Result<(), SinkError>) -> Result<(), SinkError> {
        if answer.is_ok() {
            self.ledger().accepted.push(event);
        }
        answer
    }
}

impl<F: Fn(u32) -> Answer + Send + Sync> AsyncSink<u32> for Upstream<F> {
    fn accept<'a>(&'a self, delivery: &'a Delivery<u32>) -> SinkFuture<'a> {
        let event = delivery.event;
        let mut ledger = self.ledger();
        ledger.offered.push(event);
        ledger.ids.push(delivery.id());
        drop(ledger);
        let mut answer = (self.script)(event);
        if matches!(answer, Answer::Late(_)) {
            self.ledger().accepted.push(event);
        }
        Box::pin(poll_fn(move |context| match &mut answer {
            Answer::Accept => Poll::Ready(self.note(event, Ok(()))),
            Answer::Late(0) => Poll::Ready(Ok(())),
            Answer::Late(polls) => {
                *polls -= 1;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Answer::Refuse(_) => {
                let answer = std::mem::replace(&mut answer, Answer::Hold);
                let Answer::Refuse(why) = answer else {
                    unreachable!("it was a refusal a moment ago");
                };
                Poll::Ready(Err(why))
            }
            Answer::Hold => {
                let mut ledger = self.ledger();
                ledger.polls += 1;
                let Some(answer) = ledger.released.remove(&event) else {
                    ledger.held.insert(event, context.waker().clone());
                    return Poll::Pending;
                };
                drop(ledger);
                Poll::Ready(self.note(event, answer))
            }
        }))
    }

    fn in_flight_max(&self) -> NonZeroUsize {
        self.in_flight
    }
}
