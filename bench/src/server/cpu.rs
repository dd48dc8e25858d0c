//! Processor time of processes, from `/proc/PID/stat` (proc_pid_stat(5)): user and system time of all their threads,
//! io_uring workers included.

use crate::{
    error::{BenchError, Result},
    limits::{CLIENT_CORE, SERVER_CORE},
};
use rustix::param::clock_ticks_per_second;
use std::{fs, time::Duration};

/// One process of a server.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// What it is, such as `node`.
    pub role: String,
}

/// The processor time `processes` have used until now, each.
pub fn used(processes: &[Process]) -> Result<Vec<Duration>> {
    processes.iter().map(|process| used_by(process.id)).collect()
}

/// The processor time this process has used until now.
pub fn used_here() -> Result<Duration> {
    used_by(std::process::id())
}

/// The time both pinned processors have been busy until now, whoever used them: other machines on the same host (steal)
/// included. From `/proc/stat` (proc_stat(5)).
pub fn processors_busy() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let busy = [SERVER_CORE, CLIENT_CORE]
        .iter()
        .filter_map(|core| busy_ticks(&text, *core))
        .sum();
    from_ticks(busy)
}

/// All but the columns idle, iowait, and guest times, which user time contains.
fn busy_ticks(stat: &str, core: usize) -> Option<u64> {
    let prefix = format!("cpu{core} ");
    let fields = stat.lines().find_map(|line| line.strip_prefix(&prefix))?;
    let ticks = fields
        .split_whitespace()
        .take(8)
        .enumerate()
        .filter(|(column, _)| !matches!(column, 3 | 4));
    ticks.map(|(_, ticks)| ticks.parse::<u64>().ok()).sum()
}

/// The processes whose parent is `parent`, with the name of their executable.
pub fn children(parent: u32) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| Stat::of(*id).is_some_and(|stat| stat.parent == parent))
        .map(|id| Process {
            id,
            role: command_name(id),
        })
        .collect()
}

fn used_by(id: u32) -> Result<Duration> {
    let stat = Stat::of(id).ok_or_else(|| BenchError::Server(format!("process {id} of a server has ended")))?;
    Ok(from_ticks(stat.ticks))
}

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64)
}

/// The first word of the command line: `comm` is cut after 15 bytes.
fn command_name(id: u32) -> String {
    let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let path = String::from_utf8_lossy(first);
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

struct Stat {
    parent: u32,
    /// utime and stime.
    ticks: u64,
}

impl Stat {
    fn of(id: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// The name in parentheses may itself hold spaces and parentheses, so fields count from the last one.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        let user: u64 = fields.nth(9)?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some(Self {
            parent,
            ticks: user.checked_add(system)?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_with_a_strange_name() {
        let line = "77 (a) b) S 5 77 77 0 -1 4194560 1 2 3 4 250 125 0 0 20 0 1 0 9 1 1";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.parent, stat.ticks), (5, 375));
        assert!(Stat::parse("77 (x").is_none());
    }

    #[test]
    fn busy_time_leaves_out_idle_iowait_and_guests() {
        let stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu1 1 2 4 1000 1000 8 16 32 1000 1000\ncpu10 5 5 5 5 5 5 5 5 5 5\n";
        assert_eq!(busy_ticks(stat, 1), Some(63));
        assert_eq!(busy_ticks(stat, 0), None);
    }

    #[test]
    fn this_process_can_be_measured() {
        assert!(used_here().is_ok());
    }
}
