//! `forebay dead-letters`: events that no sink accepted, shown, put back, or dropped.

mod list;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use forebay::inspect::inspect;
use forebay::{DeadLetter, DeadLetters, Queue, QueueId, Retention, Sequence};
use serde_json::json;

use crate::failure::Failure;
use crate::reading::Reading;
use crate::{asked, units};

const EXAMPLE: &str = "\
`list` takes no lock and may be used beside the program that has the letters
open; `replay` and `drop` need that program to end first.

Example:
  forebay dead-letters events.dead list
  forebay dead-letters events.dead replay --into events.queue
  forebay dead-letters events.dead drop --through 12";

const REPLAY_EXAMPLE: &str = "\
Events go back byte for byte, with their kinds, behind what waits in the
buffer, as new records. Each letter goes once its event is durable; a replay
that is interrupted and run again puts back no event twice. The buffer's
capacity applies when its program opens it: what is more than that is dropped,
the oldest first.

Fields of the JSON object:
  replayed               how many events were put back

Example:
  forebay dead-letters events.dead replay --into events.queue";

const DROP_EXAMPLE: &str = "\
Letters are kept in order and go in order: all up to one, or all.

Fields of the JSON object:
  dropped, left          how many letters went, and how many there still are

Example:
  forebay dead-letters events.dead drop --through 12
  forebay dead-letters events.dead drop --all";

/// Show, put back or drop events that no sink accepted.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The directory of the dead letters.
    #[arg(value_name = "DIR")]
    letters: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::Arguments),
    Replay(Replay),
    Drop(Drop),
}

/// Put the events of all letters back into their buffer.
#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLE)]
struct Replay {
    /// The directory of the buffer, which must be there.
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// Also events that came from another buffer than this one.
    #[arg(long)]
    any_buffer: bool,
    #[command(flatten)]
    form: asked::Form,
}

/// Drop letters for good.
#[derive(Debug, Args)]
#[command(after_help = DROP_EXAMPLE)]
struct Drop {
    /// This one and all older ones.
    #[arg(
        long,
        value_name = "SEQ",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    through: Option<u64>,
    /// All of them.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    form: asked::Form,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = &arguments.letters;
    let first = first_letter(path)?;
    match &arguments.action {
        Action::List(list) => list.run(path, first),
        Action::Replay(replay) => replay.run(path, first),
        Action::Drop(dropping) => dropping.run(path),
    }
}

/// The oldest letter; an error where no letters are, which opening would make there.
fn first_letter(path: &Path) -> Result<Sequence, Failure> {
    let found = inspect(path)?;
    let mut consumers = found.consumers.iter();
    let Some(consumer) = consumers.find(|consumer| consumer.name == DeadLetters::CONSUMER) else {
        return Err(Failure::Input {
            what: format!("a queue, but not of dead letters: {}", path.display()),
            remedy: "name the directory that the program gives to `DeadLetters::open`",
        });
    };
    consumer.next.ok_or_else(|| {
        let defect = consumer
            .defect
            .as_deref()
            .unwrap_or("its cursor is damaged");
        let path = path.display();
        Failure::Finding(format!(
            "which letters are left is not known: {path}: {defect}"
        ))
    })
}

/// Shows `visitor` the letters from `first` on, without a lock.
fn visit(
    path: &Path,
    first: Sequence,
    mut visitor: impl FnMut(DeadLetter) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut reading = Reading::open(path, forebay::Start::At(first), false)?;
    let mut outcome = Ok(());
    loop {
        let more = reading.read(|batch| {
            let letters = batch.iter().map(|record| DeadLetter::of_record(&record));
            outcome = letters
                .map(|letter| letter.map_err(Failure::Queue))
                .try_for_each(|letter| visitor(letter?));
        })?;
        std::mem::replace(&mut outcome, Ok(()))?;
        if !more {
            return reading.finish();
        }
    }
}

impl Replay {
    fn run(&self, path: &Path, first: Sequence) -> Result<(), Failure> {
        let into = Queue::options()
            .open_existing()
            // What only the program's own options may delete stays.
            .retention(Retention::KeepForever);
        if is_same(path, &self.into) {
            return Err(Failure::Input {
                what: "the letters cannot be put back into themselves".to_owned(),
                remedy: "name the buffer's directory with --into",
            });
        }
        let queue = into.open(&self.into)?;
        if !self.any_buffer {
            refuse_others(path, first, queue.id())?;
        }
        let replayed = DeadLetters::open(path)?.replay_into(&queue)?;
        queue.close()?;
        let into = self.into.display();
        let events = units::counted(replayed, "event");
        self.form.answer(
            || json!({ "replayed": replayed }),
            || format!("put {events} back into {into}\n"),
        )
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let one = fs::canonicalize(one).ok();
    one.is_some() && one == fs::canonicalize(other).ok()
}

/// Refuses letters whose events did not come from the buffer `id`.
fn refuse_others(path: &Path, first: Sequence, id: QueueId) -> Result<(), Failure> {
    visit(path, first, |letter| {
        if letter.record.queue == id {
            return Ok(());
        }
        let (letter, other) = (letter.sequence, letter.record.queue);
        Err(Failure::Input {
            what: format!("the letter {letter} is from the buffer {other}, this one is {id}"),
            remedy: "name its buffer with --into, or put all into this one with --any-buffer",
        })
    })
}

impl Drop {
    fn run(&self, path: &Path) -> Result<(), Failure> {
        let letters = DeadLetters::open(path)?;
        let before = letters.len()?;
        match self.through {
            Some(sequence) => letters.discard_through(Sequence::new(sequence))?,
            None => letters.discard_all().map(|_count| ())?,
        }
        let left = letters.len()?;
        let dropped = before.saturating_sub(left);
        let letters = units::counted(dropped, "letter");
        self.form.answer(
            || json!({ "dropped": dropped, "left": left }),
            || format!("dropped {letters}; left: {left}\n"),
        )
    }
}
