//! Reading few and many waiting records, and waiting where there is none.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use forebay::{Consumer, Queue, SyncPolicy};

use super::finding::{Finding, Target};
use super::sample::{Sample, Samples};
use super::subject::{RECORD_BYTES, fill, options, place};
use super::{Plan, Task};
use crate::class::BATCH;
use crate::figures::{Figures, float};
use crate::payloads::Payloads;
use crate::peer::Result;

const LIMIT: f64 = 1.1;
/// Of a second, for a consumer that waits. Looking at the time spent takes a tenth of it.
const IDLE_MS: f64 = 1.0;
const IDLE: &str = "reading-idle";

fn few(plan: &Plan) -> u64 {
    many(plan) / 10
}

fn many(plan: &Plan) -> u64 {
    if plan.huge { 10_000_000 } else { 1_000_000 }
}

fn cell(records: u64) -> String {
    format!("reading-{records}")
}

pub fn tasks(plan: &Plan) -> Vec<Task> {
    vec![
        Task::own(&cell(few(plan))),
        Task::own(&cell(many(plan))),
        Task::own(IDLE),
    ]
}

pub fn run(parts: &[&str], folder: &Path, plan: &Plan) -> Result<Sample> {
    match parts {
        ["idle"] => idle(folder, plan),
        [records] => read(folder, records.parse()?),
        _ => Err("a backlog has records".into()),
    }
}

/// Three consumers read the same files: the first in batches, the second with an acknowledgement a
/// record, the third likewise while files are deleted behind it.
fn read(folder: &Path, records: u64) -> Result<Sample> {
    let payloads = Payloads::new(RECORD_BYTES);
    let queue = options(SyncPolicy::Manual).open(place(folder))?;
    let mut batches = queue.consumer("batches")?;
    let mut each = queue.consumer("each")?;
    let mut last = queue.consumer("last")?;
    fill(&queue, records, &payloads)?;
    queue.sync()?;
    let batched = timed(&mut batches, records, take_batches)?;
    let single = timed(&mut each, records, take_each)?;
    let deleting = timed(&mut last, records, take_each)?;
    let figures = Figures {
        per_second: 1e9 / batched,
        records: float(records),
        ..Figures::default()
    };
    let sample = Sample::from(figures).with("batches_ns", batched);
    let sample = sample.with("each_ns", single);
    Ok(sample.with("deleting_ns", deleting))
}

/// Nanoseconds a record.
fn timed(
    consumer: &mut Consumer,
    records: u64,
    take: fn(&mut Consumer) -> Result<u64>,
) -> Result<f64> {
    let began = Instant::now();
    let taken = take(consumer)?;
    let spent = began.elapsed().as_secs_f64();
    if taken == records {
        Ok(spent * 1e9 / float(records))
    } else {
        Err(format!("{taken} of {records} records came out").into())
    }
}

fn take_batches(consumer: &mut Consumer) -> Result<u64> {
    let mut taken = 0;
    loop {
        let batch = consumer.peek_batch(BATCH)?;
        black_box(&batch);
        let Some(last) = batch.last().map(|last| last.sequence) else {
            return Ok(taken);
        };
        taken += batch.len() as u64;
        consumer.ack_through(last)?;
    }
}

fn take_each(consumer: &mut Consumer) -> Result<u64> {
    let taken = consumer.drain(|record| {
        black_box(record.payload);
        Ok::<_, ()>(())
    })?;
    Ok(taken as u64)
}

/// The processor time of the whole process while a consumer waits for a record that never comes.
fn idle(folder: &Path, plan: &Plan) -> Result<Sample> {
    let queue = Queue::open(place(folder))?;
    let mut consumer = queue.consumer("idle")?;
    queue.enqueue(b"the only one")?;
    take_batches(&mut consumer)?;
    // What follows the last record is done: the idle sync, 100 ms later.
    std::thread::sleep(Duration::from_millis(500));
    let before = processor_nanoseconds()?;
    let began = Instant::now();
    let came = consumer.wait(Duration::from_secs_f64(plan.seconds))?;
    let seconds = began.elapsed().as_secs_f64();
    let spent = processor_nanoseconds()?.saturating_sub(before);
    if came {
        return Err("a record came".into());
    }
    Ok(Sample::default().with("idle_ms", float(spent) / 1e6 / seconds))
}

/// What all threads of this process have run so far.
fn processor_nanoseconds() -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let ran = text.split_whitespace().next();
        sum += ran.ok_or("no time in schedstat")?.parse::<u64>()?;
    }
    Ok(sum)
}

pub fn judge(samples: &Samples, plan: &Plan) -> Vec<Finding> {
    let (few, many) = (few(plan), many(plan));
    let mut findings = Vec::new();
    for (name, words) in [
        ("batches_ns", "an ack per 100"),
        ("each_ns", "an ack each"),
        ("deleting_ns", "an ack each, files deleted behind"),
    ] {
        let cost = |records| samples.more(&cell(records), name);
        let (Some(many_ns), Some(few_ns)) = (cost(many), cost(few)) else {
            continue;
        };
        let what = format!("a record, {words}, {many} waiting : {few}");
        let finding = Finding::new(what, many_ns, "ns").against(few_ns);
        findings.push(finding.target(Target::AtMost(LIMIT)));
    }
    if let Some(spent) = samples.more(IDLE, "idle_ms") {
        let finding = Finding::new("processor a second, while a consumer waits", spent, "ms");
        findings.push(finding.target(Target::AtMost(IDLE_MS)));
    }
    findings
}
