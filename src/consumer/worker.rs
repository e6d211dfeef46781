//! A thread that drains one consumer into a handler and commits honest progress only.
//!
//! One turn: wait for a record, hand out a batch, and only when the handler answers for it move the
//! cursor. A handler that fails or panics has answered for nothing; it is called again from the
//! last commit, as often as its policy allows.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::handle::Consumer;
use super::options::ConsumerOptions;
use super::record::Batch;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, deadline_after, now, thread};

/// Why a handler could not handle a batch.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// How a worker goes on after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flow {
    /// The batch is done: it is acknowledged, and the next one comes.
    Continue,
    /// The batch is done: it is acknowledged, and the worker ends.
    Stop,
    /// The batch is not done: it comes again, after [`WorkerOptions::pause`]. This is no failure,
    /// and may happen any number of times.
    Rollback,
}

/// How often a handler that failed or panicked is called again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestartPolicy {
    /// Never.
    Never,
    /// Once in the worker's life.
    #[default]
    Once,
    /// So many times within a stretch of time, which begins with the first failure in it.
    Bounded {
        /// How many times.
        max_restarts: u32,
        /// Within how long. A failure after that begins to count anew.
        within: Duration,
    },
}

/// How a worker drains its consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "options do nothing until a worker is started with them"]
pub struct WorkerOptions {
    pub(crate) consumer: ConsumerOptions,
    batch_records: usize,
    restart: RestartPolicy,
    pause: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            consumer: ConsumerOptions::default(),
            batch_records: 64,
            restart: RestartPolicy::default(),
            pause: Duration::from_millis(100),
        }
    }
}

impl WorkerOptions {
    /// Batches of up to 64 records of every kind, one restart, 100 ms before a batch comes again.
    pub fn new() -> Self {
        Self::default()
    }

    /// How the consumer is made. Default: [`ConsumerOptions::new`].
    pub fn consumer(mut self, consumer: ConsumerOptions) -> Self {
        self.consumer = consumer;
        self
    }

    /// How many records the handler is given at most, at least 1. Default: 64.
    pub fn batch_records(mut self, records: usize) -> Self {
        self.batch_records = records.max(1);
        self
    }

    /// What follows a failure or a panic of the handler. Default: [`RestartPolicy::Once`].
    pub fn restart(mut self, restart: RestartPolicy) -> Self {
        self.restart = restart;
        self
    }

    /// How long a batch that was not handled waits before it comes again. Default: 100 ms.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }
}

/// Why a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitReason {
    /// The handler said [`Flow::Stop`].
    Finished,
    /// [`Worker::stop`] was called, or the worker was dropped.
    Stopped,
    /// The handler failed or panicked more often than its [`RestartPolicy`] allows.
    GaveUp,
    /// The queue could not be read, or the progress not be written: [`Worker::join`] tells why.
    Failed,
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exit {
    /// Why.
    pub reason: ExitReason,
    /// Records that the handler answered for.
    pub handled: u64,
    /// How often the handler was called again after a failure or a panic.
    pub restarts: u32,
    /// What the last failure or panic of the handler said.
    pub last_failure: Option<String>,
}

/// A running worker. Dropped, it stops the thread and waits until it has ended.
#[derive(Debug)]
#[must_use = "a worker that is dropped is stopped"]
pub struct Worker {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<Result<Exit>>>,
}

#[derive(Debug)]
struct Shared {
    log: Arc<Log>,
    stop: AtomicBool,
    exit: Mutex<Option<ExitReason>>,
    last_failure: Mutex<Option<String>>,
}

impl Worker {
    pub(crate) fn start<H>(consumer: Consumer, options: WorkerOptions, handler: H) -> Result<Self>
    where
        H: FnMut(&Batch<'_>) -> std::result::Result<Flow, HandlerError> + Send + 'static,
    {
        let shared = Arc::new(Shared {
            log: Arc::clone(&consumer.log),
            stop: AtomicBool::new(false),
            exit: Mutex::new(None),
            last_failure: Mutex::new(None),
        });
        let own = Arc::clone(&shared);
        let path = consumer.log.directory().path().to_path_buf();
        let mut run = Run {
            shared: own,
            consumer,
            options,
            handler,
            handled: 0,
            restarts: 0,
            window: (None, 0),
        };
        let thread = thread::Builder::new()
            .name("forebay-worker".to_owned())
            .spawn(move || run.run())
            .map_err(|source| Error::io("start a thread for", &path, source))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Asks the worker to end after the batch that its handler is at. It does not wait.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.log.nudge();
    }

    /// Why the worker has ended; `None` while it runs.
    #[must_use]
    pub fn exit_reason(&self) -> Option<ExitReason> {
        *self.shared.exit.lock()
    }

    /// What the last failure or panic of the handler said.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        self.shared.last_failure.lock().clone()
    }

    /// Waits until the worker has ended by itself. It has let go of its consumer and of the queue.
    ///
    /// # Errors
    ///
    /// What ended it: [`ErrorKind::Corrupt`] where durable records cannot be read;
    /// [`ErrorKind::Io`], [`ErrorKind::Full`], [`ErrorKind::Poisoned`] where the progress could not
    /// be written, so that the last batch comes again; [`ErrorKind::Closed`].
    pub fn join(mut self) -> Result<Exit> {
        self.end()
    }

    /// [`stop`](Self::stop) and [`join`](Self::join).
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    pub fn stop_and_join(self) -> Result<Exit> {
        self.stop();
        self.join()
    }

    fn end(&mut self) -> Result<Exit> {
        let ended = self.thread.take().map(thread::JoinHandle::join);
        // Only a listener of the queue can have panicked there.
        let panicked = || {
            let what = "the worker's thread panicked outside of its handler";
            Error::new(ErrorKind::Io, what)
        };
        ended
            .and_then(std::result::Result::ok)
            .ok_or_else(panicked)?
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let Some(thread) = &self.thread else {
            return;
        };
        self.stop();
        // The handler itself may have come to own the worker.
        if thread.thread().id() != thread::current().id() {
            self.end().ok();
        }
    }
}

/// What runs on the thread.
struct Run<H> {
    shared: Arc<Shared>,
    consumer: Consumer,
    options: WorkerOptions,
    handler: H,
    handled: u64,
    restarts: u32,
    /// When the restarts that count began, and how many they are.
    window: (Option<Instant>, u32),
}

impl<H> Run<H>
where
    H: FnMut(&Batch<'_>) -> std::result::Result<Flow, HandlerError>,
{
    fn run(&mut self) -> Result<Exit> {
        let ended = self.turns();
        let reason = *ended.as_ref().unwrap_or(&ExitReason::Failed);
        *self.shared.exit.lock() = Some(reason);
        ended.map(|reason| Exit {
            reason,
            handled: self.handled,
            restarts: self.restarts,
            last_failure: self.shared.last_failure.lock().clone(),
        })
    }

    fn turns(&mut self) -> Result<ExitReason> {
        loop {
            let shared = &self.shared;
            let is_stopped = || shared.stop.load(Ordering::Acquire);
            if is_stopped() {
                return Ok(ExitReason::Stopped);
            }
            let batch = self.consumer.peek_batch(self.options.batch_records)?;
            let Some(last) = batch.last().map(|last| last.sequence) else {
                self.consumer.wait_unless(None, is_stopped)?;
                continue;
            };
            let records = crate::format::wide(batch.len());
            let handler = &mut self.handler;
            let answer = catch_unwind(AssertUnwindSafe(|| handler(&batch)));
            let failure = match answer {
                Ok(Ok(Flow::Rollback)) => {
                    self.pause()?;
                    continue;
                }
                Ok(Ok(flow)) => {
                    self.consumer.ack_through(last)?;
                    self.consumer.confirm()?;
                    self.handled = self.handled.saturating_add(records);
                    if flow == Flow::Stop {
                        return Ok(ExitReason::Finished);
                    }
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(panic) => text_of(&*panic),
            };
            *self.shared.last_failure.lock() = Some(failure);
            if !self.may_restart() {
                return Ok(ExitReason::GaveUp);
            }
            self.pause()?;
        }
    }

    /// Waits before the same batch comes again, or until the worker is stopped.
    fn pause(&mut self) -> Result<()> {
        let deadline = deadline_after(self.options.pause);
        let shared = &self.shared;
        shared
            .log
            .pause(deadline, || shared.stop.load(Ordering::Acquire))
    }

    /// Takes one restart, if there is one left.
    fn may_restart(&mut self) -> bool {
        let (most, within) = match self.options.restart {
            RestartPolicy::Never => return false,
            RestartPolicy::Once => (1, None),
            RestartPolicy::Bounded {
                max_restarts,
                within,
            } => (max_restarts, Some(within)),
        };
        let (began, count) = &mut self.window;
        let moment = now();
        let is_over = |began: Instant| {
            within.is_some_and(|within| moment.saturating_duration_since(began) > within)
        };
        if began.is_none_or(is_over) {
            (*began, *count) = (Some(moment), 0);
        }
        if *count >= most {
            return false;
        }
        *count = count.saturating_add(1);
        self.restarts = self.restarts.saturating_add(1);
        true
    }
}

/// What a panic said.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
