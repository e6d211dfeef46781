//! Rounds over the rows, in each all its cells in a new order.

use std::path::Path;
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
const PATIENCE: Duration = Duration::from_secs(3);

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
                let samples = self.measure(&tasks, report);
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

    fn measure(&self, tasks: &[Task], report: &mut Report) -> Samples {
        let mut samples = Samples::default();
        for task in tasks {
            wait_for_the_disk();
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
        samples
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

/// Cells of `Manual` leave much behind that is still to be written or discarded: it is not the
/// next one's to wait for.
fn wait_for_the_disk() {
    Command::new("sync").status().ok();
    let began = Instant::now();
    let mut idle_since = Instant::now();
    while idle_since.elapsed() < IDLE && began.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(5));
        let statistics = std::fs::read_to_string("/proc/diskstats").unwrap_or_default();
        if in_flight(&statistics) > 0 {
            idle_since = Instant::now();
        }
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
