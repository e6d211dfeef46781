//! `forebay demo`: the promise, kept before your eyes.
//!
//! A child process enqueues the lines of a real file and reports each that was acknowledged; it is
//! killed at a random moment. This process opens the queue, drains it through an upstream that
//! refuses now and then, and goes on with the next round. In the end everything acknowledged must
//! have arrived, once, in order, byte for byte.

mod child;
mod ledger;
mod random;
mod round;
mod source;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

pub(crate) use child::{child_arguments, run_child};

use crate::failure::Failure;
use crate::{note, units};
use ledger::Ledger;
use random::Random;
use round::play;
use source::Source;

const EXAMPLE: &str = "\
Exit code 1 means that an acknowledged record was lost, changed, out of order,
or delivered twice; the queue is kept then. It is there to be watched and has no
--json; for programs there is the exit code.

Example:
  forebay demo
  forebay demo /usr/share/dict/words --rounds 10 --seed 7";

/// Kill a program while it enqueues, again and again, and see that nothing is lost.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The text file whose lines are enqueued; by default a large one found on this machine.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where to make the queue, and leave it; by default a temporary directory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How often to kill.
    #[arg(long, value_name = "N", default_value = "6")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// What makes the random choices come again; the moment of a kill is still the machine's.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let source = match &arguments.file {
        Some(file) => Source::read(file)?,
        None => Source::find()?,
    };
    let mut place = Place::prepare(arguments.dir.as_deref())?;
    let seed = arguments.seed.unwrap_or_else(random::fresh_seed);
    let mut random = Random::new(seed);
    let mut ledger = Ledger::default();
    table::print_beginning(&source, &place.queue, seed)?;
    for number in 1..=arguments.rounds {
        let is_last = number == arguments.rounds;
        let round = play(&source, &place.queue, is_last, &mut ledger, &mut random)?;
        table::print_round(number, &round)?;
    }
    table::print_end(&ledger)?;
    let faults = ledger.faults();
    if faults == 0 {
        return Ok(());
    }
    place.keep = true;
    note(&format!("the queue is kept in {}", place.queue.display()));
    let records = units::counted(faults, "record");
    Err(Failure::Finding(format!(
        "the promise was broken: {records}"
    )))
}

/// Where the queue is made, and whether it is left there.
#[derive(Debug)]
struct Place {
    queue: PathBuf,
    keep: bool,
}

impl Place {
    fn prepare(asked: Option<&Path>) -> Result<Self, Failure> {
        let temporary = || {
            let name = format!("forebay-demo-{}", std::process::id());
            std::env::temp_dir().join(name)
        };
        let queue = asked.map_or_else(temporary, Path::to_path_buf);
        let keep = asked.is_some();
        let is_used = fs::read_dir(&queue).is_ok_and(|mut entries| entries.next().is_some());
        if is_used {
            return Err(Failure::Input {
                what: format!("there is something in {}", queue.display()),
                remedy: "the demo needs an empty directory, or one that is not there yet",
            });
        }
        Ok(Self { queue, keep })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed from the temporary directory is left to the system.
            fs::remove_dir_all(&self.queue).ok();
        }
    }
}
