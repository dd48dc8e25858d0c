//! `list`: how fast one client that signs its requests lists a bucket of many names.

use super::Common;
use crate::{
    cell::BUCKET_PATH,
    error::{BenchError, Result},
    limits::{
        CLIENT_BOUND_BUSY, CLIENT_CORE, FILL_OVERHEAD_BYTES, LIST_FILL_CLIENTS, LIST_FILL_STEPS, LIST_FOLDER_NAMES,
        LIST_GOAL_NAMES_PER_S, LIST_OBJECT_BYTES, LIST_PAGE_NAMES, LIST_PAGE_WINDOW, OPEN_FILES,
    },
    listing::{Listed, Lister},
    loadgen::{
        generator::{LoadGenerator, poller},
        plan::{Order, Plan, Step},
        request::{Method, Pattern},
    },
    machine::{self, Workspace},
    measure::{Spread, median, settle},
    output::{self, print_heading},
    progress::Progress,
    report::{number, range},
    server::{corelane, process::Server},
    session::Session,
    signature::Signer,
    subject::ROUTE_HEADER,
    table::Table,
    tickets::{Checksum, Issuer},
};
use serde::Serialize;
use std::{path::Path, time::Instant};

/// Measure ListObjectsV2 of a bucket of a million names: all pages, pages at depth, folders
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    common: Common,
    /// Names in the bucket
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1000..=10_000_000))]
    names: u64,
    /// How often all of them are listed; the report shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    names: u64,
    names_a_page: u64,
    goal_names_per_s: f64,
    /// How fast the bucket was filled, objects a second.
    filled_per_s: f64,
    /// How long the server then worked on by itself, in seconds.
    settled_s: f64,
    /// All pages to the end, by round.
    all: Vec<Listed>,
    /// One page, again and again.
    pages: Vec<Listed>,
}

/// Runs it.
pub fn run(flags: &List) -> Result<()> {
    let warning = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    machine::require_space(
        workspace.path(),
        flags.names * (LIST_OBJECT_BYTES + FILL_OVERHEAD_BYTES),
    )?;
    let server = corelane::start_verifying(&flags.common.binaries(), workspace.path())?;
    let windows = pages(flags.names);
    let mut progress = Progress::new(windows.len() + usize::try_from(flags.rounds).unwrap_or(0));
    let begun = Instant::now();
    fill(&server, workspace.path(), flags.names, &progress)?;
    let filled_per_s = flags.names as f64 / begun.elapsed().as_secs_f64();
    rustix::fs::sync();
    progress.say("waiting until the index is merged");
    let settled_s = settle(&server)?;
    let signer = Signer::of(&corelane::data(workspace.path()))?;
    let mut lister = Lister::open(&server, &signer)?;
    let mut report = Report {
        machine: machine::describe(),
        names: flags.names,
        names_a_page: LIST_PAGE_NAMES,
        goal_names_per_s: LIST_GOAL_NAMES_PER_S,
        filled_per_s,
        settled_s,
        all: Vec::new(),
        pages: Vec::new(),
    };
    for round in 1..=flags.rounds {
        progress.next(&format!("round {round}: all pages"));
        let listed = lister.all_pages("all pages", &[])?;
        if listed.names != flags.names {
            let what = format!("{} names were listed of {}", listed.names, flags.names);
            return Err(server.explain(BenchError::Server(what)));
        }
        report.all.push(listed);
    }
    for Window { what, parameters } in &windows {
        progress.next(what);
        let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        report
            .pages
            .push(lister.same_page(what, &parameters, LIST_PAGE_WINDOW)?);
    }
    drop(progress);
    if flags.common.json {
        output::print_json(&report)
    } else {
        report.print(warning);
        Ok(())
    }
}

/// A page that is asked for again and again.
struct Window {
    what: String,
    parameters: Vec<(&'static str, String)>,
}

fn pages(names: u64) -> Vec<Window> {
    let window = |what: &str, parameters: Vec<(&'static str, String)>| Window {
        what: what.to_owned(),
        parameters,
    };
    let after = |index| vec![("start-after", key(index))];
    let folder = folder(names / 2);
    let slash = || ("delimiter", "/".to_owned());
    vec![
        window("first page", Vec::new()),
        window("page in the middle", after(names / 2)),
        window("last page", after(names.saturating_sub(LIST_PAGE_NAMES + 1))),
        window("delimiter, top", vec![slash()]),
        window("delimiter, folders", vec![slash(), ("prefix", "data/".to_owned())]),
        window("delimiter, one folder", vec![slash(), ("prefix", folder.clone())]),
        window("prefix, one folder", vec![("prefix", folder)]),
    ]
}

/// The folder of name number `index`.
fn folder(index: u64) -> String {
    format!("data/shard-{:04}/", index / LIST_FOLDER_NAMES)
}

fn key(index: u64) -> String {
    format!("{}{index:010}", folder(index))
}

/// Creates the objects with tickets of the benchmark's own, which cost the gateway nothing.
fn fill(server: &Server, directory: &Path, names: u64, progress: &Progress) -> Result<()> {
    let pattern = Pattern::new();
    let authority = server.address().to_string();
    let signer = Signer::of(&corelane::data(directory))?;
    let make = signer.request(Method::Put, &authority, BUCKET_PATH, &[], Some(pattern.payload(0, 0)));
    Session::open(server.address())?.run(&make)?;
    let path = format!("{BUCKET_PATH}/{}", key(0));
    let ask = signer.request(Method::Get, &authority, &path, &[(ROUTE_HEADER, "redirect")], None);
    let key_of_cluster = corelane::cluster_key(directory)?;
    let issuer = Issuer::learn_by(&ask, server.address(), key_of_cluster, Checksum::Md5)?;
    // Not in order: names do not come in order to a bucket that grows over years.
    let stride = names.div_ceil(LIST_FILL_STEPS);
    for first in 0..stride {
        progress.say(&format!("creating {names} objects: {} %", 100 * first / stride));
        let step = |index: u64| {
            let payload = pattern.payload(usize::try_from(index).unwrap_or(0), LIST_OBJECT_BYTES);
            issuer.step(Method::Put, &key(index), Some(payload))
        };
        let indices = (first..names).step_by(usize::try_from(stride).unwrap_or(usize::MAX));
        let plan = Plan {
            clients: LIST_FILL_CLIENTS,
            steps: indices.map(step).collect::<Result<Vec<Step>>>()?,
            order: Order::InTurn,
            tls: None,
            accept: &[200],
            answer_bytes: None,
        };
        let epoll = poller()?;
        let created = LoadGenerator::new(&plan, &epoll).run_once();
        created.map_err(|error| server.explain(error))?;
    }
    Ok(())
}

impl Report {
    fn print(&self, warning: Option<String>) {
        let roles = self
            .all
            .first()
            .map(|listed| listed.server_cpu_us_by_process.as_slice());
        let roles: Vec<&str> = roles
            .unwrap_or_default()
            .iter()
            .map(|(role, _)| role.as_str())
            .collect();
        let mut headings = vec!["pages", "names", "KB", "names/s", "p50 ms", "p99 ms"];
        let processes: Vec<String> = roles.iter().map(|role| format!("{role} us")).collect();
        headings.extend(processes.iter().map(String::as_str));
        headings.extend(["client us", "client busy", "notes"]);
        let mut table = Table::new(&headings);
        table.row(row(&self.all));
        for listed in &self.pages {
            table.row(row(std::slice::from_ref(listed)));
        }
        let title = format!(
            "ListObjectsV2 of {} names by one client, signed, {} a page; {} rounds of all pages, medians",
            number(self.names as f64, 0),
            number(self.names_a_page as f64, 0),
            self.all.len()
        );
        print_heading(&title, warning.as_deref());
        println!("\n{}", table.render());
        let reached = Spread::of(self.all.iter().map(|listed| listed.names_per_s / self.goal_names_per_s));
        println!(
            "Goal: {} names/s through all pages; reached: {} of it {}\nThe bucket was filled with {} PUT/s; {} s later the server was \
             at rest.",
            number(self.goal_names_per_s, 0),
            number(reached.median, 2),
            range(&reached),
            number(self.filled_per_s, 0),
            number(self.settled_s, 0)
        );
    }
}

fn row(rounds: &[Listed]) -> Vec<String> {
    let of = |value: fn(&Listed) -> f64| median(rounds.iter().map(value));
    let first = rounds.first();
    let processes = first.map_or(0, |listed| listed.server_cpu_us_by_process.len());
    let cpu = |process: usize| {
        let used = rounds
            .iter()
            .filter_map(|listed| listed.server_cpu_us_by_process.get(process));
        number(median(used.map(|(_, used)| *used)), 0)
    };
    let is_bound = of(|listed| listed.client_busy) > CLIENT_BOUND_BUSY;
    let mut cells = vec![
        first.map_or_else(String::new, |listed| listed.what.clone()),
        number(of(|listed| listed.names as f64 / listed.pages as f64), 0),
        number(of(|listed| listed.page_bytes / 1e3), 0),
        number(of(|listed| listed.names_per_s), 0),
        number(of(|listed| listed.p50_ms), 2),
        number(of(|listed| listed.p99_ms), 2),
    ];
    cells.extend((0..processes).map(cpu));
    cells.extend([
        number(of(|listed| listed.client_turn_us), 0),
        format!("{} %", number(of(|listed| listed.client_busy) * 100.0, 0)),
        if is_bound { "client-bound" } else { "" }.to_owned(),
    ]);
    cells
}

#[cfg(test)]
mod tests {
    use super::{folder, key};

    #[test]
    fn keys_are_in_the_order_of_their_numbers() {
        assert_eq!(key(42_123), "data/shard-0042/0000042123");
        assert_eq!(folder(42_123), "data/shard-0042/");
        assert!(key(999) < key(1000) && key(9_999_998) < key(9_999_999));
    }
}
