//! Adding to a queue that gives up a record for each new one, and to one that has room.

use std::path::Path;

use forebay::Overflow;

use super::finding::{Finding, Target};
use super::sample::{Sample, Samples};
use super::subject::{RECORD_BYTES, calls_max, fill, measure, options, place, policy};
use super::{Plan, Task};
use crate::payloads::Payloads;
use crate::peer::Result;

const CAPACITY: u64 = 100_000;
const ROOM: u64 = 1_000_000_000;
const LIMIT: f64 = 1.2;

fn cell(policy: &str, place: &str) -> String {
    format!("capacity-{policy}-{place}")
}

pub fn tasks(_plan: &Plan) -> Vec<Task> {
    let policies = ["manual", "always"].into_iter();
    policies
        .flat_map(|policy| ["at", "below"].map(|place| Task::own(&cell(policy, place))))
        .collect()
}

/// As many records wait in both when it begins, and a consumer that stands at the oldest.
pub fn run(parts: &[&str], folder: &Path, plan: &Plan) -> Result<Sample> {
    let &[policy_name, fullness] = parts else {
        return Err("a capacity has a policy and a place".into());
    };
    let capacity = if fullness == "at" { CAPACITY } else { ROOM };
    let queue = options(policy(policy_name)?)
        .max_records(capacity)
        .overflow(Overflow::DropOldest)
        .open(place(folder))?;
    let _consumer = queue.consumer("rows")?;
    let payloads = Payloads::new(RECORD_BYTES);
    fill(&queue, CAPACITY, &payloads)?;
    queue.sync()?;
    let sample = measure(plan.seconds, calls_max(RECORD_BYTES), 1.0, |number| {
        queue.enqueue(payloads.get(number))?;
        Ok(())
    })?;
    let stats = queue.stats()?;
    Ok(sample
        .with("dropped", crate::figures::float(stats.dropped))
        .with("waiting", crate::figures::float(stats.records)))
}

pub fn judge(samples: &Samples, _plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    for policy in ["manual", "always"] {
        let (at, below) = (cell(policy, "at"), cell(policy, "below"));
        let (Some(at), Some(below)) = (samples.of(&at), samples.of(&below)) else {
            continue;
        };
        let what = |name: &str| format!("{policy} {name}, at capacity : below");
        findings.push(
            Finding::new(what("mean"), at.cost_us(), "us")
                .against(below.cost_us())
                .target(Target::AtMost(LIMIT)),
        );
        let (at, below) = (&at.figures, &below.figures);
        let pairs = [
            ("p50", at.p50_us, below.p50_us),
            ("p99.9", at.p999_us, below.p999_us),
            ("worst", at.max_us, below.max_us),
        ];
        findings.extend(
            pairs.map(|(name, at, below)| Finding::new(what(name), at, "us").against(below)),
        );
    }
    findings
}
