//! `forebay dump`: records of a queue on standard output, without touching it.

use std::time::SystemTime;

use clap::Args;
use forebay::inspect::inspect;
use forebay::{Batch, Sequence, Start};

use crate::failure::Failure;
use crate::output::{self, Reader};
use crate::reading::Reading;
use crate::record_format::Format;
use crate::{asked, moments, note, units};

/// Output is written in pieces of at least so many bytes.
const PIECE_BYTES: usize = 256 << 10;

const EXAMPLE: &str = "\
No lock is taken and nothing is written, so it may be used while a program has
the queue open. It ends with the records that are durable when it begins; how
many are written and not proven durable is said on standard error.

Where records are damaged it says where and stops, with exit code 1;
--skip-damage passes over them, and over what the system does not give back;
exit code 1 stays.

Fields of a JSON object, one a line (--format jsonl):
  sequence, epoch (hex)  with the queue's id they name the record for ever
  kind                   a number; 0 unless the program chose one
  enqueued_unix_ns       when it was enqueued, nanoseconds since 1970
  key (hex)              only where it was enqueued with one
  text or base64         the payload: text where it is UTF-8, or else base64

Example:
  forebay dump events.queue | jq -r .text
  forebay dump events.queue --from 1000 --to 1010 --format hex
  forebay dump events.queue --since 10m --kind 7";

/// Show records of a queue, from the oldest to the newest.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    queue: asked::Queue,
    /// The first record; the oldest one unless given.
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// The record to end before; none unless given.
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// Only records enqueued at this time or later: RFC 3339, or how long ago (10m, 2h, 3d).
    #[arg(long, value_name = "TIME", value_parser = moments::parse)]
    since: Option<SystemTime>,
    /// Only records of these kinds.
    #[arg(long, value_name = "K", value_delimiter = ',')]
    kind: Vec<u16>,
    /// How a record is shown.
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Pass over damaged records, and say which they are.
    #[arg(long)]
    skip_damage: bool,
}

impl Arguments {
    fn open(&self) -> Result<Reading, Failure> {
        let open = |start| Reading::open(self.queue.path(), start, self.skip_damage);
        let from = self.from.map(Sequence::new);
        let Some(since) = self.since else {
            return open(from.map_or(Start::First, Start::At));
        };
        let reading = open(Start::Time(since))?;
        match from {
            Some(from) if from > reading.follower.next_sequence() => open(Start::At(from)),
            _ => Ok(reading),
        }
    }

    fn append(&self, batch: &Batch<'_>, end: Sequence, out: &mut Vec<u8>) {
        for record in batch.iter() {
            let is_wanted = self.kind.is_empty() || self.kind.contains(&record.kind);
            if is_wanted && record.sequence < end {
                self.format.append(&record, out);
            }
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let (Some(from), Some(to)) = (arguments.from, arguments.to)
        && from > to
    {
        return Err(Failure::Input {
            what: format!("the records {from}..{to} are none"),
            remedy: "--to is the record to end before; it cannot be less than --from",
        });
    }
    let mut reading = arguments.open()?;
    let durable = reading.follower.durable()?;
    let end = arguments
        .to
        .map_or(durable, |to| durable.min(Sequence::new(to)));
    reading.ends_at(end);
    let mut out = Vec::new();
    let outcome = loop {
        match reading.read(|batch| arguments.append(batch, end, &mut out)) {
            Ok(true) if out.len() < PIECE_BYTES => {}
            Ok(true) => {
                if output::write(&out)? == Reader::Gone {
                    return Ok(());
                }
                out.clear();
            }
            Ok(false) => break reading.finish(),
            Err(failure) => break Err(failure),
        }
    };
    output::write(&out)?;
    if arguments.to.is_none_or(|to| to > durable.get()) {
        tell_unproven(arguments);
    }
    outcome
}

/// Says how many records may be lost with the power yet.
fn tell_unproven(arguments: &Arguments) {
    let Ok(found) = inspect(arguments.queue.path()) else {
        return;
    };
    let (durable, next) = (found.durable, found.next);
    if next > durable {
        let records = units::counted(next.since(durable), "record");
        note(&format!(
            "written and not proven durable: {records}, {durable}..{next}"
        ));
    }
}
