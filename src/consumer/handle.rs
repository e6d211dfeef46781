//! The live handle of a consumer.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lag::{Lag, lag_at};
use super::options::{ConsumerOptions, Filter};
use super::record::{Batch, Record};
use super::registry::{Lease, Registry};
use super::window::Window;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Gap;
use crate::log::{Found, Log, LogReader, Place};
use crate::position::Sequence;
use crate::segment::Span;
use crate::sync::deadline_after;

/// A named reader of a queue, with a durable place of its own.
///
/// Records come in order, each again and again until it is acknowledged: at least once. Only
/// durable records are handed out; where written ones wait for a sync, reading syncs first. A
/// consumer has one live handle at a time.
///
/// There is no call to refuse one record: what is not acknowledged stays, and holds the cursor.
/// [`rewind`](Consumer::rewind) hands out again all that is out and not acknowledged; a record that
/// can never be taken is put elsewhere and then acknowledged.
///
/// # Examples
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let queue = forebay::Queue::open(folder.path().join("queue"))?;
/// queue.enqueue(b"first")?;
/// queue.enqueue(b"second")?;
///
/// let mut consumer = queue.consumer("shipper")?;
/// while let Some(record) = consumer.peek()? {
///     println!("{}: {} bytes", record.sequence, record.payload.len());
///     let done = record.sequence;
///     consumer.ack_through(done)?;
/// }
/// assert!(consumer.is_empty()?);
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Debug)]
pub struct Consumer {
    pub(super) log: Arc<Log>,
    pub(super) lease: Lease,
    pub(super) reader: LogReader,
    /// What the cursor says: everything before it is acknowledged.
    pub(super) cursor: Sequence,
    pub(super) filter: Filter,
    /// What is out, and how much may be.
    pub(super) window: Window,
    pub(super) window_records: usize,
    /// The records that were looked at last.
    pub(super) spans: Vec<Span>,
    pub(super) gaps: Vec<Gap>,
    /// Damage that the listener has heard of.
    pub(super) reported: Option<Range<Sequence>>,
    taken_back: Option<Range<Sequence>>,
    /// Keeps the queue open as long as the handle lives.
    _queue: Arc<dyn Debug + Send + Sync>,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // Nobody was told of these yet.
        self.lease.keep_gaps(std::mem::take(&mut self.gaps));
    }
}

impl Consumer {
    pub(crate) fn open(
        log: &Arc<Log>,
        registry: &Registry,
        name: &str,
        options: &ConsumerOptions,
        queue: Arc<dyn Debug + Send + Sync>,
    ) -> Result<Self> {
        log.check()?;
        let (lease, effective) = registry.take(log, name, options)?;
        let next = effective.place.sequence;
        let reader = LogReader::new(Arc::clone(log), next, effective.hint)?;
        let taken_back = effective.taken_back.map(|said| next..said);
        Ok(Self {
            log: Arc::clone(log),
            reader,
            cursor: next,
            filter: options.filter.clone(),
            window: Window::default(),
            window_records: options.window_records,
            spans: Vec::new(),
            gaps: lease.take_gaps(),
            lease,
            reported: None,
            taken_back,
            _queue: queue,
        })
    }

    /// The consumer's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.lease.name
    }

    /// The sequence of the next record to hand out, or one before it that the consumer is not given.
    #[must_use]
    pub fn next_sequence(&self) -> Sequence {
        self.reader.next()
    }

    /// The records that were acknowledged and lost with the end of the log in a crash: their
    /// sequences name other records now, which are delivered.
    #[must_use]
    pub fn taken_back(&self) -> Option<Range<Sequence>> {
        self.taken_back.clone()
    }

    /// How many records are left to hand out: an upper bound, because some may turn out dropped, or
    /// of a kind that the consumer is not given.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Poisoned`] or [`ErrorKind::Closed`].
    pub fn len(&self) -> Result<u64> {
        self.log.check()?;
        let from = self
            .reader
            .next()
            .max(self.log.floor().dropped_to().sequence);
        Ok(self.log.next().since(from))
    }

    /// Whether nothing is left to deliver.
    ///
    /// # Errors
    ///
    /// As for [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// How far the consumer is behind: what it has not acknowledged.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`], [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    pub fn lag(&self) -> Result<Lag> {
        self.log.check()?;
        let place = self.log.floor().consumer(&self.lease.name);
        let known = place.filter(|place| place.sequence == self.cursor);
        lag_at(&self.log, known.unwrap_or(Place::new(self.cursor, None)))
    }

    /// The next record, without moving on. `None` when there is none yet.
    ///
    /// # Durability
    ///
    /// The record survives power loss: it is never one that could come back as another.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] where records that had been durable cannot be read, each time until
    /// [`skip_corrupt`](Self::skip_corrupt); [`ErrorKind::Io`], [`ErrorKind::Poisoned`],
    /// [`ErrorKind::Closed`].
    pub fn peek(&mut self) -> Result<Option<Record<'_>>> {
        let front = self.front()?;
        self.spans.clear();
        self.spans.extend(front);
        let span = self.spans.first();
        Ok(span.map(|span| Record::new(self.reader.here(), span)))
    }

    /// The next records, at most `max`, without moving on. There may be fewer than are waiting:
    /// a batch is what one read brought in. Empty when there is none yet.
    ///
    /// # Errors
    ///
    /// As for [`peek`](Self::peek), for the first record.
    pub fn peek_batch(&mut self, max: usize) -> Result<Batch<'_>> {
        self.fill_batch(max)?;
        Ok(Batch {
            source: self.reader.here(),
            spans: &self.spans,
        })
    }

    /// Looks at the next records, at most `max`, that one read brought in.
    pub(super) fn fill_batch(&mut self, max: usize) -> Result<()> {
        self.spans.clear();
        if max == 0 {
            return Ok(());
        }
        let Some(first) = self.front()? else {
            return Ok(());
        };
        self.spans.push(first);
        let durable = self.log.durable();
        let (mut due, mut offset) = (first.header.sequence.plus(1), first.end);
        while self.spans.len() < max && due < durable && self.reader.is_fresh(due) {
            // A record beyond this read, of the next segment, or damaged: the next call's.
            let Some(span) = self.reader.span_in_buffer(offset) else {
                break;
            };
            offset = span.end;
            if span.header.flags.is_control() {
                continue;
            }
            if span.header.sequence != due {
                break;
            }
            due = due.plus(1);
            if self.is_due(&span) {
                self.spans.push(span);
            }
        }
        Ok(())
    }

    /// Goes to `sequence`, back or forward. Going back delivers what is still there again, and
    /// keeps nothing from being deleted until the queue is opened again: then it holds its place
    /// like any other. Going forward passes over what lies between. What was out is not any more.
    ///
    /// # Durability
    ///
    /// As for [`ack_through`](Self::ack_through).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfRange`] outside of the records that can be read and the next one;
    /// otherwise as for [`ack_through`](Self::ack_through).
    pub fn seek(&mut self, sequence: Sequence) -> Result<()> {
        self.log.check()?;
        let (first, next) = (self.log.first(), self.log.next_written());
        if sequence < first || sequence > next {
            let what = format!("cannot go to {sequence}: the log holds {first}..{next}");
            return Err(Error::new(ErrorKind::OutOfRange, what));
        }
        let place = Place::new(sequence, None);
        self.write_cursor(place, None)?;
        self.reader.seek(sequence);
        self.spans.clear();
        self.window.clear();
        self.log.floor().move_consumer(&self.lease.name, place);
        self.log.cursor_moved();
        Ok(())
    }

    /// Waits until there is a record to hand out; false when none came within `timeout`. For a
    /// consumer of some kinds it may turn out to be of another; and where all is out that may be,
    /// it can be handed out only after an acknowledgement.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Poisoned`] or [`ErrorKind::Closed`].
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        self.wait_unless(deadline_after(timeout), || false)
    }

    /// The same, and also until `give_up`, which is asked again after a nudge.
    pub(super) fn wait_unless(
        &mut self,
        deadline: Option<Instant>,
        give_up: impl Fn() -> bool,
    ) -> Result<bool> {
        self.log.wait_written(self.reader.next(), deadline, give_up)
    }

    /// Passes over the damage that [`peek`](Self::peek) reports, and tells what was given up;
    /// `None` when there is no damage here. The damaged bytes are copied to `quarantine`.
    ///
    /// # Errors
    ///
    /// As for [`ack_through`](Self::ack_through).
    pub fn skip_corrupt(&mut self) -> Result<Option<Gap>> {
        let limit = self.readable()?;
        match self.reader.peek(limit)? {
            Found::Damage(corruption) if self.log.first() > corruption.range.start => Ok(None),
            Found::Damage(corruption) => self.skip_damage(&corruption).map(Some),
            Found::Record(_) | Found::Gone(_) | Found::End => Ok(None),
        }
    }

    /// The ranges that this consumer did not get, since this was last called: each is told once, but
    /// damage behind a record that is out again where that is read again, after
    /// [`rewind`](Self::rewind) or by the next handle.
    pub fn take_gaps(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.gaps)
    }
}
