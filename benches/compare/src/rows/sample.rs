//! What a cell of a row gives, and the cells of one round.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::figures::Figures;

/// The figures that every cell has, and those that only its row has.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Sample {
    #[serde(flatten)]
    pub figures: Figures,
    #[serde(default)]
    pub more: BTreeMap<String, f64>,
}

impl Sample {
    pub fn with(mut self, name: &str, value: f64) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// The mean time of a call, where one caller did nothing else.
    pub fn cost_us(&self) -> f64 {
        1e6 / self.figures.per_second
    }
}

impl From<Figures> for Sample {
    fn from(figures: Figures) -> Self {
        Self {
            figures,
            more: BTreeMap::new(),
        }
    }
}

/// The samples of one round by the names of their cells.
#[derive(Debug, Default)]
pub struct Samples(pub BTreeMap<String, Sample>);

impl Samples {
    /// None where the cell failed.
    pub fn of(&self, cell: &str) -> Option<&Sample> {
        self.0.get(cell)
    }

    pub fn cost_us(&self, cell: &str) -> Option<f64> {
        self.of(cell).map(Sample::cost_us)
    }

    pub fn more(&self, cell: &str, name: &str) -> Option<f64> {
        self.of(cell)?.more.get(name).copied()
    }
}
