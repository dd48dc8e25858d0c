//! The file with checksums against plain bytes.

use super::{simulated_file::SimulatedFile, support::SHARD};
use crate::index::{
    backend::{Backend, ChecksummedFile},
    block_file::PAGE_BYTES,
    file_header::CONTENT_BYTES,
};
use proptest::{collection::vec, prelude::*};
use redb::StorageBackend;
use std::{io, sync::Arc};

/// Around the place where the second group begins.
const WINDOW_PAGES: u64 = 12;
const WINDOW_START: u64 = (512 - WINDOW_PAGES / 2) * PAGE_BYTES as u64;
const LENGTH: u64 = 600 * PAGE_BYTES as u64;

#[derive(Debug, Clone)]
enum Step {
    Write { position: u64, bytes: usize, fill: u8 },
    Header { position: usize, fill: u8 },
    Shorten { pages: u64 },
    Sync,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let window = WINDOW_PAGES * PAGE_BYTES as u64;
    let place = prop_oneof![0..window, (0..WINDOW_PAGES).prop_map(|page| page * PAGE_BYTES as u64)];
    let bytes = prop_oneof![1..3 * PAGE_BYTES, (1..5_usize).prop_map(|pages| pages * PAGE_BYTES)];
    prop_oneof![
        6 => (place, bytes, 1..=255_u8).prop_map(|(place, bytes, fill)| Step::Write {
            position: WINDOW_START + place,
            bytes,
            fill,
        }),
        1 => (0..CONTENT_BYTES, any::<u8>()).prop_map(|(position, fill)| Step::Header { position, fill }),
        1 => (500..600_u64).prop_map(|pages| Step::Shorten { pages }),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ]
}

fn open(file: &Arc<SimulatedFile>) -> Backend {
    Backend(Arc::new(ChecksummedFile::open(file.clone(), SHARD).unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(steps in vec(step(), 1..30)) {
        let file = SimulatedFile::new(Vec::new());
        let mut backend = open(&file);
        backend.set_len(LENGTH).unwrap();
        backend.sync_data().unwrap();
        // So that the file counts as used.
        backend.write(0, &[0]).unwrap();
        let mut model = vec![0_u8; usize::try_from(LENGTH).unwrap()];
        let mut is_written = vec![false; model.len() / PAGE_BYTES];
        for step in steps {
            match step {
                Step::Write { position, bytes, fill } => {
                    backend.write(position, &vec![fill; bytes]).unwrap();
                    let start = usize::try_from(position).unwrap();
                    model[start..start + bytes].fill(fill);
                    is_written[start / PAGE_BYTES..=(start + bytes - 1) / PAGE_BYTES].fill(true);
                }
                Step::Header { position, fill } => {
                    backend.write(position as u64, &[fill]).unwrap();
                    model[position] = fill;
                }
                Step::Shorten { pages } => {
                    backend.set_len(pages * PAGE_BYTES as u64).unwrap();
                    backend.sync_data().unwrap();
                    backend.set_len(LENGTH).unwrap();
                    let pages = usize::try_from(pages).unwrap();
                    model[pages * PAGE_BYTES..].fill(0);
                    is_written[pages..].fill(false);
                }
                Step::Sync => backend.sync_data().unwrap(),
                Step::Reopen => {
                    backend.sync_data().unwrap();
                    backend = open(&file);
                }
            }
            prop_assert_eq!(backend.len().unwrap(), LENGTH);
        }
        let mut header = vec![1; PAGE_BYTES];
        backend.read(0, &mut header).unwrap();
        prop_assert_eq!(&header, &model[..PAGE_BYTES]);
        for (page, is_written) in is_written.iter().enumerate().skip(1) {
            let start = page * PAGE_BYTES;
            let mut whole = vec![1; PAGE_BYTES];
            let mut part = vec![1; 100];
            let results = [
                backend.read(start as u64, &mut whole),
                backend.read(start as u64 + 1000, &mut part),
            ];
            if *is_written {
                prop_assert!(results.iter().all(Result::is_ok));
                prop_assert_eq!(&whole, &model[start..start + PAGE_BYTES]);
                prop_assert_eq!(&part, &model[start + 1000..start + 1100]);
            } else {
                // redb reads no such page; if it does, the page or its checksum was lost.
                let kinds = results.map(|result| result.unwrap_err().kind());
                prop_assert_eq!(kinds, [io::ErrorKind::InvalidData; 2]);
            }
        }
    }
}

#[test]
fn what_redb_never_does_is_refused() {
    let backend = open(&SimulatedFile::new(Vec::new()));
    assert!(backend.set_len(0).is_err());
    assert!(backend.set_len(100).is_err());
    backend.set_len(2 * PAGE_BYTES as u64).unwrap();
    for (position, bytes) in [(0, PAGE_BYTES), (CONTENT_BYTES as u64, 1)] {
        assert!(backend.write(position, &vec![1; bytes]).is_err());
    }
    let mut bytes = [0; 2];
    for position in [2 * PAGE_BYTES as u64 - 1, u64::MAX - 1, u64::MAX] {
        assert!(backend.write(position, &bytes).is_err());
        assert!(backend.read(position, &mut bytes).is_err());
    }
}
