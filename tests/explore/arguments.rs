//! What the command was asked for.

use std::path::PathBuf;

/// The states that are explored when nobody says how many.
const STATES: u64 = 30_000;

const USAGE: &str = "explore [--states N] [--seed N] [--workers N] [--replay FILE]";

#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    pub(crate) states: u64,
    pub(crate) seed: u64,
    pub(crate) workers: usize,
    /// This file alone is replayed.
    pub(crate) replay: Option<PathBuf>,
}

impl Arguments {
    /// `None` when there is nothing to do. What the test runner hands to all binaries alike is
    /// understood as far as it must be.
    pub(crate) fn parse(given: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut arguments = Self {
            states: STATES,
            seed: 1,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            replay: None,
        };
        let mut given = given.peekable();
        while let Some(name) = given.next() {
            match name.as_str() {
                "--states" => arguments.states = number(&name, given.next().as_deref())?,
                "--seed" => arguments.seed = number(&name, given.next().as_deref())?,
                "--workers" => {
                    arguments.workers = number::<usize>(&name, given.next().as_deref())?.max(1);
                }
                "--replay" => arguments.replay = given.next().map(PathBuf::from),
                "--list" | "--ignored" => return Ok(None),
                "--help" => return Err(USAGE.to_owned()),
                "--test-threads" | "--color" | "--format" | "--skip" => drop(given.next()),
                flag if flag.starts_with('-') => {}
                // A filter that names other tests.
                filter if !"explore".contains(filter) => return Ok(None),
                _ => {}
            }
        }
        Ok(Some(arguments))
    }
}

fn number<T: std::str::FromStr>(name: &str, value: Option<&str>) -> Result<T, String> {
    let parsed = value.and_then(|value| value.parse().ok());
    parsed.ok_or_else(|| format!("{name} takes a number\n{USAGE}"))
}
