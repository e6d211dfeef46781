//! forebay against itself: the demands that no peer has a part in, a file each, and those against
//! the table that it replaces.

mod backlog;
mod campaign;
mod capacity;
mod finding;
mod open;
mod reading;
mod report;
mod rotation;
mod sample;
mod sizes;
mod sqlite;
mod subject;
mod submit;

use std::path::Path;

use crate::arguments::Arguments;
use crate::cell::{self, Scratch};
use crate::class::Class;
use crate::peer::Result;
use crate::report::Machine;
use crate::work::Load;

use campaign::Campaign;
use finding::Finding;
use report::Report;
use sample::{Sample, Samples};

/// One demand.
struct Row {
    name: &'static str,
    demand: &'static str,
    /// What is measured in a round.
    tasks: fn(&Plan) -> Vec<Task>,
    /// Measures one of them in this process, by the parts of its name after the row's.
    run: fn(&[&str], &Path, &Plan) -> Result<Sample>,
    /// What the samples of a round say.
    judge: fn(&Samples, &Plan) -> Vec<Finding>,
}

const ROWS: [Row; 8] = [
    Row {
        name: "sizes",
        demand: "no cliff: cost within 1.3 x of (fixed cost + bytes / bulk rate)",
        tasks: sizes::tasks,
        run: sizes::run,
        judge: sizes::judge,
    },
    Row {
        name: "backlog",
        demand: "cost within 1.1 x of that at 1 000, memory within 16 MiB of an empty queue",
        tasks: backlog::tasks,
        run: backlog::run,
        judge: backlog::judge,
    },
    Row {
        name: "reading",
        demand: "a record of a backlog ten times as long within 1.1 x; who waits runs not at all",
        tasks: reading::tasks,
        run: reading::run,
        judge: reading::judge,
    },
    Row {
        name: "capacity",
        demand: "at capacity with DropOldest within 1.2 x of below capacity",
        tasks: capacity::tasks,
        run: capacity::run,
        judge: capacity::judge,
    },
    Row {
        name: "rotation",
        demand: "p99.9 across rotations and reclaim within 3 x of a run without either",
        tasks: rotation::tasks,
        run: rotation::run,
        judge: rotation::judge,
    },
    Row {
        name: "open",
        demand: "1 000 000 undelivered records: clean in 2 ms, after a kill at 2 GB/s",
        tasks: open::tasks,
        run: open::run,
        judge: open::judge,
    },
    Row {
        name: "submit",
        demand: "1 000 tickets outstanding reach the rate of batches of 1 000",
        tasks: submit::tasks,
        run: submit::run,
        judge: submit::judge,
    },
    Row {
        name: "sqlite",
        demand: "Always ahead of FULL; Manual 100 x NORMAL at a backlog of 100 000",
        tasks: sqlite::tasks,
        run: sqlite::run,
        judge: sqlite::judge,
    },
];

/// How much is measured.
struct Plan {
    seconds: f64,
    huge: bool,
}

impl Plan {
    fn new(arguments: &Arguments) -> Self {
        Self {
            seconds: arguments.seconds.unwrap_or(1.0),
            huge: arguments.huge,
        }
    }

    /// The load of a class that is there for all peers.
    fn load(&self, class: Class) -> Load {
        Load {
            class,
            record_bytes: subject::RECORD_BYTES,
            seconds: self.seconds,
            waiting: 0,
            sync_microseconds: 0,
            calls: None,
        }
    }
}

/// One cell.
struct Task {
    name: String,
    /// A peer in a class of `run`; None for work of the row's own.
    peer: Option<(&'static str, Load)>,
}

impl Task {
    fn own(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            peer: None,
        }
    }

    fn peer(name: &str, peer: &'static str, load: Load) -> Self {
        Self {
            name: name.to_owned(),
            peer: Some((peer, load)),
        }
    }
}

pub fn command(arguments: &Arguments) -> Result<()> {
    let scratch = Scratch::new(arguments.dir.as_deref())?;
    let campaign = Campaign {
        scratch: &scratch,
        rows: &chosen(arguments)?,
        plan: Plan::new(arguments),
        rounds: arguments.rounds.unwrap_or(5),
        seed: arguments.seed.unwrap_or(1),
        json: arguments.json.as_deref(),
    };
    let mut report = Report {
        machine: Machine::here(scratch.path()),
        seconds: campaign.plan.seconds,
        rounds: campaign.rounds,
        ..Report::default()
    };
    campaign.run(&mut report)?;
    print!("{}", report.draw());
    Ok(())
}

fn chosen(arguments: &Arguments) -> Result<Vec<&'static Row>> {
    let Some(names) = &arguments.rows else {
        return Ok(ROWS.iter().collect());
    };
    names
        .split(',')
        .map(|name| find(name).ok_or_else(|| format!("there is no row {name}").into()))
        .collect()
}

fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// The child's part: a cell by its name, in a folder that is there.
pub fn one_cell(arguments: &Arguments) -> Result<()> {
    let name = arguments.file.as_deref().and_then(Path::to_str);
    let parts: Vec<&str> = name.ok_or("a cell has a name")?.split('-').collect();
    let folder = arguments.dir.as_deref().ok_or("a cell needs a folder")?;
    let (row, parts) = parts
        .split_first()
        .and_then(|(row, parts)| Some((find(row)?, parts)))
        .ok_or("there is no such cell")?;
    cell::tell(&(row.run)(parts, folder, &Plan::new(arguments))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_finds_the_row_of_every_cell_by_its_name() {
        let plan = Plan::new(&Arguments::default());
        for row in &ROWS {
            let tasks = (row.tasks)(&plan);
            for task in tasks.iter().filter(|task| task.peer.is_none()) {
                let found = task.name.split('-').next().and_then(find);
                assert_eq!(found.map(|row| row.name), Some(row.name), "{}", task.name);
            }
            let mut names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(
                names.len(),
                tasks.len(),
                "{} has two cells of a name",
                row.name
            );
        }
    }

    #[test]
    fn a_row_bears_that_its_cells_failed() {
        let plan = Plan::new(&Arguments::default());
        for row in &ROWS {
            assert!((row.judge)(&Samples::default(), &plan).is_empty());
        }
    }

    #[test]
    fn a_row_finds_the_cells_that_it_asked_for() {
        let plan = Plan::new(&Arguments::default());
        // The others need more than the figures that every cell has.
        let rows = ["sizes", "capacity", "rotation", "submit", "sqlite"];
        for row in rows.into_iter().filter_map(find) {
            let mut samples = Samples::default();
            for task in (row.tasks)(&plan) {
                samples.0.insert(task.name, Sample::default());
            }
            let findings = (row.judge)(&samples, &plan);
            assert!(findings.len() >= samples.0.len() / 2, "{}", row.name);
        }
    }
}
