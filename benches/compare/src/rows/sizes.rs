//! The cost of a record of any size: a fixed part, and its bytes at the rate of the largest.

use std::path::Path;

use forebay::Integrity;

use super::finding::{Finding, Target};
use super::sample::{Sample, Samples};
use super::subject::{calls_max, measure, options, place, policy};
use super::{Plan, Task};
use crate::class::Class;
use crate::payloads::Payloads;
use crate::peer::Result;
use crate::work::Load;

const SIZES: [usize; 7] = [16, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20];
/// What the rate is taken from.
const BULK: usize = 4 << 20;
/// What else it could be taken from: where memory is slower than a cache, 4 MiB are too much for
/// the one, and the model demands less of smaller records than they can do.
const CACHED: usize = 1 << 20;
const POLICIES: [(&str, Class); 2] = [("manual", Class::Os), ("always", Class::Durable)];
const INTEGRITIES: [&str; 2] = ["crc32c", "chained"];
const LIMIT: f64 = 1.3;

/// What a record should cost.
struct Model {
    fixed_us: f64,
    bytes_per_us: f64,
}

impl Model {
    /// From the cost of an empty record, and that of one of so many bytes.
    fn new(empty_us: f64, bytes: usize, bulk_us: f64) -> Self {
        Self {
            fixed_us: empty_us,
            bytes_per_us: float(bytes) / (bulk_us - empty_us),
        }
    }

    fn cost_us(&self, bytes: usize) -> f64 {
        self.fixed_us + float(bytes) / self.bytes_per_us
    }
}

fn float(bytes: usize) -> f64 {
    crate::figures::float(bytes as u64)
}

pub fn tasks(plan: &Plan) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (policy, class) in POLICIES {
        for integrity in INTEGRITIES {
            let sizes = [0, BULK].into_iter().chain(SIZES);
            tasks.extend(sizes.map(|size| Task::own(&cell(policy, integrity, size))));
        }
        let raw = |record_bytes| {
            let load = Load {
                record_bytes,
                ..plan.load(class)
            };
            Task::peer(&raw(policy, record_bytes), crate::peers::RAW, load)
        };
        tasks.extend(SIZES.map(raw));
    }
    tasks
}

fn cell(policy: &str, integrity: &str, size: usize) -> String {
    format!("sizes-{policy}-{integrity}-{size}")
}

fn raw(policy: &str, size: usize) -> String {
    format!("raw-{policy}-{size}")
}

pub fn run(parts: &[&str], folder: &Path, plan: &Plan) -> Result<Sample> {
    let &[policy_name, integrity, size] = parts else {
        return Err("a size has a policy, an integrity and bytes".into());
    };
    let integrity = match integrity {
        "crc32c" => Integrity::Crc32c,
        _ => Integrity::Chained,
    };
    let size: usize = size.parse()?;
    let queue = options(policy(policy_name)?)
        .integrity(integrity)
        .open(place(folder))?;
    let payloads = Payloads::new(size);
    measure(plan.seconds, calls_max(size), 1.0, |number| {
        // There is no payload of no bytes.
        queue.enqueue(&payloads.get(number)[..size])?;
        Ok(())
    })
}

pub fn judge(samples: &Samples, _plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (policy, _) in POLICIES {
        for integrity in INTEGRITIES {
            findings.extend(judge_one(samples, policy, integrity).unwrap_or_default());
        }
    }
    findings
}

fn judge_one(samples: &Samples, policy: &str, integrity: &str) -> Option<Vec<Finding>> {
    let cost = |size| samples.cost_us(&cell(policy, integrity, size));
    let model = Model::new(cost(0)?, BULK, cost(BULK)?);
    let stricter = Model::new(cost(0)?, CACHED, cost(CACHED)?);
    let what = |text: &str| format!("{policy} {integrity} {text}");
    let mut findings = vec![
        Finding::new(what("fixed cost: an empty record"), model.fixed_us, "us"),
        Finding::new(what("rate of 4 MiB records"), model.bytes_per_us, "MB/s"),
        Finding::new(what("rate of 1 MiB records"), stricter.bytes_per_us, "MB/s"),
    ];
    for size in SIZES {
        let (Some(measured), name) = (cost(size), what(&named(size))) else {
            continue;
        };
        findings.push(
            Finding::new(format!("{name} : model"), measured, "us")
                .against(model.cost_us(size))
                .target(Target::AtMost(LIMIT)),
        );
        if size < CACHED {
            let words = format!("{name} : model of 1 MiB");
            findings.push(Finding::new(words, measured, "us").against(stricter.cost_us(size)));
        }
        if let Some(bare) = samples.cost_us(&raw(policy, size)) {
            findings.push(Finding::new(format!("{name} : raw"), measured, "us").against(bare));
        }
    }
    Some(findings)
}

fn named(size: usize) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..1_048_576 => format!("{} KiB", size >> 10),
        _ => format!("{} MiB", size >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_meets_both_of_its_points_and_is_straight_between() {
        let model = Model::new(2.0, BULK, 2.0 + float(BULK) / 1000.0);
        assert!((model.cost_us(0) - 2.0).abs() < 1e-9);
        assert!((model.bytes_per_us - 1000.0).abs() < 1e-9);
        assert!((model.cost_us(16_000) - 18.0).abs() < 1e-9);
    }

    #[test]
    fn a_size_is_read_as_people_say_it() {
        assert_eq!([16, 4096, 1 << 20].map(named), ["16 B", "4 KiB", "1 MiB"]);
    }
}
