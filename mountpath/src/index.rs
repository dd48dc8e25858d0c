//! The ordered index of a shard: which object each key holds. Derived from the log, held in memory.

use crate::{blob::Blob, record::ObjectMeta, segment::Segment};
use proto::s3::{
    bucket::BucketId,
    listing::{ListPage, ListQuery, ListedObject, PageBuilder, ScanStep, scan_start},
};
use std::{
    collections::{BTreeMap, HashSet},
    ops::Bound,
    rc::Rc,
};

/// Where an object's payload is read from. Holding it keeps the bytes on disk.
#[derive(Debug, Clone)]
pub enum Payload {
    /// In a segment, from this byte of the file.
    Inline {
        /// The segment.
        segment: Rc<Segment>,
        /// First byte.
        position: u64,
    },
    /// In a blob file; removed when its object is replaced and the last reader is done.
    Blob(Rc<Blob>),
}

/// An object as readers see it.
#[derive(Debug)]
pub struct ObjectEntry {
    /// The record's sequence.
    pub sequence: u64,
    /// Its metadata.
    pub meta: Box<ObjectMeta>,
    /// Its bytes.
    pub payload: Payload,
}

/// Keys in order, and fenced buckets.
#[derive(Debug, Default)]
pub struct Index {
    objects: BTreeMap<Box<[u8]>, Rc<ObjectEntry>>,
    fenced: HashSet<BucketId>,
}

fn index_key(bucket: BucketId, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + key.len());
    bytes.extend_from_slice(&bucket.0.to_be_bytes());
    bytes.extend_from_slice(key);
    bytes
}

impl Index {
    /// The object a key holds.
    pub fn object(&self, bucket: BucketId, key: &[u8]) -> Option<&Rc<ObjectEntry>> {
        self.objects.get(index_key(bucket, key).as_slice())
    }

    /// Lets a key hold an object; returns what it held.
    pub fn put(&mut self, bucket: BucketId, key: &[u8], entry: Rc<ObjectEntry>) -> Option<Rc<ObjectEntry>> {
        self.objects.insert(index_key(bucket, key).into_boxed_slice(), entry)
    }

    /// Lets a key hold nothing; returns what it held.
    pub fn delete(&mut self, bucket: BucketId, key: &[u8]) -> Option<Rc<ObjectEntry>> {
        self.objects.remove(index_key(bucket, key).as_slice())
    }

    /// Fences a bucket or lifts its fence.
    pub fn set_fence(&mut self, bucket: BucketId, fenced: bool) {
        if fenced {
            self.fenced.insert(bucket);
        } else {
            self.fenced.remove(&bucket);
        }
    }

    /// Whether a bucket takes no writes.
    pub fn is_fenced(&self, bucket: BucketId) -> bool {
        self.fenced.contains(&bucket)
    }

    /// Objects in the index.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether the index holds no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// All objects with bucket and key, in order.
    pub fn objects(&self) -> impl Iterator<Item = (BucketId, &[u8], &Rc<ObjectEntry>)> {
        self.objects.iter().filter_map(|(index_key, entry)| {
            let (bucket, key) = index_key.split_first_chunk::<8>()?;
            Some((BucketId(u64::from_be_bytes(*bucket)), key, entry))
        })
    }

    /// A page of a bucket; costs what it holds, since rolled-up prefixes are skipped by seeking.
    pub fn page(&self, bucket: BucketId, query: &ListQuery) -> ListPage {
        let mut builder = PageBuilder::new(query);
        let (start, inclusive) = scan_start(query);
        let start = index_key(bucket, &start);
        let mut from = if inclusive {
            Bound::Included(start)
        } else {
            Bound::Excluded(start)
        };
        let end = bucket.0.checked_add(1).map(|next| next.to_be_bytes());
        'seek: loop {
            let upper = end
                .as_ref()
                .map_or(Bound::Unbounded, |end| Bound::Excluded(end.as_slice()));
            let lower = from.as_ref().map(Vec::as_slice);
            for (index_key, entry) in self.objects.range::<[u8], _>((lower, upper)) {
                let Some(key) = index_key.get(8..).and_then(|key| std::str::from_utf8(key).ok()) else {
                    continue;
                };
                match builder.offer(key, || listed(key, entry)) {
                    ScanStep::Next => {}
                    ScanStep::Seek(next) => {
                        let next = self::index_key(bucket, &next);
                        if end.as_ref().is_some_and(|end| next.as_slice() >= end.as_slice()) {
                            break 'seek;
                        }
                        from = Bound::Included(next);
                        continue 'seek;
                    }
                    ScanStep::Stop => break 'seek,
                }
            }
            break;
        }
        builder.finish()
    }
}

fn listed(key: &str, entry: &ObjectEntry) -> ListedObject {
    ListedObject {
        key: key.to_owned(),
        size: entry.meta.size,
        modified_unix_ms: entry.meta.modified_unix_ms,
        etag: entry.meta.etag.clone(),
        storage_class: entry.meta.headers.storage_class.clone(),
    }
}
