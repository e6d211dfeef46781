//! How a queue is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Queue;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Listener;
use crate::format::{Integrity, SEGMENT_BYTES_MAX};
use crate::log::{
    CommitPadding, Host, Means, Overflow, Preallocate, Retention, Settings, SyncPolicy, SystemHost,
};
use crate::recovery::CorruptionPolicy;
use crate::snapshot::check_name;
use crate::storage::{Directory, DiskDirectory, Filesystem};

/// The smallest `segment_bytes`: a header block, a start frame and some records.
const SEGMENT_BYTES_MIN: u64 = 8192;
/// The largest `max_record_bytes`: what a frame's length field and a segment can hold.
const RECORD_BYTES_MAX: u32 = u32::MAX - 64 * 1024;
/// The largest `once_window`: its keys are held in memory and rewritten as one file.
const ONCE_WINDOW_MAX: u64 = 1 << 24;

/// How a queue is opened: every choice with its default, then [`open`](Self::open).
///
/// Choices are judged by `open`, which names the option, its value and its range.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use forebay::{Overflow, QueueOptions, SyncPolicy};
///
/// # let folder = tempfile::tempdir().unwrap();
/// let queue = QueueOptions::new()
///     .sync_policy(SyncPolicy::Interval(Duration::from_millis(50)))
///     .max_records(100_000)
///     .overflow(Overflow::DropOldest)
///     .open(folder.path().join("queue"))?;
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `open`"]
pub struct QueueOptions {
    settings: Settings,
    listener: Option<Arc<dyn Listener>>,
    host: Arc<dyn Host>,
    network: bool,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl QueueOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            settings: Settings {
                sync_policy: SyncPolicy::Always,
                segment_bytes: 64 << 20,
                max_records: u64::MAX,
                max_bytes: u64::MAX,
                max_age: None,
                max_record_bytes: 16 << 20,
                overflow: Overflow::Reject,
                integrity: Integrity::Chained,
                corruption_policy: CorruptionPolicy::RefuseRead,
                preallocate: Preallocate::Zero,
                commit_padding: CommitPadding::None,
                retention: Retention::UntilAcked,
                once_window: 65_536,
                may_create: true,
                gather: true,
            },
            listener: None,
            host: Arc::new(SystemHost::new()),
            network: false,
        }
    }

    /// When a record becomes durable. Default: [`SyncPolicy::Always`].
    pub fn sync_policy(mut self, sync_policy: SyncPolicy) -> Self {
        self.settings.sync_policy = sync_policy;
        self
    }

    /// The size at which the log goes on in a new file: 8 KiB to 32 GiB; default 64 MiB. A target,
    /// not a limit: a larger record has a segment to itself. Small ones cost a file each, large
    /// ones keep acknowledged records on the disk for longer. The first ones of a queue are
    /// smaller, 1 MiB at first and then as much as all before them.
    pub fn segment_bytes(mut self, segment_bytes: u64) -> Self {
        self.settings.segment_bytes = segment_bytes;
        self
    }

    /// How many records may wait; default: any number. What happens beyond is
    /// [`overflow`](Self::overflow)'s to say. 0 is legal: nothing ever waits.
    pub fn max_records(mut self, max_records: u64) -> Self {
        self.settings.max_records = max_records;
        self
    }

    /// How many bytes of frames may wait (payload, plus 72 bytes a record, 40 without the chain,
    /// and what `commit_padding` adds between them); default: any number. The disk holds up to two
    /// segments more.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.settings.max_bytes = max_bytes;
        self
    }

    /// The age from which a record that was not delivered is given up, looked at when something
    /// is enqueued or read; default: never. It goes by the machine's clock.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.settings.max_age = Some(max_age);
        self
    }

    /// The largest record accepted, in bytes of payload: up to 4 GiB − 64 KiB; default 16 MiB.
    /// Larger ones that are in the queue already stay readable.
    pub fn max_record_bytes(mut self, max_record_bytes: u32) -> Self {
        self.settings.max_record_bytes = max_record_bytes;
        self
    }

    /// What happens at capacity. Default: [`Overflow::Reject`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.settings.overflow = overflow;
        self
    }

    /// What every record carries besides checksums. Fixed when the queue is created; an existing
    /// queue keeps its own. Default: [`Integrity::Chained`].
    pub fn integrity(mut self, integrity: Integrity) -> Self {
        self.settings.integrity = integrity;
        self
    }

    /// What to do about damage to durable records. Default: [`CorruptionPolicy::RefuseRead`].
    pub fn corruption_policy(mut self, corruption_policy: CorruptionPolicy) -> Self {
        self.settings.corruption_policy = corruption_policy;
        self
    }

    /// How blocks are reserved. Default: [`Preallocate::Zero`].
    pub fn preallocate(mut self, preallocate: Preallocate) -> Self {
        self.settings.preallocate = preallocate;
        self
    }

    /// What is kept apart between commits. Default: [`CommitPadding::None`].
    pub fn commit_padding(mut self, commit_padding: CommitPadding) -> Self {
        self.settings.commit_padding = commit_padding;
        self
    }

    /// How much longer acknowledged records are kept. Default: [`Retention::UntilAcked`].
    pub fn retention(mut self, retention: Retention) -> Self {
        self.settings.retention = retention;
        self
    }

    /// For how long [`enqueue_once`](Queue::enqueue_once) knows a key: while the record that has it
    /// is among the newest `records` of the queue, those enqueued without a key included. Up to
    /// 16 777 216; default 65 536; with 0 nothing is ever known. From the first call on, each key
    /// takes about 40 bytes of memory, and each record of the window 48 bytes on the disk, reserved
    /// so that deleting needs no room. A larger window than before takes effect with the records
    /// that come from then on.
    pub fn once_window(mut self, records: u64) -> Self {
        self.settings.once_window = records;
        self
    }

    /// Makes the queue if it is not there, with all missing directories above it. The default.
    pub fn create(mut self) -> Self {
        self.settings.may_create = true;
        self
    }

    /// Opens only a queue that is there: where a mount may be missing, an empty queue in its place
    /// would be worse than an error.
    pub fn open_existing(mut self) -> Self {
        self.settings.may_create = false;
        self
    }

    /// Opens the queue also on a network file system, where neither locks nor syncs may mean what
    /// they say. Not the default.
    pub fn allow_network_filesystem(mut self) -> Self {
        self.network = true;
        self
    }

    /// Who hears what the queue does. Default: nobody.
    pub fn listener(mut self, listener: Arc<dyn Listener>) -> Self {
        self.listener = Some(listener);
        self
    }

    /// The clock, random bits and process number to use instead of the machine's.
    #[cfg(feature = "test-support")]
    pub fn host(mut self, host: Arc<dyn Host>) -> Self {
        self.host = host;
        self
    }

    /// Whether the leader of a commit waits, briefly, for those who are about to join it; it does
    /// unless told not to. For measuring what that wait brings.
    #[cfg(feature = "test-support")]
    pub fn gather(mut self, gather: bool) -> Self {
        self.settings.gather = gather;
        self
    }

    /// Opens the queue in the directory `path`. Other files there are left alone: a queue is made
    /// among them.
    ///
    /// # Durability
    ///
    /// What was durable is there. A new queue, and the epoch that an unclean end begins, survive
    /// power loss on return.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for an option out of range; [`ErrorKind::Foreign`] where
    /// a file or a backup is; [`ErrorKind::NotFound`] with `open_existing`; [`ErrorKind::Locked`] while
    /// another handle has it; [`ErrorKind::UnsupportedVersion`] for a later format;
    /// [`ErrorKind::Corrupt`] where the damage leaves nothing to go on, or any damage is known and
    /// the policy is [`CorruptionPolicy::RefuseOpen`]; [`ErrorKind::Io`]. Nothing is changed then.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Queue> {
        self.check()?;
        let path = path.as_ref();
        let directory = if self.settings.may_create {
            DiskDirectory::create(path)?
        } else {
            DiskDirectory::open(path)?
        };
        self.open_in(Arc::new(directory))
    }

    /// Opens the queue in any storage.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    #[cfg(feature = "test-support")]
    pub fn open_on(self, directory: Arc<dyn Directory>) -> Result<Queue> {
        self.check()?;
        self.open_in(directory)
    }

    fn open_in(self, directory: Arc<dyn Directory>) -> Result<Queue> {
        if !self.network && directory.filesystem() == Filesystem::Network {
            let what = "the path is on a network file system, which may not lock or sync; \
                        allow_network_filesystem opens it all the same";
            return Err(Error::at(ErrorKind::InvalidInput, what, directory.path()));
        }
        let means = Means {
            directory,
            host: self.host,
            listener: self.listener,
        };
        Queue::open_with(means, self.settings)
    }

    fn check(&self) -> Result<()> {
        let settings = &self.settings;
        let segment_range = SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX;
        if !segment_range.contains(&settings.segment_bytes) {
            return Err(out_of_range(
                "segment_bytes",
                settings.segment_bytes,
                "8192 to 34359738360",
            ));
        }
        if settings.max_record_bytes > RECORD_BYTES_MAX {
            let value = u64::from(settings.max_record_bytes);
            return Err(out_of_range("max_record_bytes", value, "0 to 4294901759"));
        }
        if settings.once_window > ONCE_WINDOW_MAX {
            let value = settings.once_window;
            return Err(out_of_range("once_window", value, "0 to 16777216"));
        }
        if settings.max_age == Some(Duration::ZERO) {
            return Err(out_of_range("max_age", 0, "more than 0"));
        }
        if settings.sync_policy == SyncPolicy::Interval(Duration::ZERO) {
            return Err(out_of_range(
                "sync_policy interval",
                0,
                "more than 0; or use Always",
            ));
        }
        if let Retention::UntilSnapshot(name) = &settings.retention {
            check_name(name)?;
        }
        Ok(())
    }
}

fn out_of_range(option: &str, value: u64, range: &str) -> Error {
    let what = format!("the option {option} is {value}, its range is {range}");
    Error::new(ErrorKind::InvalidInput, what)
}
