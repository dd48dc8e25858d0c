//! `stalled`: what thousands of clients that do nothing cost the others.

use super::{Common, Windows};
use crate::{
    cell::{self, Cell},
    error::{BenchError, Result},
    limits::{CLIENT_CORE, OPEN_FILES_SPARE},
    loadgen::{
        plan::{Plan, Step},
        request::Pattern,
    },
    machine::{self, Workspace},
    measure::{Measured, median, window},
    output::{self, print_heading},
    progress::Progress,
    report::number,
    server::{corelane, process::Server},
    stalled_clients::StalledClients,
    subject::{Route, Subject},
    table::Table,
};

/// Measure the latency of 4 KiB GETs while thousands of stalled clients are connected
#[derive(Debug, clap::Args)]
pub struct Stalled {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    windows: Windows,
    /// Stalled clients
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    clients: u32,
    /// Where all clients, stalled or not, connect to: a core or the gateway
    #[arg(long, value_enum, default_value = "direct")]
    path: Route,
}

/// What the stalled clients have done before they stalled.
#[derive(Debug, Clone, Copy, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Habit {
    /// There are none.
    None,
    /// Half a request head sent.
    HalfHead,
    /// 64 MiB asked for, nothing read.
    NeverReading,
}

const HABITS: [Habit; 3] = [Habit::None, Habit::HalfHead, Habit::NeverReading];

/// The windows of one habit.
#[derive(Debug, serde::Serialize)]
struct Series {
    stalled: Habit,
    rounds: Vec<Measured>,
    /// Stalled clients that the server had not closed by the end of each window.
    still_open: Vec<usize>,
}

/// Runs it.
pub fn run(flags: &Stalled) -> Result<()> {
    if flags.path == Route::Redirect {
        return Err(BenchError::Usage(
            "stalled clients are served by a core or by the gateway: --path direct or proxy".to_owned(),
        ));
    }
    let warning = machine::noise_warning();
    machine::raise_open_files(u64::from(flags.clients) + OPEN_FILES_SPARE)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let server = corelane::start(&flags.common.binaries(), workspace.path())?;
    let subject = Subject::Corelane(&server, flags.path);
    let pattern = Pattern::new();
    let (measured, asked_for) = (cell::named("get-4k")?, cell::named("get-64m")?);
    subject.create_bucket(&pattern)?;
    subject.create_objects(&measured, &pattern)?;
    subject.create_objects(&asked_for, &pattern)?;
    let mut progress = Progress::new(HABITS.len() * flags.windows.count());
    let mut series = HABITS.map(|stalled| Series {
        stalled,
        rounds: Vec::new(),
        still_open: Vec::new(),
    });
    for round in 1..=flags.windows.rounds {
        for one in &mut series {
            progress.next(&format!("round {round}: {}", one.stalled.name()));
            // Tickets are fetched before the others stall.
            let plan = subject.plan(&measured, &pattern)?;
            let never_read = subject.plan(&asked_for, &pattern)?;
            let stalled = stall(one.stalled, &never_read, flags.clients as usize);
            let stalled = stalled.map_err(|error| server.explain(error))?;
            one.rounds.push(measure(&server, &plan, &measured, flags)?);
            one.still_open.push(stalled.map_or(0, |stalled| stalled.still_open()));
        }
    }
    drop(progress);
    if flags.common.json {
        print_json(&series)
    } else {
        print_table(&series, warning, flags)
    }
}

fn measure(server: &Server, plan: &Plan, cell: &Cell, flags: &Stalled) -> Result<Measured> {
    window(server, None, plan, cell.object_bytes, flags.windows.length())
}

/// Opens the stalled clients; they send all or half of the plan's first request.
fn stall(habit: Habit, plan: &Plan, count: usize) -> Result<Option<StalledClients>> {
    let Some(Step::Straight { address, request }) = plan.steps.first() else {
        return Ok(None);
    };
    let whole = request.head.as_slice();
    let says = match habit {
        Habit::None => return Ok(None),
        Habit::HalfHead => whole.get(..whole.len() / 2).unwrap_or(whole),
        Habit::NeverReading => whole,
    };
    StalledClients::open(*address, count, says).map(Some)
}

impl Habit {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::HalfHead => "half a head sent",
            Self::NeverReading => "64 MiB never read",
        }
    }
}

fn print_table(series: &[Series], warning: Option<String>, flags: &Stalled) -> Result<()> {
    let p99 = |one: &Series| median(one.rounds.iter().map(|round| round.served.p99_ms));
    let idle = series.first().map_or(f64::NAN, p99);
    let mut table = Table::new(&[
        "stalled clients",
        "open at the end",
        "GET/s",
        "p50 ms",
        "p99 ms",
        "p99 ratio",
        "cpu us",
    ]);
    for one in series {
        let of = |value: fn(&Measured) -> f64| median(one.rounds.iter().map(value));
        table.row(vec![
            one.stalled.name().to_owned(),
            number(median(one.still_open.iter().map(|open| *open as f64)), 0),
            number(of(|round| round.served.requests_per_s), 0),
            number(of(|round| round.served.p50_ms), 2),
            number(p99(one), 2),
            number(p99(one) / idle, 2),
            number(of(|round| round.server_cpu_us), 1),
        ]);
    }
    let title = format!(
        "GET of 4 KiB beside {} stalled clients; {}",
        flags.clients,
        flags.windows.describe()
    );
    print_heading(&title, warning.as_deref());
    println!("\n{}", table.render());
    Ok(())
}

fn print_json(series: &[Series]) -> Result<()> {
    output::print_json(&serde_json::json!({ "machine": machine::describe(), "series": series }))
}
