//! The group-commit thread: intervals, tickets, rotations, the idle `STATE` sync, reclaim.
//!
//! A caller that waits for its own record never hands over to it. It sleeps until the next thing
//! is due, and for ever when nothing is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Log;
use super::appends::Unsettled;
use super::notices::Notices;
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, Signal, now, panicking, thread};

/// How long after the last commit `STATE` and the cursors are synced.
const IDLE: Duration = Duration::from_millis(100);

/// What is due, and the bell that says that it changed.
#[derive(Debug)]
pub(crate) struct Bell {
    agenda: Mutex<Agenda>,
    /// Whether an interval's sync is due already, so that most records need no lock.
    interval_armed: AtomicBool,
    idle_armed: AtomicBool,
    changed: Signal,
}

#[derive(Debug, Default)]
struct Agenda {
    commit_by: Option<Instant>,
    idle_at: Option<Instant>,
    reclaim: bool,
    stop: bool,
    /// Segments whose index file is to be written.
    indexes: Vec<Unsettled>,
}

impl Bell {
    pub(super) fn new() -> Self {
        Self {
            agenda: Mutex::new(Agenda::default()),
            interval_armed: AtomicBool::new(false),
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

    /// The interval's sync is about to begin: a later record needs another one.
    fn disarm_interval(&self) {
        // A swap, because it reads: the commit that follows sees what was written before every
        // `sync_within` that found the flag set.
        self.interval_armed.swap(false, Ordering::AcqRel);
    }

    /// Somebody waits for a commit, or a segment wants to be settled.
    pub(crate) fn commit_soon(&self) {
        self.commit_by(Some(now()));
    }

    fn commit_by(&self, by: Option<Instant>) {
        let mut agenda = self.agenda.lock();
        let sooner = agenda
            .commit_by
            .is_none_or(|known| by.is_some_and(|by| by < known));
        if sooner {
            agenda.commit_by = by;
        }
        drop(agenda);
        self.changed.ring();
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

    fn stop(&self) {
        self.agenda.lock().stop = true;
        self.changed.ring();
    }

    /// Takes everything, due or not.
    #[cfg(feature = "test-support")]
    fn take_all(&self) -> Due {
        let agenda = std::mem::take(&mut *self.agenda.lock());
        self.disarm_interval();
        self.idle_armed.store(false, Ordering::Release);
        Due {
            stop: agenda.stop,
            commit: agenda.commit_by.is_some(),
            idle: agenda.idle_at.is_some(),
            reclaim: agenda.reclaim,
            indexes: agenda.indexes,
        }
    }

    /// Takes what is due now, after sleeping until something is.
    fn next(&self) -> Due {
        loop {
            let mut agenda = self.agenda.lock();
            let now = now();
            let due = Due {
                stop: agenda.stop,
                commit: agenda.commit_by.is_some_and(|by| by <= now),
                idle: agenda.idle_at.is_some_and(|at| at <= now),
                reclaim: std::mem::take(&mut agenda.reclaim),
                indexes: std::mem::take(&mut agenda.indexes),
            };
            if due.commit {
                agenda.commit_by = None;
                self.disarm_interval();
            }
            if due.idle {
                agenda.idle_at = None;
                self.idle_armed.store(false, Ordering::Release);
            }
            let wake_at = [agenda.commit_by, agenda.idle_at]
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
struct Due {
    stop: bool,
    commit: bool,
    idle: bool,
    reclaim: bool,
    indexes: Vec<Unsettled>,
}

impl Due {
    fn is_something(&self) -> bool {
        self.stop || self.commit || self.idle || self.reclaim || !self.indexes.is_empty()
    }
}

/// The running thread; stopped and joined by [`stop`](Self::stop).
#[derive(Debug)]
pub(crate) struct Committer {
    log: Arc<Log>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Committer {
    pub(crate) fn start(log: &Arc<Log>) -> Result<Self> {
        let own = Arc::clone(log);
        let thread = thread::Builder::new()
            .name("forebay-commit".to_owned())
            .spawn(move || run(&own))
            .map_err(|source| Error::io("start a thread for", log.directory().path(), source))?;
        Ok(Self {
            log: Arc::clone(log),
            thread: Some(thread),
        })
    }

    /// Stops the thread and waits until it has ended.
    pub(crate) fn stop(&mut self) {
        self.log.bell.stop();
        let Some(running) = self.thread.take() else {
            return;
        };
        // A fork has no such thread, and the thread cannot wait for itself (a listener may drop the
        // last handle on it).
        if self.log.is_forked() || running.thread().id() == thread::current().id() {
            return;
        }
        if running.join().is_err() {
            // It panicked: nobody knows what it left undone.
            let gone = Error::new(crate::error::ErrorKind::Poisoned, "the commit thread died");
            self.log.poison(&gone);
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(log: &Log) {
    let sentry = Sentry(log);
    loop {
        let due = log.bell.next();
        if due.stop {
            break;
        }
        log.carry_out(&due);
    }
    drop(sentry);
}

/// Poisons the log when the thread dies of a panic: whoever waits for it must not wait for ever.
struct Sentry<'a>(&'a Log);

impl Drop for Sentry<'_> {
    fn drop(&mut self) {
        if panicking() {
            let gone = Error::new(crate::error::ErrorKind::Poisoned, "the commit thread died");
            self.0.poison(&gone);
        }
    }
}

impl Log {
    /// Rings the commit thread's bell.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    fn carry_out(&self, due: &Due) {
        // A failure poisons the log, which tells everyone who waits.
        if due.commit && self.check().is_ok() {
            self.commit().ok();
        }
        for sealed in &due.indexes {
            self.keep_index(&sealed.segment, &sealed.index, sealed.end);
        }
        if due.idle && self.check().is_ok() {
            self.settle_when_idle();
        }
        if due.reclaim && self.check().is_ok() {
            self.reclaim().ok();
        }
    }

    /// Carries out everything on the agenda, as the commit thread would in its time.
    #[cfg(feature = "test-support")]
    pub(crate) fn run_background(&self) {
        self.carry_out(&self.bell.take_all());
    }

    /// Makes the newest watermark and the cursors durable.
    fn settle_when_idle(&self) {
        let mut notices = Notices::default();
        if let Err(error) = self
            .settle_state()
            .and_then(|()| self.sync_written_cursors())
        {
            self.poison_on_loss(error, &mut notices);
            self.bell.idle_later();
        }
        self.tell_all(notices);
    }

    fn settle_state(&self) -> Result<()> {
        let floor = self.durable_floor();
        let mut state = self.state.lock();
        self.check()?;
        if state.newest().clean {
            // Nothing was appended since opening: the slot says all there is to say.
            return Ok(());
        }
        state.check_opener()?;
        let durable = self.durable();
        state.write_watermark(durable, floor)?;
        state.sync()
    }

    fn sync_written_cursors(&self) -> Result<()> {
        let cursors = self.cursors.lock().clone();
        cursors.map_or(Ok(()), |cursors| cursors.sync_written())
    }

    /// Makes every cursor durable, before something is done that counts on them.
    pub(super) fn sync_cursors(&self) -> Result<()> {
        let cursors = self.cursors.lock().clone();
        cursors.map_or(Ok(()), |cursors| cursors.sync_all())
    }
}
