//! How long calls took.

use std::time::Duration;

/// The calls of a step, and how long it took.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    nanoseconds: Vec<u64>,
}

/// What a step gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    pub(super) max_us: f64,
    /// Absent where nothing was synced.
    pub(super) records_per_sync: Option<f64>,
}

impl Latencies {
    pub(super) fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.push(nanoseconds);
    }

    pub(super) fn add(&mut self, mut other: Self) {
        self.nanoseconds.append(&mut other.nanoseconds);
    }

    pub(super) fn figures(mut self, elapsed: Duration, syncs: u64) -> Figures {
        self.nanoseconds.sort_unstable();
        let count = float(u64::try_from(self.nanoseconds.len()).unwrap_or(u64::MAX));
        Figures {
            per_second: count / elapsed.as_secs_f64().max(1e-9),
            p50_us: self.quantile_us(500),
            p99_us: self.quantile_us(990),
            p999_us: self.quantile_us(999),
            max_us: self.quantile_us(1000),
            records_per_sync: (syncs > 0).then(|| count / float(syncs)),
        }
    }

    /// What `per_mille` of 1000 calls do not exceed.
    fn quantile_us(&self, per_mille: usize) -> f64 {
        let rank = (self.nanoseconds.len() * per_mille).div_ceil(1000).max(1);
        let nanoseconds = self.nanoseconds.get(rank - 1).copied().unwrap_or(0);
        float(nanoseconds) / 1000.0
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and spans are below 2^52"
)]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_calls() {
        let mut latencies = Latencies::default();
        for microseconds in (1..=1000).rev() {
            latencies.record(Duration::from_micros(microseconds));
        }
        let figures = latencies.figures(Duration::from_secs(2), 100);
        let told = [
            (figures.per_second, 500.0),
            (figures.p50_us, 500.0),
            (figures.p99_us, 990.0),
            (figures.p999_us, 999.0),
            (figures.max_us, 1000.0),
            (figures.records_per_sync.unwrap_or_default(), 10.0),
        ];
        for (value, expected) in told {
            assert!((value - expected).abs() < 1e-9, "{value} for {expected}");
        }
    }
}
