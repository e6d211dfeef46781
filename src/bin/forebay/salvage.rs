//! `forebay salvage`: every valid record out of what is left of a queue, into a new one.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;

use clap::Args;
use forebay::salvage::{FileState, SalvageOptions, Salvaged, SalvagedFile, salvage};
use forebay::{QueueId, Sequence};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::{asked, facts, units};

/// Ranges that are shown, where there are more.
const RANGES_SHOWN: usize = 20;

const EXAMPLE: &str = "\
DIR is only read. OUT must not be there, or be an empty directory; it becomes a
queue with the same identity, whose records keep their ids, times, kinds and
keys. What is missing is a gap there. Consumers go on where they were. Snapshots
are not taken over. Where a program has DIR open, what comes out is a moment.

Files are found by what is in them, whatever their names; QUEUE, STATE and the
headers of segments may be gone. With --include-quarantine also what a recovery
or a repair has moved aside. Records whose place was given to others since are
kept in OUT/quarantine/superseded.records.

What the system does not give back is passed over, and told.

Exit code 1 means that records are missing, that a consumer's place is not known,
or that not all of DIR could be read.

Fields of the JSON object (ranges are half open):
  path, id               the new queue
  records, payload_bytes, segments, first, next
  lost_records, lost     [{first, next}], of which no valid frame is left
  known_gaps             [{first, next}], given up before by a repair
  unproven               {first, next} or null: may never have been durable
  cut_batches            [last sequence that is left of a batch]
  reclaimed, duplicates  records left out: deleted before; found twice
  superseded, superseded_in
  foreign                [{id, files, records}], of other queues
  files                  [{name, state, records, damaged}]
                         state: segment, misnamed, without_header, foreign,
                         later_version, unreadable
  consumers              [{name, next}]
  lost_consumers         [{name, reason}]
  snapshots_left         names of snapshots, which are not taken over
  unreadable             [{file, offset, bytes, expected, found}] of DIR; bytes
                         is null where something else than a file is

Example:
  forebay salvage events.queue events.rescued
  forebay salvage events.queue events.rescued --json | jq .lost";

/// Get every valid record out of what is left of a queue, into a new one.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// What is left of the queue.
    #[arg(value_name = "DIR")]
    queue: PathBuf,
    /// The new queue's directory.
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Whose records to get out, where those of several queues are mixed.
    #[arg(long = "queue", value_name = "ID", value_parser = queue_id)]
    id: Option<QueueId>,
    /// Look into the folder of quarantine too.
    #[arg(long)]
    include_quarantine: bool,
    #[command(flatten)]
    form: asked::Form,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut options = SalvageOptions::new().include_quarantine(arguments.include_quarantine);
    if let Some(id) = arguments.id {
        options = options.queue(id);
    }
    let found = salvage(&arguments.queue, &arguments.out, &options)?;
    arguments
        .form
        .answer(|| as_json(&found), || as_text(&found))?;
    let mut missing = Vec::new();
    let lost = found.lost_records();
    if lost > 0 {
        missing.push(format!("missing: {}", units::counted(lost, "record")));
    }
    for consumer in &found.lost_consumers {
        missing.push(format!("the place of {} is not known", consumer.name));
    }
    if !found.unreadable.is_empty() {
        missing.push("not all of the queue can be read".to_owned());
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Failure::Finding(missing.join(", and ")))
    }
}

/// An identity as `stats` shows it.
fn queue_id(text: &str) -> Result<QueueId, String> {
    let bytes = facts::bytes_called(text)
        .ok_or("expected 32 hexadecimal digits, as in the field id of `forebay stats --json`")?;
    Ok(QueueId::new(bytes))
}

fn as_json(found: &Salvaged) -> Value {
    let foreign = found.foreign.iter().map(|foreign| {
        json!({
            "id": foreign.id.to_string(),
            "files": foreign.files,
            "records": foreign.records,
        })
    });
    let files = found.files.iter().map(|file| {
        json!({
            "name": file.name,
            "state": state(&file.state),
            "records": file.records,
            "damaged": file.damaged,
        })
    });
    let consumers = found.consumers.iter();
    let consumers = consumers.map(|kept| json!({"name": kept.name, "next": kept.next.get()}));
    let lost_consumers = found.lost_consumers.iter();
    let lost_consumers =
        lost_consumers.map(|lost| json!({"name": lost.name, "reason": lost.reason}));
    let unproven = Some(&found.unproven).filter(|range| !range.is_empty());
    let superseded_in = found.superseded_in.as_ref();
    let superseded_in = superseded_in.map(|path| path.display().to_string());
    let mut object = facts::of_rebuilt(&found.rebuilt);
    object["lost_records"] = json!(found.lost_records());
    object["lost"] = facts::of_ranges(&found.lost);
    object["known_gaps"] = facts::of_ranges(&found.known_gaps);
    object["unproven"] = json!(unproven.map(facts::of_range));
    object["cut_batches"] = found.cut_batches.iter().map(|last| last.get()).collect();
    object["reclaimed"] = json!(found.reclaimed);
    object["duplicates"] = json!(found.duplicates);
    object["superseded"] = json!(found.superseded);
    object["superseded_in"] = json!(superseded_in);
    object["foreign"] = foreign.collect();
    object["files"] = files.collect();
    object["consumers"] = consumers.collect();
    object["lost_consumers"] = lost_consumers.collect();
    object["snapshots_left"] = json!(found.snapshots_left);
    object["unreadable"] = found.unreadable.iter().map(facts::of_unreadable).collect();
    object
}

fn state(state: &FileState) -> &'static str {
    match state {
        FileState::Segment => "segment",
        FileState::Misnamed { .. } => "misnamed",
        FileState::WithoutHeader => "without_header",
        FileState::Foreign => "foreign",
        FileState::LaterVersion => "later_version",
        FileState::Unreadable => "unreadable",
        _ => "unknown",
    }
}

fn as_text(found: &Salvaged) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    write_records(found, &mut text)
        .and_then(|()| write_others(found, &mut text))
        .ok();
    text
}

fn write_records(found: &Salvaged, text: &mut String) -> std::fmt::Result {
    let rebuilt = &found.rebuilt;
    let (first, next) = (rebuilt.first, rebuilt.next);
    let records = units::counted(rebuilt.records, "record");
    writeln!(text, "salvaged   {records} of {first}..{next}")?;
    writeln!(text, "queue      {}", rebuilt.id)?;
    writeln!(text, "into       {}", rebuilt.path.display())?;
    if found.lost.is_empty() {
        writeln!(text, "lost       nothing")?;
    }
    write_ranges(&found.lost, "lost", text)?;
    write_ranges(&found.known_gaps, "gap", text)?;
    if !found.unproven.is_empty() {
        let (start, end) = (found.unproven.start, found.unproven.end);
        writeln!(
            text,
            "unproven   {start}..{end} may never have been durable: opening the old queue may \
             remove them"
        )?;
    }
    for last in &found.cut_batches {
        writeln!(text, "cut batch  its last record that is left is {last}")?;
    }
    if found.duplicates > 0 {
        writeln!(
            text,
            "twice      {}, the same each time",
            units::counted(found.duplicates, "record")
        )?;
    }
    if found.reclaimed > 0 {
        let reclaimed = units::counted(found.reclaimed, "record");
        writeln!(text, "left out   {reclaimed} that had been reclaimed")?;
    }
    if let Some(path) = &found.superseded_in {
        let records = units::counted(found.superseded, "record");
        let path = path.display();
        writeln!(text, "aside      {records} whose place others have: {path}")?;
    }
    Ok(())
}

fn write_ranges(ranges: &[Range<Sequence>], what: &str, text: &mut String) -> std::fmt::Result {
    for range in ranges.iter().take(RANGES_SHOWN) {
        let (start, end) = (range.start, range.end);
        let records = units::counted(end.since(start), "record");
        writeln!(text, "{what:<10} {start}..{end}, {records}")?;
    }
    let more = ranges.len().saturating_sub(RANGES_SHOWN);
    if more > 0 {
        let more = units::counted(more, "more range");
        writeln!(text, "{what:<10} {more}; --json has them all")?;
    }
    Ok(())
}

fn write_others(found: &Salvaged, text: &mut String) -> std::fmt::Result {
    for unreadable in &found.unreadable {
        writeln!(text, "unreadable {unreadable}")?;
    }
    for foreign in &found.foreign {
        let id = foreign.id;
        let files = units::counted(foreign.files, "file");
        let records = units::counted(foreign.records, "record");
        writeln!(
            text,
            "other      {files} with {records} of the queue {id}; \
             --queue {id} gets them out"
        )?;
    }
    for file in &found.files {
        if let Some(what) = remarkable(file) {
            writeln!(text, "file       {}: {what}", file.name)?;
        }
    }
    for consumer in &found.consumers {
        writeln!(
            text,
            "consumer   {} goes on at {}",
            consumer.name, consumer.next
        )?;
    }
    for consumer in &found.lost_consumers {
        writeln!(
            text,
            "consumer   {} begins at the first record when it is made anew: {}",
            consumer.name, consumer.reason
        )?;
    }
    for name in &found.snapshots_left {
        writeln!(text, "snapshot   {name} is not taken over")?;
    }
    Ok(())
}

/// What is to be said of a file, if anything.
fn remarkable(file: &SalvagedFile) -> Option<String> {
    let records = units::counted(file.records, "record");
    let damage = if file.damaged { ", damaged" } else { "" };
    match file.state {
        FileState::Segment => file
            .damaged
            .then(|| format!("damaged, {records} came out of it")),
        FileState::Misnamed { number } => Some(format!(
            "is segment {number}{damage}, {records} came out of it"
        )),
        FileState::WithoutHeader => Some(format!(
            "its header is gone{damage}, {records} came out of it"
        )),
        FileState::Foreign => Some("of another queue".to_owned()),
        FileState::LaterVersion => Some("of a later version; left out".to_owned()),
        FileState::Unreadable | _ => Some("no record could be found in it".to_owned()),
    }
}
