//! `forebay import`: a new queue out of the lines of an export.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use clap::Args;
use forebay::Epoch;
use forebay::rebuild::{Rebuild, RebuildOptions, RebuildRecord, Rebuilt};
use serde_json::Value;

use super::header::{Header, Trailer};
use crate::failure::Failure;
use crate::record_json::RecordJson;
use crate::{asked, facts, units};

/// The longest first line there can be is a few hundred bytes.
const HEADER_BYTES_MAX: u64 = 64 << 10;
/// The longest line of a record: each byte of the largest payload as `\u0000`, and its other fields.
const RECORD_BYTES_MAX: u64 = 6 * (u32::MAX as u64) + HEADER_BYTES_MAX;

const REMEDY: &str = "the lines must be those that `forebay export` wrote";

const EXAMPLE: &str = "\
DIR must not be there, or be an empty directory. It becomes a queue with the
identity of the one that was exported, whose records keep their sequences,
epochs, times, kinds and keys; missing sequences are gaps. What is enqueued
later gets a newer epoch. A file is read and checked whole before anything is
made; from a pipe, which can be read once only, an error leaves DIR unfinished,
which is no queue and may be deleted.

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
    /// The file or named pipe, or `-` for standard input.
    #[arg(value_name = "IN.jsonl")]
    input: PathBuf,
    #[command(flatten)]
    form: asked::Form,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let rebuilt = if arguments.input == Path::new("-") {
        import(&arguments.queue, &mut Lines::new(io::stdin().lock()))?
    } else {
        import_file(arguments)?
    };
    arguments
        .form
        .answer(|| as_json(&rebuilt), || as_text(&rebuilt))
}

fn import_file(arguments: &Arguments) -> Result<Rebuilt, Failure> {
    let cannot = || format!("cannot read {}", arguments.input.display());
    let file = File::open(&arguments.input).map_err(Failure::io(cannot()))?;
    let lines = || Lines::new(BufReader::with_capacity(1 << 20, &file));
    // Of a pipe the beginning would be gone.
    if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        check(&mut lines())?;
        (&file).rewind().map_err(Failure::io(cannot()))?;
    }
    import(&arguments.queue, &mut lines())
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

    /// The next line without its newline; `None` at the end. One of more than `bytes_max` is an
    /// error before it is read to its end, which may never come.
    fn next(&mut self, bytes_max: u64) -> Result<Option<&[u8]>, Failure> {
        self.line.clear();
        let mut input = self.input.by_ref().take(bytes_max.saturating_add(1));
        let read = input.read_until(b'\n', &mut self.line);
        if read.map_err(Failure::io("cannot read the lines"))? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if input.limit() == 0 && !self.line.ends_with(b"\n") {
            let what = format!("it is longer than {bytes_max} bytes");
            return Err(wrong(self.number, &what));
        }
        Ok(Some(self.line.trim_ascii_end()))
    }

    /// The first line, and the queue that is made of what follows.
    fn header(&mut self) -> Result<(Header, RebuildOptions), Failure> {
        let line = self.next(HEADER_BYTES_MAX)?;
        let line = line.ok_or_else(|| wrong(1, "there is none: nothing came in"))?;
        let header = Header::read(line).map_err(|why| wrong(1, &why))?;
        let options = header.options().map_err(|why| wrong(1, &why))?;
        Ok((header, options))
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
        while let Some(line) = self.next(RECORD_BYTES_MAX)? {
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
            record.enqueued_at = fields.enqueued_unix_ns;
            record.key = fields.key;
            take(&record)?;
            records += 1;
        }
        match told {
            Some(told) if told == records => Ok(()),
            Some(told) => {
                let told = units::counted(told, "record");
                let what = format!("{told} exported, and {records} here");
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
    let (header, _options) = lines.header()?;
    lines.each(&header, |_record| Ok(()))
}

fn import(path: &Path, lines: &mut Lines<impl BufRead>) -> Result<Rebuilt, Failure> {
    let (header, options) = lines.header()?;
    let mut rebuild = Rebuild::create(path, &options)?;
    let unfinished = || format!("{} holds a part and is no queue: delete it", path.display());
    let pushed = lines.each(&header, |record| rebuild.push(record));
    pushed.map_err(|failure| failure.after(unfinished()))?;
    let finished = rebuild.skip_to(header.next());
    let finished = finished.and_then(|()| rebuild.finish());
    finished.map_err(|error| Failure::Queue(error).after(unfinished()))
}

fn as_json(rebuilt: &Rebuilt) -> Value {
    let mut object = facts::of_rebuilt(rebuilt);
    object["gaps"] = facts::of_ranges(&rebuilt.gaps);
    object
}

fn as_text(rebuilt: &Rebuilt) -> String {
    let (first, next, path) = (rebuilt.first, rebuilt.next, rebuilt.path.display());
    let records = units::counted(rebuilt.records, "record");
    let gaps = units::counted(rebuilt.gaps.len(), "gap");
    format!("imported {records} of {first}..{next}, {gaps}, into {path}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_named_and_the_longest_one_is_read() {
        let mut lines = Lines::new(&b"1234\n12345\n1"[..]);
        assert_eq!(lines.next(4).expect("short"), Some(&b"1234"[..]));
        let failure = lines.next(4).expect_err("five bytes");
        assert_eq!(failure.to_string(), "line 2: it is longer than 4 bytes");
        let mut lines = Lines::new(&b"1234"[..]);
        assert_eq!(lines.next(4).expect("short"), Some(&b"1234"[..]));
        assert!(lines.next(4).expect("the end").is_none());
    }
}
