//! Memory of processes, from `/proc/PID/status` (proc_pid_status(5)).

use crate::error::{BenchError, Context, Result};
use serde::Serialize;
use std::fs;

/// What a process holds in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Now.
    pub resident_bytes: u64,
    /// At most so far.
    pub peak_bytes: u64,
}

impl Memory {
    /// Of a process.
    pub fn of(id: u32) -> Result<Self> {
        let path = format!("/proc/{id}/status");
        let text = fs::read_to_string(&path).context(format_args!("read {path}"))?;
        Self::parse(&text).ok_or_else(|| BenchError::Server(format!("{path} does not tell a server's memory")))
    }

    fn parse(status: &str) -> Option<Self> {
        Some(Self {
            resident_bytes: field(status, "VmRSS:")?,
            peak_bytes: field(status, "VmHWM:")?,
        })
    }
}

/// Such as `VmRSS:      1234 kB`; kB are 1024 bytes.
fn field(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Memory;

    #[test]
    fn kilobytes_become_bytes() {
        let memory = Memory::parse("Name:\tx\nVmHWM:\t    2000 kB\nVmRSS:\t    1000 kB\n").unwrap();
        assert_eq!((memory.resident_bytes, memory.peak_bytes), (1_024_000, 2_048_000));
        assert!(Memory::parse("Name:\tkernel thread\n").is_none());
    }

    #[test]
    fn this_process_holds_some() {
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(memory.resident_bytes > 0 && memory.peak_bytes >= memory.resident_bytes);
    }
}
