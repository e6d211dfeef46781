//! What a campaign over rows gives: every figure of every round, and a table.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::Row;
use super::finding::{Finding, Line, Target, lines};
use super::sample::{Sample, Samples};
use crate::peer::Result;
use crate::report::Machine;

#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub seconds: f64,
    pub rounds: u32,
    pub rows: Vec<Measured>,
    pub failures: Vec<String>,
}

/// A row.
#[derive(Debug, Serialize)]
pub struct Measured {
    pub name: &'static str,
    pub demand: &'static str,
    /// Medians over the rounds.
    pub lines: Vec<Line>,
    pub rounds: Vec<Round>,
}

#[derive(Debug, Serialize)]
pub struct Round {
    pub number: u32,
    pub findings: Vec<Finding>,
    pub cells: BTreeMap<String, Sample>,
}

impl Report {
    pub fn add(&mut self, number: u32, row: &Row, samples: &Samples, findings: Vec<Finding>) {
        let known = self.rows.iter().position(|known| known.name == row.name);
        let at = known.unwrap_or_else(|| {
            self.rows.push(Measured {
                name: row.name,
                demand: row.demand,
                lines: Vec::new(),
                rounds: Vec::new(),
            });
            self.rows.len() - 1
        });
        self.rows[at].rounds.push(Round {
            number,
            findings,
            cells: samples.0.clone(),
        });
    }

    /// Takes the medians of what is there.
    pub fn sum_up(&mut self, row: &Row) {
        for measured in self.rows.iter_mut().filter(|known| known.name == row.name) {
            let findings = measured.rounds.iter().map(|round| round.findings.clone());
            measured.lines = lines(&findings.collect::<Vec<_>>());
        }
        let rank = |name: &str| super::ROWS.iter().position(|row| row.name == name);
        self.rows.sort_by_key(|measured| rank(measured.name));
    }

    pub fn save(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text + "\n")
            .map_err(|error| format!("cannot write {}: {error}", file.display()).into())
    }

    pub fn draw(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        self.write(&mut text).ok();
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let machine = &self.machine;
        writeln!(
            text,
            "{} processors ({}), Linux {}, {}",
            machine.processors, machine.processor, machine.kernel, machine.filesystem
        )?;
        writeln!(
            text,
            "{} s a cell, medians over {} rounds",
            self.seconds, self.rounds
        )?;
        for row in &self.rows {
            write_row(row, text)?;
        }
        if !self.failures.is_empty() {
            writeln!(text, "\nfailed:")?;
            for failure in &self.failures {
                writeln!(text, "  {failure}")?;
            }
        }
        Ok(())
    }
}

fn write_row(row: &Measured, text: &mut String) -> std::fmt::Result {
    writeln!(text, "\n{}: {}", row.name, row.demand)?;
    let heads = ["figure", "against", "", "ratio", "from..to", "target"];
    let [figure, against, unit, ratio, range, target] = heads;
    writeln!(
        text,
        "  {:<52} {figure:>12} {against:>12} {unit:<5} {ratio:>8} {range:>17} {target:>8}",
        "what"
    )?;
    for line in &row.lines {
        writeln!(text, "{}", written(line))?;
    }
    Ok(())
}

fn written(line: &Line) -> String {
    let none = || "-".to_owned();
    let against = line.against.map_or_else(none, shown);
    let ratio = line.against.map_or_else(none, |_| shown(line.judged));
    let range = format!("{}..{}", shown(line.from), shown(line.to));
    let target = match line.target {
        Some(Target::AtMost(limit)) => format!("<= {limit}"),
        Some(Target::AtLeast(limit)) => format!(">= {limit}"),
        None => none(),
    };
    let verdict = match line.is_reached() {
        Some(true) => " reached",
        Some(false) => " MISSED",
        None => "",
    };
    let (what, figure, unit) = (&line.what, shown(line.figure), &line.unit);
    format!(
        "  {what:<52} {figure:>12} {against:>12} {unit:<5} {ratio:>8} {range:>17} {target:>8}{verdict}"
    )
}

/// Three digits or more.
fn shown(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        0.1.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_figure_ratio_range_target_and_verdict() {
        let finding = |figure| {
            let finding = Finding::new("cost", figure, "us").against(1.0);
            vec![finding.target(Target::AtMost(1.2))]
        };
        let line = &lines(&[finding(1.1), finding(1.5), finding(1.3)])[0];
        let words: Vec<String> = written(line)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let expected = "cost 1.30 1.00 us 1.30 1.10..1.50 <= 1.2 MISSED";
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn a_line_without_a_target_has_no_verdict() {
        let line = &lines(&[vec![Finding::new("first read", 0.5, "ms")]])[0];
        assert!(written(line).trim_end().ends_with('-'));
    }
}
