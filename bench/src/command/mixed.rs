//! `mixed`: what durable small PUTs at full speed cost those who read from the same core.

use super::{Common, Windows};
use crate::{
    cell::{self, Cell},
    error::Result,
    limits::{CLIENT_BOUND_BUSY, CLIENT_CORE, MIXED_COLD_OBJECTS, MIXED_FILL_CLIENTS, MIXED_HOT_OBJECTS, OPEN_FILES},
    loadgen::{
        generator::{LoadGenerator, poller},
        plan::{Order, Plan},
        request::{Method, Pattern},
    },
    machine::{self, Workspace},
    measure::{Part, Served, Together, median, window_together},
    output::{self, print_heading},
    progress::Progress,
    report::number,
    server::{corelane, process::Server},
    session::Session,
    subject::{Route, Subject},
    table::Table,
    tickets::{Checksum, Issuer},
};
use serde::Serialize;

/// Measure the latency of 4 KiB GETs while 4 KiB are PUT durably at full speed on the same core
#[derive(Debug, clap::Args)]
pub struct Mixed {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    windows: Windows,
    /// Clients that read
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    readers: u16,
    /// Clients that write
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    writers: u16,
    /// Read from more objects than the cache holds
    #[arg(long)]
    cold: bool,
    /// Objects that are read, each as often as any other [default: 16,384, with --cold 262,144]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    objects: Option<u32>,
    /// What payloads are hashed with
    #[arg(long, value_enum, default_value = "xxhash")]
    checksum: Checksum,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    cold: bool,
    objects: usize,
    readers: usize,
    writers: usize,
    checksum: Checksum,
    rounds: Vec<Round>,
}

/// One round: each load by itself, and both.
#[derive(Debug, Serialize)]
struct Round {
    reads: Together,
    writes: Together,
    /// Reads, then writes.
    both: Together,
}

/// Runs it.
pub fn run(flags: &Mixed) -> Result<()> {
    let warning = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let server = corelane::start(&flags.common.binaries(), workspace.path())?;
    let subject = Subject::Corelane(&server, Route::Direct);
    let pattern = Pattern::new();
    subject.create_bucket(&pattern)?;
    let key = corelane::cluster_key(workspace.path())?;
    let issuer = Issuer::learn(server.address(), key, flags.checksum)?;
    let (read, written) = cells(flags)?;
    let mut progress = Progress::new(3 * flags.windows.count());
    progress.say(&format!("creating {} objects", read.objects));
    create(&server, &issuer, &read, &pattern)?;
    let reads = Plan {
        tls: None,
        order: Order::Random,
        ..issuer.plan(&read, &pattern)?
    };
    let writes = issuer.plan(&written, &pattern)?;
    if !flags.cold {
        progress.say("reading every object once");
        run_once(&server, &reads)?;
    }
    let of = |plan, cell: &Cell| Part {
        plan,
        object_bytes: cell.object_bytes,
    };
    let (reading, writing) = (of(&reads, &read), of(&writes, &written));
    let mut rounds = Vec::new();
    for round in 1..=flags.windows.rounds {
        let mut together = |what: &str, parts: &[Part<'_>]| {
            progress.next(&format!("round {round}: {what}"));
            rustix::fs::sync();
            window_together(&server, parts, flags.windows.length())
        };
        rounds.push(Round {
            reads: together("GET alone", &[reading])?,
            writes: together("PUT alone", &[writing])?,
            both: together("GET and PUT", &[reading, writing])?,
        });
    }
    subject.check_written(&written, &pattern)?;
    drop(progress);
    let report = Report {
        machine: machine::describe(),
        cold: flags.cold,
        objects: read.objects,
        readers: read.clients,
        writers: written.clients,
        checksum: flags.checksum,
        rounds,
    };
    if flags.common.json {
        output::print_json(&report)
    } else {
        report.print(warning, flags);
        Ok(())
    }
}

/// What is read, and what is written.
fn cells(flags: &Mixed) -> Result<(Cell, Cell)> {
    let usual = if flags.cold {
        MIXED_COLD_OBJECTS
    } else {
        MIXED_HOT_OBJECTS
    };
    let objects = flags.objects.map_or(usual, |objects| objects as usize);
    let read = Cell {
        clients: usize::from(flags.readers),
        objects,
        ..cell::named("get-4k")?
    };
    let writers = usize::from(flags.writers);
    let usual = cell::named("put-4k")?;
    let written = Cell {
        clients: writers,
        objects: usual.objects.max(writers),
        ..usual
    };
    Ok((read, written))
}

/// Writes every object that will be read, and reads some of them back to compare them.
fn create(server: &Server, issuer: &Issuer, cell: &Cell, pattern: &Pattern) -> Result<()> {
    let creation = Cell {
        method: Method::Put,
        clients: MIXED_FILL_CLIENTS,
        ..cell.clone()
    };
    run_once(server, &issuer.plan(&creation, pattern)?)?;
    let mut session = Session::open(server.address())?;
    let step = cell.objects.div_ceil(MIXED_FILL_CLIENTS);
    (0..cell.objects)
        .step_by(step)
        .try_for_each(|index| session.check(&cell.path(index), &pattern.payload(index, cell.object_bytes)))
}

fn run_once(server: &Server, plan: &Plan) -> Result<()> {
    let epoll = poller()?;
    LoadGenerator::new(plan, &epoll)
        .run_once()
        .map(drop)
        .map_err(|error| server.explain(error))
}

impl Report {
    fn print(&self, warning: Option<String>, flags: &Mixed) {
        let mut table = Table::new(&[
            "load",
            "GET/s",
            "ratio",
            "p50 ms",
            "ratio",
            "p99 ms",
            "ratio",
            "PUT/s",
            "ratio",
            "p50 ms",
            "p99 ms",
            "server busy",
            "notes",
        ]);
        let reads = self.figures(|round| round.reads.served.first());
        let writes = self.figures(|round| round.writes.served.first());
        let none = Figures::NONE;
        let with_reads = self.figures(|round| round.both.served.first());
        let with_writes = self.figures(|round| round.both.served.get(1));
        table.row(row(
            "GET alone",
            [&reads, &reads],
            [&none, &none],
            self.busy(|round| &round.reads),
        ));
        table.row(row(
            "PUT alone",
            [&none, &none],
            [&writes, &writes],
            self.busy(|round| &round.writes),
        ));
        let both = self.busy(|round| &round.both);
        table.row(row("both", [&with_reads, &reads], [&with_writes, &writes], both));
        let title = format!(
            "GET of 4 KiB by {} clients, any of {} objects ({}), beside durable PUT of 4 KiB by {} clients ({}); {}",
            self.readers,
            number(self.objects as f64, 0),
            if self.cold {
                "more than the cache holds"
            } else {
                "in the cache"
            },
            self.writers,
            self.checksum.name(),
            flags.windows.describe()
        );
        print_heading(&title, warning.as_deref());
        println!("\n{}", table.render());
        println!("ratio: over the same load alone.");
    }

    fn figures<'a>(&'a self, of: impl Fn(&'a Round) -> Option<&'a Served>) -> Figures {
        let median_of = |value: fn(&Served) -> f64| median(self.rounds.iter().filter_map(&of).map(value));
        Figures {
            per_s: median_of(|served| served.requests_per_s),
            p50_ms: median_of(|served| served.p50_ms),
            p99_ms: median_of(|served| served.p99_ms),
        }
    }

    fn busy(&self, of: fn(&Round) -> &Together) -> Busy {
        let median_of = |value: fn(&Together) -> f64| median(self.rounds.iter().map(of).map(value));
        Busy {
            server: median_of(|together| together.server_busy),
            client: median_of(|together| together.client_busy),
        }
    }
}

/// Medians of one load.
struct Figures {
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Figures {
    /// Of a load that does not run.
    const NONE: Self = Self {
        per_s: f64::NAN,
        p50_ms: f64::NAN,
        p99_ms: f64::NAN,
    };
}

/// Medians of the shares of a processor.
struct Busy {
    server: f64,
    client: f64,
}

/// Reads and writes, each with what they are by themselves.
fn row(name: &str, reads: [&Figures; 2], writes: [&Figures; 2], busy: Busy) -> Vec<String> {
    let ([read, read_alone], [write, write_alone]) = (reads, writes);
    let client_bound = busy.client > CLIENT_BOUND_BUSY;
    vec![
        name.to_owned(),
        number(read.per_s, 0),
        number(read.per_s / read_alone.per_s, 2),
        number(read.p50_ms, 2),
        number(read.p50_ms / read_alone.p50_ms, 2),
        number(read.p99_ms, 2),
        number(read.p99_ms / read_alone.p99_ms, 2),
        number(write.per_s, 0),
        number(write.per_s / write_alone.per_s, 2),
        number(write.p50_ms, 2),
        number(write.p99_ms, 2),
        format!("{} %", number(busy.server * 100.0, 0)),
        if client_bound { "client-bound" } else { "" }.to_owned(),
    ]
}
