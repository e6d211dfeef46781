//! Sending a run of events, and finding out how much of it was stored.
//!
//! 1. Every message but the last is sent without a way to answer. Each names the one before it, so
//!    that the server stores none behind a hole; hence the answer for the last one answers for all.
//! 2. Where that answer is not a yes, the stream is asked for its last message: what is covered by
//!    that is stored.
//! 3. Each event behind that is sent once more, to be answered for by itself: the look may have come
//!    too early or say nothing, and what is stored is a duplicate. The first answer that is not a yes
//!    says what is to become of its event. Those behind it come again.

use std::sync::atomic::Ordering;

use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;

use super::flight::Place;
use super::look::{self, Found};
use super::stored::headers;
use super::{JetStream, Writers, refusal};
use crate::buffer::{Accepted, Delivery, SinkError};

/// A run that was sent, as far as it went.
struct Sent {
    /// How many of its first events the stream had already.
    known: usize,
    /// The event that was sent before those.
    previous: Option<String>,
    /// How often the connection had been lost before.
    losses: u64,
    /// What the server will say of the last event; `None` where the stream has that already.
    answer: Option<Result<PublishAckFuture, SinkError>>,
}

/// What a message is made of besides its event.
struct Address<'a> {
    id: &'a str,
    previous: Option<&'a str>,
}

impl<T: Send + Sync> JetStream<T> {
    /// Delivers a run of events, which has `place` in the flight.
    pub(super) async fn deliver(&self, run: &[Delivery<T>], place: Place<'_>) -> Accepted {
        let accepted = match self.send(run).await {
            Ok(sent) => self.confirmed(run, sent).await,
            Err(why) => Accepted::before(0, why),
        };
        if accepted.refused.is_none() {
            place.land(run.last().and_then(|last| last.record));
        } else {
            let connects = self.link.now().connects;
            self.connects_seen.store(connects, Ordering::Relaxed);
        }
        accepted
    }

    /// Sends the run in its turn, unless one before it failed.
    async fn send(&self, run: &[Delivery<T>]) -> Result<Sent, SinkError> {
        let _turn = self.turn.lock().await;
        if self.flight.is_broken() {
            return Err(SinkError::retry("an event before it was not accepted"));
        }
        let losses = self.link.losses();
        if !self.is_connected() {
            return Err(self.absent());
        }
        let record = run.first().and_then(|first| first.record);
        if self.flight.is_doubtful(record) {
            // What was barred before may be allowed by now; who tries again was asked to.
            self.link.forgive();
            let found = self.look(losses).await?;
            self.flight.looked(found);
        }
        let known = self.flight.count_held(run);
        let mut sent = Sent {
            known,
            previous: match self.route.writers {
                Writers::One => self.flight.previous(),
                Writers::Many => None,
            },
            losses,
            answer: None,
        };
        let Some((last, others)) = run.get(known..).and_then(<[_]>::split_last) else {
            return Ok(sent);
        };
        let mut previous = sent.previous.clone();
        for one in others {
            let id = one.id();
            let address = Address {
                id: &id,
                previous: previous.as_deref(),
            };
            if let Err(why) = self.tell(one, &address).await {
                // Under the turn: the next run would name what was sent before this one.
                self.flight.break_off();
                sent.answer = Some(Err(why));
                return Ok(sent);
            }
            previous = Some(id);
        }
        let id = last.id();
        let address = Address {
            id: &id,
            previous: previous.as_deref(),
        };
        let answer = self.ask(last, &address).await;
        match answer {
            Ok(_) => self.flight.sent(id),
            Err(_) => self.flight.break_off(),
        }
        sent.answer = Some(answer);
        Ok(sent)
    }

    /// Sends an event that the server does not answer.
    async fn tell(&self, delivery: &Delivery<T>, address: &Address<'_>) -> Result<(), SinkError> {
        let subject = (self.route.subject)(delivery).to_string();
        let headers = self.headers(delivery, address);
        let payload = self.payload(delivery).into();
        let client = self.context.client();
        let sent = client.publish_with_headers(subject, headers, payload);
        sent.await.map_err(SinkError::retry)
    }

    /// Sends an event that the server answers.
    async fn ask(
        &self,
        delivery: &Delivery<T>,
        address: &Address<'_>,
    ) -> Result<PublishAckFuture, SinkError> {
        let subject = (self.route.subject)(delivery).to_string();
        let message = PublishMessage::build()
            .payload(self.payload(delivery).into())
            .headers(self.headers(delivery, address));
        let sent = self.context.send_publish(subject, message).await;
        sent.map_err(refusal::of_publish)
    }

    fn headers(&self, delivery: &Delivery<T>, address: &Address<'_>) -> async_nats::HeaderMap {
        headers(delivery, address.id, &self.route.stream, address.previous)
    }

    fn payload(&self, delivery: &Delivery<T>) -> Vec<u8> {
        match &self.route.payload {
            Some(make) => make(delivery),
            None => delivery.payload.clone(),
        }
    }

    /// How far the run came, by the answer for its last event.
    async fn confirmed(&self, run: &[Delivery<T>], sent: Sent) -> Accepted {
        let Some((answer, last)) = sent.answer.zip(run.last()) else {
            return Accepted::all(run.len());
        };
        let answer = match answer {
            Ok(answer) => self.hear(answer, sent.losses, last).await,
            Err(why) => Err(why),
        };
        let Err(why) = answer else {
            return Accepted::all(run.len());
        };
        let is_alone = sent.known.saturating_add(1) == run.len();
        if is_alone || !self.is_connected() || self.link.losses() != sent.losses {
            return Accepted::before(sent.known, why);
        }
        // Nothing that comes behind this run is to leave meanwhile.
        self.flight.break_off();
        let unsent = run.get(sent.known..).unwrap_or_default();
        let mut found = self.find_out(unsent, sent.previous, sent.losses).await;
        found.events = found.events.saturating_add(sent.known);
        found
    }

    /// How many of the first events of `run`, which was sent, are stored, and why the next one is
    /// not: by what the stream ends with, and behind that by an answer for each.
    async fn find_out(&self, run: &[Delivery<T>], before: Option<String>, losses: u64) -> Accepted {
        // What bars one of them does not say which.
        self.link.forgive();
        let stored = match self.look(losses).await {
            Ok(found) => found.map_or(0, |last| last.count_held(run)),
            Err(why) => return Accepted::before(0, why),
        };
        let (held, rest) = run.split_at(stored);
        let mut previous = held.last().map(Delivery::id).or(before);
        let mut answers = Vec::with_capacity(rest.len());
        for one in rest {
            let id = one.id();
            let address = Address {
                id: &id,
                previous: previous.as_deref(),
            };
            let answer = self.ask(one, &address).await;
            let is_sent = answer.is_ok();
            answers.push((one, answer));
            if !is_sent {
                break;
            }
            previous = Some(id);
        }
        for (at, (one, answer)) in answers.into_iter().enumerate() {
            let said = match answer {
                Ok(answer) => self.hear(answer, losses, one).await,
                Err(why) => Err(why),
            };
            if let Err(why) = said {
                return Accepted::before(stored.saturating_add(at), why);
            }
        }
        Accepted::all(run.len())
    }

    /// Waits for the server's answer, for as long as one can come.
    async fn hear(
        &self,
        answer: PublishAckFuture,
        losses: u64,
        delivery: &Delivery<T>,
    ) -> Result<(), SinkError> {
        tokio::select! {
            biased;
            answer = answer => match answer {
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

    /// Looks what the stream ends with, and makes it where it is missing and that is wanted.
    async fn look(&self, losses: u64) -> Result<Option<super::stored::Stored>, SinkError> {
        if self.route.writers == Writers::Many && self.route.create.is_none() {
            return Ok(None);
        }
        tokio::select! {
            biased;
            found = look::look(&self.context, &self.route) => found.map(|Found { last }| last),
            () = self.link.lost_after(losses) => Err(self.absent()),
        }
    }

    /// Why nothing can be sent now.
    fn absent(&self) -> SinkError {
        match self.link.now().barred {
            Some(why) => SinkError::stop(why),
            None => SinkError::retry("the server is not connected"),
        }
    }
}
