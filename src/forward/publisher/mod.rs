//! From `publish` to a confirmed delivery: straight to the sink, or through the buffer.

mod attempt;
mod core;
mod deliver;
mod flush;
mod flush_loop;
mod gate;
mod key;
mod options;
mod race;
mod stop;
mod told;

use std::fmt;
use std::sync::Arc;

pub use flush_loop::{FlushLoop, Left};
pub use options::PublisherOptions;
pub use told::PublisherStats;

use self::core::Core;
use self::gate::Gate;
use self::key::Keys;
use self::told::Told;
use super::trace;
use crate::buffer::{AsyncSink, Bincode, Codec, EventBuffer};
#[cfg(doc)]
use crate::buffer::{Delivery, Refusal};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;

/// Where an event is when [`Publisher::publish`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Published {
    /// The sink has confirmed it.
    Delivered,
    /// In the buffer, as durable as the buffer's [`SyncPolicy`](crate::SyncPolicy) makes it. A flush
    /// delivers it.
    Buffered,
    /// Nowhere: it could not be delivered and not be stored. It is counted, and the listeners know
    /// why.
    Lost,
}

/// Delivers events to a sink, in order, through any outage.
///
/// While the sink takes them, events go straight to it and no file is touched. An event that the
/// sink does not confirm goes into the buffer, and from then on every event does, until a flush has
/// emptied it: an event whose `publish` began after another one's had returned is delivered after
/// it. Flushes are the work of the loop that [`start`](Self::start) starts, or of
/// [`flush_pending`](Self::flush_pending).
///
/// Delivery is at least once. Each event has an id from the first attempt on
/// ([`Delivery::id`]), through the buffer, a restart and every redelivery: a receiver that knows ids
/// stores each event once.
///
/// Clones are handles to the same publisher. The buffer is opened before, and without the sink: an
/// upstream that is away when the program starts costs nothing. Nobody else should drain the buffer,
/// and a queue with consumers of its own beside the buffer's has everything pass through the log.
/// A sink that publishes or flushes from within its own answer waits for itself, until the attempt
/// times out. The last handle of a buffer ends the buffer's thread, and waits for the file work that
/// it has begun: drop it where waiting for a disk does no harm.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use forebay::{AsyncSink, Delivery, EventBuffer, Published, Publisher, SinkFuture};
///
/// /// Confirms whatever it is given.
/// struct Upstream;
///
/// impl AsyncSink<String> for Upstream {
///     fn accept<'a>(&'a self, delivery: &'a Delivery<String>) -> SinkFuture<'a> {
///         Box::pin(async move {
///             // Here a request with `delivery.id()`, and its answer.
///             Ok(())
///         })
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("events.buffer");
/// let buffer: EventBuffer<String> = EventBuffer::new(&path, 10_000)?;
/// let publisher = Publisher::new(Arc::new(buffer), Arc::new(Upstream));
/// let flushes = publisher.start();
///
/// assert_eq!(publisher.publish("login".to_owned()).await, Published::Delivered);
///
/// let left = flushes.shutdown(Duration::from_secs(5)).await?;
/// assert_eq!(left.buffered, 0);
/// # Ok::<(), forebay::Error>(())
/// # }).unwrap();
/// ```
pub struct Publisher<T, C = Bincode> {
    shared: Arc<Shared<T, C>>,
}

struct Shared<T, C> {
    buffer: Arc<EventBuffer<T, C>>,
    sink: Arc<dyn AsyncSink<T>>,
    options: PublisherOptions,
    keys: Keys,
    core: Arc<Core>,
}

impl<T, C> Clone for Publisher<T, C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T, C> fmt::Debug for Publisher<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("buffer", &self.shared.buffer)
            .field("stats", &self.shared.core.told.stats())
            .finish_non_exhaustive()
    }
}

impl<T, C> Publisher<T, C>
where
    T: Send + Sync + 'static,
    C: Codec<T> + Send + Sync + 'static,
{
    /// A publisher with the default options. Nothing is tried before it is used.
    pub fn new(buffer: Arc<EventBuffer<T, C>>, sink: Arc<dyn AsyncSink<T>>) -> Self {
        Self::with_options(buffer, sink, PublisherOptions::new())
    }

    /// The same with `options`.
    pub fn with_options(
        buffer: Arc<EventBuffer<T, C>>,
        sink: Arc<dyn AsyncSink<T>>,
        options: PublisherOptions,
    ) -> Self {
        let gate = Gate::new(sink.in_flight_max());
        let told = Told::new(options.listeners.clone());
        let core = Core::new(buffer.queue().clone(), gate, told);
        Self {
            shared: Arc::new(Shared {
                buffer,
                sink,
                options,
                keys: Keys::new(),
                core: Arc::new(core),
            }),
        }
    }

    /// Publishes an event: delivered, or buffered, or, where neither can be, lost and told.
    ///
    /// It never waits for a flush. It does wait for its turn where the sink takes fewer events at
    /// once than there are callers, and for the sink's answer, at most
    /// [`attempt_timeout`](PublisherOptions::attempt_timeout); then for the buffer.
    ///
    /// An event that the sink *rejects* will never be accepted, and would stand before all others for
    /// ever. With [`dead_letters`](PublisherOptions::dead_letters) it goes there, through the
    /// buffer. Without, it is [`Lost`](Published::Lost), told with the sink's reason, when it is
    /// published and likewise when a flush meets it.
    ///
    /// When the buffer does not serve any more (poisoned, closed) while events wait in it, nothing
    /// overtakes them: what is published is lost, and told, until the buffer is opened anew.
    ///
    /// # Durability
    ///
    /// After [`Published::Buffered`] as for [`Queue::enqueue`](crate::Queue::enqueue). A future that
    /// is dropped before it ended leaves its event delivered, buffered or neither; never both
    /// without one id.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with its timers enabled; and where the codec panics.
    pub async fn publish(&self, event: T) -> Published {
        trace::publishing(self.shared.deliver(event)).await
    }

    /// Delivers what waits in the buffer, in order, until there is none or the sink refuses; returns
    /// how many events were delivered. One flush runs at a time: others wait for it, and then have
    /// what is left.
    ///
    /// A refusal is not an error: the event stays first. It asks the sink also while the loop waits,
    /// or has been told to stop. Dropping the future loses nothing; the event in flight comes again.
    ///
    /// # Errors
    ///
    /// As for [`EventBuffer::drain_and_send`]: where the buffer fails, and where its first event
    /// cannot be decoded ([`ErrorKind::Decode`]; [`EventBuffer::skip`] gives that one up).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with its timers enabled.
    pub async fn flush_pending(&self) -> Result<usize> {
        let flushed = trace::flushing(self.shared.flush(None)).await;
        // The loop may be waiting for what is settled now.
        self.shared.core.poke();
        flushed
    }

    /// How many events wait in the buffer.
    ///
    /// # Errors
    ///
    /// As for [`EventBuffer::len`].
    pub fn buffered_len(&self) -> Result<usize> {
        self.shared.buffer.len()
    }

    /// Has the flush loop try now, also after [`Refusal::Stop`]: what stood in the way was seen to.
    pub fn resume(&self) {
        self.shared.core.clear();
    }

    /// What the publisher did since it was made.
    #[must_use]
    pub fn stats(&self) -> PublisherStats {
        self.shared.core.told.stats()
    }

    /// The buffer.
    #[must_use]
    pub fn buffer(&self) -> &EventBuffer<T, C> {
        &self.shared.buffer
    }

    /// Starts the loop that flushes: at once what is left of the life before, then whenever an event
    /// has gone into the buffer, after a pause where the sink refused, and as soon as the sink says
    /// that the other side is back ([`AsyncSink::reconnected`]). It polls nothing. After
    /// [`Refusal::Stop`] it waits for [`resume`](Self::resume) or a
    /// [`flush_pending`](Self::flush_pending) that succeeds. A sink that panics is told of and tried
    /// again like one that refuses.
    ///
    /// One loop is enough.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(&self) -> FlushLoop {
        FlushLoop::start(Arc::clone(&self.shared))
    }
}
