//! One thread with many tickets outstanding, beside one that commits batches of as many.
//!
//! A record is in the kernel when `submit` returns, one write each, as with `Manual`: what that
//! reaches without any sync is shown beside it, and so are batches of the size that peers have.

use std::collections::VecDeque;
use std::path::Path;

use forebay::{SyncPolicy, Ticket};

use super::finding::{Finding, Target};
use super::sample::{Sample, Samples};
use super::subject::{RECORD_BYTES, calls_max, measure, options, place};
use super::{Plan, Task};
use crate::figures::float;
use crate::payloads::Payloads;
use crate::peer::Result;

const OUTSTANDING: usize = 1_000;
const TICKETS: &str = "submit-tickets";
const BATCHES: &str = "submit-batches-1000";
const HUNDREDS: &str = "submit-batches-100";
const WRITTEN: &str = "submit-written";

pub fn tasks(_plan: &Plan) -> Vec<Task> {
    let cells = [TICKETS, BATCHES, HUNDREDS, WRITTEN];
    cells.map(Task::own).into()
}

pub fn run(parts: &[&str], folder: &Path, plan: &Plan) -> Result<Sample> {
    let policy = match parts {
        ["written"] => SyncPolicy::Manual,
        _ => SyncPolicy::Always,
    };
    let queue = options(policy).open(place(folder))?;
    let payloads = Payloads::new(RECORD_BYTES);
    let calls_max = calls_max(RECORD_BYTES);
    match parts {
        ["tickets"] => {
            let mut tickets = VecDeque::with_capacity(OUTSTANDING);
            measure(plan.seconds, calls_max, 1.0, |number| {
                if tickets.len() == OUTSTANDING
                    && let Some(oldest) = tickets.pop_front()
                {
                    Ticket::wait(&oldest)?;
                }
                tickets.push_back(queue.submit(payloads.get(number))?);
                Ok(())
            })
        }
        ["batches", records] => {
            let records: usize = records.parse()?;
            let (per_call, calls_max) = (float(records as u64), calls_max / records as u64);
            measure(plan.seconds, calls_max, per_call, |number| {
                let first = number * records;
                let batch = (first..first + records).map(|number| payloads.get(number));
                queue.enqueue_batch(batch)?;
                Ok(())
            })
        }
        ["written"] => measure(plan.seconds, calls_max, 1.0, |number| {
            queue.enqueue(payloads.get(number))?;
            Ok(())
        }),
        _ => Err("there is no such cell".into()),
    }
}

pub fn judge(samples: &Samples, _plan: &Plan) -> Vec<Finding> {
    let (Some(tickets), Some(batches)) = (samples.of(TICKETS), samples.of(BATCHES)) else {
        return Vec::new();
    };
    let (tickets, batches) = (&tickets.figures, &batches.figures);
    let mut findings = vec![
        Finding::new(
            "records a second : batches of 1000",
            tickets.per_second,
            "/s",
        )
        .against(batches.per_second)
        .target(Target::AtLeast(1.0)),
    ];
    for (cell, words) in [(HUNDREDS, "batches of 100"), (WRITTEN, "Manual, no sync")] {
        let other = samples.of(cell).map(|sample| sample.figures.per_second);
        findings.extend(other.map(|other| {
            let what = format!("records a second : {words}");
            Finding::new(what, tickets.per_second, "/s").against(other)
        }));
    }
    if let (Some(one), Some(other)) = (tickets.records_per_sync, batches.records_per_sync) {
        findings.push(Finding::new("records a sync : batches of 1000", one, "").against(other));
    }
    for (what, figure) in [
        ("a submit with its wait, p50", tickets.p50_us),
        ("a submit with its wait, p99.9", tickets.p999_us),
        ("a submit with its wait, worst", tickets.max_us),
        ("a batch, p50", batches.p50_us),
        ("a batch, worst", batches.max_us),
    ] {
        findings.push(Finding::new(what, figure, "us"));
    }
    findings
}
