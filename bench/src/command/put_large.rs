//! `put-large`: throughput of large durable PUTs, beside what fio writes to the same disk.

use super::{Common, Windows};
use crate::{
    cell::{self, Cell},
    error::Result,
    fio,
    limits::{CLIENT_BOUND_BUSY, CLIENT_CORE, OPEN_FILES, PUT_LARGE_GOAL, PUT_LARGE_TURNS_MIN, WIDE_SPREAD},
    loadgen::request::Pattern,
    machine::{self, Workspace},
    measure::{Extent, Measured, Spread, median, window},
    output::{self, print_heading},
    progress::Progress,
    report::{number, range},
    server::{corelane, process::Server},
    subject::{Route, Subject},
    table::Table,
    tickets::{Checksum, Issuer},
};
use serde::Serialize;

/// Measure PUT of 1 MiB and 64 MiB, durable before the answer, beside fio writing as much to the same disk
#[derive(Debug, clap::Args)]
pub struct PutLarge {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    windows: Windows,
    /// What payloads are hashed with
    #[arg(long, value_enum, default_value = "xxhash")]
    checksum: Checksum,
    /// Sizes of the objects
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "1m,64m",
        value_name = "SIZES"
    )]
    sizes: Vec<Size>,
    /// Numbers of clients
    #[arg(long, value_delimiter = ',', default_value = "1,4,16", value_name = "N,N...",
          value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: Vec<u16>,
}

/// Sizes there are cells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Size {
    /// 1 MiB
    #[value(name = "1m")]
    Small,
    /// 64 MiB
    #[value(name = "64m")]
    Large,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    checksum: Checksum,
    /// Of fio's throughput, at 64 MiB.
    goal: f64,
    series: Vec<Series>,
}

/// All rounds of one size and number of clients.
#[derive(Debug, Serialize)]
struct Series {
    object_bytes: u64,
    clients: usize,
    corelane: Vec<Measured>,
    /// By round, after Corelane's: as many bytes written by fio.
    fio_megabytes_per_s: Vec<f64>,
    /// Corelane's throughput over fio's.
    ratio: Option<Spread>,
}

const MIB: u64 = 1024 * 1024;

/// Runs it.
pub fn run(flags: &PutLarge) -> Result<()> {
    fio::check()?;
    let warning = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let cells = cells(flags)?;
    machine::require_space(workspace.path(), space(&cells, flags))?;
    let server = corelane::start(&flags.common.binaries(), workspace.path())?;
    let subject = Subject::Corelane(&server, Route::Direct);
    let pattern = Pattern::new();
    subject.create_bucket(&pattern)?;
    let key = corelane::cluster_key(workspace.path())?;
    let issuer = Issuer::learn(server.address(), key, flags.checksum)?;
    let mut progress = Progress::new(cells.len() * flags.windows.count() * 2);
    let mut report = Report {
        machine: machine::describe(),
        checksum: flags.checksum,
        goal: PUT_LARGE_GOAL,
        series: cells.iter().map(Series::new).collect(),
    };
    for round in 1..=flags.windows.rounds {
        for (cell, series) in cells.iter().zip(&mut report.series) {
            let what = format!("round {round}: {}, {} clients", cell.name, cell.clients);
            progress.next(&format!("{what}: corelane"));
            let measured = measure(&server, &issuer, cell, &pattern, flags)?;
            progress.next(&format!("{what}: fio"));
            rustix::fs::sync();
            let written = measured.served.payload_bytes;
            series
                .fio_megabytes_per_s
                .push(fio::megabytes_per_s(workspace.path(), written)?);
            series.corelane.push(measured);
        }
    }
    for cell in &cells {
        subject.check_written(cell, &pattern)?;
    }
    report.series.iter_mut().for_each(Series::finish);
    drop(progress);
    if flags.common.json {
        output::print_json(&report)
    } else {
        report.print(warning, flags);
        Ok(())
    }
}

fn cells(flags: &PutLarge) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for size in &flags.sizes {
        for clients in &flags.connections {
            let clients = usize::from(*clients);
            let usual = cell::named(match size {
                Size::Small => "put-1m",
                Size::Large => "put-64m",
            })?;
            cells.push(Cell {
                clients,
                // No client writes what another is writing.
                objects: usual.objects.max(2 * clients),
                ..usual
            });
        }
    }
    Ok(cells)
}

/// Objects, as many again that are being replaced, and fio's file.
fn space(cells: &[Cell], flags: &PutLarge) -> u64 {
    let largest = cells.iter().map(|cell| cell.objects as u64 * cell.object_bytes).max();
    let fio = flags.windows.seconds * FASTEST_DISK_BYTES_PER_S;
    (2 + PUT_LARGE_TURNS_MIN) * largest.unwrap_or(0) + fio
}

/// For how much room to ask: what a window may write to a fast disk.
const FASTEST_DISK_BYTES_PER_S: u64 = 2_000_000_000;

fn measure(server: &Server, issuer: &Issuer, cell: &Cell, pattern: &Pattern, flags: &PutLarge) -> Result<Measured> {
    rustix::fs::sync();
    let plan = issuer.plan(cell, pattern)?;
    let extent = Extent {
        length: flags.windows.length(),
        least_bytes: PUT_LARGE_TURNS_MIN * cell.clients as u64 * cell.object_bytes,
    };
    window(server, None, &plan, cell.object_bytes, extent)
}

impl Series {
    fn new(cell: &Cell) -> Self {
        Self {
            object_bytes: cell.object_bytes,
            clients: cell.clients,
            corelane: Vec::new(),
            fio_megabytes_per_s: Vec::new(),
            ratio: None,
        }
    }

    fn finish(&mut self) {
        let pairs = self.corelane.iter().zip(&self.fio_megabytes_per_s);
        self.ratio = Some(Spread::of(
            pairs.map(|(corelane, fio)| corelane.served.megabytes_per_s / fio),
        ));
    }

    fn row(&self) -> Vec<String> {
        let of = |value: fn(&Measured) -> f64| median(self.corelane.iter().map(value));
        let ratio = self.ratio.unwrap_or(Spread::of(std::iter::empty()));
        let mut notes = Vec::new();
        if of(|round| round.client_busy) > CLIENT_BOUND_BUSY {
            notes.push("client-bound");
        }
        if ratio.highest > ratio.lowest * WIDE_SPREAD {
            notes.push("noisy");
        }
        vec![
            format!("{} MiB", self.object_bytes / MIB),
            self.clients.to_string(),
            number(of(|round| round.served.megabytes_per_s), 0),
            number(median(self.fio_megabytes_per_s.iter().copied()), 0),
            number(ratio.median, 2),
            range(&ratio),
            number(of(|round| round.server_busy / round.served.megabytes_per_s * 1e6), 0),
            format!("{} %", number(of(|round| round.server_busy) * 100.0, 0)),
            number(of(|round| round.served.p50_ms), 1),
            number(of(|round| round.served.p99_ms), 1),
            notes.join(", "),
        ]
    }
}

impl Report {
    fn print(&self, warning: Option<String>, flags: &PutLarge) {
        let mut table = Table::new(&[
            "object",
            "clients",
            "MB/s",
            "fio MB/s",
            "ratio",
            "(min-max)",
            "cpu us/MB",
            "server busy",
            "p50 ms",
            "p99 ms",
            "notes",
        ]);
        for series in &self.series {
            table.row(series.row());
        }
        let title = format!(
            "PUT of large objects, durable, {}, beside fio; {}",
            self.checksum.name(),
            flags.windows.describe()
        );
        print_heading(&title, warning.as_deref());
        println!("\n{}", table.render());
        println!(
            "Goal: {} of fio at 64 MiB. fio writes as many bytes after each window: O_DIRECT, 1 MiB blocks, 4 under way, \
             one fsync at the end.",
            self.goal
        );
    }
}
