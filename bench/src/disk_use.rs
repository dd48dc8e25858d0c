//! How much of the disk a folder takes, and how that changes under a load.

use crate::error::{Context, Result};
use serde::Serialize;
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// st_blocks counts in these (stat(2)), whatever the filesystem's blocks are.
const BLOCK_BYTES: u64 = 512;

/// What a folder held at a moment of a load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sample {
    /// Since the load began.
    pub seconds: f64,
    /// Payload bytes the load had written.
    pub written_bytes: u64,
    /// Bytes the folder took on the disk.
    pub disk_bytes: u64,
}

/// The samples of a load on objects of `live_bytes` altogether, which it overwrites.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    live_bytes: u64,
    samples: Vec<Sample>,
}

/// Bytes allocated to everything below `root` but the folder `except`, as `du` counts them. What vanishes meanwhile
/// counts or not.
pub fn disk_bytes(root: &Path, except: &str) -> Result<u64> {
    let mut total = 0;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.context(format_args!("list {}", folder.display()))?,
        };
        for entry in entries.flatten() {
            // Of a link itself, not of what it leads to.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() && folder == root && entry.file_name() == except {
                continue;
            }
            total += metadata.blocks() * BLOCK_BYTES;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(total)
}

impl Curve {
    /// Without samples.
    pub fn new(live_bytes: u64) -> Self {
        Self {
            live_bytes,
            samples: Vec::new(),
        }
    }

    /// Adds a sample; they come in the order of time.
    pub fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// Bytes on disk over live bytes.
    pub fn ratio(&self, sample: &Sample) -> f64 {
        sample.disk_bytes as f64 / self.live_bytes as f64
    }

    /// The sample with the most bytes on disk, the earliest of equal ones.
    pub fn peak(&self) -> Option<&Sample> {
        self.samples.iter().rev().max_by_key(|sample| sample.disk_bytes)
    }

    /// The last sample.
    pub fn last(&self) -> Option<&Sample> {
        self.samples.last()
    }

    /// At most `count` samples, evenly spread, the first and the last among them.
    pub fn thinned(&self, count: usize) -> Vec<&Sample> {
        let last = self.samples.len().saturating_sub(1);
        let steps = count.saturating_sub(1).min(last).max(1);
        let mut indices: Vec<usize> = (0..=steps).map(|step| step * last / steps).collect();
        indices.dedup();
        indices
            .into_iter()
            .filter_map(|index| self.samples.get(index))
            .collect()
    }
}

/// Payload written between two samples, in MB (10^6 bytes) a second.
pub fn megabytes_per_s(from: &Sample, to: &Sample) -> f64 {
    let bytes = to.written_bytes.saturating_sub(from.written_bytes);
    bytes as f64 / 1e6 / (to.seconds - from.seconds)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn curve(disk_bytes: &[u64]) -> Curve {
        let mut curve = Curve::new(100);
        for (index, bytes) in disk_bytes.iter().enumerate() {
            curve.add(Sample {
                seconds: index as f64 * 0.5,
                written_bytes: index as u64 * 1_000_000,
                disk_bytes: *bytes,
            });
        }
        curve
    }

    #[test]
    fn peak_and_ends() {
        let curve = curve(&[110, 150, 190, 190, 130]);
        let ratio = |sample: Option<&Sample>| curve.ratio(sample.unwrap());
        assert_eq!(ratio(curve.samples.first()), 1.1);
        assert_eq!(ratio(curve.peak()), 1.9);
        assert_eq!(curve.peak().unwrap().seconds, 1.0);
        assert_eq!(ratio(curve.last()), 1.3);
    }

    #[test]
    fn thinning_keeps_both_ends() {
        let curve = curve(&(0..100).collect::<Vec<u64>>());
        let taken: Vec<u64> = curve.thinned(5).iter().map(|sample| sample.disk_bytes).collect();
        assert_eq!(taken, [0, 24, 49, 74, 99]);
        assert_eq!(self::curve(&[1, 2, 3]).thinned(10).len(), 3);
        assert_eq!(self::curve(&[1]).thinned(10).len(), 1);
        assert!(self::curve(&[]).thinned(10).is_empty());
    }

    #[test]
    fn rates_between_samples() {
        let curve = curve(&[1, 1, 1]);
        let (first, last) = (curve.samples.first().unwrap(), curve.last().unwrap());
        assert_eq!(megabytes_per_s(first, last), 2.0);
    }

    #[test]
    fn allocated_bytes_are_counted_and_one_folder_left_out() {
        let root = std::env::temp_dir().join(format!("corelane-disk-use-{}", std::process::id()));
        for folder in ["a/b", "control"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("control/key"), vec![1; 1 << 20]).unwrap();
        let empty = disk_bytes(&root, "control").unwrap();
        std::fs::write(root.join("a/b/object"), vec![1; 100_000]).unwrap();
        let file = std::fs::File::create(root.join("a/sparse")).unwrap();
        file.set_len(1 << 30).unwrap();
        std::fs::File::open(root.join("a/b/object"))
            .unwrap()
            .sync_all()
            .unwrap();
        let full = disk_bytes(&root, "control").unwrap();
        std::fs::remove_dir_all(&root).unwrap();
        assert!(full >= empty + 100_000 && full < empty + (1 << 20), "{empty} {full}");
    }
}
