//! A mountpath of one shard, removed when the test is done with it, unless it failed.

use corelane_mountpath::layout::{FormatOptions, Mountpath, ShardPaths};
use std::{
    fs,
    path::{Path, PathBuf},
};

pub struct Directory {
    root: PathBuf,
    mountpath: Mountpath,
}

impl Directory {
    /// An empty shard.
    pub fn new(name: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        Self::open(root)
    }

    /// A shard that takes the files of `other`: it has the same identity.
    pub fn like(other: &Self, name: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        let marker = other.paths().marker();
        fs::copy(&marker, root.join(marker.file_name().unwrap())).unwrap();
        Self::open(root)
    }

    fn open(root: PathBuf) -> Self {
        let format = || FormatOptions {
            node: [1; 16],
            shard_count: 1,
        };
        let mountpath = Mountpath::open(&root, format).unwrap();
        Self { root, mountpath }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn uuid(&self) -> [u8; 16] {
        self.mountpath.shards()[0]
    }

    pub fn paths(&self) -> ShardPaths {
        self.mountpath.shard_paths(0)
    }

    /// The shard's own files, as paths below the root.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut directories = vec![self.root.join("shard-000")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                } else {
                    files.push(entry.path().strip_prefix(&self.root).unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("left for inspection: {}", self.root.display());
        } else {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}
