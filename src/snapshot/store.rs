//! The snapshots of one name: the published one, and the way to the next.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use super::draft::Draft;
use super::file::sweep;
use super::judge::{Verdict, judge};
use super::replay::{Recovered, Replay};
use crate::consumer::Record;
use crate::error::{Error, ErrorKind, Result};
use crate::format::valid_consumer_name;
use crate::log::Log;
use crate::position::{Epoch, Sequence};
use crate::sync::Mutex;

/// A state as it was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Every record below this is in the state.
    pub covers: Sequence,
    /// The run of the log in which it was saved.
    pub epoch: Epoch,
    /// The bytes that were saved.
    pub state: Vec<u8>,
}

/// The names of a queue's snapshots that have a live store.
#[derive(Debug, Default)]
pub(crate) struct Live(Mutex<BTreeSet<String>>);

/// Saves and loads the snapshots of one name. See the [module](crate::snapshot) for how they are
/// used.
///
/// A name has one live store at a time; a [`Draft`] counts as one.
#[derive(Debug)]
pub struct Store {
    pub(super) shared: Arc<Shared>,
}

/// What a store and its drafts share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) log: Arc<Log>,
    pub(super) name: String,
    pub(super) publishing: Mutex<Publishing>,
    live: Arc<Live>,
    /// Keeps the queue open.
    _queue: Arc<dyn Debug + Send + Sync>,
}

/// What is known of the published snapshot; nobody else publishes this name.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    /// Whether the folder's own name is durable.
    pub(super) has_folder: bool,
    /// `None` until somebody looked.
    pub(super) installed: Option<Installed>,
}

/// What a new snapshot takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Installed {
    Missing,
    /// To be kept aside.
    Unusable,
    Covers(Sequence),
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.live.0.lock().remove(&self.name);
    }
}

impl Shared {
    /// What is published now.
    pub(super) fn installed(&self) -> Result<Installed> {
        Ok(match judge(&self.log, &self.name, |_| {})? {
            Verdict::Missing => Installed::Missing,
            Verdict::Usable(header) => Installed::Covers(header.covers),
            Verdict::Unusable(_) => Installed::Unusable,
        })
    }
}

impl Store {
    pub(crate) fn open(
        log: &Arc<Log>,
        live: &Arc<Live>,
        name: &str,
        queue: Arc<dyn Debug + Send + Sync>,
    ) -> Result<Self> {
        log.check()?;
        check_name(name)?;
        if !live.0.lock().insert(name.to_owned()) {
            let what = format!("the snapshots {name:?} already have a live store");
            return Err(Error::new(ErrorKind::Busy, what));
        }
        let shared = Shared {
            log: Arc::clone(log),
            name: name.to_owned(),
            publishing: Mutex::new(Publishing::default()),
            live: Arc::clone(live),
            _queue: queue,
        };
        sweep(log.directory(), name)?;
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The name of the snapshots.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Begins a new snapshot beside the published one, which stays until
    /// [`Draft::finish`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`], [`ErrorKind::Io`], [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    pub fn begin(&self) -> Result<Draft> {
        Draft::begin(&self.shared)
    }

    /// The published snapshot; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] when it is damaged, cut short or empty; when it is of another queue
    /// or another name; when the log has lost records that it knows to be durable, or was cut
    /// below what it covers: the text says which, with both values.
    /// [`ErrorKind::UnsupportedVersion`] for a later format; [`ErrorKind::Io`],
    /// [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    pub fn load(&self) -> Result<Option<Snapshot>> {
        self.shared.log.check()?;
        let mut state = Vec::new();
        let sink = |piece: &[u8]| state.extend_from_slice(piece);
        match judge(&self.shared.log, &self.shared.name, sink)? {
            Verdict::Missing => Ok(None),
            Verdict::Unusable(error) => Err(error),
            Verdict::Usable(header) => Ok(Some(Snapshot {
                covers: header.covers,
                epoch: header.epoch,
                state,
            })),
        }
    }

    /// The published state, with the records after it to be read one by one. Where the snapshot is
    /// missing or damaged it is the whole log, and [`Replay::report`] says so.
    ///
    /// It ends with the last record accepted before the call. Records are read where they stand,
    /// whoever has acknowledged them; no consumer is moved.
    ///
    /// # Durability
    ///
    /// Every record that is read survives power loss: where written ones wait for a sync, this
    /// syncs first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] when the snapshot is of another queue or another name, or when the
    /// log has lost records that the snapshot knows to be durable; [`ErrorKind::OutOfRange`], with
    /// the range, when the log does not hold the records right after the snapshot, or its
    /// beginning where there is no snapshot that can be used; otherwise as for
    /// [`load`](Self::load).
    pub fn replay(&self) -> Result<Replay> {
        Replay::open(&self.shared)
    }

    /// The state as of now: `restore` makes it of the published one, if there is one that can be
    /// used, and `apply` adds each record after that. Equal to adding all records of the log to
    /// `restore(None)`, provided that what was saved was such a state. [`replay`](Self::replay) is
    /// the same for closures that can fail.
    ///
    /// # Errors
    ///
    /// As for [`replay`](Self::replay), before either closure is called; and
    /// [`ErrorKind::Corrupt`] at a record that cannot be read, or that a repair has given up.
    pub fn recover<T>(
        &self,
        restore: impl FnOnce(Option<&[u8]>) -> T,
        mut apply: impl FnMut(&mut T, &Record<'_>),
    ) -> Result<Recovered<T>> {
        let mut replay = self.replay()?;
        let mut state = restore(replay.state());
        while let Some(record) = replay.next_record()? {
            apply(&mut state, &record);
        }
        Ok(replay.finish(state))
    }
}

/// Refuses a name that cannot be one.
pub(crate) fn check_name(name: &str) -> Result<()> {
    valid_consumer_name(name).map_err(|why| {
        let what = format!("the snapshot's name {name:?} {why}");
        Error::new(ErrorKind::InvalidInput, what)
    })
}
