//! `lease`: what a standard client that signs its requests and knows only the gateway gets, beside one that goes straight
//! to the owning cores with tickets.

use super::{Common, Windows};
use crate::{
    cell::{self, BUCKET_PATH, Cell},
    error::Result,
    limits::{CLIENT_BOUND_BUSY, LEASE_GOAL, LEASE_OBJECTS, OPEN_FILES},
    loadgen::{
        plan::{Order, Plan, Step},
        request::{Method, Pattern},
    },
    machine::{self, Workspace},
    measure::{Measured, Spread, median, window},
    output::{self, print_heading},
    progress::Progress,
    report::{number, range},
    server::{corelane, process::Server},
    session::Session,
    signature::Signer,
    subject::ROUTE_HEADER,
    table::Table,
};
use serde::Serialize;

/// Measure 4 KiB GETs of random keys over all cores: signed through the gateway's port, beside direct with tickets
#[derive(Debug, clap::Args)]
pub struct Lease {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    windows: Windows,
    /// Numbers of clients
    #[arg(long, value_delimiter = ',', default_value = "1,8,32", value_name = "N,N...",
          value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: Vec<u16>,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    cores: usize,
    goal: f64,
    series: Vec<Series>,
}

/// All rounds of one number of clients.
#[derive(Debug, Serialize)]
struct Series {
    clients: usize,
    direct: Vec<Measured>,
    handoff: Vec<Measured>,
    proxy: Vec<Measured>,
}

/// How requests are sent.
#[derive(Debug, Clone, Copy)]
enum Way {
    Direct,
    Handoff,
    Proxy,
}

/// Runs it.
pub fn run(flags: &Lease) -> Result<()> {
    let warning = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let server = corelane::start_on_all_cores(&flags.common.binaries(), workspace.path())?;
    let signer = Signer::of(&corelane::data(workspace.path()))?;
    let pattern = Pattern::new();
    let cell = Cell {
        objects: LEASE_OBJECTS,
        ..cell::named("get-4k")?
    };
    let mut progress = Progress::new(3 * flags.windows.count() * flags.connections.len());
    progress.say("creating the objects");
    create(&server, &signer, &cell, &pattern)?;
    let plans = [Way::Direct, Way::Handoff, Way::Proxy].map(|way| steps(&server, &signer, &cell, way));
    let [direct, handoff, proxy] = plans;
    let (direct, handoff, proxy) = (direct?, handoff?, proxy?);
    let mut report = Report {
        machine: machine::describe(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        goal: LEASE_GOAL,
        series: Vec::new(),
    };
    for clients in &flags.connections {
        let clients = usize::from(*clients);
        let mut series = Series {
            clients,
            direct: Vec::new(),
            handoff: Vec::new(),
            proxy: Vec::new(),
        };
        for round in 1..=flags.windows.rounds {
            let mut measure = |what: &str, steps: &[Step]| {
                progress.next(&format!("round {round}: {what}, {clients} clients"));
                let plan = Plan {
                    clients,
                    steps: steps.to_vec(),
                    order: Order::Random,
                    accept: &[200],
                    answer_bytes: Some(cell.object_bytes),
                    tls: None,
                };
                window(&server, None, &plan, cell.object_bytes, flags.windows.length())
            };
            series.direct.push(measure("direct", &direct)?);
            series.handoff.push(measure("handoff", &handoff)?);
            series.proxy.push(measure("proxy", &proxy)?);
        }
        report.series.push(series);
    }
    drop(progress);
    if flags.common.json {
        output::print_json(&report)
    } else {
        report.print(warning, flags);
        Ok(())
    }
}

fn create(server: &Server, signer: &Signer, cell: &Cell, pattern: &Pattern) -> Result<()> {
    let authority = server.address().to_string();
    let mut session = Session::open(server.address())?;
    let mut put = |path: &str, payload| session.run(&signer.request(Method::Put, &authority, path, &[], Some(payload)));
    put(BUCKET_PATH, pattern.payload(0, 0))?;
    (0..cell.objects).try_for_each(|index| put(&cell.path(index), pattern.payload(index, cell.object_bytes)))
}

fn steps(server: &Server, signer: &Signer, cell: &Cell, way: Way) -> Result<Vec<Step>> {
    let address = server.address();
    let authority = address.to_string();
    let mut session = Session::open(address)?;
    let step = |index| {
        let path = cell.path(index);
        let sign = |headers: &[(&str, &str)]| signer.request(Method::Get, &authority, &path, headers, None);
        Ok(match way {
            Way::Direct => {
                let location = session.redirect(&sign(&[(ROUTE_HEADER, "redirect")]))?;
                Step::Straight {
                    address: location.address,
                    request: location.request(Method::Get, None),
                }
            }
            Way::Handoff => Step::Straight {
                address,
                request: sign(&[]),
            },
            Way::Proxy => Step::Straight {
                address,
                request: sign(&[(ROUTE_HEADER, "proxy")]),
            },
        })
    };
    (0..cell.objects).map(step).collect()
}

impl Series {
    fn rows(&self) -> Vec<Vec<String>> {
        let ways = [
            ("direct", &self.direct),
            ("handoff", &self.handoff),
            ("proxy", &self.proxy),
        ];
        ways.into_iter().map(|(way, rounds)| self.row(way, rounds)).collect()
    }

    fn row(&self, way: &str, rounds: &[Measured]) -> Vec<String> {
        let of = |value: fn(&Measured) -> f64| median(rounds.iter().map(value));
        let pairs = rounds.iter().zip(&self.direct);
        let ratio = Spread::of(pairs.map(|(this, direct)| this.served.requests_per_s / direct.served.requests_per_s));
        let is_bound = of(|round| round.client_busy) > CLIENT_BOUND_BUSY;
        vec![
            self.clients.to_string(),
            way.to_owned(),
            number(of(|round| round.served.requests_per_s), 0),
            number(ratio.median, 2),
            range(&ratio),
            number(of(|round| round.server_cpu_us), 1),
            number(of(|round| round.served.p50_ms), 2),
            number(of(|round| round.served.p99_ms), 2),
            if is_bound { "client-bound" } else { "" }.to_owned(),
        ]
    }
}

impl Report {
    fn print(&self, warning: Option<String>, flags: &Lease) {
        let mut table = Table::new(&[
            "clients",
            "way",
            "GET/s",
            "ratio",
            "(min-max)",
            "cpu us",
            "p50 ms",
            "p99 ms",
            "notes",
        ]);
        for row in self.series.iter().flat_map(Series::rows) {
            table.row(row);
        }
        let title = format!(
            "GET of 4 KiB, any of {LEASE_OBJECTS} keys on {} cores, which the clients share; {}",
            self.cores,
            flags.windows.describe()
        );
        print_heading(&title, warning.as_deref());
        println!("\n{}", table.render());
        println!(
            "direct: to the owning core with a ticket. handoff: signed, to the gateway's port. proxy: the same, with data \
             through the gateway.\nGoal: handoff at {} of direct.",
            self.goal
        );
    }
}
