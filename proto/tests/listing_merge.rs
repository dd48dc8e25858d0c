//! Listing against a model: the pages of shards, merged in one and in two stages, are what one sorted set gives.
#![allow(clippy::unwrap_used)]

use corelane_proto::{
    limits::LIST_KEYS_MAX,
    s3::{
        listing::{ListEntry, ListPage, ListQuery, ListedObject, PageBuilder, ScanStep, scan_start},
        merge::Merger,
    },
    wire::{Decoder, Encoder},
};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use std::collections::BTreeSet;

/// A shard's sorted keys.
type Shard = BTreeSet<Vec<u8>>;

fn object(key: &str) -> ListedObject {
    ListedObject {
        key: key.to_owned(),
        size: key.len() as u64,
        modified_unix_ms: 0,
        etag: String::new(),
        checksum: None,
        storage_class: None,
        details: None,
    }
}

/// The definition: all entries in byte order of their names, those after `start_after`, the first `limit`.
fn model(keys: &BTreeSet<String>, query: &ListQuery) -> ListPage {
    let mut names: BTreeSet<(Vec<u8>, bool)> = BTreeSet::new();
    for key in keys {
        let Some(rest) = key.strip_prefix(&query.prefix) else {
            continue;
        };
        match rest.find(&query.delimiter).filter(|_| !query.delimiter.is_empty()) {
            Some(position) => {
                let end = query.prefix.len() + position + query.delimiter.len();
                names.insert((key.as_bytes()[..end].to_vec(), true));
            }
            None => {
                names.insert((key.as_bytes().to_vec(), false));
            }
        }
    }
    let mut left = names
        .into_iter()
        .filter(|(name, _)| name.as_slice() > query.start_after.as_bytes());
    let entries: Vec<ListEntry> = left
        .by_ref()
        .take(query.limit)
        .map(|(name, is_prefix)| {
            let name = String::from_utf8(name).unwrap();
            if is_prefix {
                ListEntry::CommonPrefix(name)
            } else {
                ListEntry::Object(object(&name))
            }
        })
        .collect();
    ListPage {
        truncated: query.limit > 0 && left.next().is_some(),
        entries,
    }
}

/// A shard's page, by seeking as the engine does. Also how many keys it looked at.
fn scan(shard: &Shard, query: &ListQuery) -> (ListPage, usize) {
    let mut page = PageBuilder::new(query);
    let (mut position, mut inclusive) = scan_start(query);
    let mut looked_at = 0;
    loop {
        let next = shard
            .range(position.clone()..)
            .find(|key| inclusive || **key != position);
        let Some(key) = next else {
            break;
        };
        looked_at += 1;
        let text = std::str::from_utf8(key).unwrap();
        match page.offer(text, || ListEntry::Object(object(text))) {
            ScanStep::Next => (position, inclusive) = (key.clone(), false),
            ScanStep::Seek(target) => {
                assert!(target > *key, "a seek goes forward");
                (position, inclusive) = (target, true);
            }
            ScanStep::Stop => break,
        }
    }
    (page.finish(), looked_at)
}

/// What goes over the wire between core and gateway.
fn sent(page: &ListPage) -> ListPage {
    let mut encoder = Encoder::new();
    page.encode(&mut encoder);
    let bytes = encoder.finish();
    let mut decoder = Decoder::new(&bytes);
    let page = ListPage::decode(&mut decoder).unwrap();
    decoder.finish().unwrap();
    page
}

/// Merges sources; `fetch` gives a source's page and `slack` is how many entries each is asked for.
fn merged(query: &ListQuery, sources: usize, slack: usize, fetch: impl Fn(usize, &ListQuery) -> ListPage) -> ListPage {
    let mut merger = Merger::new(query.limit, sources);
    while let Some(source) = merger.need() {
        let asked = ListQuery {
            limit: slack.clamp(1, merger.room()),
            ..merger
                .continue_after(source)
                .map_or_else(|| query.clone(), |last| query.continued(last))
        };
        merger.supply(source, sent(&fetch(source, &asked)));
    }
    merger.finish()
}

/// Text of a small alphabet, so that prefixes, delimiters and markers meet.
fn text(most: usize) -> impl Strategy<Value = String> {
    let letter = prop::sample::select(vec!["a", "b", "/", "//", "-", "é", "\u{10ffff}", "\0", "ÿ"]);
    prop::collection::vec(letter, 0..=most).prop_map(|letters| letters.concat())
}

fn delimiter() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just("/".to_owned()), 1 => Just(String::new()), 2 => text(2)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn pages_of_shards_make_the_models_page(
        keys in prop::collection::btree_map(text(5), 0usize..5, 0..40),
        prefix in text(2),
        delimiter in delimiter(),
        start_after in prop_oneof![Just(None), text(4).prop_map(Some)],
        start_at_key in any::<prop::sample::Index>(),
        limit in 0usize..12,
        slack in 1usize..6,
    ) {
        let shards: Vec<Shard> = (0..5)
            .map(|shard| {
                let own = keys.iter().filter(|(key, owner)| **owner == shard && !key.is_empty());
                own.map(|(key, _)| key.clone().into_bytes()).collect()
            })
            .collect();
        let all: BTreeSet<String> = keys.keys().filter(|key| !key.is_empty()).cloned().collect();
        // Half of the time the start is a key, most often one inside a rolled-up prefix.
        let start_after = start_after.unwrap_or_else(|| {
            all.iter().nth(start_at_key.index(all.len().max(1))).cloned().unwrap_or_default()
        });
        let mut query = ListQuery { prefix, delimiter, start_after, limit, ..ListQuery::default() };

        let expected = model(&all, &query);
        let one_stage = merged(&query, shards.len(), slack, |shard, query| scan(&shards[shard], query).0);
        prop_assert_eq!(&one_stage, &expected);

        // Cores merge their shards first: 0 and 1, 2 and 3, 4.
        let two_stages = merged(&query, 3, slack, |core, query| {
            let own: Vec<&Shard> = shards.iter().skip(core * 2).take(2).collect();
            let mut merger = Merger::new(query.limit, own.len());
            for (source, shard) in own.iter().enumerate() {
                merger.supply(source, scan(shard, query).0);
            }
            assert_eq!(merger.need(), None, "pages of the full limit suffice");
            merger.finish()
        });
        prop_assert_eq!(&two_stages, &expected);

        // Page by page, a client sees every entry once.
        query.limit = limit.max(1);
        let unlimited = ListQuery { limit: usize::MAX, ..query.clone() };
        let everything = model(&all, &unlimited).entries;
        let mut seen = Vec::new();
        loop {
            let page = merged(&query, shards.len(), slack, |shard, query| scan(&shards[shard], query).0);
            prop_assert_eq!(page.truncated, seen.len() + page.entries.len() < everything.len());
            seen.extend(page.entries);
            match seen.last() {
                Some(last) if seen.len() < everything.len() => query.start_after = last.name().to_owned(),
                _ => break,
            }
        }
        prop_assert_eq!(seen, everything);
    }

    /// A page costs what it holds: each entry one look, and at most one more to know whether anything follows.
    #[test]
    fn a_scan_looks_at_no_more_than_the_page_holds(
        keys in prop::collection::btree_set(text(6), 0..60),
        prefix in text(1),
        delimiter in delimiter(),
        start_after in text(3),
        limit in 1usize..10,
    ) {
        let shard: Shard = keys.iter().filter(|key| !key.is_empty()).map(|key| key.clone().into_bytes()).collect();
        let query = ListQuery { prefix, delimiter, start_after, limit, ..ListQuery::default() };
        let (page, looked_at) = scan(&shard, &query);
        prop_assert!(looked_at <= page.entries.len() + 1, "{looked_at} for {}", page.entries.len());
    }
}

#[test]
fn full_pages_of_many_shards() {
    let shards: Vec<Shard> = (0..64)
        .map(|shard| {
            (0..100)
                .map(|key| format!("{:05}", key * 64 + shard).into_bytes())
                .collect()
        })
        .collect();
    let query = ListQuery {
        limit: LIST_KEYS_MAX,
        ..ListQuery::default()
    };
    let page = merged(&query, shards.len(), LIST_KEYS_MAX / 64 + 4, |shard, query| {
        scan(&shards[shard], query).0
    });
    assert!(page.truncated);
    let names: Vec<String> = page.entries.iter().map(|entry| entry.name().to_owned()).collect();
    assert_eq!(names, (0..1000).map(|key| format!("{key:05}")).collect::<Vec<_>>());
}
