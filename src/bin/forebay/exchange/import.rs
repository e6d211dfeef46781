//! `forebay import`: a new queue out of the lines of an export.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use forebay::Epoch;
use forebay::rebuild::{Rebuild, RebuildRecord, Rebuilt};
use serde_json::json;

use super::header::{Header, Trailer};
use crate::failure::Failure;
use crate::output;
use crate::record_json::RecordJson;

const REMEDY: &str = "the lines must be those that `forebay export` wrote";

const EXAMPLE: &str = "\
DIR must not be there, or be an empty directory. It becomes a queue with the
identity of the one that was exported, whose records keep their sequences,
epochs, times, kinds and keys; missing sequences are gaps. What is enqueued
later gets a newer epoch. A file is read and checked whole before anything is
made; from standard input an error leaves DIR unfinished, which is no queue and
may be deleted.

Fields of the JSON object:
  path, id, records, payload_bytes, segments
  first, next            the sequences of the queue
  gaps                   [{first, next}], half open: not in the export

Example:
  forebay import events.copy events.jsonl
  zstd -d < events.jsonl.zst | forebay import events.copy -";

/// Make a new queue out of the lines that `export` wrote.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The new queue's directory.
    #[arg(value_name = "DIR")]
    queue: PathBuf,
    /// The file, or `-` for standard input.
    #[arg(value_name = "IN.jsonl")]
    input: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let rebuilt = if arguments.input == Path::new("-") {
        import(&arguments.queue, &mut Lines::new(io::stdin().lock()))?
    } else {
        check(&mut Lines::new(open(&arguments.input)?))?;
        import(&arguments.queue, &mut Lines::new(open(&arguments.input)?))?
    };
    output::print(&told(&rebuilt, arguments.json))
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path);
    let file = file.map_err(Failure::io(format!("cannot read {}", path.display())))?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

/// Lines with their numbers.
#[derive(Debug)]
struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            number: 0,
        }
    }

    /// The next line without its newline; `None` at the end.
    fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        self.line.clear();
        let read = self.input.read_until(b'\n', &mut self.line);
        if read.map_err(Failure::io("cannot read the lines"))? == 0 {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(self.line.trim_ascii_end()))
    }

    fn header(&mut self) -> Result<Header, Failure> {
        let line = self.next()?.unwrap_or_default();
        Header::read(line).map_err(|why| wrong(1, &why))
    }

    /// Hands every record to `take`, in order.
    fn each(
        &mut self,
        header: &Header,
        mut take: impl FnMut(&RebuildRecord<'_>) -> forebay::Result<()>,
    ) -> Result<(), Failure> {
        let mut number = self.number;
        let (mut due, mut oldest) = (header.first(), Epoch::default());
        let (mut records, mut told) = (0, None);
        while let Some(line) = self.next()? {
            number += 1;
            if line.is_empty() {
                continue;
            }
            if told.is_some() {
                return Err(wrong(number, "the line before it should be the last one"));
            }
            if let Some(trailer) = Trailer::read(line) {
                told = Some(trailer.exported);
                continue;
            }
            let fields = RecordJson::read(line).map_err(|why| wrong(number, &why))?;
            if !(due..header.next()).contains(&fields.sequence) || fields.epoch < oldest {
                let what = format!("the record {} is out of place", fields.sequence);
                return Err(wrong(number, &what));
            }
            (due, oldest) = (fields.sequence.plus(1), fields.epoch);
            let mut record = RebuildRecord::new(fields.sequence, fields.epoch, &fields.payload);
            record.kind = fields.kind;
            record.enqueued_at = fields.time_ns;
            record.key = fields.key;
            take(&record)?;
            records += 1;
        }
        match told {
            Some(told) if told == records => Ok(()),
            Some(told) => {
                let what = format!("{told} records were exported, and {records} are here");
                Err(wrong(number, &what))
            }
            None => Err(wrong(number, "the last line of the export is missing")),
        }
    }
}

fn wrong(line: u64, why: &str) -> Failure {
    Failure::Input {
        what: format!("line {line}: {why}"),
        remedy: REMEDY,
    }
}

/// Reads everything and makes nothing.
fn check(lines: &mut Lines<impl BufRead>) -> Result<(), Failure> {
    let header = lines.header()?;
    let options = header.options().map_err(|why| wrong(1, &why))?;
    drop(options);
    lines.each(&header, |_record| Ok(()))
}

fn import(path: &Path, lines: &mut Lines<impl BufRead>) -> Result<Rebuilt, Failure> {
    let header = lines.header()?;
    let options = header.options().map_err(|why| wrong(1, &why))?;
    let mut rebuild = Rebuild::create(path, &options)?;
    let unfinished = || format!("{} holds a part and is no queue: delete it", path.display());
    let pushed = lines.each(&header, |record| rebuild.push(record));
    pushed.map_err(|failure| failure.after(unfinished()))?;
    let finished = rebuild.skip_to(header.next());
    let finished = finished.and_then(|()| rebuild.finish());
    finished.map_err(|error| Failure::Queue(error).after(unfinished()))
}

fn told(rebuilt: &Rebuilt, as_json: bool) -> String {
    let (records, first, next) = (rebuilt.records, rebuilt.first, rebuilt.next);
    let path = rebuilt.path.display();
    if as_json {
        let gaps = rebuilt.gaps.iter();
        let gaps = gaps.map(|gap| json!({"first": gap.start.get(), "next": gap.end.get()}));
        let object = json!({
            "path": path.to_string(),
            "id": rebuilt.id.to_string(),
            "records": records,
            "payload_bytes": rebuilt.payload_bytes,
            "segments": rebuilt.segments,
            "first": first.get(),
            "next": next.get(),
            "gaps": gaps.collect::<Vec<_>>(),
        });
        return format!("{object:#}\n");
    }
    let gaps = rebuilt.gaps.len();
    format!("imported {records} records of {first}..{next}, {gaps} gaps, into {path}\n")
}
