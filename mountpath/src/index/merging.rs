//! What is recent, or was moved, on its way into the database.

use super::{
    ShardIndex,
    database::{Applied, Changes},
    entry::{Checkpoint, IndexKey, Latest, Memtable},
    indexed::Indexed,
    recent::Merging,
    row::newest_key,
};
use crate::error::StoreError;
use std::sync::Arc;

impl ShardIndex {
    /// Takes what is recent, to be merged; `checkpoint` is how far the log is published at this moment. `None` when there
    /// is nothing, or a merge runs. `apply` has to follow.
    pub fn freeze(&self, checkpoint: Checkpoint) -> Option<Arc<Merging>> {
        self.recent.borrow_mut().freeze(checkpoint)
    }

    /// Merges what was taken into the database. After an error it is kept, to be taken again.
    pub async fn apply(&self, merging: Arc<Merging>) -> Result<Applied, StoreError> {
        let applied = self
            .threads
            .write(move |database| {
                let accessed = merging.accessed.iter();
                let mut accessed: Vec<_> = accessed
                    .map(|(key, (number, unix_ms))| (IndexKey::clone(key), *number, *unix_ms))
                    .collect();
                accessed.sort_unstable();
                database.apply(&Changes {
                    entries: Some(&merging.entries),
                    buckets: &merging.buckets,
                    accessed: &accessed,
                    dead_uploads: &merging.dead_uploads,
                    checkpoint: Some(merging.checkpoint),
                    ..Changes::default()
                })
            })
            .await;
        self.recent.borrow_mut().merged(applied.is_ok());
        let applied = applied?;
        self.note_applied(&applied);
        Ok(applied)
    }

    /// What was taken is not merged now.
    pub fn unfreeze(&self) {
        self.recent.borrow_mut().merged(false);
    }

    /// Lets the database point to the copies of moved records, and forget segments of which nothing lives then.
    pub async fn relocate(
        &self,
        moved: Vec<Indexed>,
        dropped: Vec<(IndexKey, u64)>,
        emptied: Vec<u64>,
    ) -> Result<Applied, StoreError> {
        let (mut entries, mut buckets) = (Memtable::new(), Vec::new());
        for moved in moved {
            match moved {
                Indexed::Entry(key, latest) => {
                    entries.insert_copy(key, latest);
                }
                Indexed::Bucket(bucket, state) => buckets.push((bucket, state)),
            }
        }
        let to_apply = entries.clone();
        let bucket_states = buckets.clone();
        let applied = self
            .threads
            .write(move |database| {
                database.apply(&Changes {
                    entries: Some(&to_apply),
                    buckets: &bucket_states,
                    drop_tombstones: &dropped,
                    retire_segments: &emptied,
                    ..Changes::default()
                })
            })
            .await?;
        for (key, latest) in entries.iter() {
            if let Latest::Object(entry) = latest {
                self.cache.relocate(key, entry);
                if let Some(name) = newest_key(key) {
                    self.cache.relocate(&name.into(), entry);
                }
            }
        }
        let mut known = self.buckets.borrow_mut();
        for (bucket, state) in buckets {
            if let Some(held) = known.get_mut(&bucket)
                && held.sequence == state.sequence
            {
                *held = state;
            }
        }
        drop(known);
        self.note_applied(&applied);
        Ok(applied)
    }

    fn note_applied(&self, applied: &Applied) {
        self.totals.set(applied.totals);
        self.generation.set(self.generation.get() + 1);
    }
}
