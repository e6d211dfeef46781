//! What a consumer is: where it begins, which kinds it is given, how far it may read ahead.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, ErrorKind, Result};
use crate::format::filter_id;
use crate::log::{Log, nanoseconds};
use crate::position::Sequence;

/// Where a new consumer, or a follower, begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// At the oldest record.
    #[default]
    First,
    /// Behind the newest record: it gets what is enqueued from now on.
    End,
    /// At this record, which is in the queue or is the next one.
    At(Sequence),
    /// At the first record that was enqueued at this time or later, by the clock of the machine.
    /// Where that clock was set back, records of a time that came twice may be missed.
    Time(SystemTime),
}

/// How a consumer is made and opened.
///
/// # Examples
///
/// ```
/// use forebay::{ConsumerOptions, Entry, Start};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let queue = forebay::Queue::open(folder.path().join("queue"))?;
/// const ALERT: u16 = 7;
/// let options = ConsumerOptions::new().start(Start::End).kinds([ALERT]);
/// let mut alerts = queue.consumer_with("alerts", &options)?;
///
/// queue.enqueue(Entry::new(b"noise"))?;
/// queue.enqueue(Entry::new(b"fire").kind(ALERT))?;
/// assert_eq!(alerts.peek()?.unwrap().payload, b"fire");
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "options do nothing until a consumer is made with them"]
pub struct ConsumerOptions {
    pub(super) start: Start,
    pub(super) filter: Filter,
    pub(super) window_records: usize,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            start: Start::First,
            filter: Filter::default(),
            window_records: 1024,
        }
    }
}

impl ConsumerOptions {
    /// A consumer of every record, from the oldest.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the consumer begins if it is new; one that is there goes on where it was.
    /// Default: [`Start::First`].
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Gives the consumer the records of these kinds only. It is bound to them: it can be opened with
    /// the same kinds alone, until [`remove_consumer`](crate::Queue::remove_consumer) ends it with
    /// its place. Records of other kinds are passed over, and need nobody's
    /// acknowledgement from it. Default: every kind. No kind at all is an error when it is used.
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = u16>) -> Self {
        self.filter = Filter {
            kinds: Some(kinds.into_iter().collect()),
        };
        self
    }

    /// How many records [`next_batch`](super::Consumer::next_batch) may have out at a time without
    /// an acknowledgement, at least 1. Default: 1024. Each takes about 100 bytes of memory.
    pub fn window_records(mut self, records: usize) -> Self {
        self.window_records = records;
        self
    }
}

impl ConsumerOptions {
    /// Refuses what can be no consumer.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let what = if self.filter.is_closed() {
            format!("the consumer {name:?} would be given records of no kind")
        } else if self.window_records == 0 {
            "window_records is 0: it must be at least 1".to_owned()
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidInput, what))
    }
}

impl Start {
    /// The sequence at which a consumer that is made now begins.
    pub(super) fn find(self, log: &Arc<Log>) -> Result<Sequence> {
        let (first, next) = (log.first(), log.next_written());
        match self {
            Self::First => Ok(first),
            Self::End => Ok(next),
            Self::At(sequence) if (first..=next).contains(&sequence) => Ok(sequence),
            Self::At(sequence) => {
                let what = format!("cannot begin at {sequence}: the log holds {first}..{next}");
                Err(Error::new(ErrorKind::OutOfRange, what))
            }
            Self::Time(time) => log.first_since(nanoseconds_of(time)),
        }
    }
}

/// Nanoseconds since 1970; 0 before.
pub(super) fn nanoseconds_of(time: SystemTime) -> u64 {
    nanoseconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Which records a consumer is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// `None` for every kind.
    kinds: Option<BTreeSet<u16>>,
}

impl Filter {
    /// Whether it lets records of `kind` through.
    pub(super) fn wants(&self, kind: u16) -> bool {
        match &self.kinds {
            Some(kinds) => kinds.contains(&kind),
            None => true,
        }
    }

    /// Whether no record can ever pass.
    pub(super) fn is_closed(&self) -> bool {
        self.kinds.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// What a cursor file says of it.
    pub(super) fn id(&self) -> [u8; 32] {
        self.kinds.as_ref().map_or([0; 32], filter_id)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(kinds) = &self.kinds else {
            return f.write_str("every kind");
        };
        f.write_str("the kinds")?;
        for (at, kind) in kinds.iter().enumerate() {
            write!(f, "{} {kind}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
