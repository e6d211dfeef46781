//! What one measurement gives.

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Figures {
    /// Records, or openings, a second.
    pub per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub max_us: f64,
    /// Calls that were measured; in `drain`, acknowledgements.
    pub calls: u64,
    /// Records of those calls.
    pub records: f64,
    /// Syncs of any file while they were; absent where they cannot be counted.
    pub syncs: Option<u64>,
    /// Absent where nothing was synced.
    pub records_per_sync: Option<f64>,
    /// Memory that this process held in the end.
    pub resident_bytes: Option<u64>,
}

impl Figures {
    pub fn new(latencies: &Histogram, records_per_call: f64, seconds: f64) -> Self {
        let calls = latencies.count();
        Self {
            per_second: float(calls) * records_per_call / seconds.max(1e-9),
            p50_us: latencies.quantile_us(500),
            p99_us: latencies.quantile_us(990),
            p999_us: latencies.quantile_us(999),
            max_us: latencies.max_us(),
            calls,
            records: float(calls) * records_per_call,
            syncs: None,
            records_per_sync: None,
            resident_bytes: resident_bytes(),
        }
    }

    /// With the syncs that were made meanwhile.
    pub fn with_syncs(mut self, syncs: u64) -> Self {
        if crate::syncs::COUNTED {
            self.syncs = Some(syncs);
            self.records_per_sync = (syncs > 0).then(|| self.records / float(syncs));
        }
        self
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn float(count: u64) -> f64 {
    count as f64
}

fn resident_bytes() -> Option<u64> {
    memory("VmRSS:")
}

/// The memory of this process that the kernel has under this name.
pub fn memory(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}
