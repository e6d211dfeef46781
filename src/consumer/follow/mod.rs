//! Following a queue from outside: without its lock, without a place of its own in it, and without
//! ever writing.

mod place;
mod reading;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use place::Reading;

use super::options::Start;
use super::record::{Batch, Record};
use crate::error::{Result, Unreadable};
use crate::event::Gap;
use crate::format::wide;
use crate::position::Sequence;
use crate::segment::Span;
use crate::storage::{Directory, DiskDirectory, Lenient};
use crate::sync::{deadline_after, is_past, now, pause};

/// How long a waiting follower does nothing: at first, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// Reads a queue's records in order while its writer runs, or when none runs, from this process or
/// another one.
///
/// A follower takes no lock and creates, writes and truncates nothing, so there may be any number
/// of them, and the writer does not notice. In return it has no place in the queue: what it has
/// read is not kept for it. Records that are deleted before it comes to them it reports as a
/// [`Gap`]; where it was it has to remember by itself, by [`next_sequence`](Self::next_sequence).
///
/// Only durable records are handed out, each checked against its checksums, and always the same
/// ones: what a crash takes back no follower has seen. Records that were given up at capacity are
/// read as long as the segment that holds them is there.
///
/// # Cost
///
/// Whoever waits looks at one small file (an open, a read of 8 KiB) every millisecond at first and
/// every 20 ms in the end: well under one per cent of a core. A record is seen within 100 ms of its
/// acknowledgement. Reading costs as much as a consumer's. To open one of a queue that was not
/// closed reads the newest segment once: frames in it may prove more durable than that file does.
///
/// # Examples
///
/// ```
/// use forebay::{Follower, Queue};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("queue");
/// let queue = Queue::open(&path)?;
/// queue.enqueue(b"seen by many")?;
///
/// // As well in another process.
/// let mut follower = Follower::open(&path)?;
/// for record in follower.next_batch(100)?.iter() {
///     println!("{}: {} bytes", record.sequence, record.payload.len());
/// }
/// assert_eq!(follower.lag()?, 0);
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Debug)]
pub struct Follower {
    reading: Reading,
    /// What is read through, where bytes that cannot be read are forgiven.
    forgiving: Option<Arc<Lenient<Arc<dyn Directory>>>>,
    /// The records of the last batch.
    spans: Vec<Span>,
}

impl Follower {
    /// Follows the queue in the directory `path` from its oldest record on.
    ///
    /// A network file system is fine: nothing but reading is asked of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] where no queue is yet: try again later;
    /// [`ErrorKind::Foreign`] where something else is;
    /// [`ErrorKind::UnsupportedVersion`] for a later format; [`ErrorKind::Corrupt`] where the
    /// identity or the state of the queue cannot be read; [`ErrorKind::Io`].
    ///
    /// [`ErrorKind::NotFound`]: crate::ErrorKind::NotFound
    /// [`ErrorKind::Foreign`]: crate::ErrorKind::Foreign
    /// [`ErrorKind::UnsupportedVersion`]: crate::ErrorKind::UnsupportedVersion
    /// [`ErrorKind::Corrupt`]: crate::ErrorKind::Corrupt
    /// [`ErrorKind::Io`]: crate::ErrorKind::Io
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_from(path, Start::First)
    }

    /// Follows the queue in the directory `path` from `start` on.
    ///
    /// A start before the oldest record is a gap, told by [`take_gaps`](Self::take_gaps).
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), and [`ErrorKind::OutOfRange`](crate::ErrorKind::OutOfRange)
    /// for a record further on than the next one.
    pub fn open_from(path: impl AsRef<Path>, start: Start) -> Result<Self> {
        Self::open_in(Arc::new(DiskDirectory::open(path.as_ref())?), start)
    }

    /// Follows the queue in the directory `path` from `start` on, and takes bytes that the system
    /// does not give back for damaged ones: [`next`](Self::next) answers
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) where they hide records, and
    /// [`skip_corrupt`](Self::skip_corrupt) passes over them. For a last look at a failing disk:
    /// where reading has failed once, it is not tried again.
    ///
    /// # Errors
    ///
    /// As for [`open_from`](Self::open_from).
    pub fn open_forgiving(path: impl AsRef<Path>, start: Start) -> Result<Self> {
        Self::forgiving_in(Arc::new(DiskDirectory::open(path.as_ref())?), start)
    }

    /// The same in any storage.
    ///
    /// # Errors
    ///
    /// As for [`open_forgiving`](Self::open_forgiving).
    #[cfg(feature = "test-support")]
    pub fn open_forgiving_on(directory: Arc<dyn Directory>, start: Start) -> Result<Self> {
        Self::forgiving_in(directory, start)
    }

    fn forgiving_in(directory: Arc<dyn Directory>, start: Start) -> Result<Self> {
        let lenient = Arc::new(Lenient::over(directory));
        let follower = Self::open_in(Arc::<Lenient<_>>::clone(&lenient), start)?;
        Ok(Self {
            forgiving: Some(lenient),
            ..follower
        })
    }

    /// What of the queue could not be read so far; nothing unless it was opened to
    /// [forgive that](Self::open_forgiving).
    #[must_use]
    pub fn unreadable(&self) -> Vec<Unreadable> {
        let noted = self.forgiving.as_ref().map(|lenient| lenient.noted());
        noted.unwrap_or_default()
    }

    /// Follows the queue in any storage.
    ///
    /// # Errors
    ///
    /// As for [`open_from`](Self::open_from).
    #[cfg(feature = "test-support")]
    pub fn open_on(directory: Arc<dyn Directory>, start: Start) -> Result<Self> {
        Self::open_in(directory, start)
    }

    fn open_in(directory: Arc<dyn Directory>, start: Start) -> Result<Self> {
        Ok(Self {
            reading: Reading::open(directory, start)?,
            forgiving: None,
            spans: Vec::new(),
        })
    }

    /// The next record, and moves on. `None` when there is none yet.
    ///
    /// # Durability
    ///
    /// The record survives power loss: no crash of the writer gives its sequence to another one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) where records that had been durable
    /// cannot be read, each time until [`skip_corrupt`](Self::skip_corrupt);
    /// [`ErrorKind::OutOfRange`](crate::ErrorKind::OutOfRange), each time, when an older copy of
    /// the queue, or another queue, was put in its place;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io), and the next call tries again. Nothing is passed
    /// over then.
    #[expect(
        clippy::should_implement_trait,
        reason = "the record is borrowed from the follower, which an iterator cannot do"
    )]
    pub fn next(&mut self) -> Result<Option<Record<'_>>> {
        let batch = self.next_batch(1)?;
        Ok(batch.get(0))
    }

    /// The next records, at most `max`, and moves on. There may be fewer than are waiting: a batch
    /// is what one read brought in. Empty when there is none yet.
    ///
    /// # Durability
    ///
    /// As for [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next), for the first record.
    pub fn next_batch(&mut self, max: usize) -> Result<Batch<'_>> {
        self.spans.clear();
        if max > 0
            && let Some(first) = self.reading.front()?
        {
            self.spans.push(first);
            let mut offset = first.end;
            while self.spans.len() < max {
                let due = first.header.sequence.plus(wide(self.spans.len()));
                let Some(span) = self.reading.span_in_buffer(offset, due) else {
                    break;
                };
                offset = span.end;
                if !span.header.flags.is_control() {
                    self.spans.push(span);
                }
            }
            if let Some(last) = self.spans.last() {
                self.reading.pass(last);
            }
        }
        Ok(Batch {
            source: self.reading.here(),
            spans: &self.spans,
        })
    }

    /// Waits until there is a new durable record; false when none came within `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next), damaged records excepted.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        let deadline = deadline_after(timeout);
        let mut doze = PAUSE_MIN;
        loop {
            if self.reading.is_behind()? {
                return Ok(true);
            }
            if is_past(deadline) {
                return Ok(false);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now()));
            pause(left.map_or(doze, |left| left.min(doze)));
            doze = doze.saturating_mul(2).min(PAUSE_MAX);
        }
    }

    /// The sequence of the next record to hand out: what to remember, and to begin
    /// [at](Start::At) the next time.
    #[must_use]
    pub fn next_sequence(&self) -> Sequence {
        self.reading.next()
    }

    /// How far the queue is durable now: every lower sequence survives power loss.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    pub fn durable(&mut self) -> Result<Sequence> {
        self.reading.look()?;
        Ok(self.reading.durable())
    }

    /// How many durable records are left to hand out, those that turn out deleted among them.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    pub fn lag(&mut self) -> Result<u64> {
        Ok(self.durable()?.since(self.next_sequence()))
    }

    /// Passes over the damage that [`next`](Self::next) reports, and tells what was given up;
    /// `None` when there is no damage here. Nothing in the queue is changed by that.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    pub fn skip_corrupt(&mut self) -> Result<Option<Gap>> {
        let Err(error) = self.reading.front() else {
            return Ok(None);
        };
        match error.corruption() {
            Some(corruption) => self.reading.skip(&corruption.range).map(Some),
            None => Err(error),
        }
    }

    /// The ranges that this follower did not get, since this was last called: each is told once.
    pub fn take_gaps(&mut self) -> Vec<Gap> {
        self.reading.take_gaps()
    }
}
