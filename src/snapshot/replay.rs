//! A state and the records after it.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::judge::{Verdict, judge, path_of};
use super::store::Shared;
use crate::consumer::Record;
use crate::error::{Corruption, Error, ErrorKind, Result};
use crate::log::{Found, Log, LogReader};
use crate::position::{Offset, Sequence};
use crate::segment::Span;
use crate::sync::now;

/// What recovering a state found and read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// What the snapshot covers that was used; `None` when there was none to use.
    pub snapshot: Option<Sequence>,
    /// Why a snapshot that is there was not used. It is moved to `quarantine` when the next one is
    /// published.
    pub unusable: Option<Error>,
    /// The records read from the log, half open.
    pub read: Range<Sequence>,
    /// How long it took, the caller's part included.
    pub elapsed: Duration,
}

impl Report {
    /// How many records were read from the log.
    #[must_use]
    pub fn replayed(&self) -> u64 {
        self.read.end.since(self.read.start)
    }
}

/// A state as [`Store::recover`](super::Store::recover) leaves it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recovered<T> {
    /// The state: every record below `next` is in it.
    pub state: T,
    /// The first record that is not in the state.
    pub next: Sequence,
    /// How it came about.
    pub report: Report,
}

/// A saved state, and the records after it in order.
///
/// # Examples
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let queue = forebay::Queue::open(folder.path().join("queue"))?;
/// # queue.enqueue(b"7")?;
/// # let store = queue.snapshots("sum")?;
/// let mut replay = store.replay()?;
/// let mut sum: u64 = match replay.state() {
///     Some(state) => std::str::from_utf8(state)?.parse()?,
///     None => 0,
/// };
/// while let Some(record) = replay.next_record()? {
///     sum += std::str::from_utf8(record.payload)?.parse::<u64>()?;
/// }
/// assert_eq!(sum, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Replay {
    log: Arc<Log>,
    reader: LogReader,
    state: Option<Vec<u8>>,
    /// The record that was handed out last.
    span: Option<Span>,
    end: Sequence,
    report: Report,
    started: Instant,
}

impl Replay {
    pub(super) fn open(shared: &Shared) -> Result<Self> {
        let started = now();
        let log = &shared.log;
        log.check()?;
        let mut state = Vec::new();
        let sink = |piece: &[u8]| state.extend_from_slice(piece);
        let (snapshot, unusable) = match judge(log, &shared.name, sink)? {
            Verdict::Missing => (None, None),
            Verdict::Usable(header) => (Some(header.covers), None),
            Verdict::Unusable(error) => (None, Some(error)),
        };
        if let Some(corruption) = unusable.as_ref().and_then(Error::corruption) {
            log.tell(|listener| listener.corruption(corruption));
        }
        let from = snapshot.unwrap_or_default();
        let first = log.first();
        if first > from {
            return Err(gone(shared, from..first, unusable.as_ref()));
        }
        if log.next_written() > log.durable() {
            log.commit()?;
        }
        Ok(Self {
            log: Arc::clone(log),
            reader: LogReader::new(Arc::clone(log), from, None)?,
            state: snapshot.map(|_| state),
            span: None,
            end: log.durable(),
            report: Report {
                snapshot,
                unusable,
                read: from..from,
                elapsed: Duration::ZERO,
            },
            started,
        })
    }

    /// The saved state; `None` when there is none that can be used, so that the whole log follows.
    #[must_use]
    pub fn state(&self) -> Option<&[u8]> {
        self.state.as_deref()
    }

    /// The next record after the state; `None` when that was the last one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] at a record that cannot be read, or that a repair has given up: it is
    /// not passed over, whatever the queue's policy, because what came of that would not be the
    /// state. [`ErrorKind::OutOfRange`] when the record was given up meanwhile; [`ErrorKind::Io`],
    /// [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        self.log.check()?;
        if let Some(span) = self.span.take() {
            self.reader.pass(&span);
        }
        self.report.read.end = self.reader.next();
        self.report.elapsed = now().saturating_duration_since(self.started);
        match self.reader.peek(self.end)? {
            Found::Record(span) => {
                self.span = Some(span);
                Ok(Some(Record::new(self.reader.here(), &span)))
            }
            Found::Gone(span) => Err(self.given_up(self.reader.next()..span.next, span.offset)),
            Found::End => Ok(None),
            Found::Damage(damage) if self.log.first() > damage.range.start => {
                let (next, first) = (self.reader.next(), self.log.first());
                let what = format!("the records {next}..{first} were given up while being read");
                Err(Error::new(ErrorKind::OutOfRange, what))
            }
            Found::Damage(damage) => {
                self.log.tell(|listener| listener.corruption(&damage));
                Err(Error::corrupt(damage))
            }
        }
    }

    /// The error where a repair has put a gap, at `offset`, in the place of records.
    fn given_up(&self, range: Range<Sequence>, offset: Offset) -> Error {
        let (place, _) = self.reader.standing().unwrap_or_default();
        let Range { start, end } = range;
        let what = format!(
            "a repair gave up the records {start}..{end}, and without them there is no state; \
             publish one that covers them"
        );
        let corruption = Corruption {
            file: self.log.table().path(place.segment),
            offset,
            range,
            expected: format!("record {start}"),
            found: format!("a gap up to {end}"),
        };
        Error::corrupt_because(what, corruption)
    }

    /// What was found, and read so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    pub(super) fn finish<T>(self, state: T) -> Recovered<T> {
        Recovered {
            state,
            next: self.report.read.end,
            report: self.report,
        }
    }
}

/// The error where records are gone that no snapshot covers.
fn gone(shared: &Shared, range: Range<Sequence>, unusable: Option<&Error>) -> Error {
    let Range { start, end } = range;
    let mut what =
        format!("no snapshot covers the records {start}..{end}, and the log begins at {end}");
    if let Some(unusable) = unusable {
        what = format!("{what}; {unusable}");
    }
    Error::at(
        ErrorKind::OutOfRange,
        what,
        &path_of(&shared.log, &shared.name),
    )
}
