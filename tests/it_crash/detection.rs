//! What a sweep over a damaged queue measured, and the table of docs/TRUST.md that says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::golden::Left;
use crate::support::tell;

/// What damage of one kind came to, by structure.
#[derive(Debug)]
pub(crate) struct Measured {
    damage: &'static str,
    left: Left,
    outcomes: BTreeMap<&'static str, BTreeSet<String>>,
    count: u64,
}

impl Measured {
    pub(crate) fn new(damage: &'static str, left: Left) -> Self {
        Self {
            damage,
            left,
            outcomes: BTreeMap::new(),
            count: 0,
        }
    }

    pub(crate) fn note(&mut self, structure: &'static str, outcome: String) {
        self.count += 1;
        self.outcomes.entry(structure).or_default().insert(outcome);
    }

    /// Asserts that the document says of this damage exactly what was measured.
    pub(crate) fn assert_documented(&self) {
        let (damage, left) = (self.damage, self.left);
        tell(&format!("{damage}, {left:?}: {} times", self.count));
        let mut measured: BTreeMap<String, String> = BTreeMap::new();
        for (structure, outcomes) in &self.outcomes {
            let outcomes: Vec<&str> = outcomes.iter().map(String::as_str).collect();
            measured.insert((*structure).to_owned(), outcomes.join("; "));
        }
        if std::env::var_os("FOREBAY_TABLE").is_some() {
            // For whoever writes the table: everything that was measured, and no judgement.
            for (structure, cell) in &measured {
                tell(&format!("MEASURED|{structure}|{damage}|{left:?}|{cell}"));
            }
            return;
        }
        let stated = stated(damage, left);
        if measured != stated {
            let mut text = String::new();
            for (structure, cell) in &measured {
                let known = stated.get(structure).map_or("nothing", String::as_str);
                if known != cell {
                    let _infallible = writeln!(
                        text,
                        "{structure}, {damage}, {left:?}: measured {cell}, stated {known}"
                    );
                }
            }
            panic!("docs/TRUST.md does not say what was measured\n{text}");
        }
    }
}

/// What the table in docs/TRUST.md says of `damage` to a queue so `left`, by structure.
fn stated(damage: &str, left: Left) -> BTreeMap<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/TRUST.md");
    let text = std::fs::read_to_string(path).expect("the document is there");
    let column = match left {
        Left::Closed => 2,
        Left::Killed => 3,
        Left::PowerCut => 4,
    };
    let table = text
        .split("<!-- detection table -->")
        .nth(1)
        .expect("the document has the table between two marks");
    let rows = table.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').skip(1).map(str::trim).collect();
        let is_ours = cells.get(1) == Some(&damage) && cells.len() >= 5;
        is_ours.then(|| (cells[0].to_owned(), cells[column].to_owned()))
    });
    // What cannot happen in this state has no outcome.
    rows.filter(|(_, cell)| cell != "-").collect()
}
