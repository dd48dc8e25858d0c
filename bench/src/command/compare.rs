//! `compare`: Corelane and nginx on the same core, in turn, cell by cell.

use super::{Common, Windows};
use crate::{
    cell::{self, Cell},
    error::Result,
    limits::{CLIENT_CORE, OPEN_FILES},
    loadgen::request::{Method, Pattern},
    machine::{self, Workspace},
    measure::{Measured, window},
    progress::Progress,
    report::{CellReport, Report},
    server::{certificate::Certificate, corelane, nginx, process::Server},
    subject::{Route, Subject},
};
use std::path::PathBuf;

/// Measure GET and PUT of several sizes on Corelane and nginx, both pinned to processor 0, and print the ratios
#[derive(Debug, clap::Args)]
pub struct Compare {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    windows: Windows,
    /// How Corelane's cores are reached
    #[arg(long, value_enum, default_value = "direct")]
    path: Route,
    /// Only these cells, such as get-4k,put-1m
    #[arg(long, value_delimiter = ',', value_name = "CELLS")]
    only: Vec<String>,
    /// Clients of every cell [default: 32, for 64 MiB 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: Option<u16>,
    /// nginx's program [default: found in PATH]
    #[arg(long, value_name = "FILE")]
    nginx: Option<PathBuf>,
    /// Over HTTPS, both with the same certificate: TLS 1.3 with AES-128-GCM
    #[arg(long)]
    tls: bool,
    /// Measure nginx alone, to see what the load client and the machine can do
    #[arg(long)]
    nginx_only: bool,
}

/// Runs it.
pub fn run(flags: &Compare) -> Result<()> {
    let cells = chosen(flags)?;
    let machine_before = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let certificate = match flags.tls {
        true => Some(Certificate::make(&flags.common.binaries(), workspace.path())?),
        false => None,
    };
    let nginx = nginx::start(flags.nginx.clone(), workspace.path(), certificate.as_ref())?;
    let corelane = match flags.nginx_only {
        true => None,
        false => Some(corelane::start_with(
            &flags.common.binaries(),
            workspace.path(),
            certificate.as_ref(),
        )?),
    };
    let pattern = Pattern::new();
    let mut servers = Contest {
        nginx: &nginx,
        corelane: corelane.as_ref(),
        route: flags.path,
        pattern: &pattern,
    };
    if let Some(subject) = servers.corelane() {
        subject.create_bucket(&pattern)?;
    }
    let rounds = flags.windows.count();
    let mut progress = Progress::new(cells.len() * rounds * servers.count());
    let mut report = Report::new(flags.path, &flags.windows, machine_before);
    for cell in &cells {
        report.cells.push(servers.measure(cell, flags, &mut progress)?);
    }
    drop(progress);
    report.print(flags.common.json)
}

fn chosen(flags: &Compare) -> Result<Vec<Cell>> {
    let mut cells = match flags.only.as_slice() {
        [] => cell::all(),
        names => names.iter().map(|name| cell::named(name)).collect::<Result<_>>()?,
    };
    if let Some(clients) = flags.connections {
        for cell in &mut cells {
            cell.clients = usize::from(clients);
        }
    }
    Ok(cells)
}

/// The servers that are compared.
struct Contest<'a> {
    nginx: &'a Server,
    corelane: Option<&'a Server>,
    route: Route,
    pattern: &'a Pattern,
}

impl<'a> Contest<'a> {
    fn corelane(&self) -> Option<Subject<'a>> {
        self.corelane.map(|server| Subject::Corelane(server, self.route))
    }

    fn count(&self) -> usize {
        1 + usize::from(self.corelane.is_some())
    }

    /// All rounds of a cell: Corelane, nginx, Corelane, nginx...
    fn measure(&mut self, cell: &Cell, flags: &Compare, progress: &mut Progress) -> Result<CellReport> {
        let nginx = Subject::Nginx(self.nginx);
        let mut report = CellReport::new(cell);
        if cell.method == Method::Get {
            progress.say(&format!("{}: creating objects", cell.name));
            self.corelane()
                .into_iter()
                .chain([nginx])
                .try_for_each(|it| it.create_objects(cell, self.pattern))?;
        }
        for round in 1..=flags.windows.rounds {
            if let Some(subject) = self.corelane() {
                progress.next(&format!("{} round {round}: corelane", cell.name));
                report
                    .corelane
                    .push(self.window(subject, Some(self.nginx), cell, flags)?);
            }
            progress.next(&format!("{} round {round}: nginx", cell.name));
            report.nginx.push(self.window(nginx, self.corelane, cell, flags)?);
        }
        if cell.method == Method::Put {
            self.corelane()
                .into_iter()
                .chain([nginx])
                .try_for_each(|it| it.check_written(cell, self.pattern))?;
        }
        Ok(report)
    }

    fn window(&self, subject: Subject<'_>, other: Option<&Server>, cell: &Cell, flags: &Compare) -> Result<Measured> {
        // What one server left dirty must not be written back during the other's window.
        rustix::fs::sync();
        let plan = subject.plan(cell, self.pattern)?;
        window(
            subject.server(),
            other,
            &plan,
            cell.object_bytes,
            flags.windows.length(),
        )
    }
}
