//! Single calls while the log goes on in new segments, and while old ones are deleted.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use forebay::{Listener, Queue, SegmentNumber};

use super::finding::{Finding, Target};
use super::sample::{Sample, Samples};
use super::subject::{BYTES_MAX, RECORD_BYTES, calls_max, options, place, policy, take};
use super::{Plan, Task};
use crate::figures::{Figures, float};
use crate::histogram::Histogram;
use crate::payloads::Payloads;
use crate::peer::Result;

const LIMIT: f64 = 3.0;
/// A policy and a number of threads, with segments so small that ten and more are filled in a
/// second, and at least one call in a thousand meets a rotation with Always.
const CALLERS: [(&str, usize, u64); 3] = [
    ("always", 1, 128 << 10),
    ("always", 8, 512 << 10),
    ("manual", 1, 4 << 20),
];
const DEFAULT_BYTES: u64 = 64 << 20;
/// What happens beside the calls.
const NEITHER: &str = "neither";
const ROTATING: &str = "rotating";
const DRAINED: &str = "drained";
const RECLAIMING: &str = "reclaiming";
const DEFAULT: &str = "default";
/// How long a consumer that has taken all out looks away.
const LOOKS_AWAY: Duration = Duration::from_millis(5);

thread_local! {
    /// Whether the call that this thread is in has met a rotation.
    static ROTATED: Cell<bool> = const { Cell::new(false) };
}

#[derive(Default)]
struct Ears {
    rotations: AtomicU64,
    reclaimed: AtomicU64,
}

impl Listener for Ears {
    fn rotated(&self, _sealed: SegmentNumber, _active: SegmentNumber) {
        self.rotations.fetch_add(1, Ordering::Relaxed);
        ROTATED.set(true);
    }

    fn reclaimed(&self, _segment: SegmentNumber, _bytes: u64) {
        self.reclaimed.fetch_add(1, Ordering::Relaxed);
    }
}

fn cell(policy: &str, threads: usize, beside: &str) -> String {
    format!("rotation-{policy}-{threads}-{beside}")
}

/// The default segment is too large for Always to fill any.
fn besides(policy: &str) -> &'static [&'static str] {
    match policy {
        "manual" => &[NEITHER, ROTATING, DRAINED, RECLAIMING, DEFAULT],
        _ => &[NEITHER, ROTATING, DRAINED, RECLAIMING],
    }
}

pub fn tasks(_plan: &Plan) -> Vec<Task> {
    let callers = CALLERS.into_iter();
    callers
        .flat_map(|(policy, threads, _)| {
            let besides = besides(policy).iter();
            besides.map(move |beside| Task::own(&cell(policy, threads, beside)))
        })
        .collect()
}

fn segment_bytes(policy: &str, beside: &str, small: u64, seconds: f64) -> u64 {
    match (beside, policy) {
        (ROTATING | RECLAIMING, _) => small,
        (DEFAULT, _) => DEFAULT_BYTES,
        (_, "manual") => BYTES_MAX + DEFAULT_BYTES,
        _ => {
            let times = (1_u32..64).find(|times| seconds <= f64::from(*times));
            DEFAULT_BYTES * times.map_or(64, u64::from)
        }
    }
}

pub fn run(parts: &[&str], folder: &Path, plan: &Plan) -> Result<Sample> {
    let &[policy_name, threads, beside] = parts else {
        return Err("a rotation has a policy, threads and what is beside".into());
    };
    let threads: usize = threads.parse()?;
    let small = CALLERS
        .into_iter()
        .find(|(policy, count, _)| *policy == policy_name && *count == threads)
        .ok_or("there are no such callers")?
        .2;
    let ears = Arc::new(Ears::default());
    let queue = options(policy(policy_name)?)
        .segment_bytes(segment_bytes(policy_name, beside, small, plan.seconds))
        .listener(Arc::<Ears>::clone(&ears))
        .open(place(folder))?;
    let payloads = Payloads::new(RECORD_BYTES);
    let stop = AtomicBool::new(false);
    let all = thread::scope(|scope| {
        let drainer = matches!(beside, DRAINED | RECLAIMING)
            .then(|| scope.spawn(|| drain_until(&queue, &stop)));
        let callers: Vec<_> = (0..threads)
            .map(|thread| {
                let (queue, payloads) = (&queue, &payloads);
                scope.spawn(move || call(queue, payloads, thread, threads, plan.seconds))
            })
            .collect();
        let mut all = Called::default();
        let outcome: Result<()> = callers.into_iter().try_for_each(|caller| {
            all.add(&caller.join().map_err(|_| "a thread panicked")??);
            Ok(())
        });
        stop.store(true, Ordering::Relaxed);
        if let Some(drainer) = drainer {
            drainer.join().map_err(|_| "the consumer panicked")??;
        }
        outcome.map(|()| all)
    });
    let Called {
        calls,
        rotating,
        spent,
    } = all?;
    let seconds = spent.as_secs_f64() / float(threads as u64);
    let mut sample = Sample::from(Figures::new(&calls, 1.0, seconds))
        .with("rotations", float(ears.rotations.load(Ordering::Relaxed)))
        .with("reclaimed", float(ears.reclaimed.load(Ordering::Relaxed)));
    if rotating.count() > 0 {
        sample = sample
            .with("rotating_p50_us", rotating.quantile_us(500))
            .with("rotating_max_us", rotating.max_us());
    }
    Ok(sample)
}

/// What callers have seen.
#[derive(Default)]
struct Called {
    calls: Histogram,
    /// Of here, those that met a rotation.
    rotating: Histogram,
    spent: Duration,
}

impl Called {
    fn add(&mut self, other: &Self) {
        self.calls.add(&other.calls);
        self.rotating.add(&other.rotating);
        self.spent += other.spent;
    }
}

fn call(
    queue: &Queue,
    payloads: &Payloads,
    thread: usize,
    threads: usize,
    seconds: f64,
) -> Result<Called> {
    let calls_max = usize::try_from(calls_max(RECORD_BYTES))? / threads;
    let time = Duration::from_secs_f64(seconds);
    let warm_until = Instant::now() + time / 5;
    let mut called = Called::default();
    let mut last = Instant::now();
    for number in 0..calls_max {
        queue.enqueue(payloads.get(number + thread * 37))?;
        let now = Instant::now();
        let has_rotated = ROTATED.take();
        if last >= warm_until {
            called.calls.record(now - last);
            if has_rotated {
                called.rotating.record(now - last);
            }
            called.spent += now - last;
        }
        last = now;
        if called.spent >= time {
            break;
        }
    }
    Ok(called)
}

fn drain_until(queue: &Queue, stop: &AtomicBool) -> Result<()> {
    let mut consumer = queue.consumer("rows")?;
    while !stop.load(Ordering::Relaxed) {
        take(&mut consumer, u64::MAX)?;
        thread::sleep(LOOKS_AWAY);
    }
    Ok(())
}

pub fn judge(samples: &Samples, _plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (policy, threads, _) in CALLERS {
        let Some(neither) = samples.of(&cell(policy, threads, NEITHER)) else {
            continue;
        };
        for beside in besides(policy) {
            let measured = samples.of(&cell(policy, threads, beside));
            findings.extend(
                measured
                    .into_iter()
                    .flat_map(|measured| judge_one(policy, threads, beside, measured, neither)),
            );
        }
    }
    findings
}

fn judge_one(
    policy: &str,
    threads: usize,
    beside: &str,
    sample: &Sample,
    neither: &Sample,
) -> Vec<Finding> {
    let what = |name: &str| format!("{policy} {threads} {beside}: {name}");
    let (here, alone) = (&sample.figures, &neither.figures);
    let mut findings = Vec::new();
    for (name, figure, other) in [
        ("p50", here.p50_us, alone.p50_us),
        ("p99", here.p99_us, alone.p99_us),
        ("p99.9", here.p999_us, alone.p999_us),
        ("worst", here.max_us, alone.max_us),
    ] {
        let mut finding = Finding::new(what(name), figure, "us");
        if beside != NEITHER {
            finding = finding.against(other);
            if name == "p99.9" && beside != DRAINED {
                finding = finding.target(Target::AtMost(LIMIT));
            }
        }
        findings.push(finding);
    }
    for (name, words, unit) in [
        ("rotations", "rotations", ""),
        ("reclaimed", "segments deleted", ""),
        ("rotating_p50_us", "calls that rotated, p50", "us"),
        ("rotating_max_us", "calls that rotated, worst", "us"),
    ] {
        let value = sample.more.get(name).filter(|value| **value > 0.0);
        findings.extend(value.map(|value| Finding::new(what(words), *value, unit)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_rotation_a_segment_holds_all_that_a_cell_may_write() {
        for seconds in [0.1, 1.0, 10.0] {
            let manual = segment_bytes("manual", NEITHER, 4 << 20, seconds);
            assert!(manual > BYTES_MAX);
            // No disk here syncs so many records a second.
            let always = segment_bytes("always", DRAINED, 4 << 20, seconds);
            assert!(float(always) > seconds * 1.2 * 150_000.0 * 328.0);
        }
    }
}
