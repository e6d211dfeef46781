//! The group-commit thread: intervals, tickets, rotations, the idle `STATE` sync, reclaim, and the
//! next segment.
//!
//! A caller that waits for its own record never hands over to it. It sleeps until the next thing
//! is due, and for ever when nothing is.

use std::sync::Arc;

use super::Log;
use super::agenda::{Bell, Due};
use super::notices::Notices;
use crate::error::{Error, Result};
use crate::sync::{panicking, thread};

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
            let mut notices = Notices::default();
            self.0.poison_quietly(&gone, &mut notices);
            // Before a listener can ask for what somebody holds who waits for this thread.
            self.0.ahead.abandon();
            self.0.tell_all(notices);
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
            self.reclaim_gently().ok();
        }
        if due.prepare && self.check().is_ok() {
            self.prepare_next();
        }
        if due.shrink && self.check().is_ok() {
            self.shrink_trash();
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
        self.state_synced(&mut notices);
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
