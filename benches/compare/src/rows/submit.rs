//! One thread with many tickets outstanding, beside one that commits batches of as many.

use std::collections::VecDeque;
use std::path::Path;

use forebay::SyncPolicy;

use super::finding::{Finding, Target};
use super::sample::{Sample, Samples};
use super::subject::{RECORD_BYTES, calls_max, measure, options, place};
use super::{Plan, Task};
use crate::figures::float;
use crate::payloads::Payloads;
use crate::peer::Result;

const OUTSTANDING: usize = 1_000;
const TICKETS: &str = "submit-tickets";
const BATCHES: &str = "submit-batches";

pub fn tasks(_plan: &Plan) -> Vec<Task> {
    vec![Task::own(TICKETS), Task::own(BATCHES)]
}

pub fn run(parts: &[&str], folder: &Path, plan: &Plan) -> Result<Sample> {
    let queue = options(SyncPolicy::Always).open(place(folder))?;
    let payloads = Payloads::new(RECORD_BYTES);
    let calls_max = calls_max(RECORD_BYTES);
    match parts {
        ["tickets"] => {
            let mut tickets = VecDeque::with_capacity(OUTSTANDING);
            measure(plan.seconds, calls_max, 1.0, |number| {
                if tickets.len() == OUTSTANDING
                    && let Some(oldest) = tickets.pop_front()
                {
                    forebay::Ticket::wait(&oldest)?;
                }
                tickets.push_back(queue.submit(payloads.get(number))?);
                Ok(())
            })
        }
        ["batches"] => {
            let records = float(OUTSTANDING as u64);
            let calls_max = calls_max / OUTSTANDING as u64;
            measure(plan.seconds, calls_max, records, |number| {
                let first = number * OUTSTANDING;
                let batch = (first..first + OUTSTANDING).map(|number| payloads.get(number));
                queue.enqueue_batch(batch)?;
                Ok(())
            })
        }
        _ => Err("there is no such cell".into()),
    }
}

pub fn judge(samples: &Samples, _plan: &Plan) -> Vec<Finding> {
    let (Some(tickets), Some(batches)) = (samples.of(TICKETS), samples.of(BATCHES)) else {
        return Vec::new();
    };
    let (tickets, batches) = (&tickets.figures, &batches.figures);
    let mut findings = vec![
        Finding::new("records a second : batches", tickets.per_second, "/s")
            .against(batches.per_second)
            .target(Target::AtLeast(1.0)),
    ];
    if let (Some(these), Some(those)) = (tickets.records_per_sync, batches.records_per_sync) {
        findings.push(Finding::new("records a sync : batches", these, "").against(those));
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
