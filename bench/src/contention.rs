//! Clients that change the same object under conditions, and others that store objects of their own beside them.

use crate::{
    cell::BUCKET_PATH,
    error::{BenchError, Result},
    limits::{CONDITIONAL_OBJECT_BYTES, WARM_UP},
    loadgen::{
        histogram::Histogram,
        request::{Method, Pattern},
    },
    server::{cpu, process::Server},
    session::{Reply, Session},
    signature::Signer,
};
use serde::Serialize;
use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// How the clients write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// Keys of their own, without a condition.
    Apart,
    /// `If-None-Match: *`, all of them the same key, and the next once that is there.
    Create,
    /// `If-Match` of the ETag they last saw, all of them the same key; who is refused reads it again.
    Match,
}

impl Manner {
    /// As it is called in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apart => "no condition, own keys",
            Self::Create => "If-None-Match: *, one key",
            Self::Match => "If-Match, one key",
        }
    }
}

/// Who takes part.
#[derive(Debug, Clone, Copy)]
pub struct Parties {
    /// How the clients write.
    pub manner: Manner,
    /// Clients that write so.
    pub clients: usize,
    /// Clients beside them that store objects of their own without a condition.
    pub bystanders: usize,
    /// Tells the keys of one window from those of another.
    pub window: usize,
}

/// What the clients of one kind saw.
#[derive(Debug, Clone, Serialize)]
pub struct Writes {
    /// PUTs that were done, a second.
    pub done_per_s: f64,
    /// PUTs that were refused since their condition did not hold, a second.
    pub refused_per_s: f64,
    /// Time of a PUT, done or refused, that half of them do not exceed, in milliseconds.
    pub p50_ms: f64,
    /// Time that 99 % of them do not exceed.
    pub p99_ms: f64,
}

/// What a window showed.
#[derive(Debug, Clone, Serialize)]
pub struct Contended {
    /// Those with conditions.
    pub clients: Writes,
    /// Those beside them.
    pub bystanders: Writes,
    /// Share of one processor the server used.
    pub server_busy: f64,
    /// Share of its processor the client used.
    pub client_busy: f64,
}

const WARMING_UP: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// The number of the object that is to be created next, and what all threads look at.
struct Field<'a> {
    server: &'a Server,
    signer: &'a Signer,
    pattern: Pattern,
    phase: AtomicU8,
    next: AtomicU64,
    parties: Parties,
}

#[derive(Default)]
struct Tally {
    done: u64,
    refused: u64,
    latency: Histogram,
}

/// One client.
struct Writer<'a> {
    field: &'a Field<'a>,
    authority: String,
    session: Session,
    /// Its number, unlike that of all others.
    number: usize,
    /// PUTs so far: each has another content, and so another ETag.
    sent: usize,
    etag: Option<String>,
    body: Vec<u8>,
}

/// Runs all clients at once for `length`, after a warm-up.
pub fn run(server: &Server, signer: &Signer, parties: Parties, length: Duration) -> Result<Contended> {
    let field = Field {
        server,
        signer,
        pattern: Pattern::new(),
        phase: AtomicU8::new(WARMING_UP),
        next: AtomicU64::new(0),
        parties,
    };
    if parties.manner == Manner::Match {
        Writer::open(&field, 0)?.put(&field.shared_key(), &[])?;
    }
    let (tallies, seconds, server_s, client_s) = std::thread::scope(|scope| {
        let field = &field;
        let all = parties.clients + parties.bystanders;
        let threads: Vec<_> = (0..all)
            .map(|number| scope.spawn(move || client(field, number)))
            .collect();
        std::thread::sleep(WARM_UP);
        let before = (field.server.cpu_used(), cpu::used_here());
        let begun = Instant::now();
        field.phase.store(COUNTING, Ordering::Relaxed);
        std::thread::sleep(length);
        field.phase.store(OVER, Ordering::Relaxed);
        let elapsed = begun.elapsed();
        let after = (field.server.cpu_used(), cpu::used_here());
        let tallies = threads.into_iter().map(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| Err(BenchError::Server("a client of the benchmark ended early".to_owned())))
        });
        let tallies = tallies.collect::<Result<Vec<Tally>>>()?;
        let server_s = sum(&after.0?).saturating_sub(sum(&before.0?));
        let client_s = after.1?.saturating_sub(before.1?);
        Ok((tallies, elapsed.as_secs_f64(), server_s, client_s))
    })
    .map_err(|error: BenchError| server.explain(error))?;
    let (clients, bystanders) = tallies.split_at(parties.clients.min(tallies.len()));
    Ok(Contended {
        clients: Writes::of(clients, seconds),
        bystanders: Writes::of(bystanders, seconds),
        server_busy: server_s.as_secs_f64() / seconds,
        client_busy: client_s.as_secs_f64() / seconds,
    })
}

fn sum(times: &[Duration]) -> Duration {
    times.iter().sum()
}

fn client(field: &Field<'_>, number: usize) -> Result<Tally> {
    let mut writer = Writer::open(field, number)?;
    let manner = match number < field.parties.clients {
        true => field.parties.manner,
        false => Manner::Apart,
    };
    let mut tally = Tally::default();
    loop {
        let (is_done, took) = writer.turn(manner)?;
        match field.phase.load(Ordering::Relaxed) {
            COUNTING => tally.record(is_done, took),
            OVER => return Ok(tally),
            _ => {}
        }
    }
}

impl Field<'_> {
    fn shared_key(&self) -> String {
        format!("shared-{}", self.parties.window)
    }
}

impl<'a> Writer<'a> {
    fn open(field: &'a Field<'a>, number: usize) -> Result<Self> {
        Ok(Self {
            field,
            authority: field.server.address().to_string(),
            session: Session::open(field.server.address())?,
            number,
            sent: 0,
            etag: None,
            body: Vec::new(),
        })
    }

    /// One PUT: whether it was done, and how long it took.
    fn turn(&mut self, manner: Manner) -> Result<(bool, Duration)> {
        match manner {
            Manner::Apart => {
                let key = format!("own-{:05}-{}", self.number, self.sent % 16);
                self.put(&key, &[])
            }
            Manner::Create => {
                let turn = self.field.next.load(Ordering::Relaxed);
                let key = format!("created-{}-{turn:08}", self.field.parties.window);
                let outcome = self.put(&key, &[("if-none-match", "*")])?;
                self.field.next.fetch_max(turn + 1, Ordering::Relaxed);
                Ok(outcome)
            }
            Manner::Match => {
                let key = self.field.shared_key();
                let etag = match self.etag.take() {
                    Some(etag) => etag,
                    None => self.read_etag(&key)?,
                };
                self.put(&key, &[("if-match", &etag)])
            }
        }
    }

    fn put(&mut self, key: &str, condition: &[(&str, &str)]) -> Result<(bool, Duration)> {
        self.sent += 1;
        // One object differs from all others of the pattern's 255 thousand.
        let payload = self
            .field
            .pattern
            .payload(self.sent * 1024 + self.number, CONDITIONAL_OBJECT_BYTES);
        let path = format!("{BUCKET_PATH}/{key}");
        let signer = self.field.signer;
        let request = signer.request(Method::Put, &self.authority, &path, condition, Some(payload));
        let begun = Instant::now();
        let Reply { status, etag } = self.session.exchange(&request, &mut self.body)?;
        let took = begun.elapsed();
        match status {
            200 => {
                self.etag = etag;
                Ok((true, took))
            }
            409 | 412 if !condition.is_empty() => Ok((false, took)),
            _ => Err(self.session.unexpected(&Reply { status, etag }, &self.body)),
        }
    }

    fn read_etag(&mut self, key: &str) -> Result<String> {
        let path = format!("{BUCKET_PATH}/{key}");
        let request = self
            .field
            .signer
            .request(Method::Get, &self.authority, &path, &[], None);
        let mut reply = self.session.done(&request, &mut self.body)?;
        reply
            .etag
            .take()
            .ok_or_else(|| self.session.unexpected(&reply, b"an object without an ETag"))
    }
}

impl Tally {
    fn record(&mut self, is_done: bool, took: Duration) {
        match is_done {
            true => self.done += 1,
            false => self.refused += 1,
        }
        self.latency.record(took);
    }
}

impl Writes {
    fn of(tallies: &[Tally], seconds: f64) -> Self {
        let mut latency = Histogram::default();
        let (mut done, mut refused) = (0, 0);
        for tally in tallies {
            latency.add(&tally.latency);
            done += tally.done;
            refused += tally.refused;
        }
        let milliseconds = |share| {
            let latency = latency.quantile(share);
            latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
        };
        Self {
            done_per_s: done as f64 / seconds,
            refused_per_s: refused as f64 / seconds,
            p50_ms: milliseconds(0.5),
            p99_ms: milliseconds(0.99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Tally, Writes};
    use std::time::Duration;

    #[test]
    fn clients_are_counted_together() {
        let mut tallies = [Tally::default(), Tally::default()];
        for tally in &mut tallies {
            tally.record(true, Duration::from_millis(2));
            tally.record(false, Duration::from_millis(4));
        }
        let writes = Writes::of(&tallies, 0.5);
        assert_eq!((writes.done_per_s, writes.refused_per_s), (4.0, 4.0));
        assert!((writes.p50_ms / 2.0 - 1.0).abs() < 0.02 && (writes.p99_ms / 4.0 - 1.0).abs() < 0.02);
    }
}
