//! Contents of files as steps that make them, and a directory that is made to hold them with as little writing as
//! possible.

use super::directory::Directory;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

pub const SECTOR_BYTES: usize = 512;
const BLOCK_BYTES: usize = 4096;

/// Which part of a write is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// Only the first sectors.
    First(usize),
    /// All but the first sectors.
    Last(usize),
    /// Sectors as chosen by a seed.
    Some(u64),
}

impl Part {
    fn holds(self, sector: usize) -> bool {
        match self {
            Self::Whole => true,
            Self::First(count) => sector < count,
            Self::Last(from) => sector >= from,
            Self::Some(seed) => super::generator::Generator::new(seed ^ sector as u64).percent(50),
        }
    }
}

/// A step to a file's content.
#[derive(Debug, Clone)]
pub enum Step {
    Write {
        position: u64,
        bytes: Arc<[u8]>,
        part: Part,
    },
    /// The length becomes at least this.
    Grow(u64),
    /// The length becomes this.
    Resize(u64),
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Grow(one), Self::Grow(two)) | (Self::Resize(one), Self::Resize(two)) => one == two,
            (
                Self::Write { position, bytes, part },
                Self::Write {
                    position: other_position,
                    bytes: other_bytes,
                    part: other_part,
                },
            ) => position == other_position && part == other_part && Arc::ptr_eq(bytes, other_bytes),
            _ => false,
        }
    }
}

/// What a file holds: the steps from an empty file.
pub type Content = Vec<Step>;
/// Files by their names relative to the mountpath.
pub type Files = BTreeMap<PathBuf, Content>;

/// A directory that shows one state after the other.
pub struct Stage {
    pub directory: Directory,
    shown: HashMap<PathBuf, Content>,
}

impl Stage {
    pub fn new(directory: Directory) -> Self {
        Self {
            directory,
            shown: HashMap::new(),
        }
    }

    /// Makes the directory hold exactly these files. `touched` may have changed since the last time.
    pub fn show(&mut self, files: &Files, touched: &HashSet<PathBuf>) {
        for path in touched {
            self.shown.remove(path);
            if !files.contains_key(path) {
                let _ = fs::remove_file(self.directory.root().join(path));
            }
        }
        let root = self.directory.root().to_owned();
        self.shown.retain(|path, _| {
            let stays = files.contains_key(path);
            if !stays {
                fs::remove_file(root.join(path)).unwrap();
            }
            stays
        });
        for (path, content) in files {
            if self.shown.get(path) != Some(content) {
                write(&root.join(path), content);
                self.shown.insert(path.clone(), content.clone());
            }
        }
    }
}

fn write(path: &Path, content: &Content) {
    let _ = fs::remove_file(path);
    let file = OpenOptions::new().create_new(true).write(true).open(path).unwrap();
    for step in content {
        match step {
            Step::Grow(size) if file.metadata().unwrap().len() >= *size => {}
            Step::Grow(size) | Step::Resize(size) => file.set_len(*size).unwrap(),
            Step::Write {
                position,
                bytes,
                part: Part::Whole,
            } => file.write_all_at(bytes, *position).unwrap(),
            Step::Write { position, bytes, part } => {
                for (sector, chunk) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    if part.holds(sector) {
                        let offset = (sector * SECTOR_BYTES) as u64;
                        file.write_all_at(chunk, position + offset).unwrap();
                    }
                }
            }
        }
    }
}

/// What a directory's files hold now.
pub fn load(directory: &Directory) -> Files {
    let read = |path: PathBuf| {
        let content = read_sparse(&directory.root().join(&path));
        (path, content)
    };
    directory.files().into_iter().map(read).collect()
}

fn read_sparse(path: &Path) -> Content {
    let file = File::open(path).unwrap();
    let size = file.metadata().unwrap().len();
    let mut content = vec![Step::Resize(size)];
    let mut position = 0;
    while position < size {
        match rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(position)) {
            Ok(found) => position = found - found % BLOCK_BYTES as u64,
            Err(_) => break,
        }
        let length = usize::try_from(size - position).unwrap().min(BLOCK_BYTES);
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, position).unwrap();
        if bytes.iter().any(|byte| *byte != 0) {
            content.push(Step::Write {
                position,
                bytes: bytes.into(),
                part: Part::Whole,
            });
        }
        position += BLOCK_BYTES as u64;
    }
    content
}
