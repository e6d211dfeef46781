//! Workloads handed out to all cores until enough states were explored.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::arguments::Arguments;
use crate::explore::{Explorer, Violation, explore};
use crate::tally::{Tally, core_time};
use crate::text;
use crate::workload::{Kind, SHORT_COUNT, Workload};

/// What is drawn from one workload at least, and at most, so that many have their turn.
const SHARE: std::ops::RangeInclusive<u64> = 12..=400;
/// With what follows from them inside recoveries, and beside the other workloads, so many times as
/// many states are explored as are drawn: a million have a share of every short sequence.
const FOLLOWING: u64 = 5;

pub(crate) struct Campaign {
    arguments: Arguments,
    states: AtomicU64,
    next: AtomicUsize,
    stop: AtomicBool,
    total: Mutex<Tally>,
    violation: Mutex<Option<Violation>>,
}

impl Campaign {
    pub(crate) fn new(arguments: Arguments) -> Self {
        Self {
            arguments,
            states: AtomicU64::new(0),
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            total: Mutex::default(),
            violation: Mutex::new(None),
        }
    }

    /// Replays what once failed, then explores; the report, as an error when a promise was broken.
    pub(crate) fn run(&self) -> Result<String, String> {
        // A panic is a violation with a trail, which tells more than where it was.
        std::panic::set_hook(Box::new(|_| {}));
        if let Some(file) = &self.arguments.replay {
            return replay(file, &mut |line| crate::say(line));
        }
        let replayed = replay_all(&regressions())?;
        let (started, busy_before) = (Instant::now(), core_time());
        std::thread::scope(|scope| {
            for _ in 0..self.arguments.workers {
                scope.spawn(|| self.work());
            }
        });
        let busy = core_time().zip(busy_before);
        let busy = busy.map(|(now, before)| now.saturating_sub(before));
        let total = self.total.lock();
        let counts = total.report(started.elapsed(), busy);
        let report = format!("{replayed} regressions replayed\n{counts}");
        if let Some(violation) = &*self.violation.lock() {
            return Err(format!("{report}\n{}", keep(violation)));
        }
        match total.misses() {
            Some(missed) => Err(format!("{report}\nnothing was explored of: {missed}")),
            None => Ok(report),
        }
    }

    fn work(&self) {
        let mut tally = Tally::default();
        let states = self.arguments.states;
        let share = states / (FOLLOWING * SHORT_COUNT as u64);
        let share = usize::try_from(share.clamp(*SHARE.start(), *SHARE.end())).unwrap_or(0);
        while !self.stop.load(Ordering::Relaxed) && self.states.load(Ordering::Relaxed) < states {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let workload = Workload::of(number, self.arguments.seed);
            let before = tally.states;
            tally.workloads += 1;
            let budget = match workload.kind {
                Kind::Short | Kind::Readers => share,
                Kind::Long | Kind::Threads => 2 * share,
            };
            let explored = explore(&workload, budget, &mut tally);
            self.states
                .fetch_add(tally.states - before, Ordering::Relaxed);
            if let Err(violation) = explored {
                self.stop.store(true, Ordering::Relaxed);
                self.violation.lock().get_or_insert(violation);
            }
        }
        self.total.lock().add(&tally);
    }
}

fn regressions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions")
}

/// Replays every file in `folder`; how many there were.
fn replay_all(folder: &Path) -> Result<usize, String> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        listed => listed.map_err(|error| failed(folder, &error))?,
    };
    let mut files: Vec<_> = listed.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    for file in &files {
        replay(file, &mut |_| {})?;
    }
    Ok(files.len())
}

/// Goes the way that `file` tells, and then explores everything around it: calls move when the
/// crate changes, and what once went wrong is worth a closer look anyway.
fn replay(file: &Path, story: &mut dyn FnMut(&str)) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| failed(file, &error))?;
    let (workload, steps) = text::read(&text).map_err(|what| failed(file, &what))?;
    let mut tally = Tally::default();
    let followed = match workload.kind {
        Kind::Short | Kind::Readers | Kind::Long => {
            Explorer::new(&workload, &mut tally).replay(&steps, story)
        }
        Kind::Threads => Ok(()),
    };
    followed
        .and_then(|()| explore(&workload, 300, &mut tally))
        .map_err(|violation| failed(file, &text::write(&violation)))?;
    Ok(format!("{}: {} states", file.display(), tally.states))
}

fn failed(file: &Path, what: &dyn std::fmt::Display) -> String {
    format!("{}: {what}", file.display())
}

/// Writes `violation` to a file; what there is to say about it.
fn keep(violation: &Violation) -> String {
    let text = text::write(violation);
    let name = format!("forebay-violation-{:016x}.txt", violation.workload.seed);
    let file = std::env::temp_dir().join(name);
    let kept = match std::fs::write(&file, &text) {
        Ok(()) => format!(
            "written to {}; --replay it, or put it into tests/regressions",
            file.display()
        ),
        Err(error) => format!("not written to {}: {error}", file.display()),
    };
    format!("VIOLATION\n{text}{kept}")
}
