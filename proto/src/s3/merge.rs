//! Merging: one sorted page out of the pages of many sources (shards, or cores), fetching from each only what the page needs.

use super::listing::{ListEntry, ListPage};
use std::{cmp::Ordering, collections::BinaryHeap, vec};

/// Merges sorted pages of several sources into one page of at most `limit` entries, dropping duplicate common prefixes.
///
/// An entry enters the page only when every source's next entry is known, so the merge waits for the first pages of all
/// sources and, when one of them runs out but is truncated, for more of it. Nothing is done twice.
///
/// ```text
/// supply the first page of every source
/// while let Some(source) = merger.need() { supply its page after merger.continue_after(source) }
/// merger.finish()
/// ```
#[derive(Debug)]
pub struct Merger {
    page: ListPage,
    limit: usize,
    sources: Vec<Source>,
    /// The next entry of every source that has one.
    heads: BinaryHeap<Head>,
    /// Sources that must be asked before the page can go on.
    waiting: Vec<usize>,
}

#[derive(Debug, Default)]
struct Source {
    /// Entries after the one in `heads`.
    queue: vec::IntoIter<ListEntry>,
    /// What its next page starts after.
    last: Option<ListEntry>,
    /// More follows the queue.
    truncated: bool,
    is_waiting: bool,
}

#[derive(Debug)]
struct Head {
    entry: ListEntry,
    source: usize,
}

impl Merger {
    /// A merge of `sources` sources, numbered from 0.
    pub fn new(limit: usize, sources: usize) -> Self {
        let waiting_source = || Source {
            is_waiting: true,
            ..Source::default()
        };
        Self {
            page: ListPage::default(),
            limit,
            sources: (0..sources).map(|_| waiting_source()).collect(),
            heads: BinaryHeap::with_capacity(sources),
            waiting: (0..sources).rev().collect(),
        }
    }

    /// The source that must be asked, at first or for more, before the page can go on; `None`: the page is complete.
    pub fn need(&self) -> Option<usize> {
        if self.is_full() {
            None
        } else {
            self.waiting.last().copied()
        }
    }

    /// What the next request to `source` starts after: its last entry. `None`: it has not been asked yet.
    pub fn continue_after(&self, source: usize) -> Option<&ListEntry> {
        self.sources.get(source)?.last.as_ref()
    }

    /// How many entries the page still has room for: more than this is never needed of a source.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.page.entries.len())
    }

    /// Hands over a page of a source that is needed: its first, or the one after `continue_after`. A page without entries ends a
    /// source, whatever it says of more. Pages that were not needed are dropped.
    pub fn supply(&mut self, source: usize, page: ListPage) {
        let Some(slot) = self.sources.get_mut(source).filter(|slot| slot.is_waiting) else {
            return;
        };
        slot.truncated = page.truncated && !page.entries.is_empty();
        if let Some(last) = page.entries.last() {
            slot.last = Some(last.clone());
        }
        slot.queue = page.entries.into_iter();
        slot.is_waiting = false;
        if let Some(position) = self.waiting.iter().rposition(|waiting| *waiting == source) {
            self.waiting.swap_remove(position);
        }
        self.advance(source);
        while self.waiting.is_empty() && !self.is_full() {
            let Some(head) = self.heads.pop() else {
                break;
            };
            self.advance(head.source);
            self.push(head.entry);
        }
    }

    /// The page. While a source is still needed: what is certain so far, `truncated`.
    pub fn finish(mut self) -> ListPage {
        let last = self.page.entries.last();
        let is_new = |entry: &ListEntry| last.is_none_or(|last| entry.follows(last));
        let more_follows = !self.waiting.is_empty()
            || self.heads.iter().any(|head| is_new(&head.entry))
            || self
                .sources
                .iter()
                .any(|source| source.truncated || source.queue.as_slice().iter().any(is_new));
        self.page.truncated = self.limit > 0 && more_follows;
        self.page
    }

    fn is_full(&self) -> bool {
        self.page.entries.len() >= self.limit
    }

    /// Puts a source's next entry among the heads, or the source among the waiting.
    fn advance(&mut self, source: usize) {
        let Some(slot) = self.sources.get_mut(source) else {
            return;
        };
        if let Some(entry) = slot.queue.next() {
            self.heads.push(Head { entry, source });
        } else if slot.truncated {
            slot.truncated = false;
            slot.is_waiting = true;
            self.waiting.push(source);
        }
    }

    /// Appends an entry, unless it is the common prefix that another source had as well.
    fn push(&mut self, entry: ListEntry) {
        if self.page.entries.last().is_none_or(|last| entry.follows(last)) {
            self.page.entries.push(entry);
        }
    }
}

impl Ord for Head {
    /// The smallest name is the greatest head: a BinaryHeap pops its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        let names = other.entry.name().cmp(self.entry.name());
        names.then_with(|| other.source.cmp(&self.source))
    }
}
impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Head {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Merger;
    use crate::s3::listing::{ListEntry, ListPage};

    fn page(names: &[&str], truncated: bool) -> ListPage {
        ListPage {
            entries: names
                .iter()
                .map(|name| ListEntry::CommonPrefix((*name).to_owned()))
                .collect(),
            truncated,
        }
    }

    #[test]
    fn a_source_that_runs_out_is_asked_for_more() {
        let mut merger = Merger::new(4, 2);
        assert_eq!((merger.need(), merger.continue_after(0)), (Some(0), None));
        merger.supply(0, page(&["a/"], true));
        assert_eq!(merger.need(), Some(1));
        merger.supply(1, page(&["a/", "b/", "d/", "e/"], true));
        assert_eq!(
            (
                merger.need(),
                merger.continue_after(0).map(ListEntry::name),
                merger.room()
            ),
            (Some(0), Some("a/"), 3)
        );
        merger.supply(0, page(&["c/"], false));
        assert_eq!(merger.need(), None);
        assert_eq!(merger.finish(), page(&["a/", "b/", "c/", "d/"], true));
    }

    #[test]
    fn truncated_only_when_something_new_follows() {
        for (second, truncated) in [(page(&["a/", "b/"], false), false), (page(&["b/", "c/"], false), true)] {
            let mut merger = Merger::new(2, 2);
            merger.supply(0, page(&["a/", "b/"], false));
            merger.supply(1, second);
            assert_eq!(merger.need(), None);
            assert_eq!(merger.finish(), page(&["a/", "b/"], truncated));
        }
    }

    #[test]
    fn odd_pages() {
        let mut merger = Merger::new(2, 1);
        merger.supply(0, page(&[], true));
        merger.supply(0, page(&["late"], false));
        merger.supply(7, page(&["nobody"], false));
        assert_eq!((merger.need(), merger.finish()), (None, page(&[], false)));

        assert_eq!(Merger::new(0, 3).need(), None);
        assert_eq!(Merger::new(0, 3).finish(), page(&[], false));
        assert_eq!(Merger::new(5, 0).need(), None);
        assert_eq!(Merger::new(5, 1).finish(), page(&[], true));
    }
}
