//! `forebay ls`: the segments of a queue, one a row.

use std::time::SystemTime;

use clap::Args;
use forebay::inspect::{Inspection, SegmentView, inspect};
use serde_json::json;

use crate::failure::Failure;
use crate::paint::Paint;
use crate::rows::{Rows, Side, Tone, or_dash};
use crate::{asked, facts, output, units};

/// Hexadecimal digits of a chain hash that are shown to a person.
const CHAIN_DIGITS: usize = 16;

const EXAMPLE: &str = "\
bytes are those of the records with their headers; file is the file's length,
reserved space included. The chain is the hash at the end of the segment, of
which the table shows the beginning. No lock is taken and nothing is written.
Exit code 1 means that a segment is damaged, as far as its beginning tells;
opening after a crash looks further, and `forebay stats` tells what it finds.

Fields of the JSON object; what is not known is null:
  path, integrity (chained, crc32c)
  segments               [{number, role, base, next, records, frame_bytes, chain,
                         epoch, begun_unix_ns, file_bytes, defect}]
                         role: prepared, active, sealed, unsealed, stray,
                         missing

Example:
  forebay ls events.queue
  forebay ls events.queue --json | jq -r '.segments[-1].chain'";

/// List the segments of a queue.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    queue: asked::Queue,
    #[command(flatten)]
    form: asked::Form,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let found = inspect(arguments.queue.path())?;
    let text = if arguments.form.json {
        let facts = json!({
            "path": found.path.display().to_string(),
            "integrity": facts::integrity(found.integrity),
            "segments": found.segments.iter().map(facts::of_segment).collect::<Vec<_>>(),
        });
        format!("{facts:#}\n")
    } else if found.segments.is_empty() {
        "no segment yet\n".to_owned()
    } else {
        rows(&found, SystemTime::now()).drawn(Paint::for_output())
    };
    output::print(&text)?;
    let mut damaged = found.segments.iter().filter(|found| found.defect.is_some());
    if found.segments.is_empty() && found.is_damaged() {
        return Err(Failure::Finding("every segment is gone".to_owned()));
    }
    match damaged.next() {
        Some(first) => {
            let number = first.number;
            Err(Failure::Finding(format!("segment {number} is damaged")))
        }
        None => Ok(()),
    }
}

fn rows(found: &Inspection, now: SystemTime) -> Rows {
    let mut rows = Rows::new(vec![
        ("segment", Side::Right),
        ("role", Side::Left),
        ("base", Side::Right),
        ("next", Side::Right),
        ("records", Side::Right),
        ("bytes", Side::Right),
        ("file", Side::Right),
        ("begun", Side::Right),
        ("epoch", Side::Left),
        ("chain", Side::Left),
        ("", Side::Left),
    ]);
    for segment in &found.segments {
        let tone = match segment.defect {
            Some(_) => Tone::Bad,
            None => Tone::Plain,
        };
        rows.push(tone, &cells(segment, now));
    }
    rows
}

fn cells(segment: &SegmentView, now: SystemTime) -> Vec<String> {
    let begun = segment.begun.map(|begun| units::age(begun, now));
    vec![
        segment.number.to_string(),
        facts::role(segment.role).to_owned(),
        or_dash(segment.base),
        or_dash(segment.next),
        or_dash(segment.records),
        or_dash(segment.frame_bytes.map(units::bytes)),
        units::bytes(segment.file_bytes),
        begun.map_or_else(|| "-".to_owned(), |age| format!("{age} ago")),
        or_dash(segment.epoch),
        or_dash(segment.chain.map(|chain| {
            let mut digits = units::hex(&chain);
            digits.truncate(CHAIN_DIGITS);
            digits
        })),
        segment.defect.clone().unwrap_or_default(),
    ]
}
