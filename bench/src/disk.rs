//! What the disk can do with nothing above it but the filesystem: the yardsticks of `put-durable`.

use crate::{
    error::{Context, Result},
    limits::{DISK_PROBE_BYTES, DISK_PROBE_FILES, DISK_WRITE_BYTES},
};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

/// What one thread reaches that waits for the disk each time.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct DiskAlone {
    /// Appends to one file, each with fdatasync, a second.
    pub appends_per_s: f64,
    /// Files made durable under their name, a second.
    pub files_per_s: f64,
}

/// Measures both for `length` each, in a folder that is made and removed.
pub fn alone(parent: &Path, length: Duration) -> Result<DiskAlone> {
    let folder = parent.join("disk-probe");
    fs::create_dir(&folder).context("make the disk probe's folder")?;
    let measured = DiskAlone {
        appends_per_s: durable_writes_per_s(&folder, length)?,
        files_per_s: durable_files_per_s(&folder, length)?,
    };
    fs::remove_dir_all(&folder).context("remove the disk probe")?;
    Ok(measured)
}

/// Writes followed by fdatasync, one at a time, a second: buffered 4 KiB writes over a file that was written before, so
/// that no sync has to touch the filesystem's metadata.
fn durable_writes_per_s(folder: &Path, length: Duration) -> Result<f64> {
    let file = create(&folder.join("log"))?;
    let block = vec![0xa5; DISK_WRITE_BYTES];
    let blocks = DISK_PROBE_BYTES / DISK_WRITE_BYTES as u64;
    for index in 0..blocks {
        file.write_all_at(&block, index * DISK_WRITE_BYTES as u64)
            .context("write the disk probe")?;
    }
    file.sync_all().context("sync the disk probe")?;
    rate(length, |number| {
        file.write_all_at(&block, number % blocks * DISK_WRITE_BYTES as u64)
            .context("write the disk probe")?;
        file.sync_data().context("sync the disk probe")
    })
}

/// Objects a second as a server would keep them that makes a file of each: written under a temporary name, synced,
/// renamed, and the folder synced.
fn durable_files_per_s(folder: &Path, length: Duration) -> Result<f64> {
    let directory = File::open(folder).context("open the disk probe's folder")?;
    let block = vec![0xa5; DISK_WRITE_BYTES];
    let temporary = folder.join("new");
    rate(length, |number| {
        let mut file = create(&temporary)?;
        file.write_all(&block).context("write a file of the disk probe")?;
        file.sync_data().context("sync a file of the disk probe")?;
        let name = folder.join(format!("object-{:05}", number % DISK_PROBE_FILES));
        fs::rename(&temporary, name).context("rename a file of the disk probe")?;
        directory.sync_all().context("sync the disk probe's folder")
    })
}

fn create(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).open(path);
    file.context("create the disk probe")
}

/// How often a second `action` is done, which is told how often it was done before.
fn rate(length: Duration, mut action: impl FnMut(u64) -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < length {
        action(done)?;
        done += 1;
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::alone;
    use std::time::Duration;

    #[test]
    fn the_probes_leave_nothing_behind() {
        let folder = std::env::temp_dir().join(format!("corelane-disk-alone-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let measured = alone(&folder, Duration::from_millis(20)).unwrap();
        assert!(measured.appends_per_s > 0.0 && measured.files_per_s > 0.0);
        // Fails unless the folder is empty.
        std::fs::remove_dir(&folder).unwrap();
    }
}
