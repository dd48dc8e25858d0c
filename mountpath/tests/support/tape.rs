//! A recording of everything that was done to the files, in order, between marks of what the client knew.

use corelane_mountpath::io::medium::{Observer, Operation};
use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// The number of what is not recorded.
const UNRECORDED: u64 = u64::MAX;

/// What was done; paths are relative to the mountpath.
#[derive(Debug, Clone)]
pub enum Deed {
    Open {
        path: PathBuf,
        create: bool,
    },
    Write {
        path: PathBuf,
        position: u64,
        bytes: Arc<[u8]>,
    },
    Allocate {
        path: PathBuf,
        size: u64,
    },
    Truncate {
        path: PathBuf,
        size: u64,
    },
    Sync {
        path: PathBuf,
    },
    SyncDirectory {
        path: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
}

impl Deed {
    /// The names whose files are different afterwards.
    fn touched(&self) -> Vec<&Path> {
        match self {
            Self::Open { create: false, .. } | Self::Sync { .. } | Self::SyncDirectory { .. } => Vec::new(),
            Self::Open { path, .. }
            | Self::Write { path, .. }
            | Self::Allocate { path, .. }
            | Self::Truncate { path, .. }
            | Self::Remove { path } => vec![path],
        }
    }

    /// For messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Write { path, position, bytes } => format!("Write {path:?} {} bytes at {position}", bytes.len()),
            other => format!("{other:?}"),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Recorded {
    pub deed: Deed,
    /// When it began and ended, in ticks.
    pub begin: usize,
    pub end: Option<usize>,
    pub succeeded: bool,
}

/// What a tape holds. Ticks count from 1; a cut at tick `t` is after everything up to and including `t`.
#[derive(Debug, Default)]
pub struct Recording {
    pub deeds: Vec<Recorded>,
    pub ticks: usize,
}

impl Recording {
    /// Files that may be different from before.
    pub fn touched(&self) -> HashSet<PathBuf> {
        let deeds = self.deeds.iter().flat_map(|recorded| recorded.deed.touched());
        deeds.map(Path::to_owned).collect()
    }

    /// What happened last before a cut, for messages.
    pub fn last_before(&self, cut: usize, count: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for recorded in self.deeds.iter().filter(|recorded| recorded.begin <= cut) {
            let end = recorded.end.filter(|end| *end <= cut);
            lines.push(format!("{}..{end:?} {}", recorded.begin, recorded.deed.describe()));
        }
        lines.split_off(lines.len().saturating_sub(count))
    }
}

/// The recorder.
pub struct Tape {
    root: PathBuf,
    recording: Mutex<Recording>,
}

impl Tape {
    /// Records what happens below `root`.
    pub fn new(root: &Path) -> Arc<Self> {
        Arc::new(Self {
            root: root.to_owned(),
            recording: Mutex::default(),
        })
    }

    /// A moment of its own.
    pub fn tick(&self) -> usize {
        let mut recording = self.recording.lock().unwrap();
        recording.ticks += 1;
        recording.ticks
    }

    /// What was recorded; nothing may be under way any more.
    pub fn take(&self) -> Recording {
        std::mem::take(&mut self.recording.lock().unwrap())
    }

    fn deed(&self, operation: &Operation<'_>) -> Option<Deed> {
        let own = |path: &Path| path.strip_prefix(&self.root).unwrap().to_owned();
        Some(match *operation {
            Operation::Direct { .. } | Operation::Read { .. } => return None,
            Operation::Open { path, create } => Deed::Open {
                path: own(path),
                create,
            },
            Operation::Write { path, position, bytes } => Deed::Write {
                path: own(path),
                position,
                bytes: bytes.into(),
            },
            Operation::Allocate { path, size } => Deed::Allocate { path: own(path), size },
            Operation::Truncate { path, size } => Deed::Truncate { path: own(path), size },
            Operation::Sync { path } => Deed::Sync { path: own(path) },
            Operation::SyncDirectory { path } => Deed::SyncDirectory { path: own(path) },
            Operation::Remove { path } => Deed::Remove { path: own(path) },
        })
    }
}

impl Observer for Tape {
    fn begin(&self, operation: &Operation<'_>) -> io::Result<u64> {
        let Some(deed) = self.deed(operation) else {
            return Ok(UNRECORDED);
        };
        let mut recording = self.recording.lock().unwrap();
        recording.ticks += 1;
        let begin = recording.ticks;
        recording.deeds.push(Recorded {
            deed,
            begin,
            end: None,
            succeeded: false,
        });
        Ok(recording.deeds.len() as u64 - 1)
    }

    fn end(&self, id: u64, succeeded: bool) {
        if id == UNRECORDED {
            return;
        }
        let index = usize::try_from(id).unwrap();
        let mut recording = self.recording.lock().unwrap();
        recording.ticks += 1;
        let now = recording.ticks;
        // What was begun before the recording was taken is not in it.
        if let Some(recorded) = recording.deeds.get_mut(index) {
            recorded.end = Some(now);
            recorded.succeeded = succeeded;
        }
    }
}
