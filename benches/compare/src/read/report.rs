//! What a campaign of reading gives: every figure of every round.

use std::path::Path;

use serde::Serialize;

use super::notes;
use crate::class::Class;
use crate::figures::Figures;
use crate::peer::{Entry, Result};
use crate::report::{Machine, median};

#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub records: u64,
    pub record_bytes: usize,
    pub rounds: u32,
    /// After so long a peer is stopped: its rate is of what it has read.
    pub seconds: f64,
    pub rows: Vec<Row>,
    pub failures: Vec<String>,
}

/// A peer.
#[derive(Debug, Serialize)]
pub struct Row {
    pub peer: String,
    pub release: String,
    /// What an acknowledgement survives, and what it costs.
    pub survives: String,
    pub cost: String,
    pub readings: Vec<Reading>,
}

#[derive(Debug, Serialize)]
pub struct Reading {
    pub round: u32,
    pub way: String,
    pub figures: Figures,
}

impl Row {
    /// Whether this is forebay in one of its settings, and no peer.
    pub fn is_own(&self) -> bool {
        self.peer.starts_with("forebay")
    }

    fn per_second(&self, way: Class, round: u32) -> Option<f64> {
        let way = way.to_string();
        let mut found = self.readings.iter();
        found
            .find(|reading| reading.way == way && reading.round == round)
            .map(|reading| reading.figures.per_second)
    }
}

impl Report {
    pub fn add(&mut self, round: u32, entry: &Entry, way: Class, figures: Figures) {
        let known = self.rows.iter().position(|row| row.peer == entry.name);
        let at = known.unwrap_or_else(|| {
            self.rows.push(Row {
                peer: entry.name.to_owned(),
                release: entry.release.to_owned(),
                survives: notes::survives(entry.acknowledges).to_owned(),
                cost: notes::cost(entry.name).unwrap_or("unknown").to_owned(),
                readings: Vec::new(),
            });
            self.rows.len() - 1
        });
        self.rows[at].readings.push(Reading {
            round,
            way: way.to_string(),
            figures,
        });
    }

    /// Median records a second, and median ratio to the best peer of the same round.
    pub fn figure(&self, row: &Row, way: Class) -> Option<(f64, Option<f64>)> {
        let rounds = 1..=self.rounds;
        let rates = rounds
            .clone()
            .filter_map(|round| row.per_second(way, round));
        let ratios = rounds.filter_map(|round| {
            let best = self.best_peer(way, round)?;
            Some(row.per_second(way, round)? / best)
        });
        Some((median(rates.collect())?, median(ratios.collect())))
    }

    fn best_peer(&self, way: Class, round: u32) -> Option<f64> {
        let peers = self.rows.iter().filter(|row| !row.is_own());
        let rates = peers.filter_map(|row| row.per_second(way, round));
        rates.reduce(f64::max)
    }

    pub fn save(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text + "\n")
            .map_err(|error| format!("cannot write {}: {error}", file.display()).into())
    }
}
