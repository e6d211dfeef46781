//! Rounds over the rows, in each all its cells in a new order.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::report::Report;
use super::sample::{Sample, Samples};
use super::{Plan, Row, Task};
use crate::cell::Scratch;
use crate::peer::Result;
use crate::peers;
use crate::random::Random;

/// How long a disk has to be idle before a cell begins, and how long that is waited for.
const IDLE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(5);
/// So much slower than at its best a disk may be.
const SLOWER: u32 = 2;
const SYNCS: u8 = 21;

pub struct Campaign<'a> {
    pub scratch: &'a Scratch,
    pub rows: &'a [&'static Row],
    pub plan: Plan,
    pub rounds: u32,
    pub seed: u64,
    pub json: Option<&'a Path>,
}

impl Campaign<'_> {
    pub fn run(&self, report: &mut Report) -> Result<()> {
        let mut random = Random::new(self.seed);
        let mut gauge = Gauge::new(self.scratch.path());
        let began = Instant::now();
        for round in 1..=self.rounds {
            let mut rows = self.rows.to_vec();
            random.shuffle(&mut rows);
            for row in rows {
                let mut tasks = (row.tasks)(&self.plan);
                random.shuffle(&mut tasks);
                eprintln!(
                    "[{:>5} s] round {round}/{}: {}, {} cells",
                    began.elapsed().as_secs(),
                    self.rounds,
                    row.name,
                    tasks.len()
                );
                let samples = self.measure(&tasks, &mut gauge, report)?;
                report.add(round, row, &samples, (row.judge)(&samples, &self.plan));
            }
            // A campaign that is broken off is not lost.
            self.rows.iter().for_each(|row| report.sum_up(row));
            if let Some(file) = self.json {
                report.save(file)?;
            }
        }
        Ok(())
    }

    fn measure(&self, tasks: &[Task], gauge: &mut Gauge, report: &mut Report) -> Result<Samples> {
        let mut samples = Samples::default();
        for task in tasks {
            gauge.wait()?;
            match self.sample(task) {
                Ok(sample) => {
                    samples.0.insert(task.name.clone(), sample);
                }
                Err(reason) => {
                    let failure = format!("{}: {reason}", task.name);
                    eprintln!("          {failure}");
                    report.failures.push(failure);
                }
            }
        }
        Ok(samples)
    }

    fn sample(&self, task: &Task) -> std::result::Result<Sample, String> {
        if let Some((peer, load)) = &task.peer {
            let entry = peers::find(peer).ok_or("there is no such peer")?;
            return self.scratch.run(&[], entry, load).map(Sample::from);
        }
        let mut words = vec!["row-cell".to_owned(), task.name.clone()];
        words.extend(["--seconds".to_owned(), self.plan.seconds.to_string()]);
        if self.plan.huge {
            words.push("--huge".to_owned());
        }
        self.scratch.measure(&task.name, &[], &words)
    }
}

/// Tells when the disk is as fast as it was, so that a cell does not pay for those before it.
struct Gauge {
    file: PathBuf,
    best: Duration,
}

impl Gauge {
    fn new(folder: &Path) -> Self {
        Self {
            file: folder.join("gauge"),
            best: Duration::MAX,
        }
    }

    /// Cells of `Manual` leave much behind that is still to be written or discarded, and disks
    /// that are lent lower their speed for a while after much work.
    fn wait(&mut self) -> Result<()> {
        Command::new("sync").status()?;
        let began = Instant::now();
        let mut idle_since = Instant::now();
        while began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
            let statistics = std::fs::read_to_string("/proc/diskstats").unwrap_or_default();
            if in_flight(&statistics) > 0 {
                idle_since = Instant::now();
            }
            if idle_since.elapsed() >= IDLE {
                let cost = self.sync_cost()?;
                self.best = self.best.min(cost);
                if cost <= self.best * SLOWER {
                    return Ok(());
                }
                thread::sleep(IDLE * 4);
            }
        }
        eprintln!("          the disk is slower than it was");
        Ok(())
    }

    /// The median of a few syncs of a block that is there.
    fn sync_cost(&self) -> Result<Duration> {
        let mut file = File::create(&self.file)?;
        file.write_all(&[1; 4096])?;
        file.sync_all()?;
        let mut costs = Vec::new();
        for byte in 0..SYNCS {
            let began = Instant::now();
            file.rewind()?;
            file.write_all(&[byte; 4096])?;
            file.sync_data()?;
            costs.push(began.elapsed());
        }
        costs.sort_unstable();
        Ok(costs[costs.len() / 2])
    }
}

/// Requests that any disk is working on: the ninth figure after its name.
fn in_flight(statistics: &str) -> u64 {
    let lines = statistics.lines();
    lines
        .filter_map(|line| line.split_whitespace().nth(11)?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_in_flight_are_those_of_all_disks() {
        let statistics = "253 0 vda 1 2 3 4 5 6 7 8 3 10 11\n253 16 vdb 1 2 3 4 5 6 7 8 2 10 11\n";
        assert_eq!(in_flight(statistics), 5);
        assert_eq!(in_flight(""), 0);
    }
}
