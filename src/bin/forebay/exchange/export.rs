//! `forebay export`: all records of a queue as lines of JSON.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use forebay::inspect::inspect;
use forebay::{Batch, Start};

use super::header::{Header, Trailer};
use crate::failure::Failure;
use crate::output::{self, Reader, append_line};
use crate::reading::Reading;
use crate::record_json::RecordJson;
use crate::units;
use crate::{asked, note};

/// Output is written in pieces of at least so many bytes.
const PIECE_BYTES: usize = 256 << 10;

const EXAMPLE: &str = "\
No lock is taken and nothing is written into DIR, so it may be used while a
program has the queue open. It ends with the records that are durable when it
begins. `forebay import` makes a queue of it in which every record has the same
sequence, epoch, time, kind, key and bytes, and the queue the same identity.
Consumers, snapshots and batches are not part of it.

Where records are damaged it says where and stops, with exit code 1 and without
OUT.jsonl; --skip-damage passes over them, and exit code 1 stays.

Fields of the first line:
  format, version        forebay-export, 1
  id, integrity, created_unix_ns, epoch (hex, the newest one)
  first, next            the records that follow are of these sequences
Fields of each record, a line each:
  sequence, epoch (hex), kind, enqueued_unix_ns
  key (hex)              only where it was enqueued with one
  text or base64         the payload: text where it is UTF-8, or else base64
Field of the last line:
  exported               how many records there are

Example:
  forebay export events.queue events.jsonl
  forebay export events.queue - | zstd > events.jsonl.zst";

/// Write all records of a queue as lines of JSON, from which `import` makes it again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    queue: asked::Queue,
    /// The new file, or `-` for standard output.
    #[arg(value_name = "OUT.jsonl")]
    out: PathBuf,
    /// Pass over damaged records, and say which they are.
    #[arg(long)]
    skip_damage: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let queue = inspect(arguments.queue.path())?;
    let mut reading = Reading::open(arguments.queue.path(), Start::First, arguments.skip_damage)?;
    let (first, end) = (
        reading.follower.next_sequence(),
        reading.follower.durable()?,
    );
    reading.ends_at(end);
    let mut out = Vec::new();
    append_line(&Header::of(&queue, first.min(end), end), &mut out);
    let mut sink = Sink::open(&arguments.out)?;
    let outcome = write_all(&mut reading, &mut sink, out);
    match outcome {
        Ok((_, Reader::Gone)) => return Ok(()),
        Ok((records, Reader::There)) => {
            sink.finish()?;
            let records = units::counted(records, "record");
            note(&format!("{records} of {first}..{end} exported"));
        }
        Err(failure) => {
            sink.discard();
            return Err(failure);
        }
    }
    if queue.next > end {
        let waiting = units::counted(queue.next.since(end), "record");
        note(&format!(
            "written and not proven durable, left out: {waiting}"
        ));
    }
    reading.finish()
}

/// Writes all records behind what is in `out`; tells how many, and whether anybody still reads.
fn write_all(
    reading: &mut Reading,
    sink: &mut Sink,
    mut out: Vec<u8>,
) -> Result<(u64, Reader), Failure> {
    let mut records = 0_u64;
    loop {
        let more = reading.read(|batch| records += append(batch, &mut out))?;
        if !more {
            append_line(&Trailer { exported: records }, &mut out);
        }
        if !more || out.len() >= PIECE_BYTES {
            if sink.write(&out)? == Reader::Gone {
                return Ok((records, Reader::Gone));
            }
            out.clear();
        }
        if !more {
            return Ok((records, Reader::There));
        }
    }
}

fn append(batch: &Batch<'_>, out: &mut Vec<u8>) -> u64 {
    let mut records = 0;
    for record in batch.iter() {
        append_line(&RecordJson::of(&record), out);
        records += 1;
    }
    records
}

/// Where the lines go.
#[derive(Debug)]
enum Sink {
    Output,
    File { file: File, path: PathBuf },
}

impl Sink {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Output);
        }
        match new_file(path) {
            Ok(file) => Ok(Self::File {
                file,
                path: path.to_owned(),
            }),
            Err(source) if source.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Failure::Input {
                    what: format!("there is something already: {}", path.display()),
                    remedy: "choose a new file; nothing is written over",
                })
            }
            Err(source) => Err(Failure::io(format!("cannot create {}", path.display()))(
                source,
            )),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<Reader, Failure> {
        match self {
            Self::Output => output::write(bytes),
            Self::File { file, path } => {
                let written = file.write_all(bytes);
                let what = || format!("cannot write {}", path.display());
                written.map_err(|source| Failure::io(what())(source))?;
                Ok(Reader::There)
            }
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        match self {
            Self::Output => Ok(()),
            Self::File { file, path } => {
                let synced = file.sync_all();
                synced.map_err(Failure::io(format!("cannot sync {}", path.display())))
            }
        }
    }

    /// A part would look like the whole.
    fn discard(self) {
        if let Self::File { file, path } = self {
            drop(file);
            std::fs::remove_file(path).ok();
        }
    }
}

/// Records are for their owner's eyes, in a file as in a queue.
fn new_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}
