//! `forebay stats`: what a queue on disk holds, without touching it.

mod rates;
mod table;
mod watch;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use forebay::inspect::{Inspection, inspect};

use crate::failure::Failure;
use crate::paint::Paint;
use crate::{asked, facts, output, page};

const EXAMPLE: &str = "\
No lock is taken and nothing is written, so it may be used while a program has
the queue open. Exit code 1 means that something is damaged, as far as opening
the queue looks; `forebay verify` reads every record.

Fields of the JSON object; what is not known is null:
  path, id, epoch (hex), integrity (chained, crc32c), created_unix_ns
  clean, event           whether it was closed, and what opening would find
  backup                 whether it is a backup, which is not opened but restored
  first, next            the sequences in the log; next is the one to come
  durable, floor         below: survives power loss; was delivered or dropped
  durable_lag            records written and not yet known to be durable
  waiting_records, waiting_bytes, oldest_waiting_unix_ns
  log_bytes              bytes of frames since the queue was created
  disk_bytes, quarantine_bytes, free_bytes, damaged
  torn                   {file, offset, bytes, possibly_acknowledged} or null
  corruption             [{file, offset, first, next, expected, found}]
  segments               [{number, role, base, next, records, frame_bytes, chain,
                         epoch, begun_unix_ns, file_bytes, defect}]
                         role: prepared, active, sealed, unsealed, stray,
                         missing
  consumers              [{name, next, lag, lag_bytes, oldest_unix_ns, filtered,
                         kind, defect}]
  snapshots              [{name, covers, file_bytes, defect}]
With --watch it is one such object a line, and from the second one on with
  rates                  {elapsed_seconds, records_in_per_second,
                         bytes_in_per_second, records_out_per_second,
                         consumers: {name: records_out_per_second}}

Example:
  forebay stats events.queue
  forebay stats events.queue --watch 5
  forebay stats events.queue --html queue.html
  forebay stats events.queue --json | jq .waiting_records";

/// Show what a queue holds and who is how far behind, as far as opening looks.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    queue: asked::Queue,
    #[command(flatten)]
    form: asked::Form,
    /// Look again every so many seconds (1 unless given), with rates, until Ctrl-C.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1")]
    #[arg(value_parser = parse_pause)]
    watch: Option<Duration>,
    /// Write a page with the picture of the queue into FILE, which must not be there yet.
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    html: Option<PathBuf>,
}

fn parse_pause(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected a number of seconds; DIR goes before --watch".to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(pause) = arguments.watch {
        return watch::watch(arguments.queue.path(), pause, arguments.form.json);
    }
    if let Some(file) = &arguments.html {
        page::try_place(file)?;
    }
    let found = inspect(arguments.queue.path())?;
    let text = if arguments.form.json {
        format!("{:#}\n", facts::of_inspection(&found))
    } else {
        table::draw(&found, None, SystemTime::now(), Paint::for_output())
    };
    output::print(&text)?;
    if let Some(file) = &arguments.html {
        let page = page::Page {
            queue: &found.path,
            found: Ok(&found),
            findings: &page::findings_of(&found),
            is_sound: None,
        };
        page.write(file)?;
    }
    refuse_damaged(&found)
}

/// A damaged queue is a finding.
pub(crate) fn refuse_damaged(found: &Inspection) -> Result<(), Failure> {
    if found.is_damaged() {
        let path = found.path.display();
        return Err(Failure::Finding(format!("the queue is damaged: {path}")));
    }
    Ok(())
}
