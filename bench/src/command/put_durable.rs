//! `put-durable`: how durable small PUTs scale with the number of clients that wait for them.

use super::Common;
use crate::{
    cell::{self, Cell},
    disk,
    error::{BenchError, Result},
    limits::{CLIENT_CORE, OPEN_FILES},
    loadgen::request::Pattern,
    machine::{self, Workspace},
    measure::{Measured, median, window},
    progress::Progress,
    report::number,
    server::corelane,
    subject::{Route, Subject},
    table::Table,
};
use std::time::Duration;

/// Measure PUT of 4 KiB, durable before the answer, by 1 to 256 clients
#[derive(Debug, clap::Args)]
pub struct PutDurable {
    #[command(flatten)]
    common: Common,
    /// How Corelane's cores are reached
    #[arg(long, value_enum, default_value = "direct")]
    path: Route,
    /// Numbers of clients
    #[arg(long, value_delimiter = ',', default_value = "1,4,16,64,256", value_name = "N,N...",
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: Vec<u16>,
}

const DISK_PROBE: Duration = Duration::from_secs(1);

/// Runs it.
pub fn run(flags: &PutDurable) -> Result<()> {
    let warning = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let disk = disk::durable_writes_per_s(workspace.path(), DISK_PROBE)?;
    let server = corelane::start(&flags.common.binaries(), workspace.path())?;
    let subject = Subject::Corelane(&server, flags.path);
    let pattern = Pattern::new();
    subject.create_bucket(&pattern)?;
    let mut progress = Progress::new(flags.connections.len() * flags.common.rounds as usize);
    let mut series: Vec<(Cell, Vec<Measured>)> = Vec::new();
    for clients in &flags.connections {
        series.push((
            Cell {
                clients: usize::from(*clients),
                ..cell::named("put-4k")?
            },
            Vec::new(),
        ));
    }
    for round in 1..=flags.common.rounds {
        for (cell, rounds) in &mut series {
            progress.next(&format!("round {round}: {} clients", cell.clients));
            rustix::fs::sync();
            let plan = subject.plan(cell, &pattern)?;
            rounds.push(window(&server, None, &plan, cell.object_bytes, flags.common.window())?);
        }
    }
    if let Some((widest, _)) = series.iter().max_by_key(|(cell, _)| cell.clients) {
        subject.check_written(widest, &pattern)?;
    }
    drop(progress);
    if flags.common.json {
        print_json(disk, &series)
    } else {
        print_table(disk, &series, warning, flags)
    }
}

fn print_table(disk: f64, series: &[(Cell, Vec<Measured>)], warning: Option<String>, flags: &PutDurable) -> Result<()> {
    let mut table = Table::new(&[
        "clients",
        "PUT/s",
        "per disk sync",
        "cpu us",
        "server busy",
        "p50 ms",
        "p99 ms",
    ]);
    for (cell, rounds) in series {
        let of = |value: fn(&Measured) -> f64| median(rounds.iter().map(value));
        let rate = of(|round| round.requests_per_s);
        table.row(vec![
            cell.clients.to_string(),
            number(rate, 0),
            number(rate / disk, 2),
            number(of(|round| round.server_cpu_us), 1),
            format!("{} %", number(of(|round| round.server_busy) * 100.0, 0)),
            number(of(|round| round.p50_ms), 2),
            number(of(|round| round.p99_ms), 2),
        ]);
    }
    println!("{}", machine::describe());
    println!(
        "PUT of 4 KiB, durable; {} rounds of {} s, medians",
        flags.common.rounds, flags.common.seconds
    );
    if let Some(warning) = warning {
        println!("WARNING: {warning}");
    }
    println!(
        "The disk alone: {} writes of 4 KiB a second, each with fdatasync\n",
        number(disk, 0)
    );
    println!("{}", table.render());
    Ok(())
}

fn print_json(disk: f64, series: &[(Cell, Vec<Measured>)]) -> Result<()> {
    let series: Vec<_> = series
        .iter()
        .map(|(cell, rounds)| serde_json::json!({ "clients": cell.clients, "rounds": rounds }))
        .collect();
    let report = serde_json::json!({ "machine": machine::describe(), "disk_syncs_per_s": disk, "series": series });
    let text = serde_json::to_string_pretty(&report);
    println!(
        "{}",
        text.map_err(|error| BenchError::Usage(format!("cannot write JSON: {error}")))?
    );
    Ok(())
}
