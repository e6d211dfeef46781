//! A bounded, durable buffer of events: what a table in `SQLite` is often used for.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::codec::{Bincode, Codec, undecodable};
use super::config::BufferConfig;
use super::courier::Courier;
use super::desk::Desk;
#[cfg(doc)]
use crate::consumer::Consumer;
use crate::error::{Error, ErrorKind, Result};
use crate::position::Sequence;
use crate::queue::{Entry, Overflow, Queue, QueueOptions};

/// The name of the buffer's own consumer.
const CONSUMER: &str = "buffer";

/// A durable, bounded buffer of events of one type.
///
/// Events leave in the order in which they came, each removed only once it was accepted. At
/// capacity the oldest event goes and is counted; enqueueing neither blocks nor fails for it.
///
/// # Examples
///
/// ```
/// use forebay::EventBuffer;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct AuditEvent {
///     who: String,
///     what: String,
/// }
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("events.buffer");
/// let buffer: EventBuffer<AuditEvent> = EventBuffer::new(&path, 10_000)?;
/// buffer.enqueue(&AuditEvent { who: "ada".into(), what: "login".into() })?;
///
/// let sent = buffer.drain(|event| send(event))?;
/// assert_eq!(sent, 1);
/// # fn send(_: AuditEvent) -> Result<(), std::io::Error> { Ok(()) }
/// # Ok::<(), forebay::Error>(())
/// ```
pub struct EventBuffer<T, C = Bincode> {
    /// First, so that the thread ends before what it works on.
    courier: OnceLock<Courier>,
    pub(super) desk: Arc<Desk>,
    pub(super) queue: Queue,
    pub(super) codec: C,
    capacity: usize,
    event: PhantomData<fn(T) -> T>,
}

impl<T, C> Debug for EventBuffer<T, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventBuffer")
            .field("queue", &self.queue)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl<T, C: Codec<T> + Default> EventBuffer<T, C> {
    /// Opens the buffer in the directory `path`, or makes it there, for at most `capacity` events.
    /// Any capacity is legal: with 0 every event is dropped at once, with `usize::MAX` none is.
    /// A capacity smaller than what waits applies from the first `enqueue`.
    ///
    /// # Durability
    ///
    /// # Errors
    ///
    /// Both as for [`QueueOptions::open`].
    pub fn new(path: impl AsRef<Path>, capacity: usize) -> Result<Self> {
        Self::with_options(path, capacity, QueueOptions::new())
    }

    /// The same with `options`, of which `max_records` and `overflow` are set by the buffer.
    ///
    /// # Errors
    ///
    /// As for [`QueueOptions::open`].
    pub fn with_options(
        path: impl AsRef<Path>,
        capacity: usize,
        options: QueueOptions,
    ) -> Result<Self> {
        Self::with_codec(path, capacity, options, C::default())
    }

    /// The buffer that `config` describes.
    ///
    /// # Errors
    ///
    /// As for [`QueueOptions::open`].
    pub fn from_config(config: &BufferConfig) -> Result<Self> {
        Self::new(&config.path, config.capacity)
    }
}

impl<T, C: Codec<T>> EventBuffer<T, C> {
    /// The same as [`with_options`](Self::with_options) with a codec of your own.
    ///
    /// # Errors
    ///
    /// As for [`QueueOptions::open`].
    pub fn with_codec(
        path: impl AsRef<Path>,
        capacity: usize,
        options: QueueOptions,
        codec: C,
    ) -> Result<Self> {
        let records = u64::try_from(capacity).unwrap_or(u64::MAX);
        let queue = options
            .max_records(records)
            .overflow(Overflow::DropOldest)
            .open(path)?;
        let desk = Arc::new(Desk::new(queue.consumer(CONSUMER)?));
        Ok(Self {
            courier: OnceLock::new(),
            desk,
            queue,
            codec,
            capacity,
            event: PhantomData,
        })
    }

    /// Adds an event. At capacity the oldest one goes.
    ///
    /// # Durability
    ///
    /// As for [`Queue::enqueue`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] when the codec refuses; otherwise as for [`Queue::enqueue`], with
    /// [`ErrorKind::Full`] only for a full device.
    pub fn enqueue(&self, event: &T) -> Result<()> {
        self.enqueue_kind(event, 0)
    }

    /// Adds an event of a kind, which consumers and sinks see.
    ///
    /// # Durability
    ///
    /// # Errors
    ///
    /// Both as for [`enqueue`](Self::enqueue).
    pub fn enqueue_kind(&self, event: &T, kind: u16) -> Result<()> {
        let bytes = self.encode(event)?;
        self.queue.enqueue(Entry::from(bytes).kind(kind)).map(drop)
    }

    /// Adds an event unless one with the same `key` is there already; returns the sequence of the
    /// one that is there. Sinks see the key as [`Delivery::key`](crate::Delivery::key).
    ///
    /// # Durability
    ///
    /// As for [`Queue::enqueue_once`].
    ///
    /// # Errors
    ///
    /// As for [`enqueue`](Self::enqueue) and [`Queue::enqueue_once`].
    pub fn enqueue_once(&self, key: [u8; 16], event: &T) -> Result<Sequence> {
        let bytes = self.encode(event)?;
        self.queue.enqueue_once(key, bytes)
    }

    /// The bytes that [`enqueue`](Self::enqueue) makes of `event`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] when the codec refuses.
    pub fn encode(&self, event: &T) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.codec.encode(event, &mut bytes).map_err(|why| {
            Error::new(
                ErrorKind::Encode,
                format!("the event cannot be encoded: {why}"),
            )
        })?;
        Ok(bytes)
    }

    /// How many events wait.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Poisoned`] or [`ErrorKind::Closed`].
    pub fn len(&self) -> Result<usize> {
        self.queue.check()?;
        Ok(usize::try_from(self.queue.len()).unwrap_or(usize::MAX))
    }

    /// Whether no event waits.
    ///
    /// # Errors
    ///
    /// As for [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// How many events may wait.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The queue underneath, for its numbers and its other faces.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Hands events to `sink` in order until there is none or one is refused; returns how many
    /// were accepted. Why one was refused is not told: [`drain_to`](Self::drain_to) and
    /// [`send_to`](Self::send_to) do, in [`Sent::refused`](super::Sent::refused). An accepted event
    /// is removed before the next one is handed out; the refused one stays and comes first the next
    /// time. With nothing waiting the sink is not called. Events can be enqueued while the sink runs.
    ///
    /// # Durability
    ///
    /// As for [`Consumer::drain`]: a crash between accepting and removing an event delivers it
    /// again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] while another drain runs; [`ErrorKind::Decode`], naming the sequence,
    /// when the first event waiting is not one that the codec knows (a drain that meets it later
    /// ends before it): [`skip`](Self::skip) gives it up; otherwise as for [`Consumer::drain`].
    pub fn drain<E>(&self, mut sink: impl FnMut(T) -> std::result::Result<(), E>) -> Result<usize> {
        let lease = self.desk.lease()?;
        let mut consumer = lease.consumer()?;
        let mut unknown = None;
        let accepted = consumer.drain(|record| match self.codec.decode(record.payload) {
            Ok(event) => sink(event).map_err(drop),
            Err(why) => {
                unknown = Some((record.sequence, why));
                Err(())
            }
        })?;
        match unknown {
            Some((sequence, why)) if accepted == 0 => Err(undecodable(sequence, &why)),
            Some(_) | None => Ok(accepted),
        }
    }

    /// Gives up the first event waiting, decodable or not, and returns its sequence; `None` when
    /// none waits.
    ///
    /// # Errors
    ///
    /// As for [`drain`](Self::drain).
    pub fn skip(&self) -> Result<Option<Sequence>> {
        let lease = self.desk.lease()?;
        let mut consumer = lease.consumer()?;
        let Some(sequence) = consumer.peek()?.map(|record| record.sequence) else {
            return Ok(None);
        };
        consumer.ack_through(sequence)?;
        Ok(Some(sequence))
    }

    /// The thread that does the file work of futures, started by the first of them.
    pub(super) fn courier(&self) -> Result<&Courier> {
        if let Some(courier) = self.courier.get() {
            return Ok(courier);
        }
        let courier = Courier::start(&self.desk)?;
        Ok(self.courier.get_or_init(|| courier))
    }
}
