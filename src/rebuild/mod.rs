//! A new queue out of records that were in another one, and keep what they were: their sequences,
//! epochs, times, kinds and keys.
//!
//! What a [`Rebuild`] writes is a queue like any other, closed cleanly:
//! 1. The segments, each written, synced, sealed by a footer and synced again before the next one
//!    is begun. So every watermark in them states what is durable.
//! 2. The cursors and the file `KEYS`, where there are any; then the names of all of them.
//! 3. `STATE`: clean, and with an epoch above all that were seen.
//! 4. `QUEUE`, last: the commit point, as when a queue is created. Before it there is no queue.
//!
//! Records that are missing are said so by gap frames. The chain begins anew with zeros, with every
//! epoch and every gap bound in; it proves nothing about the queue that the records are from.
//! Batches are not kept: every record stands for itself.

mod commit;
mod options;
mod random;
mod record;
mod writer;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

pub use options::RebuildOptions;
pub use record::{RebuildRecord, Rebuilt};

use crate::error::{Error, ErrorKind, Result};
use crate::format::{CURSORS, End, Framing, Identity, KeyFile, LOCK, QUARANTINE, SEGMENTS};
use crate::position::{Epoch, Sequence};
use crate::storage::{Directory, DiskDirectory, Lock};
use random::Draw;
use writer::Growing;

/// The largest payload that a frame can hold, with a key before it.
const PAYLOAD_BYTES_MAX: usize = u32::MAX as usize - 65_536;

/// A queue in the making.
///
/// Nothing counts before [`finish`](Self::finish): what is left of a rebuild that was interrupted
/// is refused by whoever opens it, and may be deleted.
///
/// # Examples
///
/// ```
/// use forebay::rebuild::{Rebuild, RebuildOptions, RebuildRecord};
/// use forebay::{Epoch, Queue, Sequence};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("queue");
/// let mut rebuild = Rebuild::create(&path, &RebuildOptions::new())?;
/// for (sequence, payload) in [(7, "seven"), (9, "nine")] {
///     let epoch = Epoch::default().following(0);
///     let record = RebuildRecord::new(Sequence::new(sequence), epoch, payload.as_bytes());
///     rebuild.push(&record)?;
/// }
/// let rebuilt = rebuild.finish()?;
/// assert_eq!((rebuilt.first.get(), rebuilt.next.get()), (7, 10));
/// assert_eq!(rebuilt.gaps, [Sequence::new(8)..Sequence::new(9)]);
///
/// let queue = Queue::open(&path)?;
/// assert_eq!(queue.enqueue(b"ten")?, Sequence::new(10));
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Debug)]
pub struct Rebuild {
    directory: Arc<dyn Directory>,
    identity: Identity,
    framing: Framing,
    segment_bytes: u64,
    draw: Draw,
    /// Above all epochs of the records, and of the queue that they are from.
    epoch_seen: Epoch,
    /// The epoch of the last segment.
    epoch: Option<Epoch>,
    /// The first sequence; none before it is known.
    first: Option<Sequence>,
    /// Where the sealed segments end.
    end: End,
    growing: Option<Growing>,
    /// A record's key and payload, one behind the other.
    stored: Vec<u8>,
    keyed: bool,
    keys: Option<KeyFile>,
    consumers: Vec<ConsumerPlace>,
    done: Rebuilt,
    /// Why nothing goes any further.
    failure: Option<Error>,
    _lock: Box<dyn Lock>,
}

/// Where a consumer goes on in the new queue.
#[derive(Clone, Debug)]
pub(crate) struct ConsumerPlace {
    pub(crate) name: String,
    pub(crate) next: Sequence,
    pub(crate) filter: [u8; 32],
}

impl Rebuild {
    /// Begins a queue in the directory `path`, which is made with all missing ones above it, or is
    /// empty.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] where something is in the directory, or for an option out of
    /// range; [`ErrorKind::Foreign`] where a file is; [`ErrorKind::Locked`] where another process
    /// is about to do the same; [`ErrorKind::Io`].
    pub fn create(path: impl AsRef<Path>, options: &RebuildOptions) -> Result<Self> {
        options.check()?;
        let directory = DiskDirectory::create(path.as_ref())?;
        Self::create_in(Arc::new(directory), options)
    }

    /// Begins a queue in any storage.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    #[cfg(feature = "test-support")]
    pub fn create_on(directory: Arc<dyn Directory>, options: &RebuildOptions) -> Result<Self> {
        options.check()?;
        Self::create_in(directory, options)
    }

    pub(crate) fn create_in(
        directory: Arc<dyn Directory>,
        options: &RebuildOptions,
    ) -> Result<Self> {
        refuse_content(&*directory, &[])?;
        let lock = directory.lock(LOCK, &format!("{}\n", std::process::id()))?;
        // Somebody may have made a queue here before the lock was free.
        refuse_content(&*directory, &[LOCK])?;
        for folder in [SEGMENTS, CURSORS, QUARANTINE] {
            directory.create_folder(folder)?;
        }
        let mut draw = options.draw();
        let identity = options.identity(&mut draw);
        let first = options.first;
        let end = End {
            next: first.unwrap_or_default(),
            ..End::default()
        };
        Ok(Self {
            framing: Framing::new(identity.queue, 0, identity.integrity),
            segment_bytes: options.segment_bytes,
            epoch_seen: options.epoch_above,
            epoch: None,
            first,
            end,
            growing: None,
            stored: Vec::new(),
            keyed: false,
            keys: None,
            consumers: Vec::new(),
            done: Rebuilt::new(directory.path().to_path_buf(), identity.queue),
            failure: None,
            directory,
            identity,
            draw,
            _lock: lock,
        })
    }

    /// Adds `record`, which comes after all that were added. Where its sequence is not the next
    /// one, the records in between are said to be gone.
    ///
    /// # Durability
    ///
    /// None before [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a sequence that is not above the last one, or an epoch below
    /// the last one, and [`ErrorKind::RecordTooLarge`]: nothing is changed, and others may follow.
    /// After any other error the rebuild is of no more use.
    pub fn push(&mut self, record: &RebuildRecord<'_>) -> Result<()> {
        self.check(record)?;
        let pushed = self.append(record);
        self.note_failure(pushed)
    }

    /// Says that the records up to `next` are gone, which is the sequence that the next record
    /// gets. It does nothing where `next` is not above the last record. Before the first record it
    /// is where the queue begins, unless the options have said so.
    ///
    /// # Errors
    ///
    /// As for [`push`](Self::push).
    pub fn skip_to(&mut self, next: Sequence) -> Result<()> {
        self.check_usable()?;
        if self.first.is_none() {
            self.first = Some(next);
            self.end.next = next;
        }
        let epoch = match self.epoch {
            _ if next <= self.next() => return Ok(()),
            Some(epoch) => epoch,
            None => self.epoch_seen.following(self.draw.next()),
        };
        let skipped = self.gap_before(next, epoch, 0);
        self.note_failure(skipped)
    }

    /// The sequence that the next record gets, unless it leaves a gap.
    #[must_use]
    pub fn next(&self) -> Sequence {
        let growing = self.growing.as_ref();
        growing.map_or(self.end.next, |growing| growing.next)
    }

    /// Completes the queue.
    ///
    /// # Durability
    ///
    /// On return all of it survives power loss; a crash before leaves no queue, or the whole one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`], [`ErrorKind::Full`]: there is no queue, unless the error is that of the
    /// very last sync, of the directory's own names.
    pub fn finish(mut self) -> Result<Rebuilt> {
        self.check_usable()?;
        self.seal()?;
        self.commit()?;
        Ok(self.done)
    }

    /// A consumer of the new queue, and where it goes on.
    pub(crate) fn place_consumer(&mut self, place: ConsumerPlace) {
        self.consumers.push(place);
    }

    /// The keys of records that are in no segment any more.
    pub(crate) fn keep_keys(&mut self, keys: KeyFile) {
        self.keys = Some(keys);
    }

    fn check_usable(&self) -> Result<()> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn check(&self, record: &RebuildRecord<'_>) -> Result<()> {
        self.check_usable()?;
        let next = self.next();
        if self.first.is_some() && record.sequence < next {
            let what = format!("the record {} comes before {next}", record.sequence);
            return Err(Error::new(ErrorKind::InvalidInput, what));
        }
        if let Some(epoch) = self.epoch.filter(|epoch| record.epoch < *epoch) {
            let what = format!(
                "the record {} is of the epoch {}, which is below {epoch}",
                record.sequence, record.epoch
            );
            return Err(Error::new(ErrorKind::InvalidInput, what));
        }
        if record.payload.len() > PAYLOAD_BYTES_MAX {
            let what = format!("the record has {} bytes", record.payload.len());
            return Err(Error::new(ErrorKind::RecordTooLarge, what));
        }
        Ok(())
    }

    fn note_failure(&mut self, outcome: Result<()>) -> Result<()> {
        if let Err(error) = &outcome {
            self.failure = Some(error.clone());
        }
        outcome
    }

    /// Says that the records from the next one up to `to` are gone.
    fn gap_before(&mut self, to: Sequence, epoch: Epoch, time: u64) -> Result<()> {
        let gone: Range<Sequence> = self.next()..to;
        if gone.is_empty() {
            return Ok(());
        }
        if self.growing.is_none() {
            self.begin(gone.start, epoch, time)?;
        }
        if let Some(growing) = &mut self.growing {
            growing.gap(to);
        }
        self.done.gaps.push(gone);
        Ok(())
    }
}

/// Refuses a directory that has anything in it besides `allowed`.
fn refuse_content(directory: &dyn Directory, allowed: &[&str]) -> Result<()> {
    let names = directory.list("")?;
    let mut others = names
        .iter()
        .filter(|name| !allowed.contains(&name.as_str()));
    let Some(other) = others.next() else {
        return Ok(());
    };
    let what = format!("the directory is not empty, {other:?} is in it; choose a new one");
    Err(Error::at(ErrorKind::InvalidInput, what, directory.path()))
}
