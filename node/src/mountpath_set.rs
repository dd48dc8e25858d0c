//! The mountpaths of a node as a whole. Each keeps a list of them all (docs/format.md, "Mountpath"), so that one whose
//! disk is away or broken is told from one that is new: the first is waited for and never formatted, the others serve
//! meanwhile. Blocking code, run before the cores start.

use mountpath::{
    error::MountpathError,
    layout::{FormatOptions, Mountpath, random_uuid, write_whole},
    limits::SHARDS_PER_MOUNTPATH_MAX,
};
use proto::{
    auth::sigv4::{from_hex, hex},
    cluster::map::Uuid,
    digest::hasher::block_checksum,
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// In every mountpath: the list of all.
const LIST: &str = "corelane.node";
const LIST_NEW: &str = "corelane.node.new";
const LIST_VERSION: &str = "1";

/// Why a node's mountpaths cannot be used. Every message says what to do.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum MountpathSetError {
    #[error(transparent)]
    Mountpath(#[from] MountpathError),
    #[error("{0} and {1} belong to different nodes; start each node with its own directories")]
    MixedNodes(String, String),
    #[error(
        "the set of data directories has changed: this node was made with {known}, and {given} are given; start with \
         the same --data directories as before, those that are away included"
    )]
    Changed { known: usize, given: usize },
    #[error(
        "{0} holds shards that this node's other directories do not know; start with the same --data directories as \
         before"
    )]
    Unknown(String),
    #[error("{0} holds no mountpath, and {1} belongs to a node that had all of its own; mount the disk of the first")]
    Away(String, String),
    #[error("{0} cannot be used: {1}; mount its disk, or check that it is readable and writable")]
    Nothing(String, String),
    #[error("the list of mountpaths cannot be written to {0}: {1}; check that there is space and that it is writable")]
    List(String, io::Error),
    #[error("no random numbers: {0}")]
    Random(io::Error),
}

/// The mountpaths of a node, locked by this process.
#[derive(Debug)]
pub struct MountpathSet {
    /// The node.
    pub node: Uuid,
    /// Those that can be used.
    pub usable: Vec<Mountpath>,
    /// The shards of each of the others.
    pub missing: Vec<Vec<Uuid>>,
}

/// What the list says: the node, and the shards of each mountpath in order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NodeList {
    node: Uuid,
    mountpaths: Vec<Vec<Uuid>>,
}

impl MountpathSet {
    /// Opens the mountpaths at `roots`. A new node's are formatted, with `shard_count` shards each. Of a node that exists
    /// nothing is formatted: what cannot be used is logged and left out, as long as anything is left.
    pub fn open(roots: &[PathBuf], shard_count: usize) -> Result<Self, MountpathSetError> {
        let mut known: Option<(&PathBuf, NodeList)> = None;
        let mut damaged = None;
        for root in roots {
            let list = match NodeList::read(root) {
                Ok(Some(list)) => list,
                Ok(None) => continue,
                Err(reason) => {
                    tracing::warn!(mountpath = %root.display(), reason, "the list of mountpaths cannot be read");
                    damaged = Some(root);
                    continue;
                }
            };
            match &known {
                Some((first, other)) if other.node != list.node => return Err(mixed(first, root)),
                Some((_, other)) if *other != list => return Err(MountpathSetError::Unknown(name(root))),
                Some(_) => {}
                None => known = Some((root, list)),
            }
        }
        match known {
            Some((_, list)) => Self::open_known(roots, list),
            None => Self::open_new(roots, shard_count, damaged),
        }
    }

    /// A node without a list is new, or its making was interrupted before anything was stored. Where one was and is
    /// damaged, or where something is stored, nothing is formatted.
    fn open_new(roots: &[PathBuf], shard_count: usize, damaged: Option<&PathBuf>) -> Result<Self, MountpathSetError> {
        let fresh = random_uuid().map_err(MountpathSetError::Random)?;
        let mut node = None;
        let mut in_use = damaged.cloned();
        let mut opened: Vec<Option<Mountpath>> = Vec::new();
        for root in roots {
            let mountpath = match Mountpath::peek_node(root)? {
                Some(_) => Some(Mountpath::open_existing(root)?),
                None => None,
            };
            if let Some(mountpath) = &mountpath {
                if *node.get_or_insert(mountpath.node()) != mountpath.node() {
                    return Err(mixed(roots.first().unwrap_or(root), root));
                }
                if holds_data(mountpath) {
                    in_use = Some(root.clone());
                }
            }
            opened.push(mountpath);
        }
        let node = node.unwrap_or(fresh);
        let mut usable: Vec<Mountpath> = Vec::new();
        for (root, mountpath) in roots.iter().zip(opened) {
            usable.push(match (mountpath, &in_use) {
                (Some(mountpath), _) => mountpath,
                (None, Some(other)) => return Err(MountpathSetError::Away(name(root), name(other))),
                (None, None) => Mountpath::open(root, || FormatOptions { node, shard_count })?,
            });
        }
        let list = NodeList {
            node,
            mountpaths: usable.iter().map(|mountpath| mountpath.shards().to_vec()).collect(),
        };
        // Before anything is stored: an empty mountpath beside a list is never formatted again.
        for mountpath in &usable {
            list.write(mountpath.root())
                .map_err(|error| MountpathSetError::List(name(mountpath.root()), error))?;
        }
        Ok(Self {
            node,
            usable,
            missing: Vec::new(),
        })
    }

    fn open_known(roots: &[PathBuf], list: NodeList) -> Result<Self, MountpathSetError> {
        if roots.len() != list.mountpaths.len() {
            return Err(MountpathSetError::Changed {
                known: list.mountpaths.len(),
                given: roots.len(),
            });
        }
        let mut usable: Vec<Mountpath> = Vec::new();
        let mut unusable = Vec::new();
        let mut missing = list.mountpaths.clone();
        for root in roots {
            let mountpath = match open_formatted(root)? {
                Ok(mountpath) => mountpath,
                Err(reason) => {
                    unusable.push((root, reason));
                    continue;
                }
            };
            if mountpath.node() != list.node {
                let other = usable.first().map_or(root.as_path(), Mountpath::root);
                return Err(mixed(other, root));
            }
            let place = missing.iter().position(|shards| shards == mountpath.shards());
            let place = place.ok_or_else(|| MountpathSetError::Unknown(name(root)))?;
            missing.remove(place);
            if !matches!(NodeList::read(root), Ok(Some(_)))
                && let Err(error) = list.write(root)
            {
                tracing::warn!(mountpath = %root.display(), %error, "the list of mountpaths could not be written");
            }
            usable.push(mountpath);
        }
        if usable.is_empty()
            && let Some((root, reason)) = unusable.pop()
        {
            return Err(MountpathSetError::Nothing(name(root), reason));
        }
        for (root, reason) in unusable {
            tracing::error!(
                mountpath = %root.display(),
                reason,
                "a mountpath cannot be used: its shards answer 503 until it is back and the node is started again"
            );
        }
        Ok(Self {
            node: list.node,
            usable,
            missing,
        })
    }
}

/// Opens a mountpath that was formatted once. The inner error is why it cannot be used; the outer one stops the node,
/// because whoever started it can mend it.
fn open_formatted(root: &Path) -> Result<Result<Mountpath, String>, MountpathSetError> {
    match Mountpath::peek_node(root) {
        Ok(Some(_)) => {}
        Ok(None) => return Ok(Err("there is no mountpath".to_owned())),
        Err(error @ MountpathError::UnknownVersion { .. }) => return Err(error.into()),
        Err(error) => return Ok(Err(error.to_string())),
    }
    match Mountpath::open_existing(root) {
        Ok(mountpath) => Ok(Ok(mountpath)),
        Err(error @ (MountpathError::Locked { .. } | MountpathError::UnknownVersion { .. })) => Err(error.into()),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// Whether anything was ever written to a mountpath; one that cannot tell may hold all sorts of things.
fn holds_data(mountpath: &Mountpath) -> bool {
    (0..mountpath.shards().len()).any(|index| {
        let segments = mountpath.shard_paths(index).segments();
        segments.map_or(true, |segments| !segments.is_empty())
    })
}

impl NodeList {
    /// The list of a mountpath, if it has one; an error is why it cannot be read.
    fn read(root: &Path) -> Result<Option<Self>, String> {
        match std::fs::read_to_string(root.join(LIST)) {
            Ok(text) => Self::parse(&text).map(Some).ok_or_else(|| "it is damaged".to_owned()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (text, checksum) = text.split_at_checked(text.rfind("checksum = ")?)?;
        if checksum != checksum_line(text) {
            return None;
        }
        let mut lines = text.lines().filter_map(|line| line.split_once(" = "));
        let (_, version) = lines.next().filter(|(field, _)| *field == "version")?;
        let (_, node) = lines.next().filter(|(field, _)| *field == "node")?;
        let node = from_hex(node).filter(|_| version == LIST_VERSION)?;
        let mountpaths: Option<Vec<Vec<Uuid>>> = lines
            .map(|(field, shards)| match field {
                "mountpath" => shards.split(' ').map(from_hex).collect(),
                _ => None,
            })
            .collect();
        let mountpaths = mountpaths?;
        let possible = |shards: &Vec<Uuid>| (1..=SHARDS_PER_MOUNTPATH_MAX).contains(&shards.len());
        (!mountpaths.is_empty() && mountpaths.iter().all(possible)).then_some(Self { node, mountpaths })
    }

    fn text(&self) -> String {
        let mut text = format!("version = {LIST_VERSION}\nnode = {}\n", hex(&self.node));
        for shards in &self.mountpaths {
            let shards: Vec<String> = shards.iter().map(|shard| hex(shard)).collect();
            text.push_str(&format!("mountpath = {}\n", shards.join(" ")));
        }
        text.push_str(&checksum_line(&text));
        text
    }

    /// Durable, and whole or not there.
    fn write(&self, root: &Path) -> io::Result<()> {
        write_whole(root, LIST_NEW, LIST, &self.text())
    }
}

/// The last line: the checksum of all before it.
fn checksum_line(text: &str) -> String {
    format!("checksum = {:016x}\n", block_checksum(text.as_bytes()))
}

fn mixed(one: &Path, other: &Path) -> MountpathSetError {
    MountpathSetError::MixedNodes(name(one), name(other))
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests;
