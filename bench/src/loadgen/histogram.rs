//! Latencies, counted in logarithmic buckets with 64 linear steps each: at most 1.6 % off.

use std::time::Duration;

const STEP_BITS: u32 = 6;
const STEPS: usize = 1 << STEP_BITS;
const BUCKETS: usize = (u64::BITS - STEP_BITS + 1) as usize * STEPS;

/// A histogram of durations.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
        }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(nanoseconds)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// Adds what `other` counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// The duration that `share` (0 to 1) of the recorded ones do not exceed; `None` when nothing was recorded.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        if self.total == 0 {
            return None;
        }
        let wanted = ((self.total as f64) * share.clamp(0.0, 1.0)).ceil().max(1.0);
        let mut seen = 0_u64;
        let index = self.counts.iter().position(|count| {
            seen += count;
            seen as f64 >= wanted
        })?;
        Some(Duration::from_nanos(upper_bound(index)))
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let exponent = nanoseconds.max(1).ilog2();
    if exponent < STEP_BITS {
        return usize::try_from(nanoseconds).unwrap_or(0);
    }
    let shift = exponent - STEP_BITS;
    let step = usize::try_from(nanoseconds >> shift).unwrap_or(0) & (STEPS - 1);
    (shift as usize + 1) * STEPS + step
}

/// The largest value of a bucket.
fn upper_bound(index: usize) -> u64 {
    let (group, step) = (index / STEPS, index % STEPS);
    if group == 0 {
        return step as u64;
    }
    let shift = (group - 1) as u32;
    let lowest = u128::from((STEPS + step) as u64) << shift;
    u64::try_from(lowest + (1_u128 << shift) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_within_its_bucket() {
        for value in [
            0,
            1,
            63,
            64,
            65,
            127,
            128,
            999,
            1_000_000,
            123_456_789,
            u64::MAX / 2,
            u64::MAX,
        ] {
            let index = bucket(value);
            assert!(value <= upper_bound(index), "{value}");
            assert!(index == 0 || value > upper_bound(index - 1), "{value}");
        }
    }

    #[test]
    fn quantiles_of_a_uniform_ramp() {
        let mut histogram = Histogram::default();
        for microseconds in 1..=1000 {
            histogram.record(Duration::from_micros(microseconds));
        }
        let median = histogram.quantile(0.5).unwrap().as_secs_f64() * 1e6;
        let high = histogram.quantile(0.99).unwrap().as_secs_f64() * 1e6;
        assert!((median / 500.0 - 1.0).abs() < 0.02, "{median}");
        assert!((high / 990.0 - 1.0).abs() < 0.02, "{high}");
    }

    #[test]
    fn an_empty_one_has_no_quantiles() {
        assert!(Histogram::default().quantile(0.5).is_none());
    }
}
