//! Handing events to sinks.

use super::codec::{Codec, CodecError, undecodable};
use super::dead_letters::SendOptions;
use super::drain::{Drain, Route};
use super::event_buffer::EventBuffer;
use super::sent::Sent;
use super::sink::{AsyncSink, Delivery, Sink, SinkError};
use crate::consumer::Record;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};

impl<T: Send, C: Codec<T> + Sync> EventBuffer<T, C> {
    /// Hands events to `sink` in order until there is none or one is refused; returns how many
    /// were accepted. The face of [`send_to`](Self::send_to) for those who do not ask why it ended.
    ///
    /// # Durability
    ///
    /// # Errors
    ///
    /// Both as for [`send_to`](Self::send_to).
    ///
    /// # Examples
    ///
    /// ```
    /// use forebay::{AsyncSink, Delivery, EventBuffer, SinkError, SinkFuture};
    ///
    /// struct Upstream;
    ///
    /// impl AsyncSink<String> for Upstream {
    ///     fn accept<'a>(&'a self, delivery: &'a Delivery<String>) -> SinkFuture<'a> {
    ///         Box::pin(async move { send(&delivery.id(), &delivery.event).await })
    ///     }
    /// }
    /// # async fn send(_: &str, _: &str) -> Result<(), SinkError> { Ok(()) }
    ///
    /// async fn flush(buffer: &EventBuffer<String>) -> forebay::Result<usize> {
    ///     buffer.drain_and_send(&Upstream).await
    /// }
    /// ```
    pub async fn drain_and_send(&self, sink: &dyn AsyncSink<T>) -> Result<usize> {
        Ok(self.send_to(sink).await?.accepted)
    }

    /// Hands events to `sink` in order until there is none or one is refused, with up to
    /// [`in_flight_max`](AsyncSink::in_flight_max) of them (1024 at most) in flight. After a
    /// refusal nothing more is handed out, and those in flight are waited for; the refused one
    /// comes first the next time, and then what was behind it, accepted or not.
    ///
    /// The executor never waits for a disk, and the sink hardly ever: a thread of the buffer's own
    /// reads ahead and acknowledges. It is started by the first call, and ends with the buffer.
    /// It calls the queue's listener, too.
    ///
    /// The future can be dropped at any time. Nothing is lost, the next drain may begin at once,
    /// and only what was in flight is delivered twice. A drain that is kept and not polled keeps
    /// others out.
    ///
    /// # Durability
    ///
    /// An event is acknowledged, as by [`Consumer::ack_through`](crate::Consumer::ack_through), soon
    /// after it and all before it were accepted, and before this returns. A crash in between
    /// delivers again what was in flight, and what was accepted while the one acknowledgement
    /// before it was being written.
    ///
    /// What the queue gives up at capacity while it is in flight counts as dropped, also if it is
    /// accepted.
    ///
    /// # Errors
    ///
    /// As for [`drain`](Self::drain): [`ErrorKind::Busy`] while another drain runs;
    /// [`ErrorKind::Decode`] when the first event waiting is not one that the codec knows;
    /// [`ErrorKind::Corrupt`], [`ErrorKind::Io`], [`ErrorKind::Full`], [`ErrorKind::Poisoned`],
    /// [`ErrorKind::Closed`], after what was in flight has ended. What was accepted before the
    /// error stays so.
    pub async fn send_to(&self, sink: &dyn AsyncSink<T>) -> Result<Sent> {
        self.send_with(sink, &SendOptions::new()).await
    }

    /// The same with `options`: an event that they make a dead letter is parked, then removed, and
    /// the drain goes on behind it.
    ///
    /// # Durability
    ///
    /// As for [`send_to`](Self::send_to). A dead letter survives power loss before its event is
    /// removed. A crash in between parks it no second time, but may deliver the event again.
    ///
    /// # Errors
    ///
    /// As for [`send_to`](Self::send_to); also what keeps a dead letter from being parked: its event
    /// stays first then.
    pub async fn send_with(&self, sink: &dyn AsyncSink<T>, options: &SendOptions) -> Result<Sent> {
        // A forked child has no thread that would answer.
        self.queue.check()?;
        let lease = self.desk.lease()?;
        let route = Route {
            queue: &self.queue,
            courier: self.courier()?,
            codec: &self.codec,
            sink,
            options,
        };
        Drain::new(lease, route).await
    }
}

impl<T, C: Codec<T>> EventBuffer<T, C> {
    /// Hands events to `sink` in order until there is none or one is refused, each removed before
    /// the next one is handed out: [`drain`](Self::drain) for sinks that say why, and that are told
    /// what the event's record says.
    ///
    /// # Durability
    ///
    /// # Errors
    ///
    /// Both as for [`drain`](Self::drain).
    ///
    /// # Examples
    ///
    /// ```
    /// use forebay::{Delivery, EventBuffer, SinkError};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let buffer: EventBuffer<String> = EventBuffer::new(folder.path().join("buffer"), 100)?;
    /// # buffer.enqueue(&"login".to_owned())?;
    /// let sent = buffer.drain_to(&mut |delivery: &Delivery<String>| {
    ///     post(&delivery.id(), &delivery.event).map_err(SinkError::retry)
    /// })?;
    /// assert_eq!(sent.accepted, 1);
    /// # fn post(_: &str, _: &str) -> Result<(), std::io::Error> { Ok(()) }
    /// # Ok::<(), forebay::Error>(())
    /// ```
    pub fn drain_to(&self, sink: &mut dyn Sink<T>) -> Result<Sent> {
        self.drain_with(sink, &SendOptions::new())
    }

    /// The same with `options`, as for [`send_with`](Self::send_with).
    ///
    /// # Durability
    ///
    /// # Errors
    ///
    /// Both as for [`drain`](Self::drain), and for dead letters as for
    /// [`send_with`](Self::send_with).
    pub fn drain_with(&self, sink: &mut dyn Sink<T>, options: &SendOptions) -> Result<Sent> {
        let lease = self.desk.lease()?;
        let mut sent = Sent::default();
        let mut last = None;
        let removed = lease.consumer()?.drain(|record| {
            match hand_out(&self.codec, sink, record, options) {
                Outcome::Accepted => sent.accepted += 1,
                Outcome::Parked => sent.parked += 1,
                halt @ (Outcome::Refused(_) | Outcome::Unknown(_) | Outcome::Failed(_)) => {
                    last = Some((record.sequence, halt));
                    return Err(());
                }
            }
            Ok(())
        })?;
        match last {
            Some((_, Outcome::Refused(refused))) => sent.refused = Some(refused),
            Some((_, Outcome::Failed(error))) => return Err(error),
            Some((sequence, Outcome::Unknown(why))) if removed == 0 => {
                return Err(undecodable(sequence, &why));
            }
            Some((_, Outcome::Unknown(_) | Outcome::Accepted | Outcome::Parked)) | None => {}
        }
        Ok(sent)
    }
}

/// What became of one event.
enum Outcome {
    Accepted,
    Parked,
    Refused(SinkError),
    Unknown(CodecError),
    Failed(Error),
}

fn hand_out<T>(
    codec: &impl Codec<T>,
    sink: &mut dyn Sink<T>,
    record: &Record<'_>,
    options: &SendOptions,
) -> Outcome {
    let delivery = match codec.decode(record.payload) {
        Ok(event) => Delivery::of(record).carrying(event),
        Err(why) => return Outcome::Unknown(why),
    };
    let Err(refused) = sink.accept(&delivery) else {
        return Outcome::Accepted;
    };
    let Some((letters, letter)) = options.letter(delivery, &refused) else {
        return Outcome::Refused(refused);
    };
    match letters.park(&letter) {
        Ok(()) => Outcome::Parked,
        Err(error) => Outcome::Failed(error),
    }
}
