//! The disk's own speed at durable 4 KiB appends: the yardstick of `put-durable`.

use crate::{
    error::{Context, Result},
    limits::{DISK_PROBE_BYTES, DISK_WRITE_BYTES},
};
use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

/// Writes followed by fdatasync, one at a time, a second: buffered 4 KiB writes over a file that was written before, so
/// that no sync has to touch the filesystem's metadata.
pub fn durable_writes_per_s(folder: &Path, length: Duration) -> Result<f64> {
    let path = folder.join("disk-probe");
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .context("create the disk probe")?;
    let block = vec![0xa5; DISK_WRITE_BYTES];
    let blocks = DISK_PROBE_BYTES / DISK_WRITE_BYTES as u64;
    for index in 0..blocks {
        file.write_all_at(&block, index * DISK_WRITE_BYTES as u64)
            .context("write the disk probe")?;
    }
    file.sync_all().context("sync the disk probe")?;
    let begun = Instant::now();
    let mut writes = 0_u64;
    while begun.elapsed() < length {
        file.write_all_at(&block, writes % blocks * DISK_WRITE_BYTES as u64)
            .context("write the disk probe")?;
        file.sync_data().context("sync the disk probe")?;
        writes += 1;
    }
    let rate = writes as f64 / begun.elapsed().as_secs_f64();
    std::fs::remove_file(&path).context("remove the disk probe")?;
    Ok(rate)
}
