//! The rows of an index and their keys (docs/format.md, "Row keys"). They sort as listings go: by key, and of a key's
//! numbered versions the newest first.

use super::entry::IndexKey;
use proto::s3::{
    bucket::BucketId,
    version::{UploadId, VersionId},
};
use std::borrow::Cow;

/// First byte of the row of a null version.
pub const NULL_ROWS: u8 = 1;
/// First byte of the row of a numbered version.
pub const NUMBERED_ROWS: u8 = 2;
/// First byte of the row of an upload.
pub const UPLOAD_ROWS: u8 = 3;
/// First byte of the row of a part.
pub const PART_ROWS: u8 = 4;

/// Stands for a zero byte of a key together with a zero byte before it.
const ESCAPED_ZERO: u8 = 0xff;
/// Ends a key together with a zero byte before it.
const END: u8 = 1;
/// Greater than what ends a key, and less than what stands for a zero byte in one.
const AFTER_END: u8 = 2;
const BUCKET_BYTES: usize = size_of::<u64>();
const NUMBER_BYTES: usize = size_of::<u64>();

/// What a row of the index is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row<'k> {
    /// The null version of a key: all there is in a bucket without versions.
    Null(Cow<'k, [u8]>),
    /// Another version of a key.
    Numbered(Cow<'k, [u8]>, u64),
    /// A multipart upload to a key.
    Upload(Cow<'k, [u8]>, UploadId),
    /// A part of an upload, or of the object that was made of it.
    Part(UploadId, u16),
}

impl<'k> Row<'k> {
    /// The row of a version of a key.
    pub fn of_version(key: &'k [u8], version: VersionId) -> Self {
        match version {
            VersionId::Null => Self::Null(Cow::Borrowed(key)),
            VersionId::Number(number) => Self::Numbered(Cow::Borrowed(key), number),
        }
    }

    /// The row of an upload to a key.
    pub fn of_upload(key: &'k [u8], upload: UploadId) -> Self {
        Self::Upload(Cow::Borrowed(key), upload)
    }

    /// Its key within its bucket.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length_max());
        match self {
            Self::Null(key) => {
                bytes.push(NULL_ROWS);
                bytes.extend_from_slice(key);
            }
            Self::Numbered(key, number) => {
                push_name(&mut bytes, NUMBERED_ROWS, key);
                bytes.extend_from_slice(&(!number).to_be_bytes());
            }
            Self::Upload(key, upload) => {
                push_name(&mut bytes, UPLOAD_ROWS, key);
                bytes.extend_from_slice(&upload.0.to_be_bytes());
            }
            Self::Part(upload, number) => {
                bytes.push(PART_ROWS);
                bytes.extend_from_slice(&upload.0.to_be_bytes());
                bytes.extend_from_slice(&number.to_be_bytes());
            }
        }
        bytes
    }

    fn length_max(&self) -> usize {
        match self {
            Self::Null(key) => 1 + key.len(),
            Self::Numbered(key, _) | Self::Upload(key, _) => key.len() + 4 + NUMBER_BYTES,
            Self::Part(..) => 1 + NUMBER_BYTES + size_of::<u16>(),
        }
    }

    /// Its key in the index.
    pub fn index_key(&self, bucket: BucketId) -> IndexKey {
        super::entry::index_key(bucket, &self.encode())
    }

    /// The row of a key within its bucket; `None` if it is none.
    pub fn decode(bytes: &'k [u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match *kind {
            NULL_ROWS => Some(Self::Null(Cow::Borrowed(rest))),
            NUMBERED_ROWS => {
                let (name, number) = split_number(rest)?;
                Some(Self::Numbered(unescape(name)?, !number))
            }
            UPLOAD_ROWS => {
                let (name, number) = split_number(rest)?;
                Some(Self::Upload(unescape(name)?, UploadId(number)))
            }
            PART_ROWS => {
                let (upload, number) = rest.split_first_chunk::<NUMBER_BYTES>()?;
                let number = u16::from_be_bytes(number.try_into().ok()?);
                Some(Self::Part(UploadId(u64::from_be_bytes(*upload)), number))
            }
            _ => None,
        }
    }

    /// The version it is; of what is none, the null version.
    pub fn version(&self) -> VersionId {
        match self {
            Self::Numbered(_, number) => VersionId::Number(*number),
            Self::Null(_) | Self::Upload(..) | Self::Part(..) => VersionId::Null,
        }
    }

    /// Whether it is a version of a key.
    pub fn is_version(&self) -> bool {
        matches!(self, Self::Null(_) | Self::Numbered(..))
    }

    /// What somebody watches who depends on it: the key, of versions.
    pub fn watched(&self, bucket: BucketId) -> IndexKey {
        match self {
            Self::Null(_) => self.index_key(bucket),
            Self::Numbered(key, _) => object_key(bucket, key),
            Self::Upload(_, upload) => watched_upload(bucket, *upload),
            Self::Part(upload, _) => watched_parts(bucket, *upload),
        }
    }
}

/// The index key of a null version.
pub fn object_key(bucket: BucketId, key: &[u8]) -> IndexKey {
    let bucket = bucket.0.to_be_bytes();
    bucket.iter().chain(&[NULL_ROWS]).chain(key).copied().collect()
}

/// What is watched of an upload.
pub fn watched_upload(bucket: BucketId, upload: UploadId) -> IndexKey {
    prefix(bucket, UPLOAD_ROWS)
        .into_iter()
        .chain(upload.0.to_be_bytes())
        .collect()
}

/// What is watched of an upload's parts, and what their index keys begin with.
pub fn watched_parts(bucket: BucketId, upload: UploadId) -> IndexKey {
    prefix(bucket, PART_ROWS)
        .into_iter()
        .chain(upload.0.to_be_bytes())
        .collect()
}

/// What the index keys of a kind of rows begin with.
pub fn prefix(bucket: BucketId, kind: u8) -> Vec<u8> {
    bucket.0.to_be_bytes().into_iter().chain([kind]).collect()
}

/// What the index keys of all rows of this kind and key, and of no others, begin with.
pub fn name_prefix(bucket: BucketId, kind: u8, key: &[u8]) -> Vec<u8> {
    let mut bytes = bucket.0.to_be_bytes().to_vec();
    push_name(&mut bytes, kind, key);
    bytes
}

/// The least index key of this kind whose key is not less than `key`; with `after`, greater than it.
pub fn seek_name(bucket: BucketId, kind: u8, key: &[u8], after: bool) -> Vec<u8> {
    let mut bytes = prefix(bucket, kind);
    if kind == NULL_ROWS {
        bytes.extend_from_slice(key);
        if after {
            bytes.push(0);
        }
        return bytes;
    }
    escape(&mut bytes, key);
    if after {
        bytes.extend_from_slice(&[0, AFTER_END]);
    }
    bytes
}

/// The index key of a numbered row without its number: under it the newest of a key is cached.
pub fn newest_key(index_key: &[u8]) -> Option<&[u8]> {
    let kind = index_key.get(BUCKET_BYTES)?;
    let end = index_key.len().checked_sub(NUMBER_BYTES)?;
    (*kind == NUMBERED_ROWS).then(|| index_key.get(..end)).flatten()
}

fn push_name(bytes: &mut Vec<u8>, kind: u8, key: &[u8]) {
    bytes.push(kind);
    escape(bytes, key);
    bytes.extend_from_slice(&[0, END]);
}

fn escape(bytes: &mut Vec<u8>, key: &[u8]) {
    for byte in key {
        bytes.push(*byte);
        if *byte == 0 {
            bytes.push(ESCAPED_ZERO);
        }
    }
}

/// The escaped name and the number behind it.
fn split_number(bytes: &[u8]) -> Option<(&[u8], u64)> {
    let (name, number) = bytes.split_last_chunk::<NUMBER_BYTES>()?;
    let name = name.strip_suffix(&[0, END])?;
    Some((name, u64::from_be_bytes(*number)))
}

fn unescape(name: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !name.contains(&0) {
        return Some(Cow::Borrowed(name));
    }
    let mut key = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        key.push(*byte);
        if *byte == 0 && bytes.next() != Some(&ESCAPED_ZERO) {
            return None;
        }
    }
    Some(Cow::Owned(key))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{NULL_ROWS, NUMBERED_ROWS, Row, UPLOAD_ROWS, name_prefix, newest_key, seek_name};
    use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proto::s3::{bucket::BucketId, version::UploadId};
    use std::borrow::Cow;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(0_u8), Just(1), Just(2), Just(0xff), any::<u8>()];
        proptest::collection::vec(byte, 0..6)
    }

    proptest! {
        #[test]
        fn rows_are_read_as_they_are_written(key in key(), number: u64, part: u16) {
            let key: Cow<'_, [u8]> = Cow::Borrowed(&key);
            for row in [
                Row::Null(key.clone()),
                Row::Numbered(key.clone(), number),
                Row::Upload(key, UploadId(number)),
                Row::Part(UploadId(number), part),
            ] {
                let bytes = row.encode();
                prop_assert_eq!(Row::decode(&bytes), Some(row));
            }
        }

        #[test]
        fn rows_sort_as_listings_go(a in key(), b in key(), x: u64, y: u64) {
            let numbered = |key: &[u8], number| Row::Numbered(Cow::Owned(key.to_vec()), number).encode();
            let expected = a.cmp(&b).then(y.cmp(&x));
            prop_assert_eq!(numbered(&a, x).cmp(&numbered(&b, y)), expected);
            let upload = |key: &[u8], number| Row::Upload(Cow::Owned(key.to_vec()), UploadId(number)).encode();
            prop_assert_eq!(upload(&a, x).cmp(&upload(&b, y)), a.cmp(&b).then(x.cmp(&y)));
        }

        #[test]
        fn seeking_finds_a_key_and_what_follows_it(a in key(), b in key(), number: u64) {
            let bucket = BucketId(7);
            for kind in [NULL_ROWS, NUMBERED_ROWS, UPLOAD_ROWS] {
                let row = match kind {
                    NULL_ROWS => Row::Null(Cow::Borrowed(a.as_slice())),
                    NUMBERED_ROWS => Row::Numbered(Cow::Borrowed(&a), number),
                    _ => Row::Upload(Cow::Borrowed(&a), UploadId(number)),
                };
                let index_key = row.index_key(bucket);
                prop_assert_eq!(*index_key >= *seek_name(bucket, kind, &b, false), a >= b);
                prop_assert_eq!(*index_key >= *seek_name(bucket, kind, &b, true), a > b);
            }
            let index_key = Row::Numbered(Cow::Borrowed(&a), number).index_key(bucket);
            let name = name_prefix(bucket, NUMBERED_ROWS, &a);
            prop_assert!(index_key.starts_with(&name));
            prop_assert_eq!(newest_key(&index_key), Some(name.as_slice()));
        }

        #[test]
        fn any_bytes_are_a_row_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            if let Some(row) = Row::decode(&bytes) {
                prop_assert_eq!(row.encode(), bytes);
            }
        }
    }
}
