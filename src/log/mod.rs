//! Many segments, one writer: append, group commit, watermark, rotate, reclaim.
//!
//! Locks, in the order in which they may be taken: `reclaiming`, `appends`, `syncing`, `state`;
//! `naming` comes after `syncing`, the stage of `ahead` after `appends` and `syncing`; `floor`, the
//! agenda, the trash and the watermark's own are leaves. No lock is held while a listener is called,
//! and `appends` is not held during the sync of a commit.

mod agenda;
mod ahead;
mod append;
mod appends;
mod begin;
mod capacity;
mod close;
mod commit;
mod committer;
mod floor;
mod gather;
mod group;
mod host;
mod keys;
mod keys_file;
mod keys_once;
mod lookup;
mod notices;
mod open;
#[cfg(all(test, loom))]
mod orderings;
mod reader;
mod reclaim;
mod rotate;
mod settings;
mod snapshots;
mod state;
mod table;
mod trash;
mod turn;
mod vacate;
mod watermark;

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use agenda::Bell;
use ahead::Ahead;
use appends::Appends;
use gather::Gather;
use state::State;
use trash::Trash;
use watermark::Watermark;

use crate::error::{Error, ErrorKind, Result};
use crate::event::{GapReason, Listener};
use crate::format::{Chain, Framing, Identity, IndexEntry};
use crate::position::{Epoch, SegmentNumber, Sequence};
use crate::recovery::CorruptionPolicy;
use crate::storage::{Directory, Lock};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};

pub(crate) use append::Acceptance;
pub(crate) use committer::Committer;
pub(crate) use floor::{Floor, Place};
#[cfg_attr(
    not(feature = "test-support"),
    expect(unreachable_pub, reason = "public with the feature test-support")
)]
pub use host::Host;
pub(crate) use host::{SystemHost, nanoseconds};
pub(crate) use lookup::{Here, find_in};
pub(crate) use notices::Notices;
pub(crate) use open::{Means, open};
pub(crate) use reader::{Found, LogReader};
pub(crate) use settings::Settings;
pub use settings::{CommitPadding, Overflow, Preallocate, Retention, SyncPolicy};
pub(crate) use table::SegmentTable;

pub(crate) use crate::recovery::CursorFact;

/// What the log asks of the layer that keeps cursors.
pub(crate) trait Cursors: std::fmt::Debug + Send + Sync {
    /// Makes every cursor durable that was written since the queue was opened.
    fn sync_written(&self) -> Result<()>;

    /// Makes every cursor durable as it counts now, also what an earlier process has written.
    fn sync_all(&self) -> Result<()>;
}

/// An open log.
#[derive(Debug)]
pub(crate) struct Log {
    directory: Arc<dyn Directory>,
    identity: Identity,
    /// How frames are laid out, as far as it does not depend on the segment.
    framing: Framing,
    settings: Settings,
    host: Arc<dyn Host>,
    listener: Option<Arc<dyn Listener>>,
    /// The process that opened the log; a fork of it may not write.
    process: u32,
    appends: Mutex<Appends>,
    /// Signalled when `Appends::writing` or `Appends::committing` becomes false.
    turn: Condvar,
    /// Who is on the way to the next commit.
    gather: Gather,
    /// The next segment.
    ahead: Ahead,
    /// Segments that were deleted.
    trash: Trash,
    watermark: Watermark,
    state: Mutex<State>,
    epoch: Epoch,
    table: SegmentTable,
    floor: Floor,
    bell: Bell,
    cursors: Mutex<Option<Arc<dyn Cursors>>>,
    /// Held while a file or folder of the log is synced, until a failure is known to all.
    syncing: Mutex<()>,
    /// The same for the folder of the segments.
    naming: Mutex<()>,
    /// Held while segments are deleted.
    reclaiming: Mutex<()>,
    /// Deleting is worth a try once the floor is here.
    reclaim_at: AtomicU64,
    /// The base of the first segment: what is below was delivered, or dropped, and deleted.
    first_base: AtomicU64,
    /// The next file of keys is there, of this process. Guarded by `reclaiming`.
    keys_reserved: AtomicBool,
    /// The drop floor as the last commit made it durable.
    committed_floor: AtomicU64,
    /// What the snapshot covers for which records are kept.
    snapshot_covers: AtomicU64,
    /// Set when closing begins: nothing more is accepted.
    closing: AtomicBool,
    enqueued: AtomicU64,
    syncs: AtomicU64,
    /// Held as long as anything can still be written. Released last: fields drop in order.
    _lock: Box<dyn Lock>,
}

impl Log {
    pub(crate) fn directory(&self) -> &dyn Directory {
        &*self.directory
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether consumers pass damage by themselves.
    pub(crate) fn passes_damage(&self) -> bool {
        self.settings.corruption_policy == CorruptionPolicy::Quarantine
    }

    pub(crate) fn table(&self) -> &SegmentTable {
        &self.table
    }

    pub(crate) fn floor(&self) -> &Floor {
        &self.floor
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn durable(&self) -> Sequence {
        self.watermark.durable()
    }

    /// The durable watermark with the chain there.
    pub(crate) fn head(&self) -> (Sequence, Chain) {
        self.watermark.head()
    }

    /// The sequence that the next record gets.
    pub(crate) fn next(&self) -> Sequence {
        self.appends.lock().next
    }

    /// Every record below this is in the file, though perhaps not durable.
    pub(crate) fn next_written(&self) -> Sequence {
        self.watermark.written()
    }

    /// Waits until the record `sequence` can be read, after a sync perhaps; false at the deadline,
    /// and when `give_up` says so, which is asked again after [`nudge`](Self::nudge).
    pub(crate) fn wait_written(
        &self,
        sequence: Sequence,
        deadline: Option<Instant>,
        give_up: impl Fn() -> bool,
    ) -> Result<bool> {
        self.check()?;
        let sequence = sequence.max(self.floor.dropped_to().sequence);
        self.watermark.wait_written(sequence, deadline, give_up)
    }

    /// Waits until the deadline, or until `give_up`, which is asked again after a nudge.
    pub(crate) fn pause(
        &self,
        deadline: Option<Instant>,
        give_up: impl Fn() -> bool,
    ) -> Result<()> {
        self.watermark.wait_while(deadline, || !give_up()).map(drop)
    }

    /// Wakes all who wait for records, to look whether they still want them.
    pub(crate) fn nudge(&self) {
        self.watermark.nudge();
    }

    /// Waits until `target` is durable, whoever makes it so; false at the deadline.
    pub(crate) fn wait_durable(&self, target: Sequence, deadline: Option<Instant>) -> Result<bool> {
        self.watermark.wait(target, deadline)
    }

    /// Wakes `waker` when `target` is durable; true when it is already.
    pub(crate) fn wake_when_durable(&self, target: Sequence, waker: &Waker) -> Result<bool> {
        self.watermark.register(target, waker)
    }

    /// The oldest record that can be read.
    pub(crate) fn first(&self) -> Sequence {
        self.first_with_reason().0
    }

    /// The oldest record that can be read, and why nothing before it can.
    pub(crate) fn first_with_reason(&self) -> (Sequence, GapReason) {
        let (dropped, reason) = self.floor.dropped_with_reason();
        let base = Sequence::new(self.first_base.load(Ordering::Acquire));
        if base > dropped {
            (base, GapReason::Reclaimed)
        } else {
            (dropped, reason)
        }
    }

    /// A cursor moved, and may have freed a segment.
    pub(crate) fn cursor_moved(&self) {
        self.floor_moved();
    }

    /// Frame bytes of the whole log, since the queue was created.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.appends.lock().end().log_bytes
    }

    /// The index entry at or before `sequence`, if `number` is the segment that grows.
    pub(crate) fn active_index(
        &self,
        number: SegmentNumber,
        sequence: Sequence,
    ) -> Option<IndexEntry> {
        self.appends.lock().index_entry(number, sequence)
    }

    /// Makes `cursors` the ones that reclaim waits for.
    pub(crate) fn attach_cursors(&self, cursors: Arc<dyn Cursors>) {
        *self.cursors.lock() = Some(cursors);
    }

    /// Whether the machine has a thread for what is due later.
    pub(crate) fn has_threads(&self) -> bool {
        self.host.has_threads()
    }

    /// Records accepted, and syncs made, since the log was opened.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (
            self.enqueued.load(Ordering::Relaxed),
            self.syncs.load(Ordering::Relaxed),
        )
    }

    /// Ok while the log serves this process.
    pub(crate) fn check(&self) -> Result<()> {
        self.watermark.check()?;
        if !self.is_forked() {
            return Ok(());
        }
        let what = "the queue was opened by the parent of this forked process";
        Err(Error::new(ErrorKind::Forked, what))
    }

    /// Whether this process is a fork of the one that opened the log.
    fn is_forked(&self) -> bool {
        self.host.process() != self.process
    }

    /// Ok while the log also accepts records.
    fn check_open(&self) -> Result<()> {
        self.check()?;
        if self.closing.load(Ordering::Acquire) {
            Err(watermark::closed())
        } else {
            Ok(())
        }
    }

    /// The segments stay as they are while the returned guard lives.
    pub(crate) fn hold_reclaim(&self) -> MutexGuard<'_, ()> {
        self.reclaiming.lock()
    }

    /// Tells the listener, if there is one. No lock is held.
    pub(crate) fn tell(&self, event: impl FnOnce(&dyn Listener)) {
        if let Some(listener) = &self.listener {
            event(&**listener);
        }
    }

    /// Stops everything for good: the state of the medium is not known any more. No lock is held.
    pub(crate) fn poison(&self, cause: &Error) -> Error {
        let mut notices = Notices::default();
        let error = self.poison_quietly(cause, &mut notices);
        self.tell_all(notices);
        error
    }

    /// The same, except for an error that lost nothing.
    pub(crate) fn poison_unless_full(&self, error: Error) -> Error {
        let mut notices = Notices::default();
        let error = self.poison_on_loss(error, &mut notices);
        self.tell_all(notices);
        error
    }
}
