use super::{
    ListEntry, ListPage, ListQuery, ListScope, ListedObject, ObjectDetails, PageBuilder, ScanStep, common_prefix,
    prefix_successor, scan_start,
};
use crate::{
    digest::{checksum::ChecksumAlgorithm, stored::ChecksumForm},
    wire::{Decoder, Encoder, WireError},
};

fn object(key: &str) -> ListedObject {
    ListedObject {
        key: key.to_owned(),
        size: 1,
        modified_unix_ms: 2,
        etag: "e".to_owned(),
        checksum: key
            .starts_with('b')
            .then_some((ChecksumAlgorithm::Sha512, ChecksumForm::Composite)),
        storage_class: key.starts_with('c').then(|| "GLACIER".to_owned()),
        details: key.starts_with('d').then(|| {
            Box::new(ObjectDetails {
                accessed_unix_ms: (key.len() > 1).then_some(3),
                overwrites: 4,
            })
        }),
    }
}

fn query(prefix: &str, delimiter: &str, start_after: &str, limit: usize) -> ListQuery {
    ListQuery {
        prefix: prefix.to_owned(),
        delimiter: delimiter.to_owned(),
        start_after: start_after.to_owned(),
        limit,
        scope: ListScope::Objects,
        details: !prefix.is_empty(),
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
    assert_eq!(page.offer("a", || ListEntry::Object(object("a"))), ScanStep::Next);
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
