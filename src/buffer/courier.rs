//! The thread that does a buffer's file work for futures, so that no executor waits for a disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::answer::{Answer, answer};
use super::desk::Desk;
use crate::error::{Error, ErrorKind, Result};

type Job = Box<dyn FnOnce(&Desk) + Send>;

/// The thread, as the buffer holds it. Dropped, it is given no more work, does what it was given,
/// and ends.
#[derive(Debug)]
pub(super) struct Courier {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    process: u32,
}

impl Courier {
    pub(super) fn start(desk: &Arc<Desk>) -> Result<Self> {
        let (jobs, given) = unbounded();
        let desk = Arc::clone(desk);
        let thread = thread::Builder::new()
            .name("forebay-courier".to_owned())
            .spawn(move || work(&given, &desk))
            .map_err(|why| {
                let what = format!("the buffer's thread cannot be started: {why}");
                Error::new(ErrorKind::Io, what)
            })?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            process: std::process::id(),
        })
    }

    /// Has `job` done after all that was asked for before, and returns what it will return.
    pub(super) fn ask<R: Send + 'static>(
        &self,
        job: impl FnOnce(&Desk) -> R + Send + 'static,
    ) -> Answer<R> {
        let (promise, answer) = answer();
        let job = Box::new(move |desk: &Desk| promise.give(job(desk)));
        if let Some(jobs) = &self.jobs {
            // Without the thread the job is dropped, and its promise with it: that is the answer.
            jobs.send(job).ok();
        }
        answer
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A waker that was called there may have come to own the buffer; and a forked child has a
        // copy of the buffer, but not the thread.
        let is_itself = thread.thread().id() == thread::current().id();
        if !is_itself && std::process::id() == self.process {
            // A job that panicked has said so by its answer.
            thread.join().ok();
        }
    }
}

fn work(given: &Receiver<Job>, desk: &Desk) {
    for job in given {
        // Only a listener or a waker can have panicked: its promise is gone, others are kept.
        catch_unwind(AssertUnwindSafe(|| job(desk))).ok();
    }
}
