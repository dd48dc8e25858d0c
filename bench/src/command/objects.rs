//! `objects`: multipart uploads, copies inside the store, and changes under conditions.

use super::{Common, Windows};
use crate::{
    contention::{self, Contended, Manner, Parties},
    error::Result,
    limits::{CLIENT_CORE, COPY_BYTES_MAX, OPEN_FILES, PART_BYTES_MAX, PART_BYTES_MIN},
    machine::{self, Workspace},
    measure::median,
    object_client::{Client, Copied, Multipart},
    output::{self, print_heading},
    progress::Progress,
    report::number,
    server::corelane,
    signature::Signer,
    table::Table,
};
use serde::Serialize;

/// Measure CompleteMultipartUpload, CopyObject beside copying through the client, and conditional PUTs of one key
#[derive(Debug, clap::Args)]
pub struct Objects {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    windows: Windows,
    /// Parts of the multipart upload; 0 leaves it out
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=10_000))]
    parts: u16,
    /// Bytes of each part, 5 MiB at least: S3 allows no less but for the last
    #[arg(long, default_value_t = PART_BYTES_MIN, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(PART_BYTES_MIN..=PART_BYTES_MAX))]
    part_bytes: u64,
    /// Bytes of the object that is copied; 0 leaves it out
    #[arg(long, default_value_t = 1024 * 1024 * 1024, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(0..=COPY_BYTES_MAX))]
    copy_bytes: u64,
    /// Numbers of clients that change one key
    #[arg(long, value_delimiter = ',', default_value = "1,8,64", value_name = "N,N...",
          value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: Vec<u16>,
    /// Clients beside them that store other keys
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    bystanders: u16,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    parts: u16,
    part_bytes: u64,
    /// By round.
    multipart: Vec<Multipart>,
    copy_bytes: u64,
    /// By round.
    copies: Vec<Copied>,
    bystanders: usize,
    /// The bystanders without the others, by round.
    alone: Vec<Contended>,
    conditions: Vec<Series>,
}

/// All rounds of one manner and number of clients.
#[derive(Debug, Serialize)]
struct Series {
    clients: usize,
    manner: Manner,
    rounds: Vec<Contended>,
}

const MANNERS: [Manner; 3] = [Manner::Apart, Manner::Create, Manner::Match];

/// Runs it.
pub fn run(flags: &Objects) -> Result<()> {
    let warning = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let server = corelane::start_verifying(&flags.common.binaries(), workspace.path())?;
    let mut client = Client::open(&server, workspace.path())?;
    client.create_bucket()?;
    let mut report = Report::new(flags);
    let rounds = flags.windows.count();
    let mut progress = Progress::new(rounds * (3 + MANNERS.len() * flags.connections.len()));
    for round in 1..=rounds {
        progress.next(&format!("round {round}: {} parts", flags.parts));
        if flags.parts > 0 {
            client.require_space(u64::from(flags.parts) * flags.part_bytes)?;
            report.multipart.push(client.multipart(flags.parts, flags.part_bytes)?);
        }
    }
    for round in 1..=rounds {
        progress.next(&format!("round {round}: copies"));
        if flags.copy_bytes > 0 {
            client.require_space(3 * flags.copy_bytes)?;
            report.copies.push(client.copies(flags.copy_bytes)?);
        }
    }
    let mut window = 0;
    let mut contend = |manner, clients| {
        window += 1;
        let parties = Parties {
            manner,
            clients,
            bystanders: usize::from(flags.bystanders),
            window,
        };
        rustix::fs::sync();
        let signer = Signer::of(&corelane::data(workspace.path()))?;
        contention::run(&server, &signer, parties, flags.windows.length())
    };
    for round in 1..=rounds {
        progress.next(&format!("round {round}: PUTs of other keys alone"));
        report.alone.push(contend(Manner::Apart, 0)?);
        for series in &mut report.conditions {
            progress.next(&format!(
                "round {round}: {} clients, {}",
                series.clients,
                series.manner.name()
            ));
            series.rounds.push(contend(series.manner, series.clients)?);
        }
    }
    drop(progress);
    if flags.common.json {
        output::print_json(&report)
    } else {
        report.print(warning, flags);
        Ok(())
    }
}

impl Report {
    fn new(flags: &Objects) -> Self {
        let series = |clients: &u16| {
            MANNERS.map(|manner| Series {
                clients: usize::from(*clients),
                manner,
                rounds: Vec::new(),
            })
        };
        Self {
            machine: machine::describe(),
            parts: flags.parts,
            part_bytes: flags.part_bytes,
            multipart: Vec::new(),
            copy_bytes: flags.copy_bytes,
            copies: Vec::new(),
            bystanders: usize::from(flags.bystanders),
            alone: Vec::new(),
            conditions: flags.connections.iter().flat_map(series).collect(),
        }
    }

    fn print(&self, warning: Option<String>, flags: &Objects) {
        let title = format!("Signed requests to one core; {}", flags.windows.describe());
        print_heading(&title, warning.as_deref());
        if !self.multipart.is_empty() {
            self.print_multipart();
        }
        if !self.copies.is_empty() {
            self.print_copies();
        }
        let mut table = Table::new(&[
            "conditions",
            "clients",
            "done/s",
            "refused/s",
            "p50 ms",
            "p99 ms",
            "others PUT/s",
            "of alone",
            "others p99 ms",
            "server busy",
            "client busy",
        ]);
        let alone = median(self.alone.iter().map(|round| round.bystanders.done_per_s));
        table.row(row("others alone", 0, &self.alone, alone));
        for series in &self.conditions {
            table.row(row(series.manner.name(), series.clients, &series.rounds, alone));
        }
        println!("\n{}", table.render());
        println!(
            "others: {} clients that PUT other keys without a condition, at the same time.",
            self.bystanders
        );
    }

    fn print_multipart(&self) {
        let of = |value: fn(&Multipart) -> f64| median(self.multipart.iter().map(value));
        let mut table = Table::new(&[
            "multipart",
            "part p50 ms",
            "part p99 ms",
            "MB/s",
            "create ms",
            "complete ms",
            "delete ms",
        ]);
        table.row(vec![
            format!(
                "{} x {} MiB",
                self.parts,
                number(self.part_bytes as f64 / f64::from(1 << 20), 1)
            ),
            number(of(|round| round.part_p50_ms), 2),
            number(of(|round| round.part_p99_ms), 2),
            number(of(|round| round.megabytes_per_s), 0),
            number(of(|round| round.create_ms), 2),
            number(of(|round| round.complete_ms), 2),
            number(of(|round| round.delete_ms), 2),
        ]);
        println!("\n{}", table.render());
    }

    fn print_copies(&self) {
        let inside = |round: &Copied| round.inside_megabytes_per_s;
        let through = |round: &Copied| round.through_client_megabytes_per_s;
        let ratio = median(self.copies.iter().map(|round| inside(round) / through(round)));
        let mut table = Table::new(&["copy", "CopyObject MB/s", "GET and PUT MB/s", "ratio"]);
        table.row(vec![
            format!("{} MB", number(self.copy_bytes as f64 / 1e6, 0)),
            number(median(self.copies.iter().map(inside)), 0),
            number(median(self.copies.iter().map(through)), 0),
            number(ratio, 2),
        ]);
        println!("\n{}", table.render());
    }
}

fn row(what: &str, clients: usize, rounds: &[Contended], alone: f64) -> Vec<String> {
    let of = |value: fn(&Contended) -> f64| median(rounds.iter().map(value));
    let others = of(|round| round.bystanders.done_per_s);
    let own = |value: fn(&Contended) -> f64, decimals| match clients {
        0 => "-".to_owned(),
        _ => number(of(value), decimals),
    };
    let percent = |share: f64| format!("{} %", number(share * 100.0, 0));
    vec![
        what.to_owned(),
        clients.to_string(),
        own(|round| round.clients.done_per_s, 0),
        own(|round| round.clients.refused_per_s, 0),
        own(|round| round.clients.p50_ms, 2),
        own(|round| round.clients.p99_ms, 2),
        number(others, 0),
        number(others / alone, 2),
        number(of(|round| round.bystanders.p99_ms), 2),
        percent(of(|round| round.server_busy)),
        percent(of(|round| round.client_busy)),
    ]
}
