//! How fast it is. Not a test: run by hand in release.

use super::support::{DiskFile, Numbers, SHARD, key, object, tombstone};
use crate::{
    index::{
        database::{Changes, Database},
        entry::{Home, IndexKey, Latest, Memtable},
    },
    record::Placement,
};
use proto::s3::{bucket::BucketId, listing::ListQuery};
use std::{env, fs, os::unix::fs::MetadataExt, path::PathBuf, time::Instant};

const BATCH: u64 = 65_536;

/// A key of about 60 bytes.
fn name(number: u64, total: u64) -> IndexKey {
    // Spread over the key space, so that rising numbers are random places.
    let place = if is_sorted() {
        number * 64
    } else {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (total * 64)
    };
    key(
        7,
        &format!("data/year=2026/month=11/part-{place:016x}-{number:010}.bin"),
    )
}

/// Whether the rows come in order, which is much faster.
fn is_sorted() -> bool {
    env::var_os("INDEX_MEASURE_SORTED").is_some()
}

fn entry(sequence: u64) -> Latest {
    let home = Home {
        segment: sequence / 50_000,
        batch: 4096 * (sequence % 50_000 / 100),
    };
    object(sequence, home, Placement::Inline { batch_offset: 128 }, 20_000)
}

/// Seconds by the clock, and seconds this thread was on a processor: others may be busy too.
struct Watch(Instant, f64);

impl Watch {
    fn start() -> Self {
        Self(Instant::now(), on_processor_s())
    }
    fn stop(self) -> String {
        let (clock, processor) = (self.0.elapsed().as_secs_f64(), on_processor_s() - self.1);
        format!("{clock:.2} s ({processor:.2} s on a processor)")
    }
}

fn on_processor_s() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse::<f64>().ok());
    nanoseconds.unwrap_or_default() / 1e9
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn path() -> PathBuf {
    env::var("INDEX_MEASURE_FILE").map_or_else(|_| env::temp_dir().join("corelane-index-measure"), PathBuf::from)
}

#[test]
#[ignore = "a measurement"]
fn measure() {
    let rows = number("INDEX_MEASURE_ROWS", 1_000_000);
    let cache_bytes = usize::try_from(number("INDEX_MEASURE_CACHE_MIB", 256)).unwrap() << 20;
    let path = path();
    let _ = fs::remove_file(&path);
    let database = Database::open(DiskFile::open(&path), SHARD, cache_bytes).unwrap();
    let start = Instant::now();
    let mut last = String::new();
    for first in (0..rows).step_by(65_536) {
        let entries: Memtable = (first..(first + BATCH).min(rows))
            .map(|number| (name(number, rows), entry(number)))
            .collect();
        let one = Watch::start();
        let changes = Changes {
            entries: Some(&entries),
            ..Changes::default()
        };
        database.apply(&changes).unwrap();
        last = one.stop();
    }
    println!(
        "load of {rows}: {:.1} s, the last apply {last}",
        start.elapsed().as_secs_f64()
    );
    let metadata = fs::metadata(&path).unwrap();
    println!(
        "file: {} MiB long, {} MiB on disk: {} bytes a row",
        metadata.len() >> 20,
        (metadata.blocks() * 512) >> 20,
        metadata.blocks() * 512 / rows
    );

    let mut numbers = Numbers(1);
    for what in ["overwrites", "half deletions", "objects over tombstones"] {
        for round in 0..3 {
            let entries: Memtable = (0..BATCH)
                .map(|index| {
                    let sequence = rows * (round + 2) + index;
                    let key = name(numbers.below(rows), rows);
                    if what == "half deletions" && index % 2 == 0 {
                        (key, tombstone(sequence * 10, entry(sequence).home(), 0))
                    } else {
                        (key, entry(sequence * 10))
                    }
                })
                .collect();
            let one = Watch::start();
            let changes = Changes {
                entries: Some(&entries),
                ..Changes::default()
            };
            let applied = database.apply(&changes).unwrap();
            println!(
                "apply of {} random {what}: {} ({} objects)",
                entries.len(),
                one.stop(),
                applied.totals.objects
            );
        }
    }

    read(&database, rows, "warm");
    // As a kill would leave it.
    std::mem::forget(database);
    let start = Instant::now();
    let database = Database::open(DiskFile::open(&path), SHARD, cache_bytes).unwrap();
    println!("open after a kill: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    read(&database, rows, "reopened");
    let start = Instant::now();
    database.close().unwrap();
    println!("close: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    drop(Database::open(DiskFile::open(&path), SHARD, cache_bytes).unwrap());
    println!("open and close: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let metadata = fs::metadata(&path).unwrap();
    println!(
        "file: {} MiB long, {} MiB on disk",
        metadata.len() >> 20,
        (metadata.blocks() * 512) >> 20
    );
    fs::remove_file(&path).unwrap();
}

fn read(database: &Database, rows: u64, state: &str) {
    let mut numbers = Numbers(2);
    let keys: Vec<IndexKey> = (0..1000).map(|_| name(numbers.below(rows), rows)).collect();
    for round in ["first", "second"] {
        let start = Instant::now();
        for key in &keys {
            database.lookup(std::slice::from_ref(key)).unwrap();
        }
        println!(
            "{state}: lookup, {round} time: {:.2} us",
            start.elapsed().as_secs_f64() * 1e3
        );
    }
    let overlay: Memtable = (0..BATCH)
        .map(|index| (name(numbers.below(rows), rows), entry(index + (1 << 40))))
        .collect();
    for (what, overlays) in [("no", vec![]), ("two", vec![overlay.clone(), overlay])] {
        for round in ["first", "second"] {
            let query = ListQuery {
                prefix: String::new(),
                delimiter: String::new(),
                start_after: format!("data/year=2026/month=11/part-{:016x}", rows * 32),
                limit: 1000,
                ..ListQuery::default()
            };
            let start = Instant::now();
            let page = database.page(BucketId(7), &query, &overlays).unwrap();
            println!(
                "{state}: page of {}, {what} overlays, {round} time: {:.0} us",
                page.entries.len(),
                start.elapsed().as_secs_f64() * 1e6
            );
        }
    }
    // So that the allocator tidies up now, after the memtables.
    drop(vec![1_u8; 1 << 16]);
    for digits in [13, 12, 10] {
        let query = ListQuery {
            prefix: format!("data/year=2026/month=11/part-{:016x}", 0)
                .split_at(29 + digits)
                .0
                .to_owned(),
            delimiter: "0".into(),
            start_after: String::new(),
            limit: 1000,
            ..ListQuery::default()
        };
        for round in ["first", "second"] {
            let start = Instant::now();
            let page = database.page(BucketId(7), &query, &[]).unwrap();
            println!(
                "{state}: page of {} with roll-up, {round} time: {:.0} us",
                page.entries.len(),
                start.elapsed().as_secs_f64() * 1e6
            );
        }
    }
}
