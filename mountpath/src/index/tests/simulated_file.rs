//! A file in memory that records what is done to it, can refuse to do it, and can be had as a crash would have left it.

use super::support::Numbers;
use crate::index::block_file::BlockFile;
use std::{
    io,
    sync::{Arc, Mutex},
};

const SECTOR_BYTES: usize = 512;

/// What was done to a file.
#[derive(Debug, Clone)]
pub enum Operation {
    Write {
        position: u64,
        bytes: Vec<u8>,
    },
    SetLen(u64),
    Sync,
    /// Not of the file: a mark of the test.
    Mark(u64),
}

#[derive(Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    operations: Vec<Operation>,
    /// Operations, reads too, until one fails.
    left: Option<(u64, io::ErrorKind)>,
    has_failed: bool,
}

/// The file.
#[derive(Debug, Default)]
pub struct SimulatedFile(Mutex<Contents>);

impl SimulatedFile {
    pub fn new(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Contents {
            bytes,
            ..Contents::default()
        })))
    }

    /// Lets so many operations succeed, then one fail.
    pub fn fail_after(&self, operations: u64, kind: io::ErrorKind) {
        self.0.lock().unwrap().left = Some((operations, kind));
    }

    pub fn has_failed(&self) -> bool {
        self.0.lock().unwrap().has_failed
    }

    pub fn mark(&self, mark: u64) {
        self.0.lock().unwrap().operations.push(Operation::Mark(mark));
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    pub fn operations(&self) -> Vec<Operation> {
        self.0.lock().unwrap().operations.clone()
    }
}

impl Contents {
    fn may(&mut self) -> io::Result<()> {
        if let Some((left, kind)) = &mut self.left {
            if *left == 0 {
                let kind = *kind;
                self.left = None;
                self.has_failed = true;
                return Err(kind.into());
            }
            *left -= 1;
        }
        Ok(())
    }
}

pub fn write(file: &mut Vec<u8>, position: u64, bytes: &[u8]) {
    let start = usize::try_from(position).unwrap();
    let end = start + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[start..end].copy_from_slice(bytes);
}

impl BlockFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        let mut contents = self.0.lock().unwrap();
        contents.may()?;
        Ok(contents.bytes.len() as u64)
    }
    fn read_exact_at(&self, bytes: &mut [u8], position: u64) -> io::Result<()> {
        let mut contents = self.0.lock().unwrap();
        contents.may()?;
        let start = usize::try_from(position).unwrap();
        let source = contents.bytes.get(start..start + bytes.len());
        bytes.copy_from_slice(source.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let mut contents = self.0.lock().unwrap();
        contents.may()?;
        write(&mut contents.bytes, position, bytes);
        contents.operations.push(Operation::Write {
            position,
            bytes: bytes.to_vec(),
        });
        Ok(())
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut contents = self.0.lock().unwrap();
        contents.may()?;
        contents.bytes.resize(usize::try_from(length).unwrap(), 0);
        contents.operations.push(Operation::SetLen(length));
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut contents = self.0.lock().unwrap();
        contents.may()?;
        contents.operations.push(Operation::Sync);
        Ok(())
    }
}

/// Replays operations, telling at each of them what a crash could leave.
#[derive(Debug, Default)]
pub struct Replay {
    synced: Vec<u8>,
    unsynced: Vec<Operation>,
    /// The last mark.
    pub mark: u64,
}

impl Replay {
    pub fn step(&mut self, operation: &Operation) {
        match operation {
            Operation::Mark(mark) => self.mark = *mark,
            Operation::Sync => {
                for operation in self.unsynced.drain(..) {
                    match operation {
                        Operation::Write { position, bytes } => write(&mut self.synced, position, &bytes),
                        Operation::SetLen(length) => self.synced.resize(usize::try_from(length).unwrap(), 0),
                        Operation::Sync | Operation::Mark(_) => {}
                    }
                }
            }
            operation => self.unsynced.push(operation.clone()),
        }
    }

    /// The file after a crash now: of what was not synced anything may be missing or torn.
    pub fn crash(&self, numbers: &mut Numbers) -> Vec<u8> {
        let mut file = self.synced.clone();
        // Nothing, everything, or some of it.
        let chance = [0, 100, numbers.below(100)][usize::try_from(numbers.below(3)).unwrap()];
        let mut length_min = u64::MAX;
        for operation in &self.unsynced {
            match operation {
                Operation::Write { position, bytes } => {
                    let is_torn = chance > 0 && numbers.below(4) == 0;
                    let is_kept = numbers.below(100) < chance;
                    for (index, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                        let position = position + (index * SECTOR_BYTES) as u64;
                        // Beyond a length that did not make it there is nothing.
                        let is_within = position + sector.len() as u64 <= length_min;
                        let is_kept = if is_torn { numbers.below(2) == 0 } else { is_kept };
                        if is_within && is_kept {
                            write(&mut file, position, sector);
                        }
                    }
                }
                Operation::SetLen(length) => {
                    if numbers.below(100) < chance {
                        file.resize(usize::try_from(*length).unwrap(), 0);
                    } else {
                        length_min = length_min.min(file.len() as u64);
                    }
                }
                Operation::Sync | Operation::Mark(_) => {}
            }
        }
        file
    }
}
