//! Opening with undelivered records, after a clean end and after a kill.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use forebay::{Queue, SyncPolicy};

use super::finding::{Finding, Target};
use super::sample::{Sample, Samples};
use super::subject::{RECORD_BYTES, fill, options, place};
use super::{Plan, Task};
use crate::figures::float;
use crate::payloads::Payloads;
use crate::peer::Result;
use crate::report::median;
use crate::work::reopen::copy;

const RECORDS: u64 = 1_000_000;
/// Five segments of 204 batches, but for one: the active one is full.
const FULL: u64 = 1_019_000;
/// Four of them, and one batch in the fifth: the active one is almost empty.
const BARE: u64 = 817_000;
/// One batch in a segment of its size: what a kill costs without a scan.
const LITTLE: u64 = 1_000;
const LITTLE_BYTES: u64 = 1 << 20;
const CLEAN_MS: f64 = 2.0;
const SCAN_GB: f64 = 2.0;
const CLEAN_OPENINGS: u32 = 5;
const KILLED_OPENINGS: u32 = 3;
/// Longer than a queue goes on working after the last call.
const SILENCE: Duration = Duration::from_millis(300);

const CLEAN: &str = "clean";
/// Killed with all records durable.
const SYNCED: &str = "synced";
/// Killed with records that are only written.
const WRITTEN: &str = "written";

fn cell(end: &str, records: u64) -> String {
    format!("open-{end}-{records}")
}

pub fn tasks(_plan: &Plan) -> Vec<Task> {
    let mut tasks = vec![Task::own(&cell(CLEAN, RECORDS))];
    for end in [SYNCED, WRITTEN] {
        let all = [RECORDS, FULL, BARE, LITTLE];
        tasks.extend(all.map(|records| Task::own(&cell(end, records))));
    }
    tasks
}

pub fn run(parts: &[&str], folder: &Path, _plan: &Plan) -> Result<Sample> {
    let &[end, records] = parts else {
        return Err("an opening has an end and records".into());
    };
    let filled = folder.join("filled");
    fs::create_dir_all(&filled)?;
    let records = records.parse()?;
    let mut options = options(SyncPolicy::Manual);
    if records == LITTLE {
        options = options.segment_bytes(LITTLE_BYTES);
    }
    let queue = options.open(place(&filled))?;
    // Its cursor is made before, so that the first read makes no file.
    drop(queue.consumer("rows")?);
    fill(&queue, records, &Payloads::new(RECORD_BYTES))?;
    if end != WRITTEN {
        queue.sync()?;
    }
    let left = folder.join("left");
    if end != CLEAN {
        thread::sleep(SILENCE);
        copy(&filled, &left)?;
    }
    queue.close()?;
    let openings = if end == CLEAN {
        CLEAN_OPENINGS
    } else {
        KILLED_OPENINGS
    };
    let mut opened = Vec::new();
    for opening in 0..openings {
        let folder = if end == CLEAN {
            filled.clone()
        } else {
            fresh(folder, &left, opening)?
        };
        opened.push(open(&folder, end == CLEAN)?);
        if end != CLEAN {
            fs::remove_dir_all(folder)?;
        }
    }
    let middle = |figure: fn(&Opened) -> f64| {
        median(opened.iter().map(figure).collect()).ok_or("nothing was opened")
    };
    Ok(Sample::default()
        .with("open_ms", middle(|opened| opened.open_ms)?)
        .with("first_ms", middle(|opened| opened.first_ms)?)
        .with("scanned_bytes", middle(|opened| opened.scanned_bytes)?)
        .with("segments", middle(|opened| opened.segments)?))
}

/// A copy for this opening alone.
fn fresh(folder: &Path, left: &Path, opening: u32) -> Result<PathBuf> {
    let place = folder.join(format!("opening-{opening}"));
    copy(left, &place)?;
    Ok(place)
}

struct Opened {
    open_ms: f64,
    /// From there to the first record in hand.
    first_ms: f64,
    scanned_bytes: f64,
    segments: f64,
}

fn open(folder: &Path, should_be_clean: bool) -> Result<Opened> {
    let began = Instant::now();
    let queue: Queue = options(SyncPolicy::Manual).open(place(folder))?;
    let open_ms = began.elapsed().as_secs_f64() * 1e3;
    let began = Instant::now();
    let mut consumer = queue.consumer("rows")?;
    if consumer.peek()?.is_none() {
        return Err("the records are gone".into());
    }
    let first_ms = began.elapsed().as_secs_f64() * 1e3;
    let report = queue.recovery();
    if report.clean != should_be_clean {
        return Err(format!("opened after another end: {}", report.event).into());
    }
    let opened = Opened {
        open_ms,
        first_ms,
        scanned_bytes: float(report.scanned_bytes),
        segments: float(report.scanned_segments as u64),
    };
    drop(consumer);
    queue.close()?;
    Ok(opened)
}

/// Bytes and milliseconds, as a rate.
fn gigabytes_a_second(bytes: f64, milliseconds: f64) -> f64 {
    bytes / milliseconds / 1e6
}

pub fn judge(samples: &Samples, _plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(sample) = samples.of(&cell(CLEAN, RECORDS)) {
        findings.push(
            Finding::new("clean: open", sample.more["open_ms"], "ms")
                .target(Target::AtMost(CLEAN_MS)),
        );
        let first = sample.more["first_ms"];
        findings.push(Finding::new("clean: first read after it", first, "ms"));
    }
    for end in [SYNCED, WRITTEN] {
        for (records, words) in [
            (RECORDS, "1 000 000"),
            (FULL, "a full segment"),
            (BARE, "an empty segment"),
        ] {
            let sample = samples.of(&cell(end, records));
            findings.extend(sample.into_iter().flat_map(|sample| {
                let what = format!("killed, all {end}, {words}");
                judge_one(&what, sample)
            }));
        }
        findings.extend(judge_scan(samples, end).unwrap_or_default());
    }
    findings
}

fn judge_one(words: &str, sample: &Sample) -> Vec<Finding> {
    let what = |name: &str| format!("{words}: {name}");
    let (bytes, open_ms) = (sample.more["scanned_bytes"], sample.more["open_ms"]);
    let rate = gigabytes_a_second(bytes, open_ms);
    vec![
        Finding::new(what("open"), open_ms, "ms"),
        Finding::new(what("first read"), sample.more["first_ms"], "ms"),
        Finding::new(what("scanned"), bytes / 1e6, "MB"),
        Finding::new(what("segments scanned"), sample.more["segments"], ""),
        Finding::new(what("rate"), rate, "GB/s").target(Target::AtLeast(SCAN_GB)),
    ]
}

/// The rate of the scan alone: what a full segment takes beyond next to none.
fn judge_scan(samples: &Samples, end: &str) -> Option<Vec<Finding>> {
    let full = samples.of(&cell(end, FULL))?;
    let little = samples.of(&cell(end, LITTLE))?;
    let more = |name: &str| full.more[name] - little.more[name];
    let rate = gigabytes_a_second(more("scanned_bytes"), more("open_ms"));
    let what = |name: &str| format!("killed, all {end}: {name}");
    let open_ms = little.more["open_ms"];
    Some(vec![
        Finding::new(what("open with 1 MiB to scan"), open_ms, "ms"),
        Finding::new(what("rate of the scan alone"), rate, "GB/s"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_in_billions_of_bytes() {
        assert!((gigabytes_a_second(64e6, 32.0) - 2.0).abs() < 1e-9);
    }
}
