//! `put-durable`: how durable small PUTs scale with the number of clients that wait for them.

use super::{Common, Windows};
use crate::{
    cell::{self, Cell},
    disk::{self, DiskAlone},
    error::{BenchError, Result},
    limits::{CLIENT_CORE, DISK_PROBE, OPEN_FILES, PUT_DURABLE_GOAL_CLIENTS, PUT_DURABLE_GOAL_PER_S},
    loadgen::request::Pattern,
    machine::{self, Workspace},
    measure::{Measured, median, window},
    output::{self, print_heading},
    progress::Progress,
    report::number,
    server::corelane,
    subject::{Route, Subject},
    table::Table,
    tickets::{Checksum, Issuer},
};
use serde::Serialize;

/// Measure PUT of 4 KiB, durable before the answer, by 1 to 256 clients
#[derive(Debug, clap::Args)]
pub struct PutDurable {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    windows: Windows,
    /// How Corelane's cores are reached
    #[arg(long, value_enum, default_value = "direct")]
    path: Route,
    /// What payloads are hashed with; through the gateway it is md5
    #[arg(long, value_enum, default_value = "xxhash")]
    checksum: Checksum,
    /// Numbers of clients
    #[arg(long, value_delimiter = ',', default_value = "1,4,16,64,256", value_name = "N,N...",
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: Vec<u16>,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    checksum: Checksum,
    goal_per_s: f64,
    goal_clients: usize,
    /// The disk alone, by round.
    disk: Vec<DiskAlone>,
    series: Vec<Series>,
}

/// All rounds of one number of clients.
#[derive(Debug, Serialize)]
struct Series {
    clients: usize,
    rounds: Vec<Measured>,
}

/// Runs it.
pub fn run(flags: &PutDurable) -> Result<()> {
    if flags.path != Route::Direct && flags.checksum != Checksum::Md5 {
        return Err(BenchError::Usage(
            "the gateway's buckets are md5: --path redirect and --path proxy go with --checksum md5".to_owned(),
        ));
    }
    let warning = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let server = corelane::start(&flags.common.binaries(), workspace.path())?;
    let subject = Subject::Corelane(&server, flags.path);
    let pattern = Pattern::new();
    subject.create_bucket(&pattern)?;
    let key = corelane::cluster_key(workspace.path())?;
    let issuer = Issuer::learn(server.address(), key, flags.checksum)?;
    let cells = flags.connections.iter().map(|clients| cell(*clients));
    let cells = cells.collect::<Result<Vec<Cell>>>()?;
    let mut progress = Progress::new((cells.len() + 1) * flags.windows.count());
    let mut report = Report::new(flags, &cells);
    for round in 1..=flags.windows.rounds {
        progress.next(&format!("round {round}: the disk alone"));
        rustix::fs::sync();
        report.disk.push(disk::alone(workspace.path(), DISK_PROBE)?);
        for (cell, series) in cells.iter().zip(&mut report.series) {
            progress.next(&format!("round {round}: {} clients", cell.clients));
            rustix::fs::sync();
            let plan = match flags.path {
                Route::Direct => issuer.plan(cell, &pattern)?,
                Route::Redirect | Route::Proxy => subject.plan(cell, &pattern)?,
            };
            let measured = window(&server, None, &plan, cell.object_bytes, flags.windows.length())?;
            series.rounds.push(measured);
        }
    }
    if let Some(widest) = cells.iter().max_by_key(|cell| cell.clients) {
        subject.check_written(widest, &pattern)?;
    }
    drop(progress);
    if flags.common.json {
        output::print_json(&report)
    } else {
        report.print(warning, flags);
        Ok(())
    }
}

fn cell(clients: u16) -> Result<Cell> {
    let clients = usize::from(clients);
    let usual = cell::named("put-4k")?;
    Ok(Cell {
        clients,
        objects: usual.objects.max(clients),
        ..usual
    })
}

impl Report {
    fn new(flags: &PutDurable, cells: &[Cell]) -> Self {
        let series = cells.iter().map(|cell| Series {
            clients: cell.clients,
            rounds: Vec::new(),
        });
        Self {
            machine: machine::describe(),
            checksum: flags.checksum,
            goal_per_s: PUT_DURABLE_GOAL_PER_S,
            goal_clients: PUT_DURABLE_GOAL_CLIENTS,
            disk: Vec::new(),
            series: series.collect(),
        }
    }

    fn print(&self, warning: Option<String>, flags: &PutDurable) {
        let mut table = Table::new(&[
            "clients",
            "PUT/s",
            "per disk append",
            "per file",
            "cpu us",
            "server busy",
            "p50 ms",
            "p99 ms",
        ]);
        let appends = median(self.disk.iter().map(|disk| disk.appends_per_s));
        let files = median(self.disk.iter().map(|disk| disk.files_per_s));
        for series in &self.series {
            let of = |value: fn(&Measured) -> f64| median(series.rounds.iter().map(value));
            table.row(vec![
                series.clients.to_string(),
                number(series.rate(), 0),
                number(series.rate() / appends, 2),
                number(series.rate() / files, 2),
                number(of(|round| round.server_cpu_us), 1),
                format!("{} %", number(of(|round| round.server_busy) * 100.0, 0)),
                number(of(|round| round.served.p50_ms), 2),
                number(of(|round| round.served.p99_ms), 2),
            ]);
        }
        let title = format!(
            "PUT of 4 KiB, durable, {}; {}",
            self.checksum.name(),
            flags.windows.describe()
        );
        print_heading(&title, warning.as_deref());
        println!(
            "The disk alone, one thread: {} appends of 4 KiB a second, each with fdatasync; {} files of 4 KiB a second, \
             each synced, renamed, and its folder synced\n",
            number(appends, 0),
            number(files, 0)
        );
        println!("{}", table.render());
        println!("{}", self.goal());
    }

    fn goal(&self) -> String {
        let reached = self.series.iter().find(|series| series.clients == self.goal_clients);
        let reached = reached.map_or_else(String::new, |series| {
            format!("; reached: {} of it", number(series.rate() / self.goal_per_s, 2))
        });
        format!(
            "Goal: {} PUT/s by {} clients{reached}",
            number(self.goal_per_s, 0),
            self.goal_clients
        )
    }
}

impl Series {
    fn rate(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.served.requests_per_s))
    }
}
