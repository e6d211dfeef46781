//! `forebay head`: the value of the chain, to be written down elsewhere.

use clap::Args;
use forebay::inspect::head;
use forebay::{Error, ErrorKind};
use serde_json::json;

use crate::failure::Failure;
use crate::{asked, output};

const EXAMPLE: &str = "\
Prints SEQUENCE:HASH and the epoch. The hash covers every record below the
sequence, all of them durable. Kept where nobody who can change the queue can
change it, it proves later that these records are still the same ones:

  forebay verify events.queue --anchor SEQUENCE:HASH

Where the last durable record is gone, with its segment for example, what is
printed is what the file STATE says that the hash was, with a warning and exit
code 1. No lock is taken and nothing is written.

Fields of the JSON object:
  sequence               every record below is durable, and covered by the hash
  hash                   64 hexadecimal digits
  epoch                  the run of the log, in hexadecimal
  in_log                 false where the last durable record is gone

Example:
  forebay head events.queue
  forebay head events.queue --json >> witness.jsonl";

/// Print the head of the chain, to be witnessed elsewhere.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    queue: asked::Queue,
    #[command(flatten)]
    form: asked::Form,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let found = head(arguments.queue.path()).map_err(refusal)?;
    let (anchor, epoch) = (found.anchor, found.epoch);
    let text = if arguments.form.json {
        let shown = anchor.to_string();
        let hash = shown.split_once(':').map_or("", |(_, hash)| hash);
        let object = json!({
            "sequence": anchor.sequence.get(),
            "hash": hash,
            "epoch": epoch.to_string(),
            "in_log": found.in_log,
        });
        format!("{object}\n")
    } else {
        format!("{anchor} {epoch}\n")
    };
    output::print(&text)?;
    if found.in_log {
        return Ok(());
    }
    let path = arguments.queue.path().display();
    Err(Failure::Finding(format!(
        "the last durable record is gone, and the head is what STATE says it was: {path}\n  \
         `forebay verify` tells what is missing"
    )))
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
