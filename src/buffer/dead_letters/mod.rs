//! Events that a sink will not accept, kept aside so that the others can go on.

mod letter;
mod parking;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

pub use letter::DeadLetter;
pub use parking::SendOptions;

use super::event_buffer::EventBuffer;
use crate::consumer::{Consumer, ConsumerOptions, Record};
use crate::error::{Error, ErrorKind, Result};
use crate::position::{QueueId, RecordId, Sequence};
use crate::queue::{Entry, Queue, QueueOptions};

/// A letter is somewhat larger than its event, so the limit is the largest there is.
const LETTER_BYTES_MAX: u32 = u32::MAX - 64 * 1024;
/// How many letters are looked at together.
const BATCH: usize = 64;

/// A queue of events that were given up, with the reason: the poison that would hold up all others.
///
/// Give it to [`SendOptions::dead_letters`](crate::SendOptions::dead_letters). Clones are handles
/// to the same letters. One process has them open at a time, and one folder can serve several
/// buffers of that process.
///
/// # Examples
///
/// ```
/// use std::ops::ControlFlow;
/// use forebay::{DeadLetters, Delivery, EventBuffer, SendOptions, SinkError};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let (path, letters_path) = (folder.path().join("buffer"), folder.path().join("dead"));
/// let buffer: EventBuffer<String> = EventBuffer::new(&path, 100)?;
/// let letters = DeadLetters::open(&letters_path)?;
/// ["good", "poison", "good"].iter().try_for_each(|event| buffer.enqueue(&event.to_string()))?;
///
/// let options = SendOptions::new().dead_letters(&letters);
/// let mut upstream = |delivery: &Delivery<String>| match delivery.event.as_str() {
///     "poison" => Err(SinkError::reject("no such field")),
///     _ => Ok(()),
/// };
/// let sent = buffer.drain_with(&mut upstream, &options)?;
/// assert_eq!((sent.accepted, sent.parked), (2, 1));
///
/// letters.visit(|letter| {
///     assert_eq!(letter.reason, "no such field");
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(letters.replay(&buffer)?, 1);
/// assert_eq!((letters.len()?, buffer.len()?), (0, 1));
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeadLetters {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    consumer: Mutex<Consumer>,
    queue: Queue,
    /// For each buffer the event that was refused last, and how often in a row.
    refused: Mutex<HashMap<QueueId, (RecordId, u32)>>,
}

impl DeadLetters {
    /// The consumer whose place is the oldest letter that is still there. A queue that has one of
    /// this name is one of dead letters.
    pub const CONSUMER: &str = "dead letters";

    /// Opens the letters in the directory `path`, or makes it there.
    ///
    /// # Durability
    ///
    /// # Errors
    ///
    /// Both as for [`QueueOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::with_options(path, QueueOptions::new().max_record_bytes(LETTER_BYTES_MAX))
    }

    /// The same with `options`: a limit, for example. Where letters have no room, the event that
    /// would be one stays first in its buffer, and the drain fails. A letter takes up to 4200 bytes
    /// more than its event.
    ///
    /// # Errors
    ///
    /// As for [`QueueOptions::open`].
    pub fn with_options(path: impl AsRef<Path>, options: QueueOptions) -> Result<Self> {
        let queue = options.open(path)?;
        // To list them all, all are out for a moment.
        let all = ConsumerOptions::new().window_records(usize::MAX);
        let consumer = queue.consumer_with(Self::CONSUMER, &all)?;
        Ok(Self {
            shared: Arc::new(Shared {
                consumer: Mutex::new(consumer),
                queue,
                refused: Mutex::default(),
            }),
        })
    }

    /// How many letters there are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Poisoned`] or [`ErrorKind::Closed`].
    pub fn len(&self) -> Result<usize> {
        let queue = &self.shared.queue;
        queue.check()?;
        Ok(usize::try_from(queue.len()).unwrap_or(usize::MAX))
    }

    /// Whether there are none.
    ///
    /// # Errors
    ///
    /// As for [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The queue underneath, for its numbers.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    /// Shows `visitor` the letters, the oldest first, until it breaks off. They stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] while another call looks at the letters, the visitor's own included;
    /// [`ErrorKind::Decode`], naming the sequence, for one of another version; otherwise as for
    /// [`Consumer::peek`].
    pub fn visit(&self, mut visitor: impl FnMut(DeadLetter) -> ControlFlow<()>) -> Result<()> {
        let mut consumer = self.consumer()?;
        loop {
            let batch = consumer.next_batch(BATCH)?;
            if batch.is_empty() {
                return Ok(());
            }
            for record in batch.iter() {
                if visitor(DeadLetter::of_record(&record)?).is_break() {
                    return Ok(());
                }
            }
        }
    }

    /// Puts the letters' events back into `buffer`, behind what waits there, in the order in which
    /// they were parked; returns how many. Each letter is removed once its event is durable in the
    /// buffer.
    ///
    /// An event comes back as a new record with a key of its own, so that the other side can tell
    /// it from the one that it refused. One that was given up after attempts without an answer, and
    /// had arrived after all, is stored by the other side once more. A replay that is cut off and done again puts back no event
    /// twice, as long as no more than [`once_window`](QueueOptions::once_window) records came to
    /// the buffer in between.
    ///
    /// # Durability
    ///
    /// An event survives power loss in the buffer before its letter goes.
    ///
    /// # Errors
    ///
    /// As for [`visit`](Self::visit) and [`Queue::enqueue_once`], with the letters from the one
    /// that failed on still there.
    pub fn replay<T, C>(&self, buffer: &EventBuffer<T, C>) -> Result<usize> {
        self.replay_into(&buffer.queue)
    }

    /// The same, into the queue under a buffer: for who does not know the type of its events. They
    /// are put back byte for byte. The buffer's capacity applies once it is opened.
    ///
    /// # Durability
    ///
    /// # Errors
    ///
    /// Both as for [`replay`](Self::replay).
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let (path, letters_path) = (folder.path().join("buffer"), folder.path().join("dead"));
    /// # forebay::Queue::open(&path)?.close()?;
    /// let queue = forebay::Queue::options().open_existing().open(&path)?;
    /// let letters = forebay::DeadLetters::open(&letters_path)?;
    /// assert_eq!(letters.replay_into(&queue)?, 0);
    /// # Ok::<(), forebay::Error>(())
    /// ```
    pub fn replay_into(&self, queue: &Queue) -> Result<usize> {
        let mut failure = None;
        let replayed = self
            .consumer()?
            .drain(|record| put_back(record, queue).map_err(|error| failure = Some(error)))?;
        failure.map_or(Ok(replayed), Err)
    }

    /// Removes the letters up to and including `sequence` for good.
    ///
    /// # Durability
    ///
    /// # Errors
    ///
    /// Both as for [`Consumer::ack_through`]; also [`ErrorKind::Busy`] as for
    /// [`visit`](Self::visit).
    pub fn discard_through(&self, sequence: Sequence) -> Result<()> {
        self.consumer()?.ack_through(sequence)
    }

    /// Removes all letters for good; returns how many. One that is parked meanwhile may stay.
    ///
    /// # Durability
    ///
    /// # Errors
    ///
    /// Both as for [`discard_through`](Self::discard_through).
    pub fn discard_all(&self) -> Result<usize> {
        self.consumer()?
            .drain(|_| Ok::<(), std::convert::Infallible>(()))
    }

    /// The consumer, at the oldest letter.
    fn consumer(&self) -> Result<MutexGuard<'_, Consumer>> {
        let mut consumer = self.shared.consumer.try_lock().ok_or_else(|| {
            let what = "another call looks at the dead letters";
            Error::new(ErrorKind::Busy, what)
        })?;
        consumer.rewind();
        Ok(consumer)
    }
}

fn put_back(record: &Record<'_>, queue: &Queue) -> Result<()> {
    let letter = DeadLetter::of_record(record)?;
    let key = key_of("forebay 2026 dead letter put back", record.id());
    let entry = Entry::from(&letter.payload).kind(letter.kind);
    let sequence = queue.enqueue_once(key, entry)?;
    make_durable(queue, sequence)
}

/// Whatever the queue's sync policy is: what it has is removed from elsewhere next.
fn make_durable(queue: &Queue, sequence: Sequence) -> Result<()> {
    if queue.durable() <= sequence {
        queue.sync()?;
    }
    Ok(())
}

/// A key that no other record has: the identity of a record is its own for ever, and of a hash of
/// 128 bits two are never met with the same value. `purpose` keeps it apart from keys for others.
fn key_of(purpose: &str, record: RecordId) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key(purpose);
    hasher.update(&record.queue.get());
    hasher.update(&record.epoch.get().to_le_bytes());
    hasher.update(&record.sequence.get().to_le_bytes());
    let hash = hasher.finalize();
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}
