//! What a campaign gives: figures of every round, beside those of the bare device in that round.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::figures::Figures;
use crate::peer::Entry;

#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub record_bytes: usize,
    pub seconds: f64,
    pub rows: Vec<Row>,
    pub failures: Vec<String>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Machine {
    pub processors: usize,
    pub processor: String,
    pub kernel: String,
    pub filesystem: String,
}

/// A peer in a class.
#[derive(Debug, Deserialize, Serialize)]
pub struct Row {
    pub class: String,
    pub title: String,
    pub peer: String,
    pub release: String,
    pub setting: String,
    pub acknowledges: String,
    pub rounds: Vec<Round>,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Round {
    pub round: u32,
    pub figures: Figures,
    /// What the bare device did in the same round: the mean where it was measured more than once.
    pub raw_per_second: Option<f64>,
}

impl Report {
    pub fn add(&mut self, class: Class, entry: &Entry, round: Round) {
        let name = class.to_string();
        let found = self
            .rows
            .iter()
            .position(|row| row.class == name && row.peer == entry.name);
        let at = found.unwrap_or_else(|| {
            self.rows.push(Row {
                class: name,
                title: class.title(),
                peer: entry.name.to_owned(),
                release: entry.release.to_owned(),
                setting: entry.setting.to_owned(),
                acknowledges: entry.acknowledges.to_owned(),
                rounds: Vec::new(),
            });
            self.rows.len() - 1
        });
        self.rows[at].rounds.push(round);
    }

    /// The classes in the order in which they are shown, each with its rows, the fastest first.
    pub fn classes(&self) -> Vec<(&str, Vec<&Row>)> {
        let known: Vec<String> = Class::all(true).iter().map(Class::to_string).collect();
        let rank = |name: &str| known.iter().position(|known| known == name);
        let mut names: Vec<&str> = self.rows.iter().map(|row| row.class.as_str()).collect();
        names.sort_by_key(|name| (rank(name).unwrap_or(usize::MAX), *name));
        names.dedup();
        names
            .into_iter()
            .map(|name| {
                let rows = self.rows.iter().filter(|row| row.class == name);
                let mut rows: Vec<&Row> = rows.collect();
                rows.sort_by(|one, other| other.per_second().total_cmp(&one.per_second()));
                (name, rows)
            })
            .collect()
    }

    pub fn save(&self, file: &Path) -> crate::peer::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text + "\n")
            .map_err(|error| format!("cannot write {}: {error}", file.display()).into())
    }

    pub fn load(file: &Path) -> crate::peer::Result<Self> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        Ok(serde_json::from_str(&text)?)
    }
}

impl Row {
    pub fn per_second(&self) -> f64 {
        self.median(|figures| Some(figures.per_second))
            .unwrap_or(0.0)
    }

    /// The median over the rounds that have the figure.
    pub fn median(&self, figure: impl Fn(&Figures) -> Option<f64>) -> Option<f64> {
        let values = self
            .rounds
            .iter()
            .filter_map(|round| figure(&round.figures));
        median(values.collect())
    }

    /// Median, smallest and largest ratio to the bare device of the same round.
    pub fn ratio(&self) -> Option<(f64, f64, f64)> {
        let ratios: Vec<f64> = self
            .rounds
            .iter()
            .filter_map(|round| Some(round.figures.per_second / round.raw_per_second?))
            .collect();
        let smallest = ratios.iter().copied().reduce(f64::min)?;
        let largest = ratios.iter().copied().reduce(f64::max)?;
        Some((median(ratios)?, smallest, largest))
    }
}

pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values[middle - 1], upper))
}

impl Machine {
    /// As far as this machine tells.
    pub fn here(data: &Path) -> Self {
        let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or_else(String::new, |(_, name)| name.to_owned());
        Self {
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            processor,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            filesystem: filesystem(data, &read("/proc/mounts")),
        }
    }
}

/// The kind and options of the file system that `data` is on: the longest mount point above it.
fn filesystem(data: &Path, mounts: &str) -> String {
    let data = data.canonicalize().unwrap_or_else(|_| data.to_path_buf());
    let mut best = (0, String::new());
    for line in mounts.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        if let [_, point, kind, options, ..] = fields.as_slice()
            && data.starts_with(point)
            && point.len() >= best.0
        {
            best = (point.len(), format!("{kind} ({options})"));
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn the_file_system_is_that_of_the_longest_mount_point() {
        let mounts = "a / ext4 rw 0 0\nb /none tmpfs rw 0 0\n";
        assert_eq!(filesystem(Path::new("/nowhere"), mounts), "ext4 (rw)");
    }
}
