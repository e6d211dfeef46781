//! The process that is killed: enqueues lines and reports each one that was acknowledged.
//!
//! Lane L of N takes the lines L, L + N, L + 2N, and so on, each in a thread of its own, so that
//! the order within a lane is known and the lanes share their syncs. A report is one short line,
//! written in one piece right after `enqueue` returned: a pipe does not tear it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::thread;

use clap::Parser;
use forebay::{Queue, SyncPolicy};

use super::source::Source;
use crate::failure::Failure;

/// Threads that enqueue at the same time.
pub(super) const LANES: u64 = 4;

/// The first argument of a process that is to be killed. It is no subcommand: nobody else asks.
pub(super) const CHILD: &str = "demo-child";

/// Enqueues until it is killed.
#[derive(Debug, Parser)]
pub(crate) struct ChildArguments {
    queue: PathBuf,
    file: PathBuf,
    /// The next line of each lane.
    next: Vec<u64>,
}

/// What this process was given, if it is one that is to be killed.
pub(crate) fn child_arguments() -> Option<ChildArguments> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let is_child = arguments.peek().is_some_and(|first| first == CHILD);
    is_child.then(|| ChildArguments::parse_from(arguments))
}

pub(crate) fn run_child(arguments: &ChildArguments) -> Result<(), Failure> {
    let source = Source::read(&arguments.file)?;
    let queue = Queue::options()
        .sync_policy(SyncPolicy::Always)
        // Small, so that the kill meets rotation and reclaim too.
        .segment_bytes(1 << 20)
        .open(&arguments.queue)?;
    thread::scope(|scope| {
        let lanes: Vec<_> = arguments
            .next
            .iter()
            .map(|next| scope.spawn(|| enqueue_lane(&queue, &source, *next)))
            .collect();
        let mut outcome = Ok(());
        for lane in lanes {
            let ended = lane.join().unwrap_or_else(|_panic| {
                Err(Failure::Finding(
                    "a thread of the child panicked".to_owned(),
                ))
            });
            outcome = outcome.and(ended);
        }
        outcome
    })
}

fn enqueue_lane(queue: &Queue, source: &Source, next: u64) -> Result<(), Failure> {
    for index in (0..).map(|step| next + step * LANES) {
        let sequence = queue.enqueue(source.record(index))?;
        let report = format!("{sequence} {index}\n");
        let mut output = io::stdout().lock();
        output
            .write_all(report.as_bytes())
            .and_then(|()| output.flush())
            .map_err(Failure::io("cannot report to the parent"))?;
    }
    Ok(())
}
