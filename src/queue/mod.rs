//! The face: open, enqueue, sync, consumers, close.

mod consumers;
mod entry;
mod once;
mod options;
mod snapshots;
mod stats;
mod ticket;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use crate::log::{CommitPadding, Overflow, Preallocate, Retention, SyncPolicy};
pub use entry::Entry;
pub use options::QueueOptions;
pub use stats::QueueStats;
pub use ticket::Ticket;

use crate::consumer::Registry;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Acceptance, Committer, Log, Means, Settings, open};
use crate::position::{Epoch, QueueId, Sequence};
use crate::recovery::RecoveryReport;
use crate::snapshot::{Live, recall};
use crate::sync::{Mutex, deadline_after};

/// A durable queue of records, first in, first out.
///
/// Clones are handles to the same queue; it is closed when the last handle, consumer and ticket is
/// gone, or by [`close`](Self::close). One process has it open at a time.
///
/// # Examples
///
/// ```
/// use forebay::Queue;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("queue");
/// let queue = Queue::open(&path)?;
/// queue.enqueue(b"survives a power cut once this returns")?;
///
/// let mut consumer = queue.consumer("shipper")?;
/// let sent = consumer.drain(|record| upstream(record.payload))?;
/// assert_eq!(sent, 1);
/// # fn upstream(_: &[u8]) -> Result<(), std::io::Error> { Ok(()) }
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Queue {
    inner: Arc<Inner>,
}

/// What all handles share; dropped, it closes the queue.
#[derive(Debug)]
struct Inner {
    log: Arc<Log>,
    registry: Arc<Registry>,
    snapshots: Arc<Live>,
    committer: Mutex<Option<Committer>>,
    report: RecoveryReport,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // An unclean end is recovered from: what fails here loses nothing, and poison is told.
        self.shut().ok();
    }
}

impl Inner {
    fn shut(&self) -> Result<()> {
        // Taken out first: a listener on the thread itself may come here, too.
        let committer = self.committer.lock().take();
        drop(committer);
        self.log.close()
    }
}

impl Queue {
    /// Opens the queue in the directory `path` with the defaults, and makes it if it is not there.
    ///
    /// # Durability
    ///
    /// # Errors
    ///
    /// Both as for [`QueueOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// The options to open a queue with.
    pub fn options() -> QueueOptions {
        QueueOptions::new()
    }

    pub(crate) fn open_with(means: Means, settings: Settings) -> Result<Self> {
        let opened = open(means, settings)?;
        let registry = Registry::load(&opened.log, &opened.cursors)?;
        opened.log.attach_cursors(Arc::<Registry>::clone(&registry));
        recall(&opened.log)?;
        let committer = opened
            .log
            .has_threads()
            .then(|| Committer::start(&opened.log))
            .transpose()?;
        let inner = Inner {
            log: opened.log,
            registry,
            snapshots: Arc::default(),
            committer: Mutex::new(committer),
            report: opened.report,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Adds a record at the end and returns its sequence.
    ///
    /// # Durability
    ///
    /// With [`SyncPolicy::Always`] the record survives power loss on return; with the other
    /// policies it survives the process, and power loss after the next sync. After
    /// [`ErrorKind::Full`] the record is in the queue neither now nor after a kill; after a power
    /// cut in that very moment it may be, like any record that was not acknowledged. After
    /// [`ErrorKind::Poisoned`] that is not known until the queue is opened again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RecordTooLarge`] and [`ErrorKind::Full`] change nothing;
    /// [`ErrorKind::Poisoned`], [`ErrorKind::Closed`], [`ErrorKind::Forked`], [`ErrorKind::Io`].
    pub fn enqueue<'a>(&self, entry: impl Into<Entry<'a>>) -> Result<Sequence> {
        let entry = entry.into();
        let log = &self.inner.log;
        let record = log.prepare(&entry.payload, entry.kind)?;
        Ok(log.append(&[record], log.settings().acceptance())?.start)
    }

    /// Adds records at the end, all or none of them, one after the other.
    ///
    /// # Durability
    ///
    /// As for [`enqueue`](Self::enqueue). A crash leaves all of the batch or none.
    ///
    /// # Errors
    ///
    /// As for [`enqueue`](Self::enqueue); also [`ErrorKind::RecordTooLarge`] when the whole does
    /// not fit in one segment, and [`ErrorKind::Full`] when it exceeds the capacity by itself.
    pub fn enqueue_batch<'a, I>(&self, entries: I) -> Result<Range<Sequence>>
    where
        I: IntoIterator,
        I::Item: Into<Entry<'a>>,
    {
        let log = &self.inner.log;
        let entries: Vec<Entry<'a>> = entries.into_iter().map(Into::into).collect();
        let records = entries
            .iter()
            .map(|entry| log.prepare(&entry.payload, entry.kind))
            .collect::<Result<Vec<_>>>()?;
        if records.is_empty() {
            log.check()?;
            let next = log.next();
            return Ok(next..next);
        }
        log.append(&records, log.settings().acceptance())
    }

    /// Writes a record and returns at once, with a ticket for its durability.
    ///
    /// # Durability
    ///
    /// The record survives the process on return, and power loss once the ticket says so.
    ///
    /// # Errors
    ///
    /// As for [`enqueue`](Self::enqueue).
    pub fn submit<'a>(&self, entry: impl Into<Entry<'a>>) -> Result<Ticket> {
        let entry = entry.into();
        let log = &self.inner.log;
        let record = log.prepare(&entry.payload, entry.kind)?;
        let range = log.append(&[record], Acceptance::Written)?;
        log.bell().commit_soon();
        Ok(Ticket::new(Arc::clone(&self.inner), range.start))
    }

    /// Makes everything accepted so far durable, and returns the durable watermark.
    ///
    /// # Durability
    ///
    /// Everything below the returned sequence survives power loss.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Poisoned`] when the sync failed, for good; [`ErrorKind::Closed`]. Records that
    /// others are enqueueing right now, and that a full disk refuses, are their error alone.
    pub fn sync(&self) -> Result<Sequence> {
        self.inner.log.check()?;
        self.inner.log.commit()?;
        Ok(self.inner.log.durable())
    }

    /// Waits until the record `sequence` is durable, whoever makes it so.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`]; [`ErrorKind::Poisoned`] and [`ErrorKind::Closed`] at once.
    pub fn wait_durable(&self, sequence: Sequence, timeout: Duration) -> Result<()> {
        self.inner.log.check()?;
        if self
            .inner
            .log
            .wait_durable(sequence.plus(1), deadline_after(timeout))?
        {
            return Ok(());
        }
        let what = format!("the record {sequence} was not durable within {timeout:?}");
        Err(Error::new(ErrorKind::TimedOut, what))
    }

    /// The oldest record that can be read; equal to [`next`](Self::next) when there is none.
    #[must_use]
    pub fn first(&self) -> Sequence {
        self.inner.log.first()
    }

    /// The sequence that the next record gets.
    #[must_use]
    pub fn next(&self) -> Sequence {
        self.inner.log.next()
    }

    /// The durable watermark: every record below it survives power loss.
    #[must_use]
    pub fn durable(&self) -> Sequence {
        self.inner.log.durable()
    }

    /// The current run of the log. With the queue's id and a sequence it names a record for ever, as
    /// long as no copy of a cleanly closed queue goes on beside it: see [`Epoch`].
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.inner.log.epoch()
    }

    /// The queue's identity.
    #[must_use]
    pub fn id(&self) -> QueueId {
        self.inner.log.identity().queue
    }

    /// How many records wait: neither delivered to every consumer nor dropped.
    #[must_use]
    pub fn len(&self) -> u64 {
        let log = &self.inner.log;
        log.next().since(log.floor().sequence())
    }

    /// Whether no record waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The queue in numbers.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] when a segment cannot be looked at.
    pub fn stats(&self) -> Result<QueueStats> {
        let log = &self.inner.log;
        let place = log.floor_place()?;
        let (enqueued, syncs) = log.counts();
        let (delivered, dropped) = log.floor().counts();
        let next = log.next();
        Ok(QueueStats {
            first: log.first(),
            next,
            durable: log.durable(),
            floor: place.sequence,
            epoch: log.epoch(),
            records: next.since(place.sequence),
            bytes: place
                .log_bytes
                .map(|below| log.log_bytes().saturating_sub(below)),
            segments: log.table().count(),
            consumers: self.inner.registry.names().len(),
            enqueued,
            delivered,
            dropped,
            syncs,
        })
    }

    /// How many bytes this process may still write on the queue's file system; `None` where nobody
    /// knows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] when the file system does not say.
    pub fn disk_free_bytes(&self) -> Result<Option<u64>> {
        self.inner.log.directory().free_bytes()
    }

    /// What opening found.
    #[must_use]
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.report
    }

    /// The head of the tamper-evident chain at the durable watermark: (epoch, next sequence, hash).
    /// Kept elsewhere, it proves later that no record before it was changed. All zeros without a
    /// chain.
    #[must_use]
    pub fn chain_head(&self) -> (Epoch, Sequence, [u8; 32]) {
        let (durable, chain) = self.inner.log.head();
        (self.epoch(), durable, chain.bytes())
    }

    /// Deletes now what would be deleted in the background; returns how many segments went.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`], [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    pub fn reclaim(&self) -> Result<usize> {
        self.inner.log.reclaim()
    }

    /// Closes the queue for all its handles, so that the next open reads no record. Their calls
    /// fail with [`ErrorKind::Closed`] from now on. Dropping the last handle does the same, but
    /// tells of no error.
    ///
    /// # Durability
    ///
    /// Everything accepted, and every acknowledgement, survives power loss on return. After an
    /// error, what was durable is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`], [`ErrorKind::Poisoned`], [`ErrorKind::Io`].
    pub fn close(self) -> Result<()> {
        self.inner.shut()
    }

    /// Does at once, on the calling thread, what the commit thread would do in its time: the
    /// commits that were asked for, the idle sync of `STATE` and of the cursors, reclaim. For a
    /// [`Host`](crate::Host) without threads.
    #[cfg(feature = "test-support")]
    pub fn run_background(&self) {
        self.inner.log.run_background();
    }

    /// Ok while the queue serves this process.
    pub(crate) fn check(&self) -> Result<()> {
        self.inner.log.check()
    }
}
