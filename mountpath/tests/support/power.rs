//! The loss of power: which states of the files a recording may leave behind. A write survives for certain if a sync of
//! its file began after it ended and ended before the cut; a name if its directory was synced likewise. Everything else
//! may be there, or not, or in part.

use super::{
    disk::{Content, Files, Part, SECTOR_BYTES, Step},
    generator::Generator,
    tape::{Deed, Recorded, Recording},
};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

/// How uncertain things go in one cut.
#[derive(Debug, Clone, Copy)]
enum Luck {
    NothingSurvives,
    EverythingSurvives,
    EachForItself,
    EachInParts,
    /// All but one deed in so many survive, and those that do not are torn.
    FewAreTorn(usize),
}

struct Inode {
    /// What it held when the recording began.
    base: Content,
    steps: Vec<(Step, Recorded)>,
    /// When the last sync began that was over before the cut.
    synced: usize,
}

enum NameChange {
    Create(PathBuf, usize),
    Remove(PathBuf),
}

/// A state that losing power right after tick `cut` may leave, beginning with `base`.
pub fn lose_power(base: &Files, recording: &Recording, cut: usize, generator: &mut Generator) -> Files {
    let luck = match generator.below(8) {
        0 => Luck::NothingSurvives,
        1 => Luck::EverythingSurvives,
        2 | 3 => Luck::EachForItself,
        4 | 5 => Luck::EachInParts,
        _ => Luck::FewAreTorn(generator.between(2, 6)),
    };
    let replay = Replay::new(base, recording, cut);
    let mut names = replay.first_names.clone();
    for (change, recorded) in &replay.name_changes {
        if !replay.is_durable(change, recorded, cut) && !survives(luck, generator) {
            continue;
        }
        match change {
            NameChange::Create(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            NameChange::Remove(path) => {
                names.remove(path);
            }
        }
    }
    let contents: Vec<Content> = replay
        .inodes
        .iter()
        .map(|inode| content(inode, cut, luck, generator))
        .collect();
    names
        .into_iter()
        .map(|(path, inode)| (path, contents[inode].clone()))
        .collect()
}

fn content(inode: &Inode, cut: usize, luck: Luck, generator: &mut Generator) -> Content {
    let mut content = inode.base.clone();
    for (step, recorded) in &inode.steps {
        if ended(recorded, cut).is_some_and(|end| end < inode.synced) {
            content.push(step.clone());
            continue;
        }
        match step {
            Step::Write { position, bytes, .. } => {
                let sectors = bytes.len().div_ceil(SECTOR_BYTES);
                if let Some(part) = surviving_part(luck, sectors, generator) {
                    content.push(Step::Write {
                        position: *position,
                        bytes: bytes.clone(),
                        part,
                    });
                }
            }
            other => {
                if survives(luck, generator) {
                    content.push(other.clone());
                }
            }
        }
    }
    content
}

fn survives(luck: Luck, generator: &mut Generator) -> bool {
    match luck {
        Luck::NothingSurvives => false,
        Luck::EverythingSurvives => true,
        Luck::EachForItself | Luck::EachInParts => generator.percent(50),
        Luck::FewAreTorn(rarity) => generator.below(rarity) != 0,
    }
}

fn surviving_part(luck: Luck, sectors: usize, generator: &mut Generator) -> Option<Part> {
    let torn = match luck {
        Luck::NothingSurvives => return None,
        Luck::EverythingSurvives => return Some(Part::Whole),
        Luck::EachForItself => return generator.percent(50).then_some(Part::Whole),
        Luck::EachInParts => generator.percent(80),
        Luck::FewAreTorn(rarity) => generator.below(rarity) == 0,
    };
    if !torn {
        return Some(Part::Whole);
    }
    Some(match generator.below(4) {
        0 => return None,
        1 => Part::First(generator.between(0, sectors)),
        2 => Part::Last(generator.between(0, sectors)),
        _ => Part::Some(generator.next()),
    })
}

fn ended(recorded: &Recorded, cut: usize) -> Option<usize> {
    recorded.end.filter(|end| recorded.succeeded && *end <= cut)
}

/// What the recorded deeds were done to.
struct Replay {
    inodes: Vec<Inode>,
    first_names: BTreeMap<PathBuf, usize>,
    names: BTreeMap<PathBuf, usize>,
    /// The file a name meant when it was last opened: what is done under that name is done to it, even when the name
    /// has been removed.
    open: HashMap<PathBuf, usize>,
    name_changes: Vec<(NameChange, Recorded)>,
    synced_directories: HashMap<PathBuf, usize>,
}

impl Replay {
    fn new(base: &Files, recording: &Recording, cut: usize) -> Self {
        let mut replay = Self {
            inodes: Vec::new(),
            first_names: BTreeMap::new(),
            names: BTreeMap::new(),
            open: HashMap::new(),
            name_changes: Vec::new(),
            synced_directories: HashMap::new(),
        };
        for (path, content) in base {
            let inode = replay.inode(content.clone());
            replay.first_names.insert(path.clone(), inode);
        }
        replay.names = replay.first_names.clone();
        for recorded in recording.deeds.iter().filter(|recorded| recorded.begin <= cut) {
            // What failed was refused before it began, or is as uncertain as what never ended.
            replay.apply(recorded, cut);
        }
        replay
    }

    fn inode(&mut self, base: Content) -> usize {
        self.inodes.push(Inode {
            base,
            steps: Vec::new(),
            synced: 0,
        });
        self.inodes.len() - 1
    }

    fn opened(&self, path: &Path) -> usize {
        *self
            .open
            .get(path)
            .unwrap_or_else(|| panic!("{path:?} is used but was never opened"))
    }

    fn step(&mut self, path: &Path, step: Step, recorded: &Recorded) {
        let inode = self.opened(path);
        self.inodes[inode].steps.push((step, recorded.clone()));
    }

    fn apply(&mut self, recorded: &Recorded, cut: usize) {
        match &recorded.deed {
            Deed::Open { path, create } => {
                let known = self.names.get(path).copied();
                match known {
                    Some(inode) => {
                        self.open.insert(path.clone(), inode);
                    }
                    None if *create => {
                        let inode = self.inode(Vec::new());
                        self.names.insert(path.clone(), inode);
                        self.open.insert(path.clone(), inode);
                        self.name_changes
                            .push((NameChange::Create(path.clone(), inode), recorded.clone()));
                    }
                    None => {}
                }
            }
            Deed::Write { path, position, bytes } => {
                let (position, bytes) = (*position, bytes.clone());
                let part = Part::Whole;
                self.step(path, Step::Write { position, bytes, part }, recorded);
            }
            Deed::Allocate { path, size } => self.step(path, Step::Grow(*size), recorded),
            Deed::Truncate { path, size } => self.step(path, Step::Resize(*size), recorded),
            Deed::Sync { path } => {
                if ended(recorded, cut).is_some() {
                    let inode = self.opened(path);
                    let synced = &mut self.inodes[inode].synced;
                    *synced = (*synced).max(recorded.begin);
                }
            }
            Deed::SyncDirectory { path } => {
                if ended(recorded, cut).is_some() {
                    let synced = self.synced_directories.entry(path.clone()).or_default();
                    *synced = (*synced).max(recorded.begin);
                }
            }
            Deed::Remove { path } => {
                if self.names.remove(path).is_some() {
                    self.name_changes
                        .push((NameChange::Remove(path.clone()), recorded.clone()));
                }
            }
        }
    }

    fn is_durable(&self, change: &NameChange, recorded: &Recorded, cut: usize) -> bool {
        let path = match change {
            NameChange::Create(path, _) | NameChange::Remove(path) => path,
        };
        let synced = path
            .parent()
            .and_then(|directory| self.synced_directories.get(directory))
            .copied()
            .unwrap_or(0);
        ended(recorded, cut).is_some_and(|end| end < synced)
    }
}
