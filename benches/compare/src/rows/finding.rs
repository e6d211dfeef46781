//! What a round says about a row: figures, each held against another or against a fixed target.

use serde::{Deserialize, Serialize};

use crate::report::median;

/// What a figure, or its ratio to another, must be.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    pub fn is_reached(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

/// One figure of one round.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Finding {
    pub what: String,
    pub figure: f64,
    pub unit: String,
    /// The figure of the same round that this one is held against.
    pub against: Option<f64>,
    /// Of the ratio of the two, or of the figure alone.
    pub target: Option<Target>,
}

impl Finding {
    pub fn new(what: impl Into<String>, figure: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            figure,
            unit: unit.to_owned(),
            against: None,
            target: None,
        }
    }

    pub fn against(mut self, other: f64) -> Self {
        self.against = Some(other);
        self
    }

    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// What the target is of.
    fn judged(&self) -> f64 {
        self.against
            .map_or(self.figure, |other| self.figure / other)
    }
}

/// The same finding over all rounds.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Line {
    pub what: String,
    pub unit: String,
    /// Medians over the rounds.
    pub figure: f64,
    pub against: Option<f64>,
    /// Median, smallest and largest of what the target is of: ratios are taken in each round.
    pub judged: f64,
    pub from: f64,
    pub to: f64,
    pub target: Option<Target>,
}

impl Line {
    /// None where nothing is demanded.
    pub fn is_reached(&self) -> Option<bool> {
        self.target.map(|target| target.is_reached(self.judged))
    }
}

/// A line for each finding, in the order in which the first round has them.
pub fn lines(rounds: &[Vec<Finding>]) -> Vec<Line> {
    let mut names: Vec<&str> = Vec::new();
    for finding in rounds.iter().flatten() {
        if !names.contains(&finding.what.as_str()) {
            names.push(&finding.what);
        }
    }
    names
        .into_iter()
        .filter_map(|name| {
            let same = rounds.iter().flatten().filter(|same| same.what == name);
            line(&same.collect::<Vec<_>>())
        })
        .collect()
}

fn line(same: &[&Finding]) -> Option<Line> {
    let first = same.first()?;
    let judged: Vec<f64> = same.iter().map(|finding| finding.judged()).collect();
    Some(Line {
        what: first.what.clone(),
        unit: first.unit.clone(),
        figure: median(same.iter().map(|finding| finding.figure).collect())?,
        against: median(same.iter().filter_map(|finding| finding.against).collect()),
        from: judged.iter().copied().reduce(f64::min)?,
        to: judged.iter().copied().reduce(f64::max)?,
        judged: median(judged)?,
        target: first.target,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn a_ratio_is_taken_in_each_round_before_the_median() {
        let round = |figure, other| {
            let finding = Finding::new("cost", figure, "us").against(other);
            vec![finding.target(Target::AtMost(1.2))]
        };
        let lines = lines(&[round(10.0, 10.0), round(30.0, 20.0), round(11.0, 10.0)]);
        let [line] = lines.as_slice() else {
            panic!("{lines:?}")
        };
        assert!(close(line.figure, 11.0) && line.against == Some(10.0));
        assert!(close(line.judged, 1.1) && close(line.from, 1.0) && close(line.to, 1.5));
        assert_eq!(line.is_reached(), Some(true));
    }

    #[test]
    fn a_figure_without_another_is_judged_itself_and_one_without_a_target_not_at_all() {
        let open = Finding::new("open", 3.0, "ms").target(Target::AtMost(2.0));
        let rate = Finding::new("scan", 2.5, "GB/s").target(Target::AtLeast(2.0));
        let lines = lines(&[vec![open, rate, Finding::new("first read", 1.0, "ms")]]);
        let reached: Vec<_> = lines.iter().map(Line::is_reached).collect();
        assert_eq!(reached, [Some(false), Some(true), None]);
    }

    #[test]
    fn a_round_in_which_a_cell_failed_takes_nothing_from_the_others() {
        let one = Finding::new("one", 1.0, "us");
        let other = Finding::new("other", 2.0, "us");
        let lines = lines(&[vec![other.clone()], vec![one, other]]);
        let names: Vec<&str> = lines.iter().map(|line| line.what.as_str()).collect();
        assert_eq!(names, ["other", "one"]);
    }
}
