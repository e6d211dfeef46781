//! Latencies, counted in buckets about 1.5 percent wide: small, exact enough, easy to add up.

use std::time::Duration;

/// Buckets of a power of two.
const FINE_BITS: u32 = 6;
const FINE: usize = 1 << FINE_BITS;
const BUCKETS: usize = FINE * (64 - FINE_BITS as usize + 1);

#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            count: 0,
            max: 0,
        }
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let power = nanoseconds.checked_ilog2().unwrap_or(0);
    if power < FINE_BITS {
        return usize::try_from(nanoseconds).unwrap_or(0);
    }
    let shift = power - FINE_BITS;
    let fine = usize::try_from(nanoseconds >> shift).unwrap_or(0) - FINE;
    FINE * (shift as usize + 1) + fine
}

/// The middle of a bucket.
fn value(bucket: usize) -> u64 {
    let (row, fine) = (bucket / FINE, bucket % FINE);
    if row == 0 {
        return fine as u64;
    }
    let width = 1_u64 << (row - 1);
    (FINE + fine) as u64 * width + width / 2
}

impl Histogram {
    pub fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.count += 1;
        self.max = self.max.max(nanoseconds);
    }

    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The latency that `per_mille` of 1000 do not exceed, in microseconds.
    pub fn quantile_us(&self, per_mille: u64) -> f64 {
        let wanted = (self.count * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return microseconds(value(at).min(self.max));
            }
        }
        microseconds(self.max)
    }

    pub fn max_us(&self) -> f64 {
        microseconds(self.max)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "latencies are far below 2^52 ns"
)]
fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_within_two_percent() {
        for power in 0..50 {
            for odd in [0, 1, 3] {
                let nanoseconds = (1_u64 << power) + (odd << power) / 4;
                let told = value(bucket(nanoseconds));
                let off = told.abs_diff(nanoseconds);
                assert!(off * 50 <= nanoseconds, "{nanoseconds} came back as {told}");
            }
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::default();
        for microsecond in 1..=1000 {
            histogram.record(Duration::from_micros(microsecond));
        }
        for (per_mille, expected) in [(500, 500.0), (990, 990.0), (999, 999.0)] {
            let told = histogram.quantile_us(per_mille);
            assert!((told - expected).abs() < expected * 0.02, "{told}");
        }
        assert!((histogram.max_us() - 1000.0).abs() < f64::EPSILON);
    }
}
