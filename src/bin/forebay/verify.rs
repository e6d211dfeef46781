//! `forebay verify`: every byte of a queue, read and checked.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use forebay::Integrity;
use forebay::inspect::{
    Anchor, AnchorOutcome, Finding, Progress, Severity, Verification, VerifyOptions, inspect,
    verify,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::units;
use crate::{facts, output, page};

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
  seconds, bytes_per_second

Example:
  forebay verify events.queue
  forebay verify events.queue --chain --jobs 4
  forebay verify events.queue --html findings.html
  forebay verify events.queue --anchor \"$(cut -d' ' -f1 witness.txt)\"";

/// Check every byte, and say what is wrong and what it costs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The queue's directory.
    #[arg(value_name = "DIR")]
    queue: PathBuf,
    /// Compute every hash of the chain again.
    #[arg(long)]
    chain: bool,
    /// Prove that the history up to this head of the chain is the same; implies --chain.
    #[arg(long, value_name = "SEQUENCE:HASH")]
    anchor: Option<Anchor>,
    /// How many segments to read at once, without rest [default: one less than processors].
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
    /// Rest half of the time, to keep out of the way of a program that writes; so it is done, too,
    /// where the queue was not closed and --jobs is not given.
    #[arg(long)]
    gentle: bool,
    /// Print one JSON object instead.
    #[arg(long)]
    json: bool,
    /// Write a page with the picture of the queue into FILE, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    // A program may be writing wherever the queue is not closed.
    let is_closed = || inspect(&arguments.queue).is_ok_and(|found| found.opening.clean);
    let gentle = arguments.gentle || (arguments.jobs == 0 && !is_closed());
    let mut options = VerifyOptions::new()
        .chain(arguments.chain)
        .gentle(gentle)
        .jobs(arguments.jobs);
    if let Some(anchor) = arguments.anchor {
        options = options.anchor(anchor);
    }
    let bar = bar();
    let found = verify(&arguments.queue, &options, &|progress| show(&bar, progress));
    bar.finish_and_clear();
    let found = found?;
    let text = if arguments.json {
        format!("{:#}\n", as_json(&found, arguments.anchor))
    } else {
        output::safe(&as_text(&found, arguments.anchor))
    };
    output::print(&text)?;
    if let Some(file) = &arguments.html {
        let picture = inspect(&arguments.queue).map_err(|error| {
            Failure::from(error).after("the findings are told, no page is written".to_owned())
        })?;
        page::write(file, &picture, &rows(&found))?;
    }
    if found.is_sound() {
        return Ok(());
    }
    Err(Failure::Finding(verdict(&found)))
}

/// What is wrong, as rows of the page.
fn rows(found: &Verification) -> Vec<page::Finding> {
    let findings = found.findings.iter().map(|finding| page::Finding {
        place: format!("{} at offset {}", finding.file.display(), finding.offset),
        records: finding.range.clone(),
        what: format!(
            "{}: expected {}, found {}",
            word(finding.severity),
            finding.expected,
            finding.found
        ),
    });
    findings.collect()
}

/// Hidden where standard error is no terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    match ProgressStyle::with_template(style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
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
        Some(Severity::Loss) if lost == 1 => format!("one record cannot be read: {path}"),
        Some(Severity::Loss) => format!("{lost} records cannot be read: {path}"),
        Some(Severity::Damage) if !found.unreadable.is_empty() => {
            format!("not all of it can be read, no durable record is lost: {path}")
        }
        Some(Severity::Damage) => format!("the queue is damaged, no record is lost: {path}"),
        _ => format!("the anchor is not proven: {path}"),
    }
}

fn as_text(found: &Verification, anchor: Option<Anchor>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    write_text(found, anchor, &mut text).ok();
    text
}

fn write_text(found: &Verification, anchor: Option<Anchor>, text: &mut String) -> std::fmt::Result {
    writeln!(text, "queue      {}", found.path.display())?;
    let (first, next) = (found.first, found.next);
    writeln!(
        text,
        "log        {first}..{next}, durable to {}, in {} segments",
        found.durable, found.segments
    )?;
    let hashes = if found.chain { ", every hash" } else { "" };
    let rate = units::bytes(units::per_second(found.bytes, found.elapsed));
    writeln!(
        text,
        "checked    {} records, {}{hashes}, in {} ({rate}/s)",
        found.records,
        units::bytes(found.bytes),
        units::span(found.elapsed),
    )?;
    for finding in &found.findings {
        writeln!(
            text,
            "{:<10} {}",
            word(finding.severity),
            shown(found, finding)
        )?;
    }
    for gap in &found.gaps {
        writeln!(
            text,
            "gap        {}..{}, given up by a repair",
            gap.start, gap.end
        )?;
    }
    let (files, bytes) = found.quarantined;
    if files > 0 {
        let bytes = units::bytes(bytes);
        writeln!(text, "quarantine {files} files, {bytes}")?;
    }
    if let (Some(anchor), Some(outcome)) = (anchor, found.anchor) {
        writeln!(text, "anchor     {}: {}", anchor.sequence, told(outcome))?;
    }
    write_opening(found, text)?;
    let verdict = if found.is_sound() {
        "sound"
    } else {
        "not sound"
    };
    writeln!(text, "verdict    {verdict}")
}

/// The finding with its file below the queue's directory.
fn shown(found: &Verification, finding: &Finding) -> String {
    let mut short = finding.clone();
    if let Ok(below) = finding.file.strip_prefix(&found.path) {
        short.file = below.to_path_buf();
    }
    short.to_string()
}

fn write_opening(found: &Verification, text: &mut String) -> std::fmt::Result {
    let opening = match &found.opening {
        Ok(opening) => opening,
        Err(error) => return writeln!(text, "opening    would fail: {error}"),
    };
    write!(
        text,
        "opening    {}; goes on at {}",
        opening.event, opening.next
    )?;
    if opening.state_rebuilt {
        write!(text, "; rebuilds STATE")?;
    }
    writeln!(text)?;
    let Some(torn) = &opening.torn else {
        return Ok(());
    };
    let file = torn.file.strip_prefix(&found.path).unwrap_or(&torn.file);
    let perhaps = if torn.possibly_acknowledged {
        "; its last record may have been acknowledged"
    } else {
        ""
    };
    writeln!(
        text,
        "torn tail  {} from offset {} of {}, removed by opening{perhaps}",
        units::bytes(torn.bytes),
        torn.offset,
        file.display(),
    )
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Minor => "minor",
        Severity::Damage => "damage",
        Severity::Loss => "loss",
        Severity::Tampering => "tampering",
        _ => "finding",
    }
}

/// The outcome in words.
fn told(outcome: AnchorOutcome) -> String {
    match outcome {
        AnchorOutcome::Proven => "proven, the history is the same".to_owned(),
        AnchorOutcome::Differs { found } => {
            format!(
                "differs, the history is another one: the chain is {}",
                units::hex(&found)
            )
        }
        AnchorOutcome::ProvenFrom(from) => {
            format!("proven from {from} on only; what is before it does not lead there")
        }
        AnchorOutcome::Reclaimed => {
            "cannot be proven, every record below it is reclaimed".to_owned()
        }
        AnchorOutcome::Beyond => "cannot be proven, the durable log ends below it".to_owned(),
        AnchorOutcome::Unreadable => {
            "cannot be proven, the record before it cannot be read".to_owned()
        }
        AnchorOutcome::NoChain => "cannot be proven, the queue has no chain".to_owned(),
        _ => "unknown".to_owned(),
    }
}

fn as_json(found: &Verification, anchor: Option<Anchor>) -> Value {
    let gaps = found.gaps.iter();
    let gaps = gaps.map(|gap| json!({"first": gap.start.get(), "next": gap.end.get()}));
    json!({
        "path": found.path.display().to_string(),
        "id": found.id.to_string(),
        "integrity": match found.integrity {
            Integrity::Chained => "chained",
            Integrity::Crc32c | _ => "crc32c",
        },
        "sound": found.is_sound(),
        "first": found.first.get(),
        "next": found.next.get(),
        "durable": found.durable.get(),
        "segments": found.segments,
        "records": found.records,
        "bytes": found.bytes,
        "chain": found.chain,
        "lost_records": found.lost_records(),
        "findings": found.findings.iter().map(finding_as_json).collect::<Vec<_>>(),
        "gaps": gaps.collect::<Vec<_>>(),
        "anchor": anchor.zip(found.anchor).map(|(anchor, outcome)| anchor_as_json(anchor, outcome)),
        "quarantined_files": found.quarantined.0,
        "quarantined_bytes": found.quarantined.1,
        "opening": opening_as_json(found),
        "seconds": found.elapsed.as_secs_f64(),
        "bytes_per_second": units::per_second(found.bytes, found.elapsed),
    })
}

fn finding_as_json(finding: &Finding) -> Value {
    json!({
        "severity": word(finding.severity),
        "file": finding.file.display().to_string(),
        "offset": finding.offset.get(),
        "bytes": finding.bytes,
        "first": finding.range.start.get(),
        "next": finding.range.end.get(),
        "expected": finding.expected,
        "found": finding.found,
    })
}

fn anchor_as_json(anchor: Anchor, outcome: AnchorOutcome) -> Value {
    let name = match outcome {
        AnchorOutcome::Proven => "proven",
        AnchorOutcome::Differs { .. } => "differs",
        AnchorOutcome::ProvenFrom(_) => "proven_from",
        AnchorOutcome::Reclaimed => "reclaimed",
        AnchorOutcome::Beyond => "beyond",
        AnchorOutcome::Unreadable => "unreadable",
        AnchorOutcome::NoChain => "no_chain",
        _ => "unknown",
    };
    let mut differing = None;
    if let AnchorOutcome::Differs { found } = outcome {
        differing = Some(units::hex(&found));
    }
    let mut proven_from = None;
    if let AnchorOutcome::ProvenFrom(from) = outcome {
        proven_from = Some(from.get());
    }
    json!({
        "sequence": anchor.sequence.get(),
        "hash": units::hex(&anchor.hash),
        "outcome": name,
        "found": differing,
        "proven_from": proven_from,
    })
}

fn opening_as_json(found: &Verification) -> Value {
    let opening = match &found.opening {
        Ok(opening) => opening,
        Err(error) => return json!({"error": error.to_string()}),
    };
    let torn = opening.torn.as_ref().map(facts::of_torn_tail);
    let lost = opening.corruption.iter();
    let lost = lost.map(|damage| damage.range.end.since(damage.range.start));
    json!({
        "clean": opening.clean,
        "event": opening.event,
        "next": opening.next.get(),
        "state_rebuilt": opening.state_rebuilt,
        "torn": torn,
        "lost_records": lost.sum::<u64>(),
    })
}
