//! `restart`: how long a node that was killed takes to serve again, by the number of its objects.

use super::{Common, fill::STORED_PREFIX};
use crate::{
    cell,
    engine::{BUCKET, BUCKET_NAME, sample_key},
    error::{BenchError, Context, Result},
    limits::{CLIENT_CORE, FILL_OVERHEAD_BYTES, FILL_PATIENCE, OPEN_FILES, RESTART_GOALS_S, RESTART_LOAD},
    loadgen::{
        generator::{LoadGenerator, poller},
        request::{Method, Pattern},
    },
    machine::{self, Workspace},
    measure::median,
    output::{self, print_heading},
    progress::Progress,
    report::number,
    server::{
        memory::Memory,
        node::{Cluster, Node},
        process::ServerProcess,
    },
    session::Session,
    table::Table,
    tickets::{Checksum, Issuer, Place},
};
use proto::{auth::sigv4::from_hex, digest::checksum::ChecksumType, s3::bucket::BucketGrant};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Measure how long a killed node takes to serve again, by the number and size of its objects
#[derive(Debug, clap::Args)]
pub struct Restart {
    #[command(flatten)]
    common: Common,
    /// Numbers of objects
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000", value_name = "N,N...",
          value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    objects: Vec<u64>,
    /// Sizes of the objects, in bytes
    #[arg(long, value_delimiter = ',', default_value = "1,4096", value_name = "BYTES,BYTES...",
          value_parser = clap::value_parser!(u64).range(1..=32 * 1024))]
    payloads: Vec<u64>,
    /// How often the node of each mountpath is killed and started; the report shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    series: Vec<Series>,
}

/// All starts on one mountpath.
#[derive(Debug, Serialize)]
struct Series {
    objects: u64,
    payload_bytes: u64,
    goal_s: Option<f64>,
    starts: Vec<Start>,
}

/// One start after a kill.
#[derive(Debug, Serialize)]
struct Start {
    /// Until the node says that it serves.
    ready_s: f64,
    /// Until the object stored last was read.
    first_get_s: f64,
    memory: Memory,
}

/// What the filling process says in the end.
#[derive(Debug, Deserialize)]
struct Filled {
    node: String,
    shard: String,
}

/// Runs it.
pub fn run(flags: &Restart) -> Result<()> {
    let warning = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let pattern = Pattern::new();
    let kinds = flags.objects.len() * flags.payloads.len();
    let mut progress = Progress::new(kinds * flags.rounds as usize);
    let mut series = Vec::new();
    for objects in &flags.objects {
        for payload_bytes in &flags.payloads {
            let store = Store {
                directory: workspace.path().join(format!("store-{objects}-{payload_bytes}")),
                objects: *objects,
                payload_bytes: *payload_bytes,
                pattern: &pattern,
            };
            series.push(store.measure(flags, &mut progress)?);
        }
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

/// A mountpath with a gateway.
struct Store<'a> {
    directory: PathBuf,
    objects: u64,
    payload_bytes: u64,
    pattern: &'a Pattern,
}

impl Store<'_> {
    /// Fills it, kills the filler, and starts a node on it; kills that under load, and so on.
    fn measure(&self, flags: &Restart, progress: &mut Progress) -> Result<Series> {
        fs::create_dir(&self.directory).context(format_args!("create {}", self.directory.display()))?;
        machine::require_space(
            &self.directory,
            self.objects * (self.payload_bytes + FILL_OVERHEAD_BYTES),
        )?;
        let mountpath = self.directory.join("mountpath");
        let filled = self.fill(&mountpath, progress)?;
        let cluster = Cluster::start(&flags.common.binaries(), &self.directory)?;
        let what = format!(
            "{} objects of {} bytes",
            number(self.objects as f64, 0),
            self.payload_bytes
        );
        let mut starts = Vec::new();
        for round in 1..=flags.rounds {
            progress.next(&format!("{what}: start {round}"));
            machine::forget_cached(&mountpath)?;
            let node = cluster.start_node(&mountpath)?;
            let issuer = self.issuer(&cluster, &filled, &node)?;
            let start = self.look(&node, &issuer).map_err(|error| node.explain(&error))?;
            starts.push(start);
            if round < flags.rounds {
                self.load(&issuer).map_err(|error| node.explain(&error))?;
            }
            node.kill()?;
        }
        drop(cluster);
        fs::remove_dir_all(&self.directory).context(format_args!("remove {}", self.directory.display()))?;
        Ok(Series {
            objects: self.objects,
            payload_bytes: self.payload_bytes,
            goal_s: goal_s(self.objects),
            starts,
        })
    }

    /// Fills the mountpath in a process of its own and kills it once everything is acknowledged.
    fn fill(&self, mountpath: &Path, progress: &Progress) -> Result<Filled> {
        let program = std::env::current_exe().context("find this program")?;
        let (root, objects) = (mountpath.display().to_string(), self.objects.to_string());
        let payload_bytes = self.payload_bytes.to_string();
        let arguments = [
            "fill",
            "--root",
            &root,
            "--objects",
            &objects,
            "--payload-bytes",
            &payload_bytes,
        ];
        let mut filler = ServerProcess::spawn("fill", &program, &arguments, self.directory.join("fill.log"))?;
        let filled = filler.ready(FILL_PATIENCE, |line| {
            if let Some(stored) = line.strip_prefix(STORED_PREFIX) {
                progress.say(&format!("storing {objects} objects of {payload_bytes} bytes: {stored}"));
            }
        })?;
        filler.kill()?;
        Ok(filled)
    }

    fn issuer(&self, cluster: &Cluster, filled: &Filled, node: &Node) -> Result<Issuer> {
        let id = |text: &str| {
            from_hex(text).ok_or_else(|| BenchError::Server(format!("the filling process says {text} for an id")))
        };
        let place = Place {
            address: node.address,
            node: id(&filled.node)?,
            core: 0,
            shard: id(&filled.shard)?,
            bucket: BucketGrant {
                id: BUCKET,
                name: BUCKET_NAME.to_owned(),
                checksum_type: ChecksumType::Xxhash,
                validate_warm_get: true,
                versioning: proto::s3::version::Versioning::Unversioned,
                last_modified: proto::s3::properties::LastModified::Mtime,
                access: proto::s3::properties::Access::ALL,
                has_cors: false,
                owner_id: String::new(),
            },
        };
        Ok(Issuer::new(cluster.ticket_key(), place, Checksum::Xxhash))
    }

    /// Reads the last object, notes the time, and then the first one.
    fn look(&self, node: &Node, issuer: &Issuer) -> Result<Start> {
        let payload = self.pattern.payload(0, self.payload_bytes);
        let target = |number| issuer.target(Method::Get, &sample_key(number), None);
        let (last, first) = (target(self.objects - 1)?, target(0)?);
        let mut session = Session::open(node.address)?;
        session.check(&last, &payload)?;
        let first_get = node.begun.elapsed();
        let memory = Memory::of(node.id())?;
        session.check(&first, &payload)?;
        Ok(Start {
            ready_s: node.ready.as_secs_f64(),
            first_get_s: first_get.as_secs_f64(),
            memory,
        })
    }

    /// PUTs at full speed; some are under way at the end.
    fn load(&self, issuer: &Issuer) -> Result<()> {
        let plan = issuer.plan(&cell::named("put-4k")?, self.pattern)?;
        let epoll = poller()?;
        LoadGenerator::new(&plan, &epoll).drive(RESTART_LOAD).map(drop)
    }
}

/// What is aimed at for so many objects; `None` for more than any aim is for.
fn goal_s(objects: u64) -> Option<f64> {
    let mut goals = RESTART_GOALS_S.iter();
    goals.find(|(up_to, _)| objects <= *up_to).map(|(_, seconds)| *seconds)
}

impl Report {
    fn print(&self, warning: Option<String>, flags: &Restart) {
        let mut table = Table::new(&[
            "objects",
            "bytes each",
            "ready s",
            "first GET s",
            "highest",
            "goal s",
            "of goal",
            "of smallest",
            "rss MB",
            "peak MB",
        ]);
        for series in &self.series {
            let of = |value: fn(&Start) -> f64| median(series.starts.iter().map(value));
            let goal = series.goal_s.unwrap_or(f64::NAN);
            let first_get = series.first_get_s();
            let highest = series
                .starts
                .iter()
                .map(|start| start.first_get_s)
                .fold(f64::NAN, f64::max);
            table.row(vec![
                number(series.objects as f64, 0),
                number(series.payload_bytes as f64, 0),
                number(of(|start| start.ready_s), 2),
                number(first_get, 2),
                number(highest, 2),
                number(goal, 0),
                number(first_get / goal, 2),
                number(
                    first_get / self.smallest(series).map_or(f64::NAN, Series::first_get_s),
                    2,
                ),
                number(of(|start| start.memory.resident_bytes as f64 / 1e6), 0),
                number(of(|start| start.memory.peak_bytes as f64 / 1e6), 0),
            ]);
        }
        let title = format!(
            "Start of a node of one core after SIGKILL, nothing of its mountpath in the page cache; {} starts, medians",
            flags.rounds
        );
        print_heading(&title, warning.as_deref());
        println!("\n{}", table.render());
        println!(
            "of smallest: over the time for as many objects of the smallest size; should be near 1. Times count from the \
             start of the process."
        );
    }

    /// As many objects of the smallest size.
    fn smallest(&self, like: &Series) -> Option<&Series> {
        let same = self.series.iter().filter(|series| series.objects == like.objects);
        same.min_by_key(|series| series.payload_bytes)
    }
}

impl Series {
    fn first_get_s(&self) -> f64 {
        median(self.starts.iter().map(|start| start.first_get_s))
    }
}

#[cfg(test)]
mod tests {
    use super::goal_s;

    #[test]
    fn goals_hold_up_to_their_number_of_objects() {
        assert_eq!(goal_s(1), Some(2.0));
        assert_eq!(goal_s(1_000_000), Some(2.0));
        assert_eq!(goal_s(1_000_001), Some(5.0));
        assert_eq!(goal_s(10_000_001), None);
    }
}
