//! What a command has done and what it could not: for the line at the end, for programs, for the exit code.

use super::progress::Progress;
use crate::{
    error::{CliError, Result},
    output,
    s3::{Failure, Store},
};
use serde::Serialize;
use serde_json::json;
use std::{
    io::Write,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// Something done to an object.
#[derive(Debug, Clone, Serialize)]
pub struct Done {
    /// `bucket/key`.
    pub object: String,
    /// Where it came from or went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// In buckets that keep versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// By what the bytes were verified after they came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<String>,
    /// How many bytes an earlier, interrupted command had moved already.
    #[serde(skip_serializing_if = "is_zero")]
    pub resumed_bytes: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Counts for all threads.
pub struct Tally {
    began: Instant,
    keeps_all: bool,
    stopped: AtomicBool,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    objects: u64,
    bytes: u64,
    done: Vec<Done>,
    failed: u64,
    failures: Vec<(String, String)>,
    /// The first failure, as long as it is the only one.
    only: Option<CliError>,
    /// What ended everything.
    last: Option<CliError>,
}

impl Tally {
    /// From now on; `keeps_all`: for programs.
    pub fn new(keeps_all: bool) -> Self {
        Self {
            began: Instant::now(),
            keeps_all,
            stopped: AtomicBool::new(false),
            counts: Mutex::default(),
        }
    }

    /// Whether there is no use in going on.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Something was done.
    pub fn done(&self, done: Done) {
        let mut counts = self.lock();
        counts.objects += 1;
        counts.bytes = counts.bytes.saturating_add(done.size);
        if self.keeps_all {
            counts.done.push(done);
        }
    }

    /// Something failed; the others go on unless they would fail, too.
    pub fn failed(&self, store: &Store, progress: &Progress, what: &str, failure: Failure) {
        let is_final = failure.is_final();
        let error = failure.into_error(store.client(), what);
        let mut counts = self.lock();
        if is_final {
            self.stopped.store(true, Ordering::Relaxed);
            counts.last.get_or_insert(error);
            return;
        }
        counts.failed += 1;
        if self.keeps_all {
            counts.failures.push((what.to_owned(), error.to_string()));
        }
        if counts.failed == 1 {
            counts.only = Some(error);
            return;
        }
        let first = counts.only.take();
        drop(counts);
        progress.print(|| {
            for error in first.into_iter().chain([error]) {
                complain(&error);
            }
        });
    }

    /// Prints the total, as `verb` says it (`Put`), and returns what failed.
    pub fn finish(self, verb: &str, noun: (&str, &str), print: Print) -> Result<()> {
        let seconds = self.began.elapsed().as_secs_f64();
        let counts = self.counts.into_inner().unwrap_or_else(PoisonError::into_inner);
        match print {
            Print::Json => output::json(&json!({
                "objects": counts.done,
                "failed": counts.failures.iter().map(|(object, error)| json!({"object": object, "error": error}))
                    .collect::<Vec<_>>(),
                "count": counts.objects,
                "bytes": counts.bytes,
                "seconds": seconds,
            }))?,
            Print::Total if counts.objects > 0 || counts.failed != 1 && counts.last.is_none() => {
                let noun = if counts.objects == 1 { noun.0 } else { noun.1 };
                let count = counts.objects;
                let bytes = output::size(counts.bytes);
                match verb {
                    "Removed" => output::line(&format!("{verb} {count} {noun} in {seconds:.1} s"))?,
                    _ => output::line(&format!("{verb} {count} {noun}, {bytes} in {seconds:.1} s"))?,
                }
            }
            Print::Total | Print::Nothing => {}
        }
        if let Some(error) = counts.last {
            if let Some(only) = counts.only {
                complain(&only);
            }
            return Err(error);
        }
        match (counts.failed, counts.only) {
            (0, _) => Ok(()),
            (1, Some(only)) => Err(only),
            (failed, _) => Err(CliError::failed(format!("{failed} failed, as said above"))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says what failed. Standard error may be a file on a full disk: that is no reason to stop.
fn complain(error: &CliError) {
    let _ = writeln!(std::io::stderr(), "error: {error}");
}

/// What is printed at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Print {
    /// Objects, for programs.
    Json,
    /// A line for people.
    Total,
    /// Nothing.
    Nothing,
}
