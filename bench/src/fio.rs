//! fio, the yardstick of `put-large`: what the disk takes when large blocks are written past the page cache and
//! several are under way.

use crate::{
    error::{BenchError, Context, Result},
    limits::{CLIENT_CORE, FIO_BYTES_MIN, FIO_RUN_S_MAX, SERVER_CORE},
    machine,
};
use serde::Deserialize;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// What of fio's JSON is used.
#[derive(Debug, Deserialize)]
struct Output {
    jobs: Vec<Job>,
}

#[derive(Debug, Deserialize)]
struct Job {
    error: i64,
    write: Writes,
}

#[derive(Debug, Deserialize)]
struct Writes {
    io_bytes: u64,
    /// Milliseconds, the fsync at the end included.
    runtime: u64,
}

const MIB: u64 = 1024 * 1024;

/// Fails when there is no fio.
pub fn check() -> Result<()> {
    let found = Command::new("fio").arg("--version").stdout(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(BenchError::Usage(
        "fio was not found: scripts/bench installs it, or install the package fio".to_owned(),
    ))
}

/// Writes about `bytes` to a new file in `directory` and makes them durable; MB (10^6 bytes) a second. fio runs where
/// the servers do.
pub fn megabytes_per_s(directory: &Path, bytes: u64) -> Result<f64> {
    let path = directory.join("fio-probe");
    let size = bytes.max(FIO_BYTES_MIN).next_multiple_of(MIB);
    machine::pin(SERVER_CORE)?;
    let output = Command::new("fio")
        .arg("--name=large-writes")
        .arg(format!("--filename={}", path.display()))
        .args([
            "--ioengine=io_uring",
            "--direct=1",
            "--bs=1m",
            "--iodepth=4",
            "--rw=write",
        ])
        .args(["--end_fsync=1", "--output-format=json"])
        .arg(format!("--size={size}"))
        .arg(format!("--runtime={FIO_RUN_S_MAX}"))
        .stdin(Stdio::null())
        .output();
    machine::pin(CLIENT_CORE)?;
    let output = output.context("run fio")?;
    fs::remove_file(&path).context(format_args!("remove {}", path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    rate(&text).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        BenchError::Server(format!("fio failed ({}): {}{text}", output.status, said.trim()))
    })
}

/// MB a second; `None` when the job failed. fio writes notes before its JSON.
fn rate(text: &str) -> Option<f64> {
    let json = text.get(text.find('{')?..)?;
    let output: Output = serde_json::from_str(json).ok()?;
    let job = output.jobs.first().filter(|job| job.error == 0)?;
    let milliseconds = Some(job.write.runtime).filter(|runtime| *runtime > 0)?;
    Some(job.write.io_bytes as f64 / 1e3 / milliseconds as f64)
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn the_rate_is_read_from_the_json() {
        let text = r#"note: something
            {"fio version": "3", "jobs": [{"error": 0, "write": {"io_bytes": 3000000, "runtime": 1500, "bw": 1}}]}"#;
        assert_eq!(rate(text), Some(2.0));
    }

    #[test]
    fn a_failed_job_has_no_rate() {
        assert_eq!(
            rate(r#"{"jobs": [{"error": 28, "write": {"io_bytes": 1, "runtime": 1}}]}"#),
            None
        );
        assert_eq!(
            rate(r#"{"jobs": [{"error": 0, "write": {"io_bytes": 0, "runtime": 0}}]}"#),
            None
        );
        assert_eq!(rate("fio: engine io_uring not loadable"), None);
    }
}
