//! `forebay bench`: what this disk allows, and how much of it a queue on it reaches.

mod callers;
mod latencies;
mod raw;
mod report;

use std::fs;
use std::num::ParseFloatError;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;

use crate::failure::Failure;
use crate::{asked, progress, units};
use report::{Report, Step};

/// The file that makes a directory a queue (docs/FORMAT.md).
const IDENTITY: &str = "QUEUE";

const EXAMPLE: &str = "\
Raw is one thread that writes the bytes of a record into a file that is there,
and syncs: the most that any log can do alone. It is measured again before each
step, because disks drift. `x raw` is records a second over raw syncs a second:
1 for one thread is all there is, and threads that share syncs reach more.

Nothing that is in DIR is touched: the work is done in a new directory inside,
forebay-bench-PID, which is removed in the end (not when it is killed).

Fields of the JSON object:
  path, record_bytes, step_seconds
  raw                    {syncs_per_second, p50_seconds, p99_seconds,
                         p999_seconds, max_seconds}
  steps                  [{threads, records_per_second, efficiency,
                         records_per_sync, raw_syncs_per_second, p50_seconds,
                         p99_seconds, p999_seconds, max_seconds}]

Example:
  forebay bench /var/lib/app
  forebay bench . --threads 1,8 --seconds 5 --json | jq .steps";

/// Measure how fast a disk makes records durable, and how near a queue comes to that.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// A directory on the disk to measure.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// How long each step takes; there are two for each count of threads.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_seconds)]
    seconds: Duration,
    /// How many threads enqueue at a time, step by step.
    #[arg(long, value_name = "N,N,...", default_value = "1,2,4,8,16,64")]
    #[arg(value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Vec<u16>,
    /// The bytes of a record.
    #[arg(long, value_name = "BYTES", default_value = "256")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=16 << 20))]
    size: u32,
    #[command(flatten)]
    form: asked::Form,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|error: ParseFloatError| error.to_string())?;
    if (0.01..=60.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("expected 0.01 to 60".to_owned())
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let place = Place::prepare(&arguments.directory)?;
    let progress = progress_of(arguments.threads.len() * 2);
    let payload = payload(arguments.size);
    let mut report = Report::new(arguments);
    for threads in &arguments.threads {
        progress.set_message("raw syncs");
        let raw = raw::measure(&place.path, &payload, arguments.seconds)?;
        progress.inc(1);
        progress.set_message(units::counted(*threads, "thread"));
        let queue = place.path.join("queue");
        let figures = callers::measure(&queue, *threads, &payload, arguments.seconds)?;
        fs::remove_dir_all(&queue).map_err(Failure::io("cannot remove what was measured"))?;
        progress.inc(1);
        report.steps.push(Step {
            threads: *threads,
            raw,
            figures,
        });
    }
    progress.finish_and_clear();
    arguments
        .form
        .answer(|| report.as_json(), || report.as_table())
}

/// Bytes that no disk compresses.
fn payload(size: u32) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let random = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    random.take(usize::try_from(size).unwrap_or(0)).collect()
}

fn progress_of(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(0));
    progress::drawn(bar, "{bar:30} {pos} of {len}: {msg}, {eta} left")
}

/// A directory of its own, which goes with what is in it.
#[derive(Debug)]
struct Place {
    path: PathBuf,
}

impl Place {
    fn prepare(directory: &Path) -> Result<Self, Failure> {
        if directory.join(IDENTITY).exists() {
            return Err(Failure::Input {
                what: format!("{} is a queue", directory.display()),
                remedy: "name the directory above it, or another one on the same disk",
            });
        }
        let path = directory.join(format!("forebay-bench-{}", std::process::id()));
        // Fails where it is there already: what is there is not ours.
        fs::create_dir(&path).map_err(Failure::io(format!("cannot create {}", path.display())))?;
        Ok(Self { path })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whoever cannot remove it is told by what is left there.
        fs::remove_dir_all(&self.path).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_and_others_refused() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "0", "-1", "61", "NaN", "fast"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }
}
