//! The command line.

use std::path::PathBuf;

use crate::class::Class;
use crate::peer::Entry;
use crate::peers;
use crate::work::Load;

pub const USAGE: &str = "\
forebay beside other embedded queues and logs, each in its true durability class

  forebay-compare run      [options]        measure; the table goes to standard output
  forebay-compare honesty  [options]        count the syncs that each peer really makes
  forebay-compare show FILE [--svg FILE]    draw the results of an earlier run
  forebay-compare rows     [options]        measure forebay against itself, row by row
  forebay-compare read     [options]        read a whole backlog; a table of Markdown
  forebay-compare list                      the peers, how each is used, and the classes

  --peers A,B      only these (raw is always measured); default: all
  --classes A,B    only these; default: all but backlog-10000000
  --rows A,B       in `rows`, only these; default: all
  --huge           backlog-10000000 too: minutes, and some 4 GB of disk for each peer; in `rows`,
                   a backlog of 10 000 000 instead of 1 000 000
  --rounds N       interleaved rounds; default 5
  --seconds S      of measurement in a cell; default 1
  --size BYTES     of a record; default 256
  --records N      records that are read in `read`; default 1000000
  --waiting N      records that wait before drain (default 200000), reopen and killed (1000000)
  --calls N        commits of a thread in `honesty`; default 200
  --seed N         of the order; default 1
  --sync-us N      every sync takes N microseconds at least: a slower device; default 0
  --dir DIR        where the data is, on the disk to measure; default beside this program
  --json FILE      write every figure of every round
  --svg FILE       draw the chart
";

#[derive(Debug, Default)]
pub struct Arguments {
    pub command: String,
    /// What `show` shows; the name of a cell of `rows`.
    pub file: Option<PathBuf>,
    pub peers: Option<String>,
    pub classes: Option<String>,
    pub rows: Option<String>,
    pub huge: bool,
    pub rounds: Option<u32>,
    pub seconds: Option<f64>,
    pub size: Option<usize>,
    pub waiting: Option<u64>,
    pub records: Option<u64>,
    pub calls: Option<u64>,
    pub seed: Option<u64>,
    pub sync_microseconds: u64,
    pub dir: Option<PathBuf>,
    pub json: Option<PathBuf>,
    pub svg: Option<PathBuf>,
}

impl Arguments {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            command: words.next().unwrap_or_else(|| "help".to_owned()),
            ..Self::default()
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--huge" => arguments.huge = true,
                "--peers" => arguments.peers = Some(value()?),
                "--classes" => arguments.classes = Some(value()?),
                "--rows" => arguments.rows = Some(value()?),
                "--rounds" => arguments.rounds = Some(number(&word, &value()?)?),
                "--seconds" => arguments.seconds = Some(number(&word, &value()?)?),
                "--size" => arguments.size = Some(number(&word, &value()?)?),
                "--records" => arguments.records = Some(number(&word, &value()?)?),
                "--waiting" => arguments.waiting = Some(number(&word, &value()?)?),
                "--calls" => arguments.calls = Some(number(&word, &value()?)?),
                "--sync-us" => arguments.sync_microseconds = number(&word, &value()?)?,
                "--seed" => arguments.seed = Some(number(&word, &value()?)?),
                "--dir" => arguments.dir = Some(value()?.into()),
                "--json" => arguments.json = Some(value()?.into()),
                "--svg" => arguments.svg = Some(value()?.into()),
                _ if !word.starts_with('-') && arguments.file.is_none() => {
                    arguments.file = Some(word.into());
                }
                _ => return Err(format!("what is {word}?")),
            }
        }
        if arguments
            .seconds
            .is_some_and(|seconds| !(0.001..3600.0).contains(&seconds))
        {
            return Err("--seconds is 0.001 to 3600".to_owned());
        }
        if arguments.size == Some(0) {
            return Err("--size is at least 1".to_owned());
        }
        Ok(arguments)
    }

    pub fn entries(&self) -> Result<Vec<&'static Entry>, String> {
        let Some(names) = &self.peers else {
            return Ok(peers::ENTRIES.iter().collect());
        };
        names
            .split(',')
            .map(|name| peers::find(name).ok_or_else(|| format!("there is no peer {name}")))
            .collect()
    }

    pub fn classes(&self, default: Vec<Class>) -> Result<Vec<Class>, String> {
        match &self.classes {
            None => Ok(default),
            Some(names) => names.split(',').map(str::parse).collect(),
        }
    }

    /// The load, of a class that is filled in later.
    pub fn load(&self, class: Class) -> Load {
        let default = if class.opens() { 1_000_000 } else { 200_000 };
        Load {
            class,
            record_bytes: self.size.unwrap_or(256),
            seconds: self.seconds.unwrap_or(1.0),
            waiting: self.waiting.unwrap_or(default),
            calls: self.calls,
            sync_microseconds: self.sync_microseconds,
        }
    }
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{option} needs a number, not {text}"))
}
