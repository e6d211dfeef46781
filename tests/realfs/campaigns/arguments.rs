//! What the command line asks for.

use super::failure::{Failure, Outcome};
use super::volume::Kind;

pub(crate) const USAGE: &str = "\
cargo test --release --test realfs -- <campaign> [--cycles N] [--seed N] [--may-skip]
  full      fill a 16 MiB file system to the last byte      [--filesystem ext4|xfs]
  shutdown  cut the power by the shutdown ioctl under load  [--filesystem ext4|xfs]
  eio       let the medium fail once and never again
  sector    let the medium not give the index files back
  kill      SIGKILL; needs no root
  all       all of these, on both file systems
  prove     show that `shutdown` fails on a build whose syncs do nothing
Without --filesystem: both. All but `kill` need root, loop devices, e2fsprogs and xfsprogs.
--may-skip turns what cannot run here into success; it is said loudly all the same.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Campaign {
    Full,
    Shutdown,
    Eio,
    Sector,
    Kill,
    Prove,
}

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) campaigns: Vec<Campaign>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) cycles: u32,
    pub(crate) seed: Option<u64>,
    pub(crate) may_skip: bool,
}

impl Arguments {
    /// `None` when nothing is asked for, as by a plain `cargo test`.
    pub(crate) fn parse(words: &[String]) -> Outcome<Option<Self>> {
        let mut arguments = Self {
            campaigns: Vec::new(),
            kinds: vec![Kind::Ext4, Kind::Xfs],
            cycles: 20,
            seed: None,
            may_skip: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().map_or("", String::as_str);
            match word.as_str() {
                "full" => arguments.campaigns.push(Campaign::Full),
                "shutdown" => arguments.campaigns.push(Campaign::Shutdown),
                "eio" => arguments.campaigns.push(Campaign::Eio),
                "sector" => arguments.campaigns.push(Campaign::Sector),
                "kill" => arguments.campaigns.push(Campaign::Kill),
                "prove" => arguments.campaigns.push(Campaign::Prove),
                "all" => arguments.campaigns.extend([
                    Campaign::Kill,
                    Campaign::Full,
                    Campaign::Eio,
                    Campaign::Sector,
                    Campaign::Shutdown,
                ]),
                "--filesystem" => arguments.kinds = vec![kind(value())?],
                "--cycles" => arguments.cycles = number(value())?,
                "--seed" => arguments.seed = Some(number(value())?),
                "--may-skip" => arguments.may_skip = true,
                other => return Failure::setup(format!("what is {other}?\n{USAGE}")),
            }
        }
        if arguments.campaigns.is_empty() {
            return Ok(None);
        }
        Ok(Some(arguments))
    }
}

fn kind(name: &str) -> Outcome<Kind> {
    match name {
        "ext4" => Ok(Kind::Ext4),
        "xfs" => Ok(Kind::Xfs),
        other => Failure::setup(format!("--filesystem is ext4 or xfs, not {other:?}")),
    }
}

fn number<N: std::str::FromStr>(word: &str) -> Outcome<N> {
    match word.parse() {
        Ok(number) => Ok(number),
        Err(_) => Failure::setup(format!("{word:?} is not a number\n{USAGE}")),
    }
}
