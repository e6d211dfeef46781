//! `forebay verify`: every byte of a queue, read and checked.

mod json;
mod text;

use std::path::PathBuf;

use clap::Args;
use forebay::Sequence;
use forebay::inspect::{
    Anchor, AnchorOutcome, Pace, Progress, Severity, Verification, VerifyOptions, inspect, verify,
};
use indicatif::ProgressBar;

use crate::failure::Failure;
use crate::{asked, page, progress, units};

const EXAMPLE: &str = "\
Reads every retained byte: identity, both slots of STATE, every segment with
its header, frames and footer, indexes, keys, cursors and snapshots. With
--chain every hash is computed again. No lock is taken and nothing is written,
so it may be used while a program has the queue open; what is not durable yet
is not judged then.

Exit code 1 means that something is wrong: damage, lost records, hashes that do
not follow, or an anchor that is not proven. Minor findings (an index, a spare
slot) and a torn tail are told; they are no failure, opening puts them right.
What the system does not give back, or is no file, is a finding of its own, and
counts as zeros: the records that it hides are told as lost where they were
proven durable.

Fields of the JSON object; what is not known is null:
  path, id, integrity (chained, crc32c)
  sound                  false where the exit code is 1
  first, next, durable   the sequences in the log; durable is how far was judged
  segments, records, bytes
  chain                  whether every hash was computed
  lost_records
  findings               [{severity, file, offset, bytes, first, next, expected,
                         found}], severity: minor, damage, loss, tampering
  gaps                   [{first, next}] given up by a repair; known, no finding
  anchor                 {sequence, hash, outcome, found, proven_from} or null;
                         outcome: proven, differs, proven_from, reclaimed,
                         beyond, unreadable, no_chain
  quarantined_files, quarantined_bytes
  opening                what opening would do: {error} or {clean, event, next,
                         state_rebuilt, torn, lost_records}
                         torn: {file, offset, bytes, possibly_acknowledged}
  elapsed_seconds, bytes_per_second

Example:
  forebay verify events.queue
  forebay verify events.queue --chain --jobs 4
  forebay verify events.queue --html findings.html
  forebay verify events.queue --anchor \"$(cut -d' ' -f1 witness.txt)\"";

/// Check every byte, and say what is wrong and what it costs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    queue: asked::Queue,
    /// Compute every hash of the chain again.
    #[arg(long)]
    chain: bool,
    /// Prove that the history up to this head of the chain is the same; implies --chain.
    #[arg(long, value_name = "SEQUENCE:HASH")]
    anchor: Option<Anchor>,
    /// How many segments to read at once, without rest [default: one less than processors].
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
    /// Rest three quarters of the time, to keep out of the way of a program that writes; so it is done, too,
    /// where the queue was not closed and --jobs is not given.
    #[arg(long)]
    gentle: bool,
    #[command(flatten)]
    form: asked::Form,
    /// Write a page with the picture of the queue into FILE, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(file) = &arguments.html {
        page::try_place(file)?;
    }
    let pace = match (arguments.gentle, arguments.jobs) {
        (true, _) => Pace::Gentle,
        (false, 0) => Pace::Fitting,
        (false, _) => Pace::Full,
    };
    let mut options = VerifyOptions::new()
        .chain(arguments.chain)
        .pace(pace)
        .jobs(arguments.jobs);
    if let Some(anchor) = arguments.anchor {
        options = options.anchor(anchor);
    }
    let template = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    let bar = progress::drawn(ProgressBar::new(0), template);
    let found = verify(arguments.queue.path(), &options, &|progress| {
        show(&bar, progress);
    });
    bar.finish_and_clear();
    let found = found?;
    arguments.form.answer(
        || json::as_json(&found, arguments.anchor),
        || text::as_text(&found, arguments.anchor),
    )?;
    if let Some(file) = &arguments.html {
        // Without its identity it can be verified, and not looked at.
        let looked = inspect(arguments.queue.path());
        let told = page::Page {
            queue: &found.path,
            found: looked.as_ref(),
            findings: &rows(&found, arguments.anchor),
            is_sound: Some(found.is_sound()),
        };
        told.write(file)?;
    }
    if found.is_sound() {
        return Ok(());
    }
    Err(Failure::Finding(verdict(&found)))
}

/// What is wrong, as rows of the page.
fn rows(found: &Verification, anchor: Option<Anchor>) -> Vec<page::Finding> {
    let anchored = anchor.zip(found.anchor);
    let unproven = anchored.filter(|(_, outcome)| *outcome != AnchorOutcome::Proven);
    let unproven = unproven.map(|(anchor, outcome)| page::Finding {
        place: format!("anchor {}", anchor.sequence),
        records: Sequence::ZERO..Sequence::ZERO,
        what: text::told(outcome),
    });
    let findings = found.findings.iter().map(|finding| page::Finding {
        place: format!("{} at offset {}", finding.file.display(), finding.offset),
        records: finding.range.clone(),
        what: format!(
            "{}: expected {}, found {}",
            text::word(finding.severity),
            finding.expected,
            finding.found
        ),
    });
    findings.chain(unproven).collect()
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.total_bytes);
    // Threads may tell out of order.
    if bar.position() < progress.bytes {
        bar.set_position(progress.bytes);
    }
}

/// In one line, why the exit code is 1.
fn verdict(found: &Verification) -> String {
    let path = found.path.display();
    let lost = found.lost_records();
    match found.worst() {
        Some(Severity::Tampering) => format!("the queue was tampered with: {path}"),
        Some(Severity::Loss) => {
            format!("{} cannot be read: {path}", units::counted(lost, "record"))
        }
        Some(Severity::Damage) if !found.unreadable.is_empty() => {
            format!(
                "not all of it can be read, {}: {path}",
                kept(found, "durable record")
            )
        }
        Some(Severity::Damage) => {
            format!("the queue is damaged, {}: {path}", kept(found, "record"))
        }
        _ => format!("the anchor is not proven: {path}"),
    }
}

/// That every record is there, but for those that a repair gave up.
fn kept(found: &Verification, record: &str) -> String {
    match text::given_up(found) {
        0 => format!("no {record} is lost"),
        count => format!(
            "{} given up by a repair, no other {record} is lost",
            units::counted(count, "record")
        ),
    }
}
