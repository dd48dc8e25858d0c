//! The machine the benchmark runs on: processors, limits, load, and a directory of its own.

use crate::{
    error::{BenchError, Context, Result},
    limits::LOAD_AVERAGE_QUIET,
};
use rustix::{
    fs::{Advice, fadvise, statvfs},
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_setaffinity},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// Pins the calling thread, and what it starts from now on, to one processor.
pub fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(|error| {
        BenchError::Usage(format!(
            "cannot pin to processor {core} ({error}): the benchmark needs processors 0 and 1"
        ))
    })
}

/// Raises the limit of open files to the highest allowed, for this process and those it starts.
///
/// Fails when that is below `needed`.
pub fn raise_open_files(needed: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let highest = limit.maximum.unwrap_or(u64::MAX);
    if highest < needed {
        return Err(BenchError::Usage(format!(
            "{needed} open files are needed and {highest} are allowed: raise the hard limit (ulimit -Hn) or ask for fewer"
        )));
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )
    .context("setrlimit NOFILE")
}

/// Fails when the disk `folder` is on has no room for `bytes`.
pub fn require_space(folder: &Path, bytes: u64) -> Result<()> {
    let disk = statvfs(folder).context(format_args!("look at the disk of {}", folder.display()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= bytes {
        return Ok(());
    }
    Err(BenchError::Usage(format!(
        "{} MB are needed in {} and {} MB are free: name a folder on another disk with --dir, or ask for less",
        bytes / 1_000_000,
        folder.display(),
        free / 1_000_000
    )))
}

/// Takes what was written below `folder` out of the page cache, as a restart of the machine would. What others read
/// stays there.
pub fn forget_cached(folder: &Path) -> Result<()> {
    // Only what is on the disk can be forgotten.
    rustix::fs::sync();
    forget(folder)
}

/// The load average of the last minute; `None` where it cannot be read.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg")
        .ok()?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// A warning when other work is running, which makes every figure noisy.
pub fn noise_warning() -> Option<String> {
    let load = load_average().filter(|load| *load > LOAD_AVERAGE_QUIET)?;
    Some(format!(
        "other work is running (load average {load:.2}): expect noisy figures"
    ))
}

/// One line that names the machine: processor model, count, kernel.
pub fn describe() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    let count = processors.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{count} x {model}, Linux {}", kernel.trim())
}

/// A directory for one run's servers and objects, removed when dropped.
#[derive(Debug)]
pub struct Workspace {
    path: PathBuf,
}

const WORKSPACE_PREFIX: &str = "corelane-bench-";

impl Workspace {
    /// Makes a directory below `parent`, and removes those of earlier runs that were killed.
    pub fn create(parent: &Path) -> Result<Self> {
        fs::create_dir_all(parent).context(format_args!("create {}", parent.display()))?;
        let parent = parent
            .canonicalize()
            .context(format_args!("resolve {}", parent.display()))?;
        remove_abandoned(&parent);
        let path = parent.join(format!("{WORKSPACE_PREFIX}{}", std::process::id()));
        fs::create_dir(&path).context(format_args!("create {}", path.display()))?;
        Ok(Self { path })
    }

    /// Its path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(WORKSPACE_PREFIX));
        let Some(process) = process.filter(|process| process.parse::<u32>().is_ok()) else {
            continue;
        };
        if !Path::new("/proc").join(process).exists() {
            let _left_for_the_next_run = fs::remove_dir_all(entry.path());
        }
    }
}

fn forget(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).context(format_args!("list {}", folder.display()))? {
        let path = entry.context(format_args!("list {}", folder.display()))?.path();
        if path.is_dir() {
            forget(&path)?;
        } else {
            let file = File::open(&path).context(format_args!("open {}", path.display()))?;
            fadvise(&file, 0, None, Advice::DontNeed).context(format_args!("posix_fadvise {}", path.display()))?;
        }
    }
    Ok(())
}
