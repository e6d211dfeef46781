//! How fast a queue fills and drains, between two looks at it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use forebay::inspect::Inspection;
use serde_json::{Value, json};

use crate::units;

/// One look, and when it was.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) found: Inspection,
    pub(crate) at: Instant,
}

/// What went by in each second between two looks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) elapsed: Duration,
    pub(crate) records_in: u64,
    pub(crate) bytes_in: u64,
    /// How fast the floor rose: what is delivered to everyone, or dropped.
    pub(crate) records_out: u64,
    pub(crate) consumers: BTreeMap<String, u64>,
}

impl Rates {
    /// Between `before` and `after`. What went back meanwhile counts as standing still.
    pub(crate) fn between(before: &Look, after: &Look) -> Self {
        let elapsed = after.at.saturating_duration_since(before.at);
        let (old, new) = (&before.found, &after.found);
        let rate = |amount: u64| units::per_second(amount, elapsed);
        let mut consumers = BTreeMap::new();
        for consumer in &new.consumers {
            let mut known = old.consumers.iter();
            let known = known.find(|known| known.name == consumer.name);
            let next = consumer.next.zip(known.and_then(|known| known.next));
            if let Some((next, before)) = next {
                consumers.insert(consumer.name.clone(), rate(next.since(before)));
            }
        }
        Self {
            elapsed,
            records_in: rate(new.next.since(old.next)),
            bytes_in: rate(new.log_bytes.saturating_sub(old.log_bytes)),
            records_out: rate(new.floor.since(old.floor)),
            consumers,
        }
    }

    pub(crate) fn as_json(&self) -> Value {
        json!({
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "records_in_per_second": self.records_in,
            "bytes_in_per_second": self.bytes_in,
            "records_out_per_second": self.records_out,
            "consumers": self.consumers,
        })
    }
}
