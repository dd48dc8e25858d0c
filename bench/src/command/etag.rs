//! `etag`: what MD5 ETags cost, beside the same PUTs hashed with xxHash alone, on the same core in the same run.

use super::{Common, Windows};
use crate::{
    cell::{self, Cell},
    error::Result,
    limits::{CLIENT_CORE, ETAG_CLIENTS, ETAG_GOAL, OPEN_FILES, PUT_LARGE_TURNS_MIN, WIDE_SPREAD},
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

/// Measure durable PUTs with MD5 ETags, beside the same PUTs hashed with xxHash alone
#[derive(Debug, clap::Args)]
pub struct Etag {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    windows: Windows,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    /// MD5's throughput over xxHash's.
    goal: f64,
    series: Vec<Series>,
}

/// All rounds of one size and number of clients.
#[derive(Debug, Serialize)]
struct Series {
    name: &'static str,
    object_bytes: u64,
    clients: usize,
    md5: Vec<Measured>,
    xxhash: Vec<Measured>,
    /// MD5's throughput over xxHash's, of the same round.
    ratio: Option<Spread>,
}

/// Runs it.
pub fn run(flags: &Etag) -> Result<()> {
    let warning = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let server = corelane::start(&flags.common.binaries(), workspace.path())?;
    let subject = Subject::Corelane(&server, Route::Direct);
    let pattern = Pattern::new();
    subject.create_bucket(&pattern)?;
    let key = || corelane::cluster_key(workspace.path());
    let md5 = Issuer::learn(server.address(), key()?, Checksum::Md5)?;
    let xxhash = Issuer::learn(server.address(), key()?, Checksum::Xxhash)?;
    let cells = cells()?;
    let mut progress = Progress::new(cells.len() * flags.windows.count() * 2);
    let mut series: Vec<Series> = cells.iter().map(Series::new).collect();
    for round in 1..=flags.windows.rounds {
        for (cell, series) in cells.iter().zip(&mut series) {
            let what = format!("round {round}: {}, {} clients", cell.name, cell.clients);
            progress.next(&format!("{what}: xxhash"));
            series.xxhash.push(measure(&server, &xxhash, cell, &pattern, flags)?);
            progress.next(&format!("{what}: md5"));
            series.md5.push(measure(&server, &md5, cell, &pattern, flags)?);
        }
    }
    for cell in &cells {
        subject.check_written(cell, &pattern)?;
    }
    series.iter_mut().for_each(Series::finish);
    drop(progress);
    let report = Report {
        machine: machine::describe(),
        goal: ETAG_GOAL,
        series,
    };
    if flags.common.json {
        output::print_json(&report)
    } else {
        report.print(warning, flags);
        Ok(())
    }
}

/// The sizes of the comparison with nginx, by as many clients as the lanes of MD5 are for.
fn cells() -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for (name, clients) in ETAG_CLIENTS {
        let usual = cell::named(name)?;
        cells.push(Cell {
            clients,
            // No client writes what another is writing.
            objects: usual.objects.max(2 * clients),
            ..usual
        });
    }
    Ok(cells)
}

fn measure(server: &Server, issuer: &Issuer, cell: &Cell, pattern: &Pattern, flags: &Etag) -> Result<Measured> {
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
            name: cell.name,
            object_bytes: cell.object_bytes,
            clients: cell.clients,
            md5: Vec::new(),
            xxhash: Vec::new(),
            ratio: None,
        }
    }

    fn finish(&mut self) {
        let pairs = self.md5.iter().zip(&self.xxhash);
        self.ratio =
            Some(Spread::of(pairs.map(|(md5, xxhash)| {
                md5.served.megabytes_per_s / xxhash.served.megabytes_per_s
            })));
    }

    fn row(&self) -> Vec<String> {
        let of = |rounds: &[Measured], value: fn(&Measured) -> f64| median(rounds.iter().map(value));
        let ratio = self.ratio.unwrap_or(Spread::of(std::iter::empty()));
        let cpu = |round: &Measured| round.server_cpu_us;
        let (md5_cpu, xxhash_cpu) = (of(&self.md5, cpu), of(&self.xxhash, cpu));
        let busy = |rounds| format!("{} %", number(of(rounds, |round| round.server_busy) * 100.0, 0));
        vec![
            self.name.to_owned(),
            self.clients.to_string(),
            number(of(&self.md5, |round| round.served.megabytes_per_s), 0),
            number(of(&self.xxhash, |round| round.served.megabytes_per_s), 0),
            number(ratio.median, 2),
            range(&ratio),
            number(md5_cpu, 1),
            number(xxhash_cpu, 1),
            busy(&self.md5),
            busy(&self.xxhash),
            if ratio.highest > ratio.lowest * WIDE_SPREAD {
                "noisy"
            } else {
                ""
            }
            .to_owned(),
        ]
    }
}

impl Report {
    fn print(&self, warning: Option<String>, flags: &Etag) {
        let mut table = Table::new(&[
            "cell",
            "clients",
            "md5 MB/s",
            "xxhash MB/s",
            "ratio",
            "(min-max)",
            "md5 cpu us",
            "xxhash cpu us",
            "md5 busy",
            "xxhash busy",
            "notes",
        ]);
        for series in &self.series {
            table.row(series.row());
        }
        let title = format!(
            "Durable PUTs with MD5 ETags, beside the same with xxHash; {}",
            flags.windows.describe()
        );
        print_heading(&title, warning.as_deref());
        println!("\n{}", table.render());
        println!("Goal: {} of the speed without MD5.", self.goal);
    }
}
