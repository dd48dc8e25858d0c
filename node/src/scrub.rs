//! `corelane-node scrub`: reads and verifies everything while the node is stopped, a thread a mountpath.

use crate::config::Scrub;
use indicatif::{ProgressBar, ProgressStyle};
use mountpath::{
    error::StoreError,
    io,
    layout::{Mountpath, ShardPaths},
    shard_store::{DamagedObject, ScrubReport, ShardStore, StoreOptions},
};
use serde_json::json;
use std::{path::Path, process::ExitCode, thread};

/// What is damaged, and nothing else went wrong.
const EXIT_DAMAGED: u8 = 2;

/// What was found on all mountpaths.
#[derive(Default)]
struct Findings {
    objects: u64,
    bytes: u64,
    damaged: Vec<DamagedObject>,
    /// What a start reports: lost parts of the log.
    lost: Vec<String>,
}

/// Scrubs and reports.
pub fn run(flags: &Scrub) -> ExitCode {
    let progress = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left {msg}");
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let results: Vec<Result<Findings, String>> = thread::scope(|scope| {
        let scrubs: Vec<_> = flags
            .mountpaths
            .iter()
            .map(|path| {
                let progress = progress.clone();
                scope.spawn(move || scrub_mountpath(path, &progress))
            })
            .collect();
        let ended = |_| Err("a thread has ended".to_owned());
        scrubs
            .into_iter()
            .map(|scrub| scrub.join().unwrap_or_else(ended))
            .collect()
    });
    progress.finish_and_clear();
    let (mut all, mut errors) = (Findings::default(), Vec::new());
    for result in results {
        match result {
            Ok(found) => all.add(found),
            Err(error) => errors.push(error),
        }
    }
    if flags.json {
        println!("{}", all.to_json(&errors));
    } else {
        all.print();
    }
    for error in &errors {
        eprintln!("error: {error}");
    }
    match (errors.is_empty(), all.is_clean()) {
        (false, _) => ExitCode::FAILURE,
        (true, false) => ExitCode::from(EXIT_DAMAGED),
        (true, true) => ExitCode::SUCCESS,
    }
}

fn scrub_mountpath(path: &Path, progress: &ProgressBar) -> Result<Findings, String> {
    let of_path = |reason: String| format!("{}: {reason}", path.display());
    let node = Mountpath::peek_node(path).map_err(|error| error.to_string())?;
    if node.is_none() {
        return Err(of_path(
            "this is not a mountpath; give a directory that a node serves".to_owned(),
        ));
    }
    let mountpath = Mountpath::open_existing(path).map_err(|error| error.to_string())?;
    let mut findings = Findings::default();
    for (index, uuid) in mountpath.shards().iter().enumerate() {
        let paths = mountpath.shard_paths(index);
        let scrubbed = io::run(scrub_shard(paths, *uuid, &mut findings, progress));
        scrubbed
            .map_err(|error| of_path(error.to_string()))?
            .map_err(|error| of_path(error.to_string()))?;
    }
    Ok(findings)
}

async fn scrub_shard(
    paths: ShardPaths,
    uuid: [u8; 16],
    findings: &mut Findings,
    progress: &ProgressBar,
) -> Result<(), StoreError> {
    let options = StoreOptions {
        maintain: false,
        ..StoreOptions::default()
    };
    let (store, recovered) = ShardStore::open(paths, uuid, options).await?;
    findings.lost.extend(recovered.damage);
    progress.inc_length(store.counters().object_bytes);
    let mut read = 0;
    let scrubbed = store
        .scrub(|now| {
            progress.inc(now.bytes - read);
            read = now.bytes;
        })
        .await;
    let closed = store.close().await;
    let ScrubReport {
        objects,
        bytes,
        damaged,
    } = scrubbed?;
    findings.add(Findings {
        objects,
        bytes,
        damaged,
        lost: Vec::new(),
    });
    closed
}

impl Findings {
    fn add(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.damaged.extend(other.damaged);
        self.lost.extend(other.lost);
    }

    fn is_clean(&self) -> bool {
        self.damaged.is_empty() && self.lost.is_empty()
    }

    fn print(&self) {
        for object in &self.damaged {
            println!("damaged: {}/{}: {}", object.bucket, object.key, object.reason);
        }
        for lost in &self.lost {
            println!("lost: {lost}");
        }
        println!(
            "{} objects read ({} bytes), {} damaged",
            self.objects,
            self.bytes,
            self.damaged.len() + self.lost.len()
        );
    }

    fn to_json(&self, errors: &[String]) -> serde_json::Value {
        let damaged: Vec<_> = self
            .damaged
            .iter()
            .map(|object| json!({ "bucket": object.bucket, "key": object.key, "reason": object.reason }))
            .collect();
        json!({
            "objects": self.objects,
            "bytes": self.bytes,
            "damaged": damaged,
            "lost": self.lost,
            "errors": errors,
        })
    }
}
