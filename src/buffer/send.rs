//! Handing events to sinks.

use super::codec::Codec;
use super::drain::{Drain, Route};
use super::event_buffer::EventBuffer;
use super::sent::Sent;
use super::sink::AsyncSink;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;

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
        let lease = self.desk.lease()?;
        let route = Route {
            queue: &self.queue,
            courier: self.courier()?,
            codec: &self.codec,
            sink,
        };
        Drain::new(lease, route).await
    }
}
