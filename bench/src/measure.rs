//! One window of load on one server, with what it cost.

use crate::{
    error::Result,
    limits::{DRAIN_MAX, SETTLE_MAX, SETTLE_PAUSE, SETTLED_BUSY_MAX, WARM_UP, WINDOW_MAX},
    loadgen::{
        generator::{LoadGenerator, Tally, poller},
        plan::Plan,
    },
    server::{cpu, process::Server},
};
use serde::Serialize;
use std::time::{Duration, Instant};

/// What the clients of one plan saw.
#[derive(Debug, Clone, Serialize)]
pub struct Served {
    /// Requests a second. Counted by payload bytes, so that requests of which a part fell into the window count as that part.
    pub requests_per_s: f64,
    /// Payload, in MB (10^6 bytes) a second.
    pub megabytes_per_s: f64,
    /// Payload.
    pub payload_bytes: u64,
    /// Requests finished in the window.
    pub finished: u64,
    /// Latency that half of the finished requests do not exceed, in milliseconds.
    pub p50_ms: f64,
    /// Latency that 99 % of the finished requests do not exceed, in milliseconds.
    pub p99_ms: f64,
}

/// What a window of one plan showed.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// What the clients saw.
    #[serde(flatten)]
    pub served: Served,
    /// Processor time of the server a request, in microseconds.
    pub server_cpu_us: f64,
    /// The same, by process.
    pub server_cpu_us_by_process: Vec<(String, f64)>,
    /// Share of one processor the server used.
    pub server_busy: f64,
    /// Share of its processor the client used; near 1 the client was the bottleneck.
    pub client_busy: f64,
    /// Share of the server's processor that the other server, idle, used meanwhile.
    pub other_busy: f64,
    /// Time of the two processors that went to neither server nor client: other programs, kernel threads, other machines
    /// on the same host. 1 is one processor.
    pub strangers_busy: f64,
    /// Connections that the server closed and the client opened again.
    pub reconnects: u64,
}

/// How long a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// At least.
    pub length: Duration,
    /// Payload bytes that must move in it, however long that takes: a window in which no object ends would leave out
    /// what their ends cost.
    pub least_bytes: u64,
}

impl From<Duration> for Extent {
    fn from(length: Duration) -> Self {
        Self { length, least_bytes: 0 }
    }
}

impl Extent {
    /// Whether a window is not over that has moved so much so far.
    fn goes_on(self, moved_bytes: u64, elapsed: Duration) -> bool {
        elapsed < self.length || (moved_bytes < self.least_bytes && elapsed < WINDOW_MAX)
    }
}

/// A plan that is to run beside others, and the payload bytes of each of its requests.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Payload bytes a request.
    pub object_bytes: u64,
}

/// What a window of several plans at once showed.
#[derive(Debug, Clone, Serialize)]
pub struct Together {
    /// What the clients of each plan saw, in the order of the plans.
    pub served: Vec<Served>,
    /// Share of one processor the server used.
    pub server_busy: f64,
    /// Share of its processor the client used; near 1 the client was the bottleneck.
    pub client_busy: f64,
}

/// Runs `plan` against `server` for a window, after a warm-up. `other` should be idle meanwhile.
pub fn window(
    server: &Server,
    other: Option<&Server>,
    plan: &Plan,
    object_bytes: u64,
    extent: impl Into<Extent>,
) -> Result<Measured> {
    let observed = observe(server, other, &[plan], extent.into())?;
    let served = observed.served(0, object_bytes);
    let Observed {
        before,
        after,
        reconnects,
        ..
    } = &observed;
    let seconds = observed.seconds();
    let requests = served.requests_per_s * seconds;
    let by_process: Vec<f64> = after
        .server
        .iter()
        .zip(&before.server)
        .map(|(after, before)| used(*after, *before))
        .collect();
    let roles = server.workers().iter().map(|process| process.role.clone());
    Ok(Measured {
        served,
        server_cpu_us: by_process.iter().sum::<f64>() * 1e6 / requests,
        server_cpu_us_by_process: roles
            .zip(by_process.iter().map(|seconds| seconds * 1e6 / requests))
            .collect(),
        server_busy: observed.server_busy(),
        client_busy: observed.client_busy(),
        other_busy: used(after.other, before.other) / seconds,
        strangers_busy: (after.strangers() - before.strangers()) / seconds,
        reconnects: *reconnects,
    })
}

/// Runs all `parts` at once against `server` for `length`, after a warm-up.
pub fn window_together(server: &Server, parts: &[Part<'_>], length: Duration) -> Result<Together> {
    let plans: Vec<&Plan> = parts.iter().map(|part| part.plan).collect();
    let observed = observe(server, None, &plans, length.into())?;
    let served = parts
        .iter()
        .enumerate()
        .map(|(index, part)| observed.served(index, part.object_bytes))
        .collect();
    Ok(Together {
        served,
        server_busy: observed.server_busy(),
        client_busy: observed.client_busy(),
    })
}

/// A window as it was counted.
struct Observed {
    tallies: Vec<Tally>,
    elapsed: Duration,
    before: Reading,
    after: Reading,
    reconnects: u64,
}

fn observe(server: &Server, other: Option<&Server>, plans: &[&Plan], extent: Extent) -> Result<Observed> {
    let epoll = poller()?;
    let mut load = LoadGenerator::side_by_side(plans, &epoll);
    let run = |load: &mut LoadGenerator<'_>| {
        load.drive(WARM_UP)?;
        let before = Reading::take(server, other)?;
        let (tallies, elapsed) = load.drive_while(|moved, elapsed| Ok(extent.goes_on(moved, elapsed)))?;
        let after = Reading::take(server, other)?;
        load.drain(DRAIN_MAX)?;
        Ok((tallies, elapsed, before, after))
    };
    let (tallies, elapsed, before, after) = run(&mut load).map_err(|error| server.explain(error))?;
    Ok(Observed {
        tallies,
        elapsed,
        before,
        after,
        reconnects: load.reconnects(),
    })
}

impl Observed {
    fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64()
    }

    fn server_busy(&self) -> f64 {
        let sum = |reading: &Reading| reading.server.iter().sum();
        used(sum(&self.after), sum(&self.before)) / self.seconds()
    }

    fn client_busy(&self) -> f64 {
        used(self.after.client, self.before.client) / self.seconds()
    }

    fn served(&self, plan: usize, object_bytes: u64) -> Served {
        let tally = self.tallies.get(plan).cloned().unwrap_or_default();
        Served::new(&tally, self.elapsed, object_bytes)
    }
}

impl Served {
    fn new(tally: &Tally, elapsed: Duration, object_bytes: u64) -> Self {
        let seconds = elapsed.as_secs_f64();
        let milliseconds = |share| {
            tally
                .latency
                .quantile(share)
                .map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
        };
        Self {
            requests_per_s: tally.payload_bytes as f64 / object_bytes as f64 / seconds,
            megabytes_per_s: tally.payload_bytes as f64 / 1e6 / seconds,
            payload_bytes: tally.payload_bytes,
            finished: tally.requests,
            p50_ms: milliseconds(0.5),
            p99_ms: milliseconds(0.99),
        }
    }
}

/// Waits until `server` has nothing more to do of what it was given. Returns how long that took, in seconds.
pub fn settle(server: &Server) -> Result<f64> {
    let begun = Instant::now();
    while begun.elapsed() < SETTLE_MAX {
        let before = server.cpu_used()?;
        std::thread::sleep(SETTLE_PAUSE);
        let used: Duration = processor_times(server, &before)?.iter().map(|(_, used)| *used).sum();
        if used < SETTLE_PAUSE.mul_f64(SETTLED_BUSY_MAX) {
            break;
        }
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// Processor time used by each process of `server` since `before` was read.
pub fn processor_times(server: &Server, before: &[Duration]) -> Result<Vec<(String, Duration)>> {
    let used = server.cpu_used()?.into_iter().zip(before);
    let used = used.map(|(after, before)| after.saturating_sub(*before));
    let roles = server.workers().iter().map(|process| process.role.clone());
    Ok(roles.zip(used).collect())
}

fn used(after: Duration, before: Duration) -> f64 {
    after.saturating_sub(before).as_secs_f64()
}

/// Processor time used until a moment.
struct Reading {
    server: Vec<Duration>,
    other: Duration,
    client: Duration,
    processors: Duration,
}

impl Reading {
    fn take(server: &Server, other: Option<&Server>) -> Result<Self> {
        let other = other.map_or_else(|| Ok(Vec::new()), Server::cpu_used)?;
        Ok(Self {
            server: server.cpu_used()?,
            other: other.iter().sum(),
            client: cpu::used_here()?,
            processors: cpu::processors_busy(),
        })
    }

    /// What is left of the processors' time, in seconds.
    fn strangers(&self) -> f64 {
        let known = self.server.iter().sum::<Duration>() + self.other + self.client;
        self.processors.as_secs_f64() - known.as_secs_f64()
    }
}

/// The median of some figures, and the lowest and highest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The lowest.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
}

impl Spread {
    /// Of `values`; all NaN for none.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.collect();
        Self {
            median: median(values.iter().copied()),
            lowest: values.iter().copied().fold(f64::NAN, f64::min),
            highest: values.iter().copied().fold(f64::NAN, f64::max),
        }
    }
}

/// The middle value (of the two middle ones, their mean); NaN for none.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied();
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2).copied();
    upper
        .zip(lower)
        .map_or(f64::NAN, |(upper, lower)| f64::midpoint(upper, lower))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Extent, Served, Spread, median};
    use crate::loadgen::{generator::Tally, histogram::Histogram};
    use std::time::Duration;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn spreads() {
        let spread = Spread::of([3.0, 1.0, 2.0].into_iter());
        assert_eq!((spread.lowest, spread.median, spread.highest), (1.0, 2.0, 3.0));
        assert!(Spread::of(std::iter::empty()).lowest.is_nan());
    }

    #[test]
    fn a_window_lasts_until_enough_has_moved() {
        let second = Duration::from_secs(1);
        let by_time = Extent::from(second);
        assert!(by_time.goes_on(u64::MAX, second / 2) && !by_time.goes_on(0, second));
        let by_bytes = Extent {
            length: second,
            least_bytes: 100,
        };
        assert!(by_bytes.goes_on(100, second / 2));
        assert!(by_bytes.goes_on(99, second * 2));
        assert!(!by_bytes.goes_on(100, second));
        assert!(
            !by_bytes.goes_on(99, second * 3600),
            "a server that is too slow for it ends it too"
        );
    }

    #[test]
    fn unfinished_requests_count_by_their_bytes() {
        let mut latency = Histogram::default();
        latency.record(Duration::from_millis(4));
        let tally = Tally {
            requests: 1,
            payload_bytes: 3000,
            latency,
        };
        let served = Served::new(&tally, Duration::from_millis(500), 2000);
        assert_eq!(served.requests_per_s, 3.0);
        assert_eq!(served.megabytes_per_s, 0.006);
        assert!((served.p99_ms / 4.0 - 1.0).abs() < 0.02, "{}", served.p99_ms);
    }

    #[test]
    fn a_window_without_an_answer_has_no_latency() {
        let served = Served::new(&Tally::default(), Duration::from_secs(1), 4096);
        assert_eq!(served.requests_per_s, 0.0);
        assert!(served.p50_ms.is_nan());
    }
}
