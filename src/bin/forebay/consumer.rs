//! `forebay consumer`: consumers made, removed, and put elsewhere.

use std::path::Path;

use clap::{Args, Subcommand};
use forebay::{Follower, Queue, Retention, Sequence, Start};
use serde_json::json;

use crate::failure::Failure;
use crate::{asked, start, units};

const EXAMPLE: &str = "\
These open the queue as its writer: the program that has it open must end
first, or do the same itself. They delete no records.

Example:
  forebay consumer create events.queue audit --at end
  forebay consumer seek events.queue audit first
  forebay consumer remove events.queue audit";

const CREATE_EXAMPLE: &str = "\
From then on records are kept for the consumer until it acknowledges them. A
time is RFC 3339, or how long ago it was (10m, 2h, 3d). A consumer of some
kinds can be opened with the same kinds alone, for ever.

Fields of the JSON object:
  name, next             the consumer, and the sequence it is given next
  lag                    how many records that leaves, of all kinds

Example:
  forebay consumer create events.queue audit --at end
  forebay consumer create events.queue alerts --at 2h --kind 7 --kind 9";

const REMOVE_EXAMPLE: &str = "\
A record is kept until every consumer has acknowledged it. With this one gone,
what only it had not acknowledged is deleted, for good, once a program has the
queue open again. With no consumer left nothing is deleted: what is still there
waits for the next one. A consumer whose cursor is damaged can be removed.

Fields of the JSON object:
  name                   the consumer that was removed
  consumers              the names of those that are left

Example:
  forebay consumer remove events.queue audit";

const SEEK_EXAMPLE: &str = "\
Going forward passes over the records between, as if they were acknowledged;
going back delivers again what is still there. TO is first, end, a sequence, or
a time (RFC 3339, or how long ago: 10m, 2h, 3d).

Fields of the JSON object:
  name, next             the consumer, and the sequence it is given next
  lag                    how many records that leaves, of all kinds

Example:
  forebay consumer seek events.queue audit 1200
  forebay consumer seek events.queue audit 30m";

/// Make, remove or move the consumers of a queue.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    Remove(Remove),
    Seek(Seek),
}

/// Make a consumer.
#[derive(Debug, Args)]
#[command(after_help = CREATE_EXAMPLE)]
struct Create {
    #[command(flatten)]
    of: Consumer,
    /// Where it begins: first, end, a sequence, or a time.
    #[arg(long, value_name = "PLACE", default_value = "first", value_parser = start::parse)]
    at: Start,
    /// Give it only the records of these kinds.
    #[arg(long, value_name = "K", value_delimiter = ',')]
    kind: Vec<u16>,
}

/// Remove a consumer for good.
#[derive(Debug, Args)]
#[command(after_help = REMOVE_EXAMPLE)]
struct Remove {
    #[command(flatten)]
    of: Consumer,
}

/// Let a consumer go on elsewhere.
#[derive(Debug, Args)]
#[command(after_help = SEEK_EXAMPLE)]
struct Seek {
    #[command(flatten)]
    of: Consumer,
    /// Where it goes on.
    #[arg(value_name = "TO", value_parser = start::parse)]
    to: Start,
    #[command(flatten)]
    kinds: asked::Kinds,
}

/// Which consumer, and how the outcome is told.
#[derive(Debug, Args)]
struct Consumer {
    #[command(flatten)]
    queue: asked::Queue,
    /// The consumer.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    form: asked::Form,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.action {
        Action::Create(create) => create.run(),
        Action::Remove(remove) => remove.run(),
        Action::Seek(seek) => seek.run(),
    }
}

impl Create {
    fn run(&self) -> Result<(), Failure> {
        let queue = open(self.of.queue.path())?;
        let name = &self.of.name;
        if queue.consumers().contains(name) {
            return Err(Failure::Input {
                what: format!("there is a consumer {name:?} already"),
                remedy: "`forebay consumer seek` moves it",
            });
        }
        let options = asked::of_kinds(&self.kind).start(self.at);
        let consumer = queue
            .consumer_with(name, &options)
            .map_err(start::refused)?;
        let (next, lag) = (consumer.next_sequence(), consumer.len()?);
        drop(consumer);
        queue.close()?;
        self.of.tell("begins", next, lag)
    }
}

impl Remove {
    fn run(&self) -> Result<(), Failure> {
        let queue = open(self.of.queue.path())?;
        self.of.refuse_unknown(&queue)?;
        let name = &self.of.name;
        queue.remove_consumer(name)?;
        let left = queue.consumers();
        queue.close()?;
        let told = match left.as_slice() {
            [] => "no consumer is left: what is still there waits for the next one".to_owned(),
            left => format!("left are {}", left.join(", ")),
        };
        self.of.form.answer(
            || json!({ "name": name, "consumers": left }),
            || format!("removed the consumer {name}; {told}\n"),
        )
    }
}

impl Seek {
    fn run(&self) -> Result<(), Failure> {
        let queue = open(self.of.queue.path())?;
        self.of.refuse_unknown(&queue)?;
        let to = match self.to {
            Start::First => queue.first(),
            Start::End => queue.next(),
            Start::At(sequence) => sequence,
            Start::Time(_) | _ => {
                Follower::open_from(self.of.queue.path(), self.to)?.next_sequence()
            }
        };
        let mut consumer = self.kinds.open(&queue, &self.of.name)?;
        consumer.seek(to).map_err(start::refused)?;
        let (next, lag) = (consumer.next_sequence(), consumer.len()?);
        drop(consumer);
        queue.close()?;
        self.of.tell("goes on", next, lag)
    }
}

impl Consumer {
    fn refuse_unknown(&self, queue: &Queue) -> Result<(), Failure> {
        let (name, known) = (&self.name, queue.consumers());
        if known.contains(name) {
            return Ok(());
        }
        let known = if known.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there are {}", known.join(", "))
        };
        Err(Failure::Input {
            what: format!("there is no consumer {name:?}; {known}"),
            remedy: "check the name: `forebay consumers` shows them all",
        })
    }

    fn tell(&self, how: &str, next: Sequence, lag: u64) -> Result<(), Failure> {
        let name = &self.name;
        let records = units::counted(lag, "record");
        self.form.answer(
            || json!({ "name": name, "next": next.get(), "lag": lag }),
            || format!("the consumer {name} {how} at {next}, {records} before the end\n"),
        )
    }
}

/// What only the program's own options may delete stays.
fn open(path: &Path) -> Result<Queue, Failure> {
    let options = Queue::options().open_existing();
    Ok(options.retention(Retention::KeepForever).open(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_record_is_deleted_that_the_program_keeps_by_its_own_options() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("queue");
        let kept = Queue::options()
            .segment_bytes(8192)
            .retention(Retention::KeepForever);
        let queue = kept.open(&path).expect("a new queue");
        for _ in 0..100 {
            queue.enqueue(&[7; 1000]).expect("room");
        }
        let mut ship = queue.consumer("ship").expect("a consumer");
        ship.ack_through(Sequence::new(99))
            .expect("durable records");
        drop(ship);
        queue.close().expect("a clean close");
        let queue = open(&path).expect("closed");
        assert_eq!(queue.reclaim().expect("nothing to do"), 0);
        assert_eq!(queue.first(), Sequence::ZERO);
    }
}
