//! `space`: what a mountpath takes on the disk while a fixed set of objects is overwritten again and again.

use super::Common;
use crate::{
    cell::BUCKET_PATH,
    disk_use::{Curve, Sample, disk_bytes, megabytes_per_s},
    error::Result,
    limits::{
        CLIENT_CORE, DRAIN_MAX, OPEN_FILES, SPACE_BLOB_BYTES, SPACE_CLIENTS, SPACE_GOAL, SPACE_OBJECT_BYTES_MAX,
        SPACE_OBJECT_BYTES_MIN, SPACE_ROWS, SPACE_SAMPLE_PAUSE,
    },
    loadgen::{
        generator::{LoadGenerator, poller},
        plan::{Order, Plan},
        random::Random,
        request::{Method, Pattern},
    },
    machine::{self, Workspace},
    output::{self, print_heading},
    progress::Progress,
    report::number,
    server::{corelane, process::Server},
    session::Session,
    subject::{Route, Subject},
    table::Table,
    tickets::{Checksum, Issuer},
};
use serde::Serialize;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// Measure the disk space a mountpath takes while its objects are overwritten, over what they hold
#[derive(Debug, clap::Args)]
pub struct Space {
    #[command(flatten)]
    common: Common,
    /// Small objects, of 4 KiB to 64 KiB
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    objects: u32,
    /// Objects of 4 MiB, which are files of their own
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    blobs: u32,
    /// How often all of them are overwritten, by their bytes
    #[arg(long, default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    overwrites: u32,
    /// How long the mountpath is watched after the load, in seconds
    #[arg(long, default_value_t = 15, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3600))]
    settle: u64,
    /// What payloads are hashed with
    #[arg(long, value_enum, default_value = "xxhash")]
    checksum: Checksum,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    objects: u32,
    blobs: u32,
    live_bytes: u64,
    /// Disk use over live bytes that is aimed at, at any moment.
    goal: f64,
    peak_ratio: f64,
    /// At the end of the load.
    final_ratio: f64,
    /// Some time after it.
    settled_ratio: f64,
    /// Under the load.
    load: Curve,
    /// After it.
    settling: Curve,
}

/// Runs it.
pub fn run(flags: &Space) -> Result<()> {
    let warning = machine::noise_warning();
    machine::raise_open_files(OPEN_FILES)?;
    machine::pin(CLIENT_CORE)?;
    let workspace = Workspace::create(&flags.common.directory())?;
    let sizes = sizes(flags.objects, flags.blobs);
    let live_bytes: u64 = sizes.iter().sum();
    let overwritten_bytes = live_bytes * u64::from(flags.overwrites);
    // Enough for a mountpath that never gives anything back.
    machine::require_space(workspace.path(), 2 * live_bytes + overwritten_bytes)?;
    let server = corelane::start(&flags.common.binaries(), workspace.path())?;
    let pattern = Pattern::new();
    Subject::Corelane(&server, Route::Direct).create_bucket(&pattern)?;
    let key = corelane::cluster_key(workspace.path())?;
    let issuer = Issuer::learn(server.address(), key, flags.checksum)?;
    let plan = plan(&issuer, &sizes, &pattern)?;
    let mut progress = Progress::new(3);
    let epoll = poller()?;
    let mut load = LoadGenerator::new(&plan, &epoll);
    progress.next(&format!("writing {} MB", live_bytes / 1_000_000));
    load.run_once().map_err(|error| server.explain(error))?;
    progress.next(&format!("overwriting them {} times", flags.overwrites));
    let mut watch = Watch::new(&server, corelane::data(workspace.path()), live_bytes);
    watch.load(&mut load, overwritten_bytes)?;
    let under_load = watch.start_again();
    progress.next("watching the mountpath at rest");
    watch.rest(Duration::from_secs(flags.settle))?;
    check(&server, &sizes, &pattern)?;
    drop(progress);
    let report = Report::new(flags, under_load, watch.start_again(), live_bytes);
    if flags.common.json {
        output::print_json(&report)
    } else {
        report.print(warning, flags);
        Ok(())
    }
}

/// The size of every object: it keeps it, so that the live bytes stay the same.
fn sizes(objects: u32, blobs: u32) -> Vec<u64> {
    let mut random = Random::default();
    let spread = SPACE_OBJECT_BYTES_MAX - SPACE_OBJECT_BYTES_MIN + 1;
    let small = (0..objects).map(|_| SPACE_OBJECT_BYTES_MIN + random.below(spread));
    small.chain((0..blobs).map(|_| SPACE_BLOB_BYTES)).collect()
}

fn key(index: usize) -> String {
    format!("space-{index:07}")
}

/// PUT of any of the objects, each as likely as any other.
fn plan(issuer: &Issuer, sizes: &[u64], pattern: &Pattern) -> Result<Plan> {
    let step = |(index, size): (usize, &u64)| {
        let payload = pattern.payload(index, *size);
        issuer.step(Method::Put, &key(index), Some(payload))
    };
    Ok(Plan {
        tls: None,
        clients: SPACE_CLIENTS,
        steps: sizes.iter().enumerate().map(step).collect::<Result<_>>()?,
        order: Order::Random,
        accept: &[200],
        answer_bytes: None,
    })
}

/// Reads some of the objects back: what was made room for must not have been needed.
fn check(server: &Server, sizes: &[u64], pattern: &Pattern) -> Result<()> {
    let mut session = Session::open(server.address())?;
    let some = sizes
        .iter()
        .enumerate()
        .step_by(sizes.len().div_ceil(SPACE_CLIENTS).max(1));
    some.into_iter().try_for_each(|(index, size)| {
        session.check(&format!("{BUCKET_PATH}/{}", key(index)), &pattern.payload(index, *size))
    })
}

/// Looks at the mountpath every now and then.
struct Watch<'a> {
    server: &'a Server,
    root: PathBuf,
    begun: Instant,
    written_bytes: u64,
    curve: Curve,
    live_bytes: u64,
}

impl<'a> Watch<'a> {
    fn new(server: &'a Server, root: PathBuf, live_bytes: u64) -> Self {
        Self {
            server,
            root,
            begun: Instant::now(),
            written_bytes: 0,
            curve: Curve::new(live_bytes),
            live_bytes,
        }
    }

    /// Drives the load until it has written so many bytes.
    fn load(&mut self, load: &mut LoadGenerator<'_>, bytes: u64) -> Result<()> {
        self.sample()?;
        let mut next = SPACE_SAMPLE_PAUSE;
        let driven = load.drive_while(|moved, elapsed| {
            self.written_bytes = moved;
            if elapsed >= next {
                self.sample()?;
                next = self.begun.elapsed() + SPACE_SAMPLE_PAUSE;
            }
            Ok(moved < bytes)
        });
        driven.map_err(|error| self.server.explain(error))?;
        load.drain(DRAIN_MAX).map_err(|error| self.server.explain(error))?;
        self.sample()
    }

    /// Looks on without a load.
    fn rest(&mut self, length: Duration) -> Result<()> {
        let begun = Instant::now();
        self.sample()?;
        while begun.elapsed() < length {
            std::thread::sleep(SPACE_SAMPLE_PAUSE);
            self.sample()?;
        }
        Ok(())
    }

    fn sample(&mut self) -> Result<()> {
        self.curve.add(Sample {
            seconds: self.begun.elapsed().as_secs_f64(),
            written_bytes: self.written_bytes,
            disk_bytes: disk_bytes(&self.root, CONTROL)?,
        });
        Ok(())
    }

    /// What was seen since the last call.
    fn start_again(&mut self) -> Curve {
        std::mem::replace(&mut self.curve, Curve::new(self.live_bytes))
    }
}

/// What is in the data directory beside the mountpath's own: keys and the gateway's metadata.
const CONTROL: &str = "control";

impl Report {
    fn new(flags: &Space, load: Curve, settling: Curve, live_bytes: u64) -> Self {
        let ratio = |curve: &Curve, sample: Option<&Sample>| sample.map_or(f64::NAN, |sample| curve.ratio(sample));
        Self {
            machine: machine::describe(),
            objects: flags.objects,
            blobs: flags.blobs,
            live_bytes,
            goal: SPACE_GOAL,
            peak_ratio: ratio(&load, load.peak()),
            final_ratio: ratio(&load, load.last()),
            settled_ratio: ratio(&settling, settling.last()),
            load,
            settling,
        }
    }

    fn print(&self, warning: Option<String>, flags: &Space) {
        let mut table = Table::new(&[
            "second",
            "written MB",
            "over live",
            "PUT MB/s",
            "disk MB",
            "disk / live",
        ]);
        let mut before: Option<&Sample> = None;
        for sample in self.load.thinned(SPACE_ROWS) {
            let rate = before.map_or(f64::NAN, |before| megabytes_per_s(before, sample));
            table.row(self.row(&self.load, sample, rate));
            before = Some(sample);
        }
        if let Some(last) = self.settling.last() {
            table.row(self.row(&self.settling, last, f64::NAN));
        }
        let title = format!(
            "Overwriting {} objects of 4 KiB to 64 KiB and {} of 4 MiB, {} MB, at random; {} clients, {}",
            number(f64::from(self.objects), 0),
            self.blobs,
            number(self.live_bytes as f64 / 1e6, 0),
            SPACE_CLIENTS,
            flags.checksum.name()
        );
        print_heading(&title, warning.as_deref());
        println!("\n{}", table.render());
        println!(
            "Disk over live bytes: {} at the peak, {} at the end of the load, {} after {} s at rest. Goal: below {} at all times",
            number(self.peak_ratio, 2),
            number(self.final_ratio, 2),
            number(self.settled_ratio, 2),
            flags.settle,
            number(self.goal, 0)
        );
    }

    fn row(&self, curve: &Curve, sample: &Sample, rate: f64) -> Vec<String> {
        vec![
            number(sample.seconds, 1),
            number(sample.written_bytes as f64 / 1e6, 0),
            number(sample.written_bytes as f64 / self.live_bytes as f64, 2),
            number(rate, 0),
            number(sample.disk_bytes as f64 / 1e6, 0),
            number(curve.ratio(sample), 2),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_within_their_limits_and_are_the_same_in_every_run() {
        let sizes = sizes(1000, 3);
        let (small, blobs) = sizes.split_at(1000);
        let range = SPACE_OBJECT_BYTES_MIN..=SPACE_OBJECT_BYTES_MAX;
        assert!(small.iter().all(|size| range.contains(size)));
        assert!(blobs.iter().all(|size| *size == SPACE_BLOB_BYTES));
        assert_eq!(blobs.len(), 3);
        assert_eq!(sizes, super::sizes(1000, 3));
    }
}
