//! A mountpath on disk: format marker, lock, one directory a shard (docs/format.md, "Mountpath"). Blocking code, run
//! before the cores start.

use crate::{
    error::MountpathError,
    io::medium::Medium,
    limits::{BLOB_DIRECTORY_COUNT, LOCK_WAIT_S, SHARDS_PER_MOUNTPATH_MAX},
};
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The format this build reads and writes.
pub const FORMAT_VERSION: u32 = 3;
const MARKER: &str = "corelane.format";
const MARKER_NEW: &str = "corelane.format.new";
const LOCK: &str = "lock";
/// Entries beside a mountpath's own that do not make a directory foreign: control data of the serving command, and
/// what mkfs leaves.
const FRIENDLY: [&str; 4] = ["control", "lost+found", LOCK, MARKER_NEW];

/// A mountpath, formatted and locked by this process until dropped.
#[derive(Debug)]
pub struct Mountpath {
    root: PathBuf,
    node: [u8; 16],
    shards: Vec<[u8; 16]>,
    _lock: File,
}

/// Where a shard's files are, and what lies beneath them.
#[derive(Debug, Clone)]
pub struct ShardPaths {
    root: PathBuf,
    medium: Medium,
}

/// What a new mountpath is given.
#[derive(Debug, Clone)]
pub struct FormatOptions {
    /// The node it belongs to.
    pub node: [u8; 16],
    /// Shards, fixed for the mountpath's life.
    pub shard_count: usize,
}

impl Mountpath {
    /// Locks a directory and reads its marker. An empty directory is formatted with what `format` says; anything else
    /// must be a mountpath of this version.
    pub fn open(root: &Path, format: impl FnOnce() -> FormatOptions) -> Result<Self, MountpathError> {
        let unusable = |source: io::Error| MountpathError::Unusable {
            path: root.to_owned(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .map_err(unusable)?;
        Self::open_as(root, Some(format))
    }

    /// Locks a directory that was formatted before and reads its marker; nothing is ever formatted.
    pub fn open_existing(root: &Path) -> Result<Self, MountpathError> {
        Self::open_as(root, None::<fn() -> FormatOptions>)
    }

    fn open_as(root: &Path, format: Option<impl FnOnce() -> FormatOptions>) -> Result<Self, MountpathError> {
        let unusable = |source: io::Error| MountpathError::Unusable {
            path: root.to_owned(),
            source,
        };
        let marker = root.join(MARKER);
        let formatted = marker.try_exists().map_err(unusable)?;
        if !formatted {
            refuse_foreign(root)?;
        }
        let lock = take_lock(root)?;
        if let Some(format) = format
            && !marker.try_exists().map_err(unusable)?
        {
            write_marker(root, &format()).map_err(unusable)?;
        }
        let text = fs::read_to_string(&marker).map_err(unusable)?;
        let (node, shards) = parse_marker(root, &text)?;
        for index in 0..shards.len() {
            let paths = ShardPaths::new(root, index);
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(paths.log()).map_err(unusable)?;
            for directory in 0..BLOB_DIRECTORY_COUNT {
                builder.create(paths.blob_directory(directory)).map_err(unusable)?;
            }
            for directory in [paths.root.join("blob"), paths.root.clone()] {
                sync_directory(&directory).map_err(unusable)?;
            }
        }
        sync_directory(root).map_err(unusable)?;
        Ok(Self {
            root: root.to_owned(),
            node,
            shards,
            _lock: lock,
        })
    }

    /// The node this mountpath belongs to, if it is formatted already; nothing is locked or changed.
    pub fn peek_node(root: &Path) -> Result<Option<[u8; 16]>, MountpathError> {
        match fs::read_to_string(root.join(MARKER)) {
            Ok(text) => parse_marker(root, &text).map(|(node, _)| Some(node)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(MountpathError::Unusable {
                path: root.to_owned(),
                source,
            }),
        }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The node it belongs to.
    pub fn node(&self) -> [u8; 16] {
        self.node
    }

    /// Its shards' identities, by index.
    pub fn shards(&self) -> &[[u8; 16]] {
        &self.shards
    }

    /// Where the files of a shard are.
    pub fn shard_paths(&self, index: usize) -> ShardPaths {
        ShardPaths::new(&self.root, index)
    }
}

impl ShardPaths {
    fn new(mountpath: &Path, index: usize) -> Self {
        Self {
            root: mountpath.join(format!("shard-{index:03}")),
            medium: Medium::default(),
        }
    }
    /// The same files over another medium.
    pub fn with_medium(mut self, medium: Medium) -> Self {
        self.medium = medium;
        self
    }
    /// What lies beneath the files.
    pub fn medium(&self) -> &Medium {
        &self.medium
    }
    /// The format marker of the mountpath: a file that exists and is not empty.
    pub fn marker(&self) -> PathBuf {
        self.root.with_file_name(MARKER)
    }
    /// The directory of the shard.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The index.
    pub fn index(&self) -> PathBuf {
        self.root.join("index.redb")
    }
    /// The directory of segments.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }
    /// A segment file.
    pub fn segment(&self, id: u64) -> PathBuf {
        self.root.join("log").join(format!("{id:016x}.seg"))
    }
    /// The directory a blob lies in.
    pub fn blob_directory(&self, blob: u64) -> PathBuf {
        self.root
            .join("blob")
            .join(format!("{:02x}", blob % BLOB_DIRECTORY_COUNT))
    }
    /// A blob file.
    pub fn blob(&self, blob: u64) -> PathBuf {
        self.blob_directory(blob).join(format!("{blob:016x}.blob"))
    }
    /// Numbers of the segments on disk, ascending.
    pub fn segments(&self) -> io::Result<Vec<u64>> {
        let mut ids = numbered(&self.log(), ".seg")?;
        ids.sort_unstable();
        Ok(ids)
    }
    /// Numbers of the blobs in one of the BLOB_DIRECTORY_COUNT directories, in no order.
    pub fn blobs(&self, directory: u64) -> io::Result<Vec<u64>> {
        numbered(&self.blob_directory(directory), ".blob")
    }
}

fn numbered(directory: &Path, suffix: &str) -> io::Result<Vec<u64>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(suffix));
        ids.extend(number.and_then(|digits| u64::from_str_radix(digits, 16).ok()));
    }
    Ok(ids)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn refuse_foreign(root: &Path) -> Result<(), MountpathError> {
    let unusable = |source: io::Error| MountpathError::Unusable {
        path: root.to_owned(),
        source,
    };
    for entry in fs::read_dir(root).map_err(unusable)? {
        let name = entry.map_err(unusable)?.file_name();
        if !FRIENDLY.iter().any(|friendly| name == *friendly) {
            return Err(MountpathError::Foreign { path: root.to_owned() });
        }
    }
    Ok(())
}

fn take_lock(root: &Path) -> Result<File, MountpathError> {
    let unusable = |source: io::Error| MountpathError::Unusable {
        path: root.to_owned(),
        source,
    };
    let path = root.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(unusable)?;
    let deadline = Instant::now() + Duration::from_secs(LOCK_WAIT_S);
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => {
                if Instant::now() >= deadline {
                    return Err(MountpathError::Locked { path: root.to_owned() });
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) => return Err(unusable(error.into())),
        }
    }
}

fn write_marker(root: &Path, options: &FormatOptions) -> io::Result<()> {
    let mut text = format!("version = {FORMAT_VERSION}\nnode = {}\n", hex(&options.node));
    for _ in 0..options.shard_count.clamp(1, SHARDS_PER_MOUNTPATH_MAX) {
        text.push_str(&format!("shard = {}\n", hex(&random_uuid()?)));
    }
    write_whole(root, MARKER_NEW, MARKER, &text)
}

/// Writes a file of a directory under another name and renames it: afterwards it is there, whole and durably, or as it was
/// before.
pub fn write_whole(directory: &Path, temporary: &str, name: &str, text: &str) -> io::Result<()> {
    let temporary = directory.join(temporary);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(name))?;
    sync_directory(directory)
}

fn parse_marker(root: &Path, text: &str) -> Result<([u8; 16], Vec<[u8; 16]>), MountpathError> {
    let bad = |reason: &str| MountpathError::BadMarker {
        path: root.to_owned(),
        reason: reason.to_owned(),
    };
    let fields: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(" = ")).collect();
    let value = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
    let version = value("version").ok_or_else(|| bad("no version"))?;
    if version.parse() != Ok(FORMAT_VERSION) {
        let (path, found) = (root.to_owned(), version.to_owned());
        return Err(MountpathError::UnknownVersion {
            path,
            found,
            expected: FORMAT_VERSION,
        });
    }
    let node = value("node").and_then(unhex).ok_or_else(|| bad("no node"))?;
    let shards: Option<Vec<[u8; 16]>> = fields
        .iter()
        .filter(|(field, _)| *field == "shard")
        .map(|(_, value)| unhex(value))
        .collect();
    match shards {
        Some(shards) if (1..=SHARDS_PER_MOUNTPATH_MAX).contains(&shards.len()) => Ok((node, shards)),
        _ => Err(bad("no shards")),
    }
}

/// 16 random bytes from the kernel.
pub fn random_uuid() -> io::Result<[u8; 16]> {
    let mut bytes = [0u8; 16];
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes)
}

fn hex(bytes: &[u8; 16]) -> String {
    proto::auth::sigv4::hex(bytes)
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    proto::auth::sigv4::from_hex(text)
}
