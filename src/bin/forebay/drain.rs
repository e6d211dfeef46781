//! `forebay drain`: each record becomes a line of standard output.

use std::collections::VecDeque;
use std::io::{self, Write};

use clap::Args;
use forebay::{Batch, Consumer, Queue, Retention, Sequence};

use crate::failure::Failure;
use crate::{asked, note};

/// Records asked for at once; a batch is rarely so long, as it comes from one read.
const BATCH_RECORDS: usize = 1 << 16;
/// The most that a pipe holds unread (Linux, `/proc/sys/fs/pipe-max-size`).
const PIPE_BYTES_MAX: u64 = 1 << 20;

const EXAMPLE: &str = "\
Each record is acknowledged once it is written and flushed, and is not
delivered to the same consumer again. When the reader closes the pipe while
there is more, whatever it may not have read is delivered again the next time.
What fits into the pipe to the end counts as read: to take a few records, ask
for a few with --max. Records that all consumers have acknowledged are deleted
then; `forebay dump` looks at a queue whose program keeps them.

There is no --json: what comes out is the records. `forebay dump` and `forebay
tail` print them as JSON, and take none out.

Example:
  forebay drain events.queue > events.jsonl
  forebay drain events.queue --consumer audit --max 10";

/// Take records out of a queue, a line each, in order.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    queue: asked::Queue,
    /// Who drains: each consumer gets all records, from the oldest one when it is new.
    #[arg(long, value_name = "NAME", default_value = "cli")]
    consumer: String,
    #[command(flatten)]
    kinds: asked::Kinds,
    /// The most records to take; all that are there unless given.
    #[arg(long, value_name = "N")]
    max: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    // What a pipe's reader may not read is gone back to, so it must not be deleted meanwhile.
    let retention = if is_file() {
        Retention::UntilAcked
    } else {
        Retention::KeepForever
    };
    let options = Queue::options().open_existing();
    let queue = options
        .clone()
        .retention(retention.clone())
        .open(arguments.queue.path())?;
    let mut consumer = arguments.kinds.open(&queue, &arguments.consumer)?;
    if let Some(range) = consumer.taken_back() {
        let (start, end) = (range.start, range.end);
        note(&format!(
            "the records {start}..{end} were lost with the end of the log; others have their place"
        ));
    }
    let outcome = drain(&mut consumer, arguments.max, &mut io::stdout().lock());
    for gap in consumer.take_gaps() {
        let (start, end) = (gap.range.start, gap.range.end);
        note(&format!(
            "the records {start}..{end} are gone: {}",
            gap.reason
        ));
    }
    drop(consumer);
    queue.close().map_err(Failure::Queue).and(outcome)?;
    if retention == Retention::KeepForever {
        // Gives the space back. Whoever has the queue open by now does it too.
        let reopened = options.open(arguments.queue.path());
        reopened.and_then(|queue| queue.reclaim()).ok();
    }
    Ok(())
}

/// Whether standard output is a file, which keeps what is written.
#[cfg(unix)]
fn is_file() -> bool {
    use std::os::fd::AsFd;

    let output = io::stdout().as_fd().try_clone_to_owned();
    let metadata = output.and_then(|output| std::fs::File::from(output).metadata());
    metadata.is_ok_and(|metadata| metadata.is_file())
}

#[cfg(not(unix))]
fn is_file() -> bool {
    false
}

/// A batch that was written, in case its reader did not read it.
#[derive(Clone, Copy, Debug)]
struct Written {
    first: Sequence,
    /// Bytes written up to its end, since the beginning.
    end: u64,
}

fn drain(
    consumer: &mut Consumer,
    max: Option<u64>,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let mut left = max.unwrap_or(u64::MAX);
    let mut unread: VecDeque<Written> = VecDeque::new();
    let mut lines = Vec::new();
    let mut end = 0_u64;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX);
        let batch = consumer.peek_batch(wanted.min(BATCH_RECORDS))?;
        let (Some(first), Some(last)) = (batch.get(0), batch.last()) else {
            break;
        };
        let (first, last) = (first.sequence, last.sequence);
        as_lines(&batch, &mut lines);
        let written = output.write_all(&lines).and_then(|()| output.flush());
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return take_back(consumer, &unread);
            }
            Err(error) => return Err(Failure::io("cannot write to standard output")(error)),
        }
        consumer.ack_through(last)?;
        left = left.saturating_sub(last.since(first).saturating_add(1));
        end = end.saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        unread.push_back(Written { first, end });
        // A pipe that took this much more has been emptied of what came before.
        while unread
            .front()
            .is_some_and(|oldest| oldest.end.saturating_add(PIPE_BYTES_MAX) < end)
        {
            unread.pop_front();
        }
    }
    Ok(())
}

fn as_lines(batch: &Batch<'_>, lines: &mut Vec<u8>) {
    lines.clear();
    for record in batch.iter() {
        lines.extend_from_slice(record.payload);
        lines.push(b'\n');
    }
}

/// The reader is gone, and with it what the pipe held: goes back to where that may have begun.
fn take_back(consumer: &mut Consumer, unread: &VecDeque<Written>) -> Result<(), Failure> {
    match unread.front() {
        Some(oldest) => Ok(consumer.seek(oldest.first)?),
        None => Ok(()),
    }
}
