//! What the tests share: files that record, forget or refuse, and records made of numbers.

use crate::{
    index::{
        block_file::BlockFile,
        entry::{Home, IndexKey, Latest, ObjectEntry, Tombstone},
        row::object_key,
    },
    record::{ObjectMeta, Placement, block_count},
};
use proto::s3::{bucket::BucketId, object::ObjectHeaders, version::VersionId};
use std::{fs, io, os::unix::fs::FileExt, path::Path, sync::Arc};

pub const SHARD: [u8; 16] = *b"0123456789abcdef";
pub const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// A file of the disk.
#[derive(Debug)]
pub struct DiskFile(fs::File);

impl DiskFile {
    pub fn open(path: &Path) -> Arc<Self> {
        let file = fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        Arc::new(Self(file.unwrap()))
    }
}

impl BlockFile for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
    fn read_exact_at(&self, bytes: &mut [u8], position: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, position)
    }
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, position)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Random numbers, the same in every run.
#[derive(Debug, Clone)]
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

pub fn meta(size: u64, headers: ObjectHeaders) -> ObjectMeta {
    ObjectMeta {
        modified_unix_ms: 1_795_000_000_000 + size,
        size,
        xxh3_128: u128::from(size) << 64 | 7,
        etag: format!("{:032x}", u128::from(size) * 0x1234_5678_9abc_def1),
        checksum: None,
        headers,
        block_checksums: (0..block_count(size)).collect(),
        ..ObjectMeta::default()
    }
}

pub fn object(sequence: u64, home: Home, placement: Placement, size: u64) -> Latest {
    let headers = ObjectHeaders {
        content_type: Some("application/octet-stream".into()),
        storage_class: sequence.is_multiple_of(5).then(|| "GLACIER".to_owned()),
        ..ObjectHeaders::default()
    };
    Latest::Object(Arc::new(ObjectEntry {
        sequence,
        home,
        footprint: 300 + u32::try_from(size % 1000).unwrap(),
        placement,
        version: VersionId::Null,
        meta: ObjectMeta {
            version_number: sequence,
            ..meta(size, headers)
        },
    }))
}

pub fn tombstone(sequence: u64, home: Home, origin_segment: u64) -> Latest {
    Latest::Tombstone(Tombstone {
        sequence,
        home,
        footprint: 96,
        origin_segment,
    })
}

pub fn key(bucket: u64, name: &str) -> IndexKey {
    object_key(BucketId(bucket), name.as_bytes())
}
