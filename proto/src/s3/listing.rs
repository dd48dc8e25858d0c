//! Listing without I/O: one rule for a shard's page; [`super::merge`] makes one page of the pages of many shards.

use crate::{
    limits::LIST_KEYS_MAX,
    wire::{Decoder, Encoder, WireError},
};

/// What a listing asks for, after version differences are resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only keys that start with this.
    pub prefix: String,
    /// Keys that hold this after the prefix are rolled up; empty: none.
    pub delimiter: String,
    /// Only entries after this key or common prefix, exclusive. A start that lies inside a rolled-up prefix (the marker is the
    /// common prefix itself, or starts with it) skips that whole prefix.
    pub start_after: String,
    /// At most this many entries (keys and common prefixes together).
    pub limit: usize,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Modification time, milliseconds since the epoch.
    pub modified_unix_ms: u64,
    /// ETag without quotes.
    pub etag: String,
    /// Storage class; `None` is STANDARD.
    pub storage_class: Option<String>,
}

/// An entry of a page, in byte order of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListEntry {
    /// An object.
    Object(ListedObject),
    /// A rolled-up prefix, delimiter included.
    CommonPrefix(String),
}

impl ListEntry {
    /// The key or the prefix: what pages are ordered by and continue after.
    pub fn name(&self) -> &str {
        match self {
            Self::Object(object) => &object.key,
            Self::CommonPrefix(prefix) => prefix,
        }
    }
}

/// A sorted page of one shard, core or the whole bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Sorted by name, without duplicates.
    pub entries: Vec<ListEntry>,
    /// Whether more follows the last entry.
    pub truncated: bool,
}

/// The common prefix `key` is rolled up into, if any.
pub fn common_prefix<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    if delimiter.is_empty() {
        return None;
    }
    let position = key.strip_prefix(prefix)?.find(delimiter)?;
    key.get(..prefix.len() + position + delimiter.len())
}

/// The smallest string greater than every string that starts with `prefix`, for seeking past a rolled-up prefix; `None` when there is none.
/// Byte-wise, hence bytes.
pub fn prefix_successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut successor = prefix.get(..=kept)?.to_vec();
    *successor.last_mut()? += 1;
    Some(successor)
}

/// Where a scan must start: the smallest key bytes that can be in the page, and whether that bound is inclusive.
pub fn scan_start(query: &ListQuery) -> (Vec<u8>, bool) {
    if query.start_after.as_bytes() < query.prefix.as_bytes() || query.start_after.is_empty() {
        return (query.prefix.as_bytes().to_vec(), true);
    }
    common_prefix(&query.start_after, &query.prefix, &query.delimiter)
        .and_then(|rolled_up| prefix_successor(rolled_up.as_bytes()))
        .map_or_else(|| (query.start_after.as_bytes().to_vec(), false), |seek| (seek, true))
}

/// Builds a page from keys met in byte order: the shard feeds every key it seeks to and is told where to seek next. It sees one
/// entry more than the page holds, so that `truncated` is the truth.
#[derive(Debug)]
pub struct PageBuilder<'q> {
    query: &'q ListQuery,
    page: ListPage,
}

/// What a scan does after a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanStep {
    /// Go on with the next key.
    Next,
    /// Seek to this byte string (inclusive): the rest of a rolled-up prefix is skipped.
    Seek(Vec<u8>),
    /// The page is complete or the keys left the prefix.
    Stop,
}

impl<'q> PageBuilder<'q> {
    /// An empty page for `query`.
    pub fn new(query: &'q ListQuery) -> Self {
        Self {
            query,
            page: ListPage::default(),
        }
    }
    /// Offers the next key in order; `object` is called only when the key itself enters the page.
    pub fn offer(&mut self, key: &str, object: impl FnOnce() -> ListedObject) -> ScanStep {
        let query = self.query;
        if query.limit == 0 {
            return ScanStep::Stop;
        }
        if !key.starts_with(&query.prefix) {
            return if key < query.prefix.as_str() {
                ScanStep::Seek(query.prefix.as_bytes().to_vec())
            } else {
                ScanStep::Stop
            };
        }
        let rolled_up = common_prefix(key, &query.prefix, &query.delimiter);
        // An empty start_after starts before every name, and no name is empty.
        let name = rolled_up.unwrap_or(key);
        let last = self
            .page
            .entries
            .last()
            .map_or(query.start_after.as_str(), ListEntry::name);
        let is_new = name > last;
        if is_new && self.page.entries.len() >= query.limit {
            self.page.truncated = true;
            return ScanStep::Stop;
        }
        if is_new {
            self.page.entries.push(match rolled_up {
                Some(prefix) => ListEntry::CommonPrefix(prefix.to_owned()),
                None => ListEntry::Object(object()),
            });
        }
        match rolled_up {
            Some(prefix) => prefix_successor(prefix.as_bytes()).map_or(ScanStep::Stop, ScanStep::Seek),
            None => ScanStep::Next,
        }
    }
    /// The page.
    pub fn finish(self) -> ListPage {
        self.page
    }
}

const TAG_OBJECT: u8 = 0;
const TAG_COMMON_PREFIX: u8 = 1;

impl ListPage {
    /// Encodes for the answer of a core.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.bool(self.truncated);
        encoder.u32(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        for entry in &self.entries {
            match entry {
                ListEntry::Object(object) => {
                    encoder.u8(TAG_OBJECT);
                    object.encode(encoder);
                }
                ListEntry::CommonPrefix(prefix) => {
                    encoder.u8(TAG_COMMON_PREFIX).string(prefix);
                }
            }
        }
    }
    /// Decodes it; at most LIST_KEYS_MAX entries, in strictly rising order.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let truncated = decoder.bool()?;
        let count = usize::try_from(decoder.u32()?).map_err(|_| WireError::Invalid)?;
        if count > LIST_KEYS_MAX {
            return Err(WireError::Invalid);
        }
        let mut entries: Vec<ListEntry> = Vec::with_capacity(count);
        for _ in 0..count {
            let entry = match decoder.u8()? {
                TAG_OBJECT => ListEntry::Object(ListedObject::decode(decoder)?),
                TAG_COMMON_PREFIX => ListEntry::CommonPrefix(decoder.string()?),
                _ => return Err(WireError::Invalid),
            };
            if entries.last().is_some_and(|last| last.name() >= entry.name()) {
                return Err(WireError::Invalid);
            }
            entries.push(entry);
        }
        Ok(Self { entries, truncated })
    }
}

impl ListedObject {
    fn encode(&self, encoder: &mut Encoder) {
        encoder
            .string(&self.key)
            .u64(self.size)
            .u64(self.modified_unix_ms)
            .string(&self.etag)
            .option(self.storage_class.as_ref(), |encoder, class| {
                encoder.string(class);
            });
    }
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            key: decoder.string()?,
            size: decoder.u64()?,
            modified_unix_ms: decoder.u64()?,
            etag: decoder.string()?,
            storage_class: decoder.option(Decoder::string)?,
        })
    }
}

impl ListQuery {
    /// Encodes for a ticket.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder
            .string(&self.prefix)
            .string(&self.delimiter)
            .string(&self.start_after)
            .u32(u32::try_from(self.limit).unwrap_or(u32::MAX));
    }
    /// Decodes it.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            prefix: decoder.string()?,
            delimiter: decoder.string()?,
            start_after: decoder.string()?,
            limit: usize::try_from(decoder.u32()?).map_err(|_| WireError::Invalid)?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{
        ListEntry, ListPage, ListQuery, ListedObject, PageBuilder, ScanStep, common_prefix, prefix_successor,
        scan_start,
    };
    use crate::wire::{Decoder, Encoder, WireError};

    fn object(key: &str) -> ListedObject {
        ListedObject {
            key: key.to_owned(),
            size: 1,
            modified_unix_ms: 2,
            etag: "e".to_owned(),
            storage_class: key.starts_with('c').then(|| "GLACIER".to_owned()),
        }
    }

    fn query(prefix: &str, delimiter: &str, start_after: &str, limit: usize) -> ListQuery {
        ListQuery {
            prefix: prefix.to_owned(),
            delimiter: delimiter.to_owned(),
            start_after: start_after.to_owned(),
            limit,
        }
    }

    #[test]
    fn roll_up_and_successors() {
        assert_eq!(common_prefix("a/b/c", "a", "/"), Some("a/"));
        assert_eq!(common_prefix("a/b/c", "a/", "/"), Some("a/b/"));
        assert_eq!(common_prefix("a/", "a/", "/"), None);
        assert_eq!(common_prefix("aéb", "", "é"), Some("aé"));
        assert_eq!(common_prefix("a/b", "", ""), None);
        assert_eq!(prefix_successor(b"a/"), Some(b"a0".to_vec()));
        assert_eq!(prefix_successor(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(prefix_successor(b"\xff"), None);
        assert_eq!(prefix_successor(b""), None);
    }

    #[test]
    fn where_scans_start() {
        let start = |prefix, delimiter, start_after| scan_start(&query(prefix, delimiter, start_after, 1));
        assert_eq!(start("", "", ""), (b"".to_vec(), true));
        assert_eq!(start("p", "", "a"), (b"p".to_vec(), true));
        assert_eq!(start("p", "", "p"), (b"p".to_vec(), false));
        assert_eq!(start("", "/", "a/x"), (b"a0".to_vec(), true));
        assert_eq!(start("", "/", "a"), (b"a".to_vec(), false));
        assert_eq!(start("p", "/", "q/x"), (b"q/x".to_vec(), false));
    }

    #[test]
    fn a_page_skips_what_is_rolled_up_and_knows_what_follows() {
        let query = query("", "/", "", 2);
        let mut page = PageBuilder::new(&query);
        assert_eq!(page.offer("a", || object("a")), ScanStep::Next);
        assert_eq!(page.offer("b/1", || unreachable!()), ScanStep::Seek(b"b0".to_vec()));
        assert_eq!(page.offer("c", || unreachable!()), ScanStep::Stop);
        let page = page.finish();
        assert!(page.truncated);
        assert_eq!(
            page.entries,
            [ListEntry::Object(object("a")), ListEntry::CommonPrefix("b/".to_owned())]
        );
    }

    #[test]
    fn pages_and_queries_round_trip() {
        let page = ListPage {
            entries: vec![ListEntry::CommonPrefix("b/".to_owned()), ListEntry::Object(object("c"))],
            truncated: true,
        };
        let mut encoder = Encoder::new();
        page.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(ListPage::decode(&mut Decoder::new(&bytes)).unwrap(), page);
        for cut in 0..bytes.len() {
            assert_eq!(
                ListPage::decode(&mut Decoder::new(&bytes[..cut])),
                Err(WireError::Truncated)
            );
        }
        let unsorted = ListPage {
            entries: vec![
                ListEntry::CommonPrefix("b".to_owned()),
                ListEntry::CommonPrefix("b".to_owned()),
            ],
            truncated: false,
        };
        let mut encoder = Encoder::new();
        unsorted.encode(&mut encoder);
        assert_eq!(
            ListPage::decode(&mut Decoder::new(&encoder.finish())),
            Err(WireError::Invalid)
        );

        let query = query("p", "/", "s", 1000);
        let mut encoder = Encoder::new();
        query.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(ListQuery::decode(&mut Decoder::new(&bytes)).unwrap(), query);
    }
}
