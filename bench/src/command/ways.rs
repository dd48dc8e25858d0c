//! `ways`: what a GET costs by each way to its core, signed as clients sign, beside one that goes straight to the core with
//! a ticket; and how many signed requests a gateway redirects.

use super::{Common, Windows};
use crate::{
    cell::{self, BUCKET_PATH, Cell},
    error::Result,
    limits::{
        CLIENT_BOUND_BUSY, CLIENT_CORE, OPEN_FILES, WAYS_HANDOFF_GOAL_US, WAYS_PROXY_GOAL, WAYS_REDIRECT_GOAL_PER_S,
    },
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

/// Measure GETs of 4 KiB and 1 MiB by each way to their core, and redirects by the gateway
#[derive(Debug, clap::Args)]
pub struct Ways {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    windows: Windows,
}

/// How a GET reaches its core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Way {
    /// To the core, with a ticket fetched before.
    Direct,
    /// Signed, to the gateway's port, on connections that stay: the core answers under a lease.
    Lease,
    /// Signed: the gateway's 307, and what it leads to.
    Redirect,
    /// Signed, with data through the gateway.
    Proxy,
    /// As direct, each on a connection of its own.
    DirectOnce,
    /// Signed, to the gateway's port, each on a connection of its own: each is handed over.
    HandoffOnce,
    /// The gateway's 307 alone.
    RedirectOnly,
}

const SMALL: [Way; 7] = [
    Way::Direct,
    Way::Lease,
    Way::Redirect,
    Way::Proxy,
    Way::DirectOnce,
    Way::HandoffOnce,
    Way::RedirectOnly,
];
const LARGE: [Way; 4] = [Way::Direct, Way::Lease, Way::Redirect, Way::Proxy];

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    series: Vec<Series>,
}

/// All rounds of one size and way.
#[derive(Debug, Serialize)]
struct Series {
    cell: &'static str,
    way: Way,
    rounds: Vec<Measured>,
    /// Requests a second by round.
    rates: Vec<f64>,
}

/// Runs it.
pub fn run(flags: &Ways) -> Result<()> {
    let warning = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let server = corelane::start_verifying(&flags.common.binaries(), workspace.path())?;
    let signer = Signer::of(&corelane::data(workspace.path()))?;
    let pattern = Pattern::new();
    let mut progress = Progress::new((SMALL.len() + LARGE.len()) * flags.windows.count());
    let mut series = Vec::new();
    let mut session = Session::open(server.address())?;
    let authority = server.address().to_string();
    let mut put = |path: &str, payload| session.run(&signer.request(Method::Put, &authority, path, &[], Some(payload)));
    put(BUCKET_PATH, pattern.payload(0, 0))?;
    for (name, ways) in [("get-4k", SMALL.as_slice()), ("get-1m", LARGE.as_slice())] {
        let cell = cell::named(name)?;
        (0..cell.objects).try_for_each(|index| put(&cell.path(index), pattern.payload(index, cell.object_bytes)))?;
        let mut of_cell = Vec::new();
        for &way in ways {
            let plan = plan(&server, &signer, &cell, way)?;
            of_cell.push((Series::new(name, way), plan));
        }
        for round in 1..=flags.windows.rounds {
            for (series, plan) in &mut of_cell {
                progress.next(&format!("round {round}: {name}, {}", series.way.name()));
                let measured = window(&server, None, plan, cell.object_bytes, flags.windows.length())?;
                // Answers without a body cannot be counted by their bytes.
                let seconds = flags.windows.length().as_secs_f64();
                series.rates.push(match series.way {
                    Way::RedirectOnly => measured.served.finished as f64 / seconds,
                    _ => measured.served.requests_per_s,
                });
                series.rounds.push(measured);
            }
        }
        series.extend(of_cell.into_iter().map(|(series, _)| series));
    }
    drop(progress);
    let report = Report {
        machine: machine::describe(),
        series,
    };
    if flags.common.json {
        output::print_json(&report)
    } else {
        report.print(warning, flags);
        Ok(())
    }
}

fn plan(server: &Server, signer: &Signer, cell: &Cell, way: Way) -> Result<Plan> {
    let gateway = server.address();
    let authority = gateway.to_string();
    let mut session = Session::open(gateway)?;
    let step = |index| {
        let path = cell.path(index);
        let sign = |headers: &[(&str, &str)]| signer.request(Method::Get, &authority, &path, headers, None);
        let straight = |request| Step::Straight {
            address: gateway,
            request,
        };
        Ok(match way {
            Way::Direct | Way::DirectOnce => {
                let location = session.redirect(&sign(&[(ROUTE_HEADER, "redirect")]))?;
                let headers: &[(&str, &str)] = if way == Way::Direct { &[] } else { &[CLOSE] };
                Step::Straight {
                    address: location.address,
                    request: location.request_with(Method::Get, headers, None),
                }
            }
            Way::Lease => straight(sign(&[])),
            Way::HandoffOnce => straight(sign(&[CLOSE])),
            Way::Proxy => straight(sign(&[(ROUTE_HEADER, "proxy")])),
            Way::RedirectOnly => straight(sign(&[(ROUTE_HEADER, "redirect")])),
            Way::Redirect => Step::Redirected {
                gateway,
                ask: sign(&[(ROUTE_HEADER, "redirect")]),
                method: Method::Get,
                payload: None,
            },
        })
    };
    let is_answered = way != Way::RedirectOnly;
    Ok(Plan {
        clients: cell.clients,
        steps: (0..cell.objects).map(step).collect::<Result<Vec<Step>>>()?,
        order: Order::InTurn,
        tls: None,
        accept: if is_answered { &[200] } else { &[307] },
        answer_bytes: is_answered.then_some(cell.object_bytes),
    })
}

const CLOSE: (&str, &str) = ("connection", "close");

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Lease => "lease",
            Self::Redirect => "redirect",
            Self::Proxy => "proxy",
            Self::DirectOnce => "direct, a connection each",
            Self::HandoffOnce => "handoff, a connection each",
            Self::RedirectOnly => "307 alone",
        }
    }
}

impl Series {
    fn new(cell: &'static str, way: Way) -> Self {
        Self {
            cell,
            way,
            rounds: Vec::new(),
            rates: Vec::new(),
        }
    }

    fn rate(&self) -> f64 {
        median(self.rates.iter().copied())
    }

    /// Processor time of the server a request, in microseconds.
    fn cpu_us(&self) -> f64 {
        let pairs = self.rounds.iter().zip(&self.rates);
        median(pairs.map(|(round, rate)| round.server_busy / rate * 1e6))
    }

    fn row(&self, direct: &Self) -> Vec<String> {
        let of = |value: fn(&Measured) -> f64| median(self.rounds.iter().map(value));
        let ratio = Spread::of(self.rates.iter().zip(&direct.rates).map(|(this, direct)| this / direct));
        let is_bound = of(|round| round.client_busy) > CLIENT_BOUND_BUSY;
        vec![
            self.cell.to_owned(),
            self.way.name().to_owned(),
            number(self.rate(), 0),
            number(ratio.median, 2),
            range(&ratio),
            number(self.cpu_us(), 1),
            format!("{} %", number(of(|round| round.server_busy) * 100.0, 0)),
            number(of(|round| round.served.p99_ms), 2),
            if is_bound { "client-bound" } else { "" }.to_owned(),
        ]
    }
}

impl Report {
    fn of(&self, cell: &str, way: Way) -> Option<&Series> {
        self.series
            .iter()
            .find(|series| series.cell == cell && series.way == way)
    }

    fn print(&self, warning: Option<String>, flags: &Ways) {
        let mut table = Table::new(&[
            "cell",
            "way",
            "req/s",
            "of direct",
            "(min-max)",
            "cpu us",
            "server busy",
            "p99 ms",
            "notes",
        ]);
        for series in &self.series {
            if let Some(direct) = self.of(series.cell, Way::Direct) {
                table.row(series.row(direct));
            }
        }
        let title = format!(
            "GET by each way, gateway and one core on one processor; {}",
            flags.windows.describe()
        );
        print_heading(&title, warning.as_deref());
        println!("\n{}", table.render());
        let rate = |cell, way| self.of(cell, way).map_or(f64::NAN, Series::rate);
        let cpu = |way| self.of("get-4k", way).map_or(f64::NAN, Series::cpu_us);
        println!(
            "A handoff costs {} us of processor time beside a connection to the core (goal: {WAYS_HANDOFF_GOAL_US}). Signed \
             requests answered 307: {} a second (goal: {WAYS_REDIRECT_GOAL_PER_S}). 1 MiB through the gateway: {} of direct \
             (goal: {WAYS_PROXY_GOAL}).",
            number(cpu(Way::HandoffOnce) - cpu(Way::DirectOnce), 1),
            number(rate("get-4k", Way::RedirectOnly), 0),
            number(rate("get-1m", Way::Proxy) / rate("get-1m", Way::Direct), 2),
        );
    }
}
