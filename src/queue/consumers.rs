//! The face towards readers: consumers by name, and workers that drain them.

use std::sync::Arc;

use super::{Inner, Queue};
use crate::consumer::{Batch, Flow, HandlerError};
use crate::consumer::{Consumer, ConsumerOptions, Lag, Worker, WorkerOptions, lag_of};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;

impl Queue {
    /// The consumer `name`; a new one begins at the oldest record. A name has 1 to 244 bytes, no
    /// control character, none of `/ \ : * ? " < > |`, and does not begin with a dot.
    ///
    /// # Durability
    ///
    /// A new consumer survives power loss on return. From then on its records are kept for it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for the name; [`ErrorKind::Busy`] while another handle to it
    /// lives; [`ErrorKind::Corrupt`] when its cursor is damaged, or of another queue, or knows
    /// durable records that the log has lost; [`ErrorKind::Io`], [`ErrorKind::Poisoned`],
    /// [`ErrorKind::Closed`].
    pub fn consumer(&self, name: &str) -> Result<Consumer> {
        self.consumer_with(name, &ConsumerOptions::new())
    }

    /// The consumer `name`, made with `options` if it is new.
    ///
    /// # Durability
    ///
    /// As for [`consumer`](Self::consumer).
    ///
    /// # Errors
    ///
    /// As for [`consumer`](Self::consumer); [`ErrorKind::InvalidInput`] also where the consumer is
    /// bound to other kinds; [`ErrorKind::OutOfRange`] for a new one at a sequence that is not in
    /// the queue.
    pub fn consumer_with(&self, name: &str, options: &ConsumerOptions) -> Result<Consumer> {
        let keep: Arc<Inner> = Arc::clone(&self.inner);
        Consumer::open(&self.inner.log, &self.inner.registry, name, options, keep)
    }

    /// Removes the consumer `name` for good. Records that only it had not acknowledged may be
    /// deleted from now on. With no consumer left none is, and all that are still there wait for the
    /// next one. A consumer whose cursor is damaged can be removed, too.
    ///
    /// # Durability
    ///
    /// The consumer is gone for good on return. After an error it is there, or is gone when the
    /// queue is opened again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Busy`] while a handle to it lives; [`ErrorKind::Io`],
    /// [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    pub fn remove_consumer(&self, name: &str) -> Result<()> {
        self.inner.registry.remove(&self.inner.log, name)
    }

    /// How far the consumer `name` is behind, whether or not it has a live handle.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`], also where its cursor is damaged; [`ErrorKind::Io`],
    /// [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    pub fn lag(&self, name: &str) -> Result<Lag> {
        lag_of(&self.inner.log, name)
    }

    /// The names of all consumers, in order.
    #[must_use]
    pub fn consumers(&self) -> Vec<String> {
        self.inner.registry.names()
    }

    /// Drains the consumer `name` on a thread of its own: `handler` is given batches, and says how
    /// to go on.
    ///
    /// The consumer moves on only after [`Flow::Continue`] or [`Flow::Stop`]: what the handler did
    /// not answer for is handed to it again, in this process or after a restart. So it is called at
    /// least once for every record, in order, and never for two batches at a time.
    ///
    /// # Durability
    ///
    /// Each batch is acknowledged as by [`ack_through`](Consumer::ack_through), before the next one.
    ///
    /// # Errors
    ///
    /// As for [`consumer_with`](Self::consumer_with), before the handler is called;
    /// [`ErrorKind::Io`] when no thread can be started. What comes up later
    /// is the result of [`Worker::join`].
    ///
    /// # Examples
    ///
    /// ```
    /// use forebay::{Flow, WorkerOptions};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let queue = forebay::Queue::open(folder.path().join("queue"))?;
    /// queue.enqueue(b"hello")?;
    /// let worker = queue.worker("mailer", WorkerOptions::new(), |batch| {
    ///     for record in batch.iter() {
    ///         println!("{}", String::from_utf8_lossy(record.payload));
    ///     }
    ///     Ok(Flow::Stop)
    /// })?;
    /// let exit = worker.join()?;
    /// assert_eq!(exit.handled, 1);
    /// # Ok::<(), forebay::Error>(())
    /// ```
    pub fn worker<H>(&self, name: &str, options: WorkerOptions, handler: H) -> Result<Worker>
    where
        H: FnMut(&Batch<'_>) -> std::result::Result<Flow, HandlerError> + Send + 'static,
    {
        let consumer = self.consumer_with(name, &options.consumer)?;
        Worker::start(consumer, options, handler)
    }
}
