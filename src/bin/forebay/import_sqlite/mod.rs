//! `forebay import-sqlite`: a new queue out of a table that was used as one.

mod compare;
mod source;
mod staging;
mod times;

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use forebay::rebuild::{Rebuild, RebuildOptions, RebuildRecord, Rebuilt};
use forebay::{Epoch, Sequence};
use serde_json::json;

use crate::facts::unix_ns;
use crate::failure::Failure;
use crate::{asked, note, units};
use compare::compare;
use source::{Columns, Source};
use staging::Staging;
use times::{Clock, TimeUnit};

const EXAMPLE: &str = "\
Stop the program that writes the database first. The database is only read:
what is worked on is a copy, beside the queue, of it and of its -wal or
-journal. There must be room for that. Rows keep their order and get the
sequences from 0; text and blobs become payloads, byte for byte; anything else
in the payload's column is an error.

Times are kept where the column tells them: numbers since 1970 in seconds,
milliseconds, microseconds or nanoseconds (the largest one tells which), or
ISO 8601 text, UTC unless it says otherwise. Without --time it is the column
enqueued_at of the table events, if there is one.

Before the queue appears under its name every row is read again and compared
with its record. An import that is interrupted leaves DIR.importing, which the
next one removes: run it again. DIR must not be there; a second import into
the same queue is refused, so no row is there twice.

Fields of the JSON object:
  path, id, first, next, records, payload_bytes
  blake3                 of the payloads back to back, as from
                         forebay dump DIR --format raw | b3sum
  times                  s, ms, us, ns or text; null where they are new
  times_missing          rows without a time: they have that of the import

Example:
  forebay import-sqlite events.queue buffer.db
  forebay import-sqlite jobs.queue app.db --table jobs --order seq --payload body";

/// Move the events of a SQLite table into a new queue.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The directory of the queue to make.
    #[arg(value_name = "DIR")]
    queue: PathBuf,
    /// The SQLite database.
    #[arg(value_name = "DATABASE")]
    database: PathBuf,
    /// The table that the events are in.
    #[arg(long, value_name = "TABLE", default_value = source::TABLE)]
    table: String,
    /// The column that rows are ordered by, from the lowest.
    #[arg(long, value_name = "COLUMN", default_value = "id")]
    order: String,
    /// The column that holds the event, text or blob.
    #[arg(long, value_name = "COLUMN", default_value = "payload")]
    payload: String,
    /// The column that tells when it was enqueued.
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// What a number in that column counts since 1970; told by the largest one unless given.
    #[arg(long, value_enum, value_name = "UNIT")]
    time_unit: Option<TimeUnit>,
    #[command(flatten)]
    form: asked::Form,
}

/// What was moved.
#[derive(Debug)]
struct Moved {
    rebuilt: Rebuilt,
    hash: blake3::Hash,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let staging = Staging::begin(&arguments.queue)?;
    let source = Source::copy(&arguments.database, staging.path())?;
    let columns = Columns {
        table: &arguments.table,
        order: &arguments.order,
        payload: &arguments.payload,
        time: arguments.time.as_deref(),
    };
    let rows = source.rows(&columns)?;
    let largest = rows.largest_time()?;
    let mut clock = Clock::new(rows.time(), arguments.time_unit, largest)?;
    let moved = rows.fill(&staging.queue(), &mut clock)?;
    compare(&rows, &clock, &staging.queue(), &moved)?;
    drop(rows);
    drop(source);
    staging.publish(&arguments.queue)?;
    tell(arguments, &moved, &clock)
}

impl source::Rows<'_> {
    /// Makes a queue of the rows.
    fn fill(&self, path: &std::path::Path, clock: &mut Clock) -> Result<Moved, Failure> {
        let mut rebuild = Rebuild::create(path, &RebuildOptions::new())?;
        // The queue is new, so the first epoch there can be is nobody else's.
        let epoch = Epoch::default().following(0);
        let mut hasher = blake3::Hasher::new();
        let mut sequence = Sequence::ZERO;
        self.for_each(|row| {
            hasher.update(row.payload);
            let mut record = RebuildRecord::new(sequence, epoch, row.payload);
            record.enqueued_at = clock.take(row.time);
            rebuild.push(&record)?;
            sequence = sequence.plus(1);
            Ok(())
        })?;
        Ok(Moved {
            rebuilt: rebuild.finish()?,
            hash: hasher.finalize(),
        })
    }
}

fn tell(arguments: &Arguments, moved: &Moved, clock: &Clock) -> Result<(), Failure> {
    let (rebuilt, hash) = (&moved.rebuilt, moved.hash.to_hex());
    let (first, next, records) = (rebuilt.first, rebuilt.next, rebuilt.records);
    if clock.missing() > 0 {
        let missing = clock.missing();
        note(&format!(
            "rows that tell no time, and have that of the import: {missing}"
        ));
    }
    let path = arguments.queue.display();
    let json = || {
        json!({
            "path": path.to_string(),
            "id": rebuilt.id.to_string(),
            "first": first.get(),
            "next": next.get(),
            "records": records,
            "payload_bytes": rebuilt.payload_bytes,
            "blake3": hash.as_str(),
            "times": clock.unit().map(TimeUnit::name),
            "times_missing": clock.missing(),
        })
    };
    let bytes = units::bytes(rebuilt.payload_bytes);
    let times = clock.unit().map_or_else(
        || "new, there is no column for them".to_owned(),
        |unit| format!("kept, {}", unit.told()),
    );
    let events = units::counted(records, "event");
    arguments.form.answer(json, || {
        format!(
            "imported   {events} into {path}, sequences {first}..{next}, {bytes}\n\
             compared   row by row, all the same\n\
             payloads   BLAKE3 {hash}\n\
             times      {times}\n"
        )
    })
}

/// When the import runs, for rows that tell no time.
fn now() -> u64 {
    unix_ns(SystemTime::now())
}
