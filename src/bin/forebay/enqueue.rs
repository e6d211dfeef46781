//! `forebay enqueue`: each line of standard input becomes a record.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use clap::Args;
use forebay::{Queue, Retention, Sequence, SyncPolicy};
use indicatif::ProgressBar;
use serde_json::json;

use crate::failure::Failure;
use crate::lines::{Chunk, Lines, read_ahead};
use crate::{asked, note, output, progress, units};

/// Payload bytes of a batch, however many lines it may have: what is in memory twice.
const BATCH_BYTES_MAX: u64 = 4 << 20;

const EXAMPLE: &str = "\
The newline is not part of the record, a carriage return is; an empty line is
an empty record. `forebay drain` writes a newline after each record, so what
went in comes out byte for byte; a last line without a newline gains one.
On success every line survives a power cut. After an error, the message says
how many lines are in the queue. What was done is told on standard error, with
--json on standard output, once at the end.

Fields of the JSON object:
  records, first, next   how many lines became records, and their sequences
  bytes                  bytes of input, newlines included
  elapsed_seconds

Example:
  forebay enqueue events.queue < events.jsonl
  tail -F app.log | forebay enqueue app.queue --sync interval=200";

/// Put the lines of standard input into a queue, a record a line.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The queue's directory; made if it is not there.
    #[arg(value_name = "DIR")]
    queue: PathBuf,
    /// When lines become durable: each batch at once, in the background, or at the end.
    #[arg(
        long,
        value_name = "always|interval=MS|manual",
        default_value = "always"
    )]
    #[arg(value_parser = parse_sync)]
    sync: SyncPolicy,
    /// Lines that are enqueued together, at most. Fewer where fewer are there: no line waits for
    /// another to come.
    #[arg(long, value_name = "N", default_value = "1000")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// The longest line accepted, in bytes.
    #[arg(long, value_name = "BYTES", default_value = "16777216")]
    max_record_bytes: u32,
    #[command(flatten)]
    form: asked::Form,
}

fn parse_sync(text: &str) -> Result<SyncPolicy, String> {
    let expected =
        || "expected always, interval=MS (milliseconds, at least 1) or manual".to_owned();
    match text.split_once('=') {
        None if text == "always" => Ok(SyncPolicy::Always),
        None if text == "manual" => Ok(SyncPolicy::Manual),
        Some(("interval", milliseconds)) => match milliseconds.parse() {
            Ok(0) | Err(_) => Err(expected()),
            Ok(milliseconds) => Ok(SyncPolicy::Interval(Duration::from_millis(milliseconds))),
        },
        None | Some(_) => Err(expected()),
    }
}

/// What has been enqueued so far.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    lines: u64,
    /// Bytes of input, newlines included.
    bytes: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let started = Instant::now();
    // To delete what is acknowledged is for the program whose queue it is, and for `drain`.
    let queue = Queue::options()
        .retention(Retention::KeepForever)
        .sync_policy(arguments.sync)
        .max_record_bytes(arguments.max_record_bytes)
        .open(&arguments.queue)?;
    let first = queue.next();
    let lines_max = usize::try_from(arguments.batch).unwrap_or(usize::MAX);
    let lines = read_ahead(lines_max, arguments.max_record_bytes)
        .map_err(Failure::io("cannot start a thread"))?;
    let progress = progress_of(input_bytes());
    let mut done = Done::default();
    let outcome = enqueue_all(&queue, &lines, arguments, &mut done, &progress);
    // Also after an error: what the next line says is in the queue survives a power cut then.
    let closed = queue.close().map_err(Failure::Queue);
    progress.finish_and_clear();
    match (outcome, closed) {
        (Ok(()), Ok(())) => {}
        (Err(failure), Ok(())) => {
            let lines = units::counted(done.lines, "line");
            return Err(failure.after(format!("in the queue before it: {lines}")));
        }
        (Err(failure), Err(_)) | (Ok(()), Err(failure)) => return Err(failure),
    }
    done.tell(first, started.elapsed(), arguments.form)
}

impl Done {
    fn tell(self, first: Sequence, elapsed: Duration, form: asked::Form) -> Result<(), Failure> {
        if form.json {
            let told = json!({
                "records": self.lines,
                "first": first.get(),
                "next": first.get().saturating_add(self.lines),
                "bytes": self.bytes,
                "elapsed_seconds": elapsed.as_secs_f64(),
            });
            return output::print(&format!("{told:#}\n"));
        }
        note(&format!(
            "enqueued {}, {} in {} ({} records/s, {}/s)",
            units::counted(self.lines, "record"),
            units::bytes(self.bytes),
            units::span(elapsed),
            units::per_second(self.lines, elapsed),
            units::bytes(units::per_second(self.bytes, elapsed)),
        ));
        Ok(())
    }
}

fn enqueue_all(
    queue: &Queue,
    lines: &Receiver<Lines>,
    arguments: &Arguments,
    done: &mut Done,
    progress: &ProgressBar,
) -> Result<(), Failure> {
    let lines_max = usize::try_from(arguments.batch).unwrap_or(usize::MAX);
    let mut held = None;
    while let Some(first) = held.take().or_else(|| lines.recv().ok()) {
        let mut batch = vec![whole_lines(first, arguments.max_record_bytes)?];
        // What came in while the last batch was synced goes together.
        while room_in(&batch) > 0 {
            match lines.try_recv() {
                Ok(Lines::Chunk(more)) if count(&batch) + more.len() <= lines_max => {
                    batch.push(more);
                }
                Ok(later) => {
                    held = Some(later);
                    break;
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        let range = queue.enqueue_batch(batch.iter().flat_map(Chunk::iter))?;
        let bytes = batch.iter().map(|chunk| chunk.read_bytes).sum::<u64>();
        done.lines += range.end.since(range.start);
        done.bytes += bytes;
        progress.inc(bytes);
        progress.set_message(units::counted(done.lines, "record"));
    }
    Ok(())
}

fn count(batch: &[Chunk]) -> usize {
    batch.iter().map(Chunk::len).sum()
}

fn room_in(batch: &[Chunk]) -> u64 {
    let bytes = batch.iter().map(|chunk| chunk.read_bytes).sum::<u64>();
    BATCH_BYTES_MAX.saturating_sub(bytes)
}

fn whole_lines(lines: Lines, max_record_bytes: u32) -> Result<Chunk, Failure> {
    match lines {
        Lines::Chunk(chunk) => Ok(chunk),
        Lines::TooLong(number) => Err(Failure::Input {
            what: format!("line {number} is longer than {max_record_bytes} bytes"),
            remedy: "allow it with --max-record-bytes",
        }),
        Lines::Failed(source) => Err(Failure::io("cannot read standard input")(source)),
    }
}

/// A bar where the end is known, a spinner where it is not, nothing where nobody looks.
fn progress_of(input_bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match input_bytes {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {msg}, {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {bytes}, {bytes_per_sec}, {msg}",
        ),
    };
    progress::drawn(bar, template)
}

/// How much there is to read, when standard input is a file.
#[cfg(unix)]
fn input_bytes() -> Option<u64> {
    use std::os::fd::AsFd;

    let input = io::stdin().as_fd().try_clone_to_owned().ok()?;
    let metadata = std::fs::File::from(input).metadata().ok()?;
    metadata.is_file().then_some(metadata.len())
}

#[cfg(not(unix))]
fn input_bytes() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sync_policies_are_read_and_others_refused() {
        assert_eq!(parse_sync("always"), Ok(SyncPolicy::Always));
        assert_eq!(parse_sync("manual"), Ok(SyncPolicy::Manual));
        let interval = SyncPolicy::Interval(Duration::from_millis(20));
        assert_eq!(parse_sync("interval=20"), Ok(interval));
        for wrong in [
            "",
            "interval",
            "interval=",
            "interval=0",
            "always=1",
            "never",
        ] {
            assert!(parse_sync(wrong).is_err(), "{wrong}");
        }
    }
}
