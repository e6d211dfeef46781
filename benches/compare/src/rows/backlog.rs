//! Adding, and the memory of the process, while nothing, few and many records wait.

use std::path::Path;
use std::time::{Duration, Instant};

use forebay::{Consumer, Queue, SyncPolicy};

use super::finding::{Finding, Target};
use super::sample::{Sample, Samples};
use super::subject::{RECORD_BYTES, fill, options, place, take};
use super::{Plan, Task};
use crate::figures::{Figures, float, memory};
use crate::histogram::Histogram;
use crate::payloads::Payloads;
use crate::peer::Result;
use crate::syncs;

const FEW: u64 = 1_000;
const LIMIT: f64 = 1.1;
const MEMORY_MIB: f64 = 16.0;
/// Records added before as many are taken out, off the clock.
const PASS: u64 = 1_000;
/// Names of the kernel, each with one for the report.
const MEMORIES: [(&str, &str); 2] = [("VmRSS:", "resident"), ("RssAnon:", "anonymous")];

fn many(plan: &Plan) -> u64 {
    if plan.huge { 10_000_000 } else { 1_000_000 }
}

fn cell(records: u64) -> String {
    format!("backlog-{records}")
}

pub fn tasks(plan: &Plan) -> Vec<Task> {
    let backlogs = [0, FEW, many(plan)];
    let tasks = backlogs.map(|records| Task::own(&cell(records)));
    tasks.into()
}

/// Both policies with the same files: filled and measured, then opened again and measured.
pub fn run(parts: &[&str], folder: &Path, plan: &Plan) -> Result<Sample> {
    let &[records] = parts else {
        return Err("a backlog has records".into());
    };
    let payloads = Payloads::new(RECORD_BYTES);
    let mut sample = Sample::default();
    let mut waiting = records.parse()?;
    for (name, policy) in [
        ("manual", SyncPolicy::Manual),
        ("always", SyncPolicy::Always),
    ] {
        let queue = options(policy).open(place(folder))?;
        let mut consumer = queue.consumer("rows")?;
        fill(&queue, waiting, &payloads)?;
        queue.sync()?;
        waiting = 0;
        let figures = passes(&queue, &mut consumer, plan.seconds, &payloads)?;
        sample = sample
            .with(&format!("{name}_us"), 1e6 / figures.per_second)
            .with(&format!("{name}_p50_us"), figures.p50_us);
        for (kernel, memory_name) in MEMORIES {
            let bytes = memory(kernel).ok_or("the kernel does not tell the memory")?;
            let mebibytes = float(bytes) / f64::from(1 << 20);
            sample = sample.with(&format!("{name}_{memory_name}"), mebibytes);
        }
        sample.figures = figures;
        drop(consumer);
        queue.close()?;
    }
    Ok(sample)
}

fn passes(
    queue: &Queue,
    consumer: &mut Consumer,
    seconds: f64,
    payloads: &Payloads,
) -> Result<Figures> {
    let time = Duration::from_secs_f64(seconds);
    let mut latencies = Histogram::default();
    let mut spent = Duration::ZERO;
    let mut made = 0;
    let mut number = 0;
    let began = Instant::now();
    // The first pass only warms up.
    for pass in 0.. {
        let before = syncs::made();
        let pass_began = Instant::now();
        let mut last = pass_began;
        for _ in 0..PASS {
            queue.enqueue(payloads.get(number))?;
            number += 1;
            let now = Instant::now();
            if pass > 0 {
                latencies.record(now - last);
            }
            last = now;
        }
        if pass > 0 {
            spent += last - pass_began;
            made += syncs::made() - before;
        }
        let taken = take(consumer, PASS)?;
        if taken != PASS {
            return Err(format!("{taken} of {PASS} records came out").into());
        }
        if pass > 0 && began.elapsed() >= time * 2 {
            break;
        }
    }
    Ok(Figures::new(&latencies, 1.0, spent.as_secs_f64()).with_syncs(made))
}

pub fn judge(samples: &Samples, plan: &Plan) -> Vec<Finding> {
    let many = many(plan);
    let mut findings = Vec::new();
    for policy in ["manual", "always"] {
        let mut cost = |name: &str, words: &str, target: Option<Target>| {
            let figure = |records| samples.more(&cell(records), &format!("{policy}_{name}"));
            let (figure, few) = (figure(many)?, figure(FEW)?);
            let what = format!("{policy} {words}, {many} waiting : {FEW}");
            let finding = Finding::new(what, figure, "us").against(few);
            findings.push(Finding { target, ..finding });
            Some(())
        };
        cost("us", "mean", Some(Target::AtMost(LIMIT)));
        cost("p50_us", "p50", None);
    }
    for (policy, opened) in [("manual", "as filled"), ("always", "opened again")] {
        for (_, name) in MEMORIES {
            let held = |records| samples.more(&cell(records), &format!("{policy}_{name}"));
            let (Some(empty), Some(few), Some(more)) = (held(0), held(FEW), held(many)) else {
                continue;
            };
            let what = |text: &str| format!("{name} memory, {opened}: {text}");
            findings.push(Finding::new(what("empty"), empty, "MiB"));
            for (records, held) in [(FEW, few), (many, more)] {
                let over = Finding::new(what(&format!("{records}, over")), held - empty, "MiB");
                findings.push(over.target(Target::AtMost(MEMORY_MIB)));
            }
        }
    }
    findings
}
