//! `forebay head`: the value of the chain, to be written down elsewhere.

use std::path::PathBuf;

use clap::Args;
use forebay::inspect::head;
use forebay::{Error, ErrorKind};
use serde_json::json;

use crate::failure::Failure;
use crate::output;

const EXAMPLE: &str = "\
Prints SEQUENCE:HASH and the epoch. The hash covers every record below the
sequence, all of them durable. Kept where nobody who can change the queue can
change it, it proves later that these records are still the same ones:

  forebay verify events.queue --anchor SEQUENCE:HASH

No lock is taken and nothing is written.

Fields of the JSON object:
  sequence               every record below is durable, and covered by the hash
  hash                   64 hexadecimal digits
  epoch                  the run of the log, in hexadecimal

Example:
  forebay head events.queue
  forebay head events.queue --json >> witness.jsonl";

/// Print the head of the chain, to be witnessed elsewhere.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The queue's directory.
    #[arg(value_name = "DIR")]
    queue: PathBuf,
    /// Print one JSON object instead.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let found = head(&arguments.queue).map_err(refusal)?;
    let (anchor, epoch) = (found.anchor, found.epoch);
    let text = if arguments.json {
        let shown = anchor.to_string();
        let hash = shown.split_once(':').map_or("", |(_, hash)| hash);
        let object = json!({
            "sequence": anchor.sequence.get(),
            "hash": hash,
            "epoch": epoch.to_string(),
        });
        format!("{object}\n")
    } else {
        format!("{anchor} {epoch}\n")
    };
    output::print(&text)
}

fn refusal(error: Error) -> Failure {
    if error.kind() != ErrorKind::InvalidInput {
        return Failure::Queue(error);
    }
    Failure::Input {
        what: error.to_string(),
        remedy: "only a queue with `Integrity::Chained`, the default, can be witnessed; \
                 `forebay verify` checks its checksums",
    }
}
