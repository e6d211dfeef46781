//! A table of text in columns that are as wide as what is in them.

use std::fmt::Write as _;

use crate::paint::Paint;
use crate::units;

/// Which side of its column a cell keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// How a row is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Bad,
}

/// Rows of cells under their headings.
#[derive(Debug)]
pub(crate) struct Rows {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<(Tone, Vec<String>)>,
}

impl Rows {
    pub(crate) fn new(columns: Vec<(&'static str, Side)>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row. What is not there is an empty cell.
    pub(crate) fn push(&mut self, tone: Tone, cells: &[String]) {
        let cells = cells.iter().map(|cell| units::shown(cell)).collect();
        self.rows.push((tone, cells));
    }

    /// The table, a line a row.
    pub(crate) fn drawn(&self, paint: Paint) -> String {
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| self.width(at)).collect();
        let headings: Vec<String> = self
            .columns
            .iter()
            .map(|(name, _)| (*name).into())
            .collect();
        let mut text = paint.quiet(&self.line(&headings, &widths));
        text.push('\n');
        for (tone, cells) in &self.rows {
            let line = self.line(cells, &widths);
            text.push_str(&match tone {
                Tone::Plain => line,
                Tone::Bad => paint.bad(&line),
            });
            text.push('\n');
        }
        text
    }

    fn width(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|(_, cells)| cells.get(at));
        let widths = cells.map(|cell| cell.chars().count());
        let heading = self.columns.get(at).map(|(name, _)| name.len());
        widths.chain(heading).max().unwrap_or(0)
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, side)) in cells.iter().zip(widths).zip(&self.columns) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            // Writing to a string cannot fail.
            match side {
                Side::Left => write!(line, "{cell:<width$}").ok(),
                Side::Right => write!(line, "{cell:>width$}").ok(),
            };
        }
        line.trim_end().to_owned()
    }
}

/// What is known, or a dash.
pub(crate) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
