//! Acknowledging: one after the other, many at once, or in any order within a window.

use super::Consumer;
use super::record::{Batch, Record};
use super::window::Standing;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Gap, GapReason};
use crate::format::wide;
use crate::log::{Log, Place};
use crate::position::{Position, Sequence};
use crate::segment::Span;

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
    /// Hands out the next records, at most `max`, and moves on: the next call hands out what
    /// follows them. They stay unacknowledged until [`ack`](Self::ack) or
    /// [`ack_through`](Self::ack_through), and come again after [`rewind`](Self::rewind), or to the
    /// next handle. Empty when there is none yet, or when
    /// [`window_records`](super::ConsumerOptions::window_records) are out. What the queue gives up at
    /// capacity or for its age while it is out is told as a gap, and counts as dropped.
    ///
    /// # Errors
    ///
    /// As for [`peek`](Self::peek), for the first record.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let queue = forebay::Queue::open(folder.path().join("queue"))?;
    /// let range = queue.enqueue_batch(["a", "b", "c"])?;
    /// let mut consumer = queue.consumer("workers")?;
    /// assert_eq!(consumer.next_batch(2)?.len(), 2);
    /// assert_eq!(consumer.next_batch(2)?.len(), 1);
    ///
    /// // The second is done first: the cursor waits for the first.
    /// consumer.ack(range.start.plus(1))?;
    /// assert_eq!(consumer.lag()?.records, 3);
    /// consumer.ack(range.start)?;
    /// assert_eq!(consumer.lag()?.records, 1);
    /// # Ok::<(), forebay::Error>(())
    /// ```
    pub fn next_batch(&mut self, max: usize) -> Result<Batch<'_>> {
        self.fill_batch(max)?;
        let mut room = self.window_records.saturating_sub(self.window.len());
        let mut count = 0;
        for span in &self.spans {
            let sequence = span.header.sequence;
            if !self.window.contains(sequence) {
                let Some(left) = room.checked_sub(1) else {
                    break;
                };
                room = left;
            }
            let standing = self.reader.standing_at(span.offset);
            self.window.hand_out(sequence, span.header.time, standing);
            count += 1;
        }
        self.spans.truncate(count);
        if let Some(last) = self.spans.last() {
            self.reader.pass(last);
        }
        Ok(Batch {
            source: self.reader.here(),
            spans: &self.spans,
        })
    }

    /// Hands out again, from the lowest on, what is out and not acknowledged.
    pub fn rewind(&mut self) {
        if let Some((sequence, _)) = self.window.run().frontier {
            self.reader.seek(sequence);
            self.spans.clear();
        }
    }

    /// Acknowledges one record that [`next_batch`](Self::next_batch) has handed out, whatever is
    /// before it. The cursor moves to the lowest record that is out and not acknowledged.
    ///
    /// # Durability
    ///
    /// As for [`ack_through`](Self::ack_through), once every record before it is acknowledged. Until
    /// then it is known to this handle alone: the next one gets the record again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfRange`] for a record that was not handed out yet; [`ErrorKind::Io`],
    /// [`ErrorKind::Full`], [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    pub fn ack(&mut self, sequence: Sequence) -> Result<()> {
        self.log.check()?;
        if sequence >= self.reader.next() && !self.window.contains(sequence) {
            let next = self.reader.next();
            let what =
                format!("cannot acknowledge {sequence}: handed out was what is before {next}");
            return Err(Error::new(ErrorKind::OutOfRange, what));
        }
        self.window.acknowledge(sequence);
        self.settle(self.cursor)
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
    /// [`ErrorKind::Io`], [`ErrorKind::Full`], [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    pub fn ack_through(&mut self, sequence: Sequence) -> Result<()> {
        self.log.check()?;
        if sequence < self.cursor {
            return Ok(());
        }
        if sequence >= self.log.durable() {
            let what = format!(
                "cannot acknowledge {sequence}: records before {} have been delivered at most",
                self.log.durable()
            );
            return Err(Error::new(ErrorKind::OutOfRange, what));
        }
        self.window.acknowledge_through(sequence);
        self.settle(sequence.plus(1))
    }

    /// Hands records to `sink` in order, each acknowledged once it was accepted, until there is
    /// none or one is refused. The refused one stays and comes first the next time. Its reason is not
    /// kept: a sink that needs it notes it; of a buffer,
    /// [`EventBuffer::drain_to`](crate::EventBuffer::drain_to) returns it. No lock is
    /// held while the sink runs. What [`next_batch`](Self::next_batch) has out comes again.
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
        self.rewind();
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
            if sink(&Record::new(self.reader.here(), &span)).is_err() {
                break;
            }
            in_flight.accepted = true;
            drop(in_flight);
            self.spans.clear();
            self.spans.push(span);
            self.window.acknowledge(sequence);
            self.settle(sequence.plus(1))?;
            accepted += 1;
        }
        Ok(accepted)
    }

    /// Moves the cursor to the frontier: the first record that is out, else what follows `done` and
    /// everything that was handed out or passed over.
    fn settle(&mut self, done: Sequence) -> Result<()> {
        let run = self.window.run();
        let (peeked, last) = self.peeked_below(done);
        let (next, standing) = run.frontier.unwrap_or_else(|| {
            let next = done.max(self.window.end()).max(self.reader.next());
            (next, self.standing_of(next, last))
        });
        if next <= self.cursor {
            return Ok(());
        }
        let place = Place::new(next, standing.map(|(_, log_bytes)| log_bytes));
        if let Err(error) = self.write_cursor(place, standing.map(|(position, _)| position)) {
            self.window.refuse_below(next);
            return Err(error);
        }
        if self.reader.next() < next {
            match last {
                Some(last) if last.header.sequence.plus(1) == next => self.reader.pass(&last),
                Some(_) | None => self.reader.seek(next),
            }
        }
        self.window.forget_below(next);
        let name = &self.lease.name;
        let handed = run.records.saturating_add(peeked);
        let delivered = self.log.floor().acknowledge(name, place, handed);
        self.log.cursor_moved();
        self.log
            .tell(|listener| listener.delivered(name, delivered));
        Ok(())
    }

    /// How many records below `done` were looked at and not handed out, and the last of them.
    fn peeked_below(&self, done: Sequence) -> (u64, Option<Span>) {
        let next = self.reader.next().max(self.window.end());
        let before = |sequence: Sequence| {
            self.spans
                .partition_point(|span| span.header.sequence < sequence)
        };
        let peeked = self
            .spans
            .get(before(next)..before(done))
            .unwrap_or_default();
        match peeked.last() {
            Some(last) if last.header.sequence.plus(1) == done => (wide(peeked.len()), Some(*last)),
            // Nobody knows what the caller has seen of these.
            Some(_) | None => (done.since(next), None),
        }
    }

    /// Where `next` stands, if that is known without a look.
    fn standing_of(&self, next: Sequence, last: Option<Span>) -> Standing {
        if next == self.reader.next() {
            return self.reader.standing();
        }
        let last = last.filter(|last| last.header.sequence.plus(1) == next)?;
        self.reader.standing_at(last.end)
    }

    /// Fails unless what was acknowledged last is where the next open looks for it.
    pub(super) fn confirm(&self) -> Result<()> {
        self.lease.confirm(&self.log)
    }

    /// Writes the cursor.
    pub(super) fn write_cursor(&mut self, next: Place, position: Option<Position>) -> Result<()> {
        self.lease.write(&self.log, next, position)?;
        self.cursor = next.sequence;
        Ok(())
    }
}
