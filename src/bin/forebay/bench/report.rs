//! What was measured, as a table and as JSON.

use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Arguments;
use super::latencies::Figures;

/// A count of threads, and the bare disk just before.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) threads: u16,
    pub(super) raw: Figures,
    pub(super) figures: Figures,
}

impl Step {
    fn efficiency(&self) -> f64 {
        self.figures.per_second / self.raw.per_second.max(1e-9)
    }
}

#[derive(Debug)]
pub(super) struct Report {
    path: PathBuf,
    record_bytes: u32,
    seconds: f64,
    pub(super) steps: Vec<Step>,
}

impl Report {
    pub(super) fn new(arguments: &Arguments) -> Self {
        Self {
            path: arguments.directory.clone(),
            record_bytes: arguments.size,
            seconds: arguments.seconds.as_secs_f64(),
            steps: Vec::new(),
        }
    }

    /// The bare disk over all steps: the median of each figure.
    fn raw(&self) -> Figures {
        let over_steps = |figure: fn(&Figures) -> f64| {
            let mut values: Vec<f64> = self.steps.iter().map(|step| figure(&step.raw)).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        Figures {
            per_second: over_steps(|raw| raw.per_second),
            p50_us: over_steps(|raw| raw.p50_us),
            p99_us: over_steps(|raw| raw.p99_us),
            p999_us: over_steps(|raw| raw.p999_us),
            max_us: over_steps(|raw| raw.max_us),
            records_per_sync: Some(1.0),
        }
    }

    pub(super) fn as_json(&self) -> Value {
        let raw = self.raw();
        let steps = self.steps.iter().map(|step| {
            let figures = &step.figures;
            json!({
                "threads": step.threads,
                "records_per_second": figures.per_second,
                "efficiency": step.efficiency(),
                "records_per_sync": figures.records_per_sync,
                "raw_syncs_per_second": step.raw.per_second,
                "p50_seconds": seconds(figures.p50_us),
                "p99_seconds": seconds(figures.p99_us),
                "p999_seconds": seconds(figures.p999_us),
                "max_seconds": seconds(figures.max_us),
            })
        });
        json!({
            "path": self.path.display().to_string(),
            "record_bytes": self.record_bytes,
            "step_seconds": self.seconds,
            "raw": {
                "syncs_per_second": raw.per_second,
                "p50_seconds": seconds(raw.p50_us),
                "p99_seconds": seconds(raw.p99_us),
                "p999_seconds": seconds(raw.p999_us),
                "max_seconds": seconds(raw.max_us),
            },
            "steps": steps.collect::<Vec<_>>(),
        })
    }

    pub(super) fn as_table(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        self.write_table(&mut text).ok();
        text
    }

    fn write_table(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "{}: records of {} bytes, {} s a step\n",
            self.path.display(),
            self.record_bytes,
            self.seconds
        )?;
        writeln!(
            text,
            "{:>7} {:>11} {:>7} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "threads", "records/s", "x raw", "rec/sync", "p50 us", "p99", "p99.9", "max"
        )?;
        write_line(text, "raw", &self.raw(), 1.0)?;
        for step in &self.steps {
            let threads = step.threads.to_string();
            write_line(text, &threads, &step.figures, step.efficiency())?;
        }
        Ok(())
    }
}

fn seconds(microseconds: f64) -> f64 {
    microseconds / 1e6
}

fn write_line(
    text: &mut String,
    name: &str,
    figures: &Figures,
    efficiency: f64,
) -> std::fmt::Result {
    let per_sync = figures
        .records_per_sync
        .map_or_else(|| "-".to_owned(), |records| format!("{records:.2}"));
    writeln!(
        text,
        "{name:>7} {:>11.0} {efficiency:>7.2} {per_sync:>9} {:>9.0} {:>9.0} {:>9.0} {:>9.0}",
        figures.per_second, figures.p50_us, figures.p99_us, figures.p999_us, figures.max_us
    )
}
