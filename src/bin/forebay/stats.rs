//! `forebay stats`: what a queue on disk holds, without touching it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use forebay::Integrity;
use forebay::inspect::{ConsumerView, Inspection, SegmentRole, SegmentView, inspect};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output;
use crate::units;

/// Segments in the table, where there are more: the oldest and the newest.
const SEGMENTS_SHOWN: usize = 8;

const EXAMPLE: &str = "\
No lock is taken and nothing is written, so it may be used while a program has
the queue open. Exit code 1 means that something is damaged.

Fields of the JSON object; what is not known is null:
  path, id, epoch (hex), integrity (chained, crc32c), created_unix_ms
  clean, event           whether it was closed, and what opening would find
  first, next            the sequences in the log; next is the one to come
  durable, floor         below: survives power loss; was delivered or dropped
  waiting_records, waiting_bytes, oldest_waiting_unix_ms
  disk_bytes, damaged
  torn                   {file, offset, bytes, possibly_acknowledged} or null
  corruption             [{file, offset, first, next, expected, found}]
  segments               [{number, role, base, next, epoch, file_bytes, defect}]
                         role: prepared, active, sealed, unsealed, stray
  consumers              [{name, next, lag, defect}]

Example:
  forebay stats events.queue
  forebay stats events.queue --json | jq .waiting_records";

/// Show what a queue holds and who is how far behind.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The queue's directory.
    #[arg(value_name = "DIR")]
    queue: PathBuf,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let found = inspect(&arguments.queue)?;
    let text = if arguments.json {
        format!("{:#}\n", as_json(&found))
    } else {
        as_table(&found)
    };
    output::print(&text)?;
    if found.is_damaged() {
        let path = found.path.display();
        return Err(Failure::Finding(format!("the queue is damaged: {path}")));
    }
    Ok(())
}

fn as_json(found: &Inspection) -> Value {
    let opening = &found.opening;
    let torn = opening.torn.as_ref().map(|torn| {
        json!({
            "file": torn.file.display().to_string(),
            "offset": torn.offset.get(),
            "bytes": torn.bytes,
            "possibly_acknowledged": torn.possibly_acknowledged,
        })
    });
    let corruption = opening.corruption.iter().map(|damage| {
        json!({
            "file": damage.file.display().to_string(),
            "offset": damage.offset.get(),
            "first": damage.range.start.get(),
            "next": damage.range.end.get(),
            "expected": damage.expected,
            "found": damage.found,
        })
    });
    json!({
        "path": found.path.display().to_string(),
        "id": found.id.to_string(),
        "integrity": integrity(found.integrity),
        "created_unix_ms": unix_ms(found.created),
        "epoch": found.epoch.to_string(),
        "clean": opening.clean,
        "event": opening.event,
        "first": found.first.get(),
        "next": found.next.get(),
        "durable": found.durable.get(),
        "floor": found.floor.get(),
        "waiting_records": found.waiting_records,
        "waiting_bytes": found.waiting_bytes,
        "oldest_waiting_unix_ms": found.oldest_waiting.map(unix_ms),
        "disk_bytes": found.disk_bytes,
        "damaged": found.is_damaged(),
        "torn": torn,
        "corruption": corruption.collect::<Vec<_>>(),
        "segments": found.segments.iter().map(segment_as_json).collect::<Vec<_>>(),
        "consumers": found.consumers.iter().map(consumer_as_json).collect::<Vec<_>>(),
    })
}

fn segment_as_json(segment: &SegmentView) -> Value {
    json!({
        "number": segment.number.get(),
        "role": role(segment.role),
        "base": segment.base.map(u64::from),
        "next": segment.next.map(u64::from),
        "epoch": segment.epoch.map(|epoch| epoch.to_string()),
        "file_bytes": segment.file_bytes,
        "defect": segment.defect,
    })
}

fn consumer_as_json(consumer: &ConsumerView) -> Value {
    json!({
        "name": consumer.name,
        "next": consumer.next.map(u64::from),
        "lag": consumer.lag,
        "defect": consumer.defect,
    })
}

fn unix_ms(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn integrity(integrity: Integrity) -> &'static str {
    match integrity {
        Integrity::Chained => "chained",
        Integrity::Crc32c => "crc32c",
        _ => "unknown",
    }
}

fn role(role: SegmentRole) -> &'static str {
    match role {
        SegmentRole::Prepared => "prepared",
        SegmentRole::Active => "active",
        SegmentRole::Sealed => "sealed",
        SegmentRole::Unsealed => "unsealed",
        SegmentRole::Stray => "stray",
        _ => "unknown",
    }
}

fn as_table(found: &Inspection) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    write_table(found, &mut text).ok();
    text
}

fn write_table(found: &Inspection, text: &mut String) -> std::fmt::Result {
    let opening = &found.opening;
    let ended = if opening.clean {
        "closed"
    } else {
        "open in a program, or not closed by the last one"
    };
    writeln!(text, "queue      {}", found.path.display())?;
    let created = units::moment(found.created);
    let sort = integrity(found.integrity);
    writeln!(text, "identity   {}, {sort}, created {created}", found.id)?;
    writeln!(text, "state      {ended}, epoch {}", found.epoch)?;
    let (first, next) = (found.first, found.next);
    writeln!(
        text,
        "records    {} wait from {}; the log holds {first}..{next}, durable to {}",
        found.waiting_records, found.floor, found.durable
    )?;
    let waiting = found.waiting_bytes.map(units::bytes);
    let waiting = waiting.as_deref().unwrap_or("unknown");
    let disk = units::bytes(found.disk_bytes);
    writeln!(
        text,
        "bytes      {waiting} wait; {disk} on disk, reserved space included"
    )?;
    if let Some(oldest) = found.oldest_waiting {
        let age = SystemTime::now().duration_since(oldest).unwrap_or_default();
        let (age, since) = (units::span(age), units::moment(oldest));
        writeln!(text, "oldest     waits for {age}, since {since}")?;
    }
    write_findings(found, text)?;
    write_consumers(&found.consumers, text)?;
    write_segments(&found.segments, text)
}

fn write_findings(found: &Inspection, text: &mut String) -> std::fmt::Result {
    let opening = &found.opening;
    if opening.state_rebuilt {
        writeln!(text, "finding    {}", opening.event)?;
    }
    if let Some(torn) = &opening.torn {
        let (bytes, file) = (units::bytes(torn.bytes), torn.file.display());
        writeln!(
            text,
            "torn tail  {bytes} after the end of the log, removed when it is opened: {file}"
        )?;
    }
    for damage in &opening.corruption {
        writeln!(text, "damage     {damage}")?;
    }
    Ok(())
}

fn write_consumers(consumers: &[ConsumerView], text: &mut String) -> std::fmt::Result {
    if consumers.is_empty() {
        return writeln!(text, "\nno consumer yet: every record is kept");
    }
    writeln!(text, "\n{:<24} {:>12} {:>12}", "consumer", "next", "behind")?;
    for consumer in consumers {
        let (name, next) = (&consumer.name, or_dash(consumer.next));
        let lag = or_dash(consumer.lag);
        let defect = consumer.defect.as_deref().unwrap_or_default();
        let line = format!("{name:<24} {next:>12} {lag:>12}  {defect}");
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

fn write_segments(segments: &[SegmentView], text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "\n{:<16} {:<8} {:>12} {:>12} {:>12}",
        "segment", "role", "base", "next", "file"
    )?;
    let hidden = segments.len().saturating_sub(SEGMENTS_SHOWN);
    let (shown_before, shown_after) = (SEGMENTS_SHOWN / 2, SEGMENTS_SHOWN / 2 + hidden);
    for (at, segment) in segments.iter().enumerate() {
        if hidden > 0 && at == shown_before {
            writeln!(text, "... {hidden} more")?;
        }
        let is_hidden = hidden > 0 && (shown_before..shown_after).contains(&at);
        if is_hidden && segment.defect.is_none() {
            continue;
        }
        let (number, role) = (segment.number.get(), role(segment.role));
        let (base, next) = (or_dash(segment.base), or_dash(segment.next));
        let bytes = units::bytes(segment.file_bytes);
        let defect = segment.defect.as_deref().unwrap_or_default();
        let line = format!("{number:<16} {role:<8} {base:>12} {next:>12} {bytes:>12}  {defect}");
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
