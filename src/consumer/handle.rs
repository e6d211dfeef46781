//! The live handle of a consumer.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::record::{Batch, Record};
use super::registry::{Lease, Registry};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Gap, GapReason};
use crate::log::{Found, Log, LogReader, Place};
use crate::position::{Position, Sequence};
use crate::segment::Span;
use crate::sync::deadline_after;

/// A named reader of a queue, with a durable place of its own.
///
/// Records come in order, each again and again until it is acknowledged: at least once. Only
/// durable records are handed out; where written ones wait for a sync, reading syncs first. A
/// consumer has one live handle at a time.
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
    /// The records of the last `peek_batch`.
    pub(super) spans: Vec<Span>,
    pub(super) gaps: Vec<Gap>,
    /// Damage that the listener has heard of.
    pub(super) reported: Option<Range<Sequence>>,
    taken_back: Option<Range<Sequence>>,
    /// Keeps the queue open as long as the handle lives.
    _queue: Arc<dyn Debug + Send + Sync>,
}

/// Tells the floor how the record in flight ended, also when the sink panics.
struct InFlight<'a> {
    log: &'a Log,
    consumer: &'a str,
    sequence: Sequence,
    accepted: bool,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.accepted && self.log.floor().refuse_in_flight(self.consumer) {
            let gap = Gap::new(self.sequence..self.sequence.plus(1), GapReason::Dropped);
            self.log.tell(|listener| listener.dropped(&gap, 1));
        }
    }
}

impl Consumer {
    pub(crate) fn open(
        log: &Arc<Log>,
        registry: &Registry,
        name: &str,
        queue: Arc<dyn Debug + Send + Sync>,
    ) -> Result<Self> {
        log.check()?;
        let (lease, effective) = registry.take(log, name)?;
        let next = effective.place.sequence;
        let reader = LogReader::new(Arc::clone(log), next, effective.hint)?;
        let taken_back = effective.taken_back.map(|said| next..said);
        Ok(Self {
            log: Arc::clone(log),
            lease,
            reader,
            spans: Vec::new(),
            gaps: Vec::new(),
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

    /// The sequence of the next record to deliver.
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

    /// How many records are left to deliver: an upper bound, because some may turn out dropped.
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
        let span = self.front()?;
        Ok(span.map(|span| Record::new(&self.reader, &span)))
    }

    /// The next records, at most `max`, without moving on. There may be fewer than are waiting:
    /// a batch is what one read brought in. Empty when there is none yet.
    ///
    /// # Errors
    ///
    /// As for [`peek`](Self::peek), for the first record.
    pub fn peek_batch(&mut self, max: usize) -> Result<Batch<'_>> {
        self.spans.clear();
        if max > 0
            && let Some(first) = self.front()?
        {
            self.spans.push(first);
            let durable = self.log.durable();
            let mut offset = first.end;
            while self.spans.len() < max {
                let due = first
                    .header
                    .sequence
                    .plus(crate::format::wide(self.spans.len()));
                let found = self.reader.span_in_buffer(offset);
                // A record beyond this read, of the next segment, or damaged: the next call's.
                let Some(span) = found.filter(|_| due < durable && self.reader.is_fresh(due))
                else {
                    break;
                };
                offset = span.end;
                if span.header.flags.is_control() {
                    continue;
                }
                if span.header.sequence != due {
                    break;
                }
                self.spans.push(span);
            }
        }
        Ok(Batch {
            reader: &self.reader,
            spans: &self.spans,
        })
    }

    /// Acknowledges every record up to and including `sequence`: they are not delivered again.
    /// What was acknowledged before is passed over.
    ///
    /// # Durability
    ///
    /// The acknowledgement survives the process on return, and power loss about 100 ms later; a
    /// power cut before that delivers the records again. An error leaves it where it was.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfRange`] for a record that cannot have been delivered yet;
    /// [`ErrorKind::Io`], [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    pub fn ack_through(&mut self, sequence: Sequence) -> Result<()> {
        self.log.check()?;
        if sequence < self.reader.next() {
            return Ok(());
        }
        if sequence >= self.log.durable() {
            let what = format!(
                "cannot acknowledge {sequence}: records before {} have been delivered at most",
                self.log.durable()
            );
            return Err(Error::new(ErrorKind::OutOfRange, what));
        }
        let span = self
            .spans
            .iter()
            .find(|span| span.header.sequence == sequence)
            .copied();
        self.acknowledge(sequence.plus(1), span)
    }

    /// Hands records to `sink` in order, each acknowledged once it was accepted, until there is
    /// none or one is refused. The refused one stays and comes first the next time. No lock is
    /// held while the sink runs.
    ///
    /// # Durability
    ///
    /// As for [`ack_through`](Self::ack_through), per record.
    ///
    /// # Errors
    ///
    /// As for [`peek`](Self::peek). Records accepted before the error are acknowledged. A refusal
    /// is not an error: the count says how far it came.
    pub fn drain<E>(
        &mut self,
        mut sink: impl FnMut(&Record<'_>) -> std::result::Result<(), E>,
    ) -> Result<usize> {
        let mut accepted = 0;
        while let Some(span) = self.front()? {
            let sequence = span.header.sequence;
            if !self.log.floor().take_in_flight(&self.lease.name, sequence) {
                continue;
            }
            let mut in_flight = InFlight {
                log: &self.log,
                consumer: &self.lease.name,
                sequence,
                accepted: false,
            };
            if sink(&Record::new(&self.reader, &span)).is_err() {
                break;
            }
            in_flight.accepted = true;
            drop(in_flight);
            self.acknowledge(sequence.plus(1), Some(span))?;
            accepted += 1;
        }
        Ok(accepted)
    }

    /// Goes to `sequence`, back or forward. Going back delivers what is still there again, and
    /// keeps nothing from being deleted; going forward passes over what lies between.
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
        let (first, next) = (self.log.first(), self.log.next());
        if sequence < first || sequence > next {
            let what = format!("cannot go to {sequence}: the log holds {first}..{next}");
            return Err(Error::new(ErrorKind::OutOfRange, what));
        }
        let place = Place::new(sequence, None);
        self.lease.write(&self.log, place, None)?;
        self.reader.seek(sequence);
        self.spans.clear();
        self.log.floor().move_consumer(&self.lease.name, place);
        self.log.cursor_moved();
        Ok(())
    }

    /// Waits until there is a record to deliver; false when none came within `timeout`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Poisoned`] or [`ErrorKind::Closed`].
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        self.log
            .wait_written(self.reader.next(), deadline_after(timeout))
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
            Found::Record(_) | Found::End => Ok(None),
        }
    }

    /// The ranges that this consumer did not get, since this was last called: each is told once.
    pub fn take_gaps(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.gaps)
    }

    fn acknowledge(&mut self, next: Sequence, last: Option<Span>) -> Result<()> {
        let place = match last {
            Some(span) => self.reader.place_after(&span),
            None => None,
        };
        let log_bytes = place.map(|(_, log_bytes)| log_bytes);
        let position: Option<Position> = place.map(|(position, _)| position);
        let next_place = Place::new(next, log_bytes);
        self.lease.write(&self.log, next_place, position)?;
        match last {
            Some(span) => self.reader.pass(&span),
            None => self.reader.seek(next),
        }
        let delivered = self.log.floor().acknowledge(&self.lease.name, next_place);
        self.log.cursor_moved();
        self.log
            .tell(|listener| listener.delivered(&self.lease.name, delivered));
        Ok(())
    }
}
