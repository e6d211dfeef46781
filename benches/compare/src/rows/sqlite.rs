//! Beside the table that is replaced, in the classes that all peers have.

use std::path::Path;

use super::finding::{Finding, Target};
use super::sample::{Sample, Samples};
use super::{Plan, Task};
use crate::class::Class;
use crate::peer::Result;

const BACKLOG: Class = Class::Backlog { records: 100_000 };
/// A class with the table's own name there, and how much faster forebay must be.
const PAIRS: [(Class, &str, f64); 2] = [
    (Class::Durable, "sqlite-full", 1.0),
    (BACKLOG, "sqlite-normal", 100.0),
];
const FOREBAY: &str = "forebay";

fn cell(class: Class, peer: &str) -> String {
    format!("{class}-{peer}")
}

pub fn tasks(plan: &Plan) -> Vec<Task> {
    let pairs = PAIRS.into_iter();
    pairs
        .flat_map(|(class, table, _)| {
            [FOREBAY, table].map(|peer| Task::peer(&cell(class, peer), peer, plan.load(class)))
        })
        .collect()
}

pub fn run(_parts: &[&str], _folder: &Path, _plan: &Plan) -> Result<Sample> {
    Err("these are cells of `run`".into())
}

pub fn judge(samples: &Samples, _plan: &Plan) -> Vec<Finding> {
    let pairs = PAIRS.into_iter();
    pairs
        .filter_map(|(class, table, least)| {
            let per_second = |peer| Some(samples.of(&cell(class, peer))?.figures.per_second);
            let what = format!("{}: forebay : {table}", class.title());
            Some(
                Finding::new(what, per_second(FOREBAY)?, "/s")
                    .against(per_second(table)?)
                    .target(Target::AtLeast(least)),
            )
        })
        .collect()
}
