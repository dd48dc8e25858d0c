//! One window of load on one server, with what it cost.

use crate::{
    error::Result,
    limits::{DRAIN_MAX, WARM_UP},
    loadgen::{
        generator::{LoadGenerator, poller},
        plan::Plan,
    },
    server::{cpu, process::Server},
};
use serde::Serialize;
use std::time::Duration;

/// What a window showed.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Requests a second. Counted by payload bytes, so that requests of which a part fell into the window count as that part.
    pub requests_per_s: f64,
    /// Payload, in MB (10^6 bytes) a second.
    pub megabytes_per_s: f64,
    /// Requests finished in the window.
    pub finished: u64,
    /// Latency that half of the finished requests do not exceed, in milliseconds.
    pub p50_ms: f64,
    /// Latency that 99 % of the finished requests do not exceed, in milliseconds.
    pub p99_ms: f64,
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

/// Runs `plan` against `server` for `length`, after a warm-up. `other` should be idle meanwhile.
pub fn window(
    server: &Server,
    other: Option<&Server>,
    plan: &Plan,
    object_bytes: u64,
    length: Duration,
) -> Result<Measured> {
    let epoll = poller()?;
    let mut load = LoadGenerator::new(plan, &epoll);
    let run = |load: &mut LoadGenerator<'_>| {
        load.drive(WARM_UP)?;
        let before = Reading::take(server, other)?;
        let (tally, elapsed) = load.drive(length)?;
        let after = Reading::take(server, other)?;
        load.drain(DRAIN_MAX)?;
        Ok((tally, elapsed, before, after))
    };
    let (tally, elapsed, before, after) = run(&mut load).map_err(|error| server.explain(error))?;
    let seconds = elapsed.as_secs_f64();
    let requests = tally.payload_bytes as f64 / object_bytes as f64;
    let used = |after: Duration, before: Duration| after.saturating_sub(before).as_secs_f64();
    let by_process: Vec<f64> = after
        .server
        .iter()
        .zip(&before.server)
        .map(|(a, b)| used(*a, *b))
        .collect();
    let server_seconds: f64 = by_process.iter().sum();
    let milliseconds = |share| {
        tally
            .latency
            .quantile(share)
            .map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    };
    let roles = server.workers().iter().map(|process| process.role.clone());
    Ok(Measured {
        requests_per_s: requests / seconds,
        megabytes_per_s: tally.payload_bytes as f64 / 1e6 / seconds,
        finished: tally.requests,
        p50_ms: milliseconds(0.5),
        p99_ms: milliseconds(0.99),
        server_cpu_us: server_seconds * 1e6 / requests,
        server_cpu_us_by_process: roles
            .zip(by_process.iter().map(|seconds| seconds * 1e6 / requests))
            .collect(),
        server_busy: server_seconds / seconds,
        client_busy: used(after.client, before.client) / seconds,
        other_busy: used(after.other, before.other) / seconds,
        strangers_busy: (after.strangers() - before.strangers()) / seconds,
        reconnects: load.reconnects(),
    })
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
mod tests {
    use super::median;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }
}
