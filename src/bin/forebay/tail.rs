//! `forebay tail`: the newest records of a queue, and those to come.

use std::time::Duration;

use clap::Args;
use forebay::{Sequence, Start};

use crate::asked;
use crate::failure::Failure;
use crate::output::{self, Reader};
use crate::reading::Reading;
use crate::record_format::Format;

/// How often it is looked whether anybody still reads, while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Output is written in pieces of about so many bytes.
const PIECE_BYTES: usize = 256 << 10;

const EXAMPLE: &str = "\
No lock is taken and nothing is written, so it may be used while a program has
the queue open. Only durable records are shown, each within 100 ms. With -f it
goes on until it is interrupted, or nobody reads its output any more.

Where records are damaged it says where and stops, with exit code 1;
--skip-damage passes over them. The fields of a JSON object are those of
`forebay dump`.

Example:
  forebay tail -f events.queue
  forebay tail events.queue --lines 3 --format hex";

/// Show the newest records, and with -f those to come.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    queue: asked::Queue,
    /// Go on with the records to come.
    #[arg(short, long)]
    follow: bool,
    /// How many of those that are there to begin with.
    #[arg(short = 'n', long, value_name = "N", default_value = "10")]
    lines: u64,
    /// How a record is shown.
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Pass over damaged records, and say which they are.
    #[arg(long)]
    skip_damage: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (mut reading, durable) = open(arguments)?;
    if !arguments.follow {
        reading.ends_at(durable);
    }
    let mut out = Vec::new();
    loop {
        let read = reading.read(|batch| {
            for record in batch.iter() {
                if arguments.follow || record.sequence < durable {
                    arguments.format.append(&record, &mut out);
                }
            }
        });
        let is_last = !matches!(read, Ok(true));
        if is_last || out.len() >= PIECE_BYTES {
            if !out.is_empty() && output::write(&out)? == Reader::Gone {
                return Ok(());
            }
            out.clear();
        }
        if read? {
            continue;
        }
        if !arguments.follow {
            return reading.finish();
        }
        while !reading.follower.wait(LOOK_EVERY)? {
            if output::reader() == Reader::Gone {
                return Ok(());
            }
        }
    }
}

/// A reader at the first of the newest records, and the end of those that are there.
fn open(arguments: &Arguments) -> Result<(Reading, Sequence), Failure> {
    let open = |start| Reading::open(arguments.queue.path(), start, arguments.skip_damage);
    let mut reading = open(Start::First)?;
    let durable = reading.follower.durable()?;
    let start = durable.get().saturating_sub(arguments.lines);
    if start <= reading.follower.next_sequence().get() {
        return Ok((reading, durable));
    }
    let reading = open(Start::At(Sequence::new(start)))?;
    Ok((reading, durable))
}
