//! Whatever byte of the file is wrong: what is read is right, or an error.

use super::{
    model::Model,
    scenario::{SMALL_CACHE_BYTES, Scenario},
    simulated_file::SimulatedFile,
    support::{Numbers, SHARD},
};
use crate::index::{
    block_file::PAGE_BYTES,
    database::{Database, DatabaseError, SegmentUse, Totals},
    entry::{BucketState, Checkpoint, IndexKey, Latest, ObjectEntry},
};
use proto::s3::{
    bucket::BucketId,
    listing::{ListPage, ListQuery},
};
use std::{collections::BTreeMap, env, sync::Arc};

const GROUP_BYTES: usize = 513 * PAGE_BYTES;

/// Everything that a database says.
#[derive(Debug, PartialEq, Eq)]
struct Answers {
    checkpoint: Option<Checkpoint>,
    totals: Totals,
    buckets: Vec<(BucketId, BucketState)>,
    segments: BTreeMap<u64, SegmentUse>,
    latest: Vec<Option<Latest>>,
    accessed: Vec<Option<u64>>,
    overwrites: Vec<u64>,
    objects: Vec<(IndexKey, Arc<ObjectEntry>)>,
    blobs: Vec<(u64, IndexKey)>,
    page: ListPage,
}

fn ask(database: &Database, keys: &[IndexKey]) -> Result<Answers, DatabaseError> {
    let query = ListQuery {
        limit: 1000,
        ..ListQuery::default()
    };
    let latest = database.lookup(keys)?;
    let numbers = latest.iter().map(|latest| latest.as_ref().map_or(0, Latest::sequence));
    let numbered: Vec<(IndexKey, u64)> = keys.iter().cloned().zip(numbers).collect();
    Ok(Answers {
        checkpoint: database.checkpoint()?,
        totals: database.totals()?,
        buckets: database.buckets()?,
        segments: database.segments()?,
        latest,
        accessed: database.accessed(&numbered)?,
        overwrites: database.overwrites(keys)?,
        objects: database.scan(None, usize::MAX)?,
        blobs: database.blobs(None, usize::MAX)?,
        page: database.page(BucketId(1), &query, &[])?,
    })
}

struct Subject {
    scenario: Scenario,
    keys: Vec<IndexKey>,
    answers: Answers,
    contents: Vec<u8>,
}

impl Subject {
    /// A database of two groups of pages, after its end or a kill.
    fn new(is_closed: bool) -> Self {
        let scenario = Scenario::new(4, 3, 400);
        let file = SimulatedFile::new(Vec::new());
        let database = Database::open(file.clone(), SHARD, SMALL_CACHE_BYTES).unwrap();
        for batch in &scenario.batches[..2] {
            database.apply(&batch.changes()).unwrap();
        }
        let model: &Model = &scenario.models[2];
        let keys: Vec<IndexKey> = model.latest.keys().cloned().collect();
        assert!(
            model
                .latest
                .values()
                .any(|latest| matches!(latest, Latest::Tombstone(_)))
        );
        let answers = ask(&database, &keys).unwrap();
        let contents = if is_closed {
            database.close().unwrap();
            file.bytes()
        } else {
            file.bytes()
        };
        assert!(contents.len() > GROUP_BYTES + 20 * PAGE_BYTES);
        Self {
            scenario,
            keys,
            answers,
            contents,
        }
    }

    /// What comes of a file; whether it was found to be damaged.
    fn try_out(&self, contents: Vec<u8>, what: &str) -> bool {
        let file = SimulatedFile::new(contents);
        let database = match Database::open(file, SHARD, SMALL_CACHE_BYTES) {
            Ok(database) => database,
            Err(DatabaseError::Damaged(_)) => return true,
            Err(error) => panic!("{what}: {error}"),
        };
        let mut is_damaged = false;
        // Asked again, it says the same.
        for _ in 0..2 {
            match ask(&database, &self.keys) {
                Ok(answers) => assert!(answers == self.answers, "{what}: other answers"),
                Err(DatabaseError::Damaged(_)) => is_damaged = true,
                Err(error) => panic!("{what}: {error}"),
            }
        }
        match database.apply(&self.scenario.batches[2].changes()) {
            Ok(_) => {
                assert!(!is_damaged);
                self.scenario.models[3].verify(&database);
            }
            Err(DatabaseError::Damaged(_)) => is_damaged = true,
            Err(error) => panic!("{what}: {error}"),
        }
        is_damaged
    }
}

#[test]
fn a_wrong_byte_anywhere_is_found_or_does_not_matter() {
    let rounds: usize = env::var("INDEX_DAMAGE_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    for is_closed in [false, true] {
        let subject = Subject::new(is_closed);
        assert!(!subject.try_out(subject.contents.clone(), "nothing"));
        let mut numbers = Numbers(5);
        let length = subject.contents.len() as u64;
        let mut positions = Vec::new();
        for _ in 0..rounds {
            // The header, pages of checksums, anywhere.
            positions.extend((0..12).map(|_| numbers.below(512)));
            positions.extend((0..4).map(|_| 512 + numbers.below(PAGE_BYTES as u64 - 512)));
            for group in 0..2 {
                let start = (PAGE_BYTES + group * GROUP_BYTES) as u64;
                positions.extend((0..12).map(|_| start + numbers.below(PAGE_BYTES as u64)));
            }
            positions.extend((0..80).map(|_| numbers.below(length)));
        }
        let mut damaged = 0;
        for position in positions {
            let mut contents = subject.contents.clone();
            contents[usize::try_from(position).unwrap()] ^= 1 << numbers.below(8);
            let is_damaged = subject.try_out(contents, &format!("position {position}"));
            assert!(is_damaged || position >= 512, "the header at {position}");
            damaged += usize::from(is_damaged);
        }
        assert!(damaged > rounds * 40, "{damaged}");
    }
}

/// Writes that went astray: pages that hold zeros, or another page's bytes.
#[test]
fn a_wrong_page_is_found_or_does_not_matter() {
    let subject = Subject::new(false);
    let pages = subject.contents.len() / PAGE_BYTES;
    let mut numbers = Numbers(6);
    let mut damaged = 0;
    for round in 0..100 {
        let page = if round < 4 {
            round % 2 * 513 + 1
        } else {
            usize::try_from(numbers.below(pages as u64)).unwrap()
        };
        let other = usize::try_from(numbers.below(pages as u64)).unwrap();
        let mut contents = subject.contents.clone();
        let target = page * PAGE_BYTES..(page + 1) * PAGE_BYTES;
        if round % 2 == 0 {
            contents[target].fill(0);
        } else {
            contents.copy_within(other * PAGE_BYTES..(other + 1) * PAGE_BYTES, target.start);
        }
        damaged += usize::from(subject.try_out(contents, &format!("page {page} of {other}")));
    }
    assert!(damaged > 30, "{damaged}");
}

#[test]
fn files_that_are_not_this_shards_index_are_refused() {
    let subject = Subject::new(true);
    let open = |contents: &[u8], shard| {
        let file = SimulatedFile::new(contents.to_vec());
        Database::open(file.clone(), shard, SMALL_CACHE_BYTES).map(|_| file)
    };
    let refused = |contents: &[u8], shard| matches!(open(contents, shard), Err(DatabaseError::Damaged(_)));
    match open(&subject.contents, [1; 16]) {
        Err(DatabaseError::Damaged(reason)) => assert!(reason.contains("another shard")),
        other => panic!("{other:?}"),
    }
    assert!(refused(b"short", SHARD));
    assert!(refused(&[b'x'; 3 * PAGE_BYTES], SHARD));
    assert!(refused(&vec![0; 2 << 20], SHARD));
    // As redb would write it, without checksums.
    assert!(refused(&subject.contents[64..], SHARD));
    // Cut short, after an end or a kill.
    for subject in [&subject, &Subject::new(false)] {
        let length = subject.contents.len();
        for missing in [
            1,
            512,
            PAGE_BYTES,
            20 * PAGE_BYTES,
            length - GROUP_BYTES,
            length - 18 * PAGE_BYTES,
            length - PAGE_BYTES,
            length - 600,
        ] {
            assert!(refused(&subject.contents[..length - missing], SHARD), "{missing}");
        }
    }
    // Grown by what a crash could have left, or by what nothing of ours leaves.
    let mut longer = subject.contents.clone();
    longer.push(0);
    assert!(refused(&longer, SHARD));

    // The beginnings of a file that was never used are used.
    for contents in [&[][..], &[0; 18 * PAGE_BYTES]] {
        assert!(open(contents, SHARD).is_ok());
    }
}
