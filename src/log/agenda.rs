//! What the commit thread has to do, and when: asked for by anybody, taken by the thread.

use std::time::{Duration, Instant};

use super::appends::Unsettled;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, Signal, now};

/// How long after the last commit `STATE` and the cursors are synced.
const IDLE: Duration = Duration::from_millis(100);

/// What is due, and the bell that says that it changed.
#[derive(Debug)]
pub(crate) struct Bell {
    agenda: Mutex<Agenda>,
    /// Whether an interval's sync, or one at once, is due already, so that most records need no
    /// lock.
    interval_armed: AtomicBool,
    commit_armed: AtomicBool,
    idle_armed: AtomicBool,
    changed: Signal,
}

#[derive(Debug, Default)]
struct Agenda {
    commit_by: Option<Instant>,
    idle_at: Option<Instant>,
    shrink_at: Option<Instant>,
    reclaim: bool,
    prepare: bool,
    stop: bool,
    /// Segments whose index file is to be written.
    indexes: Vec<Unsettled>,
}

impl Bell {
    pub(super) fn new() -> Self {
        Self {
            agenda: Mutex::new(Agenda::default()),
            interval_armed: AtomicBool::new(false),
            commit_armed: AtomicBool::new(false),
            idle_armed: AtomicBool::new(false),
            changed: Signal::new(),
        }
    }

    /// A record was written that has to be durable within `interval`.
    pub(super) fn sync_within(&self, interval: Duration) {
        if !self.interval_armed.swap(true, Ordering::AcqRel) {
            self.commit_by(now().checked_add(interval));
        }
    }

    /// Somebody waits for a commit, or a segment wants to be settled.
    pub(crate) fn commit_soon(&self) {
        if !self.commit_armed.swap(true, Ordering::AcqRel) {
            self.commit_by(Some(now()));
        }
    }

    /// A sync is about to begin: a later record needs another one.
    fn disarm_commit(&self) {
        // Swaps, because they read: the commit that follows sees what was written before every
        // call that found its flag set.
        self.interval_armed.swap(false, Ordering::AcqRel);
        self.commit_armed.swap(false, Ordering::AcqRel);
    }

    fn commit_by(&self, by: Option<Instant>) {
        let mut agenda = self.agenda.lock();
        let sooner = agenda
            .commit_by
            .is_none_or(|known| by.is_some_and(|by| by < known));
        if sooner {
            agenda.commit_by = by;
            drop(agenda);
            self.changed.ring();
        }
    }

    /// A commit ended: once nothing more happens, its watermark becomes provable. `sealed` want
    /// their index files.
    pub(super) fn settle_later(&self, sealed: Vec<Unsettled>) {
        let indexes = !sealed.is_empty();
        if indexes {
            self.agenda.lock().indexes.extend(sealed);
            self.changed.ring();
        }
        self.idle_later();
    }

    /// Something was written that is synced when the log is idle.
    pub(crate) fn idle_later(&self) {
        if self.idle_armed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.agenda.lock().idle_at = now().checked_add(IDLE);
        self.changed.ring();
    }

    /// A segment may have become free.
    pub(crate) fn reclaim_soon(&self) {
        self.agenda.lock().reclaim = true;
        self.changed.ring();
    }

    /// The next segment wants to be made ready.
    pub(super) fn prepare_soon(&self) {
        self.agenda.lock().prepare = true;
        self.changed.ring();
    }

    /// Files of deleted segments wait to be shrunk.
    pub(super) fn shrink_within(&self, pause: Duration) {
        let mut agenda = self.agenda.lock();
        if agenda.shrink_at.is_none() {
            agenda.shrink_at = now().checked_add(pause);
            drop(agenda);
            self.changed.ring();
        }
    }

    pub(super) fn stop(&self) {
        self.agenda.lock().stop = true;
        self.changed.ring();
    }

    /// Takes everything, due or not.
    #[cfg(feature = "test-support")]
    pub(super) fn take_all(&self) -> Due {
        let agenda = std::mem::take(&mut *self.agenda.lock());
        self.disarm_commit();
        self.idle_armed.store(false, Ordering::Release);
        Due {
            stop: agenda.stop,
            commit: agenda.commit_by.is_some(),
            idle: agenda.idle_at.is_some(),
            shrink: agenda.shrink_at.is_some(),
            reclaim: agenda.reclaim,
            prepare: agenda.prepare,
            indexes: agenda.indexes,
        }
    }

    /// Takes what is due now, after sleeping until something is.
    pub(super) fn next(&self) -> Due {
        loop {
            let mut agenda = self.agenda.lock();
            let now = now();
            let due = Due {
                stop: agenda.stop,
                commit: agenda.commit_by.is_some_and(|by| by <= now),
                idle: agenda.idle_at.is_some_and(|at| at <= now),
                shrink: agenda.shrink_at.is_some_and(|at| at <= now),
                reclaim: std::mem::take(&mut agenda.reclaim),
                prepare: std::mem::take(&mut agenda.prepare),
                indexes: std::mem::take(&mut agenda.indexes),
            };
            if due.commit {
                agenda.commit_by = None;
                self.disarm_commit();
            }
            if due.idle {
                agenda.idle_at = None;
                self.idle_armed.store(false, Ordering::Release);
            }
            if due.shrink {
                agenda.shrink_at = None;
            }
            let wake_at = [agenda.commit_by, agenda.idle_at, agenda.shrink_at]
                .into_iter()
                .flatten()
                .min();
            drop(agenda);
            if due.is_something() {
                return due;
            }
            self.changed.wait_until(wake_at);
        }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is one thing to do")]
pub(super) struct Due {
    pub(super) stop: bool,
    pub(super) commit: bool,
    pub(super) idle: bool,
    pub(super) shrink: bool,
    pub(super) reclaim: bool,
    pub(super) prepare: bool,
    pub(super) indexes: Vec<Unsettled>,
}

impl Due {
    fn is_something(&self) -> bool {
        let at_once = self.stop || self.commit || self.reclaim || self.prepare;
        at_once || self.idle || self.shrink || !self.indexes.is_empty()
    }
}
