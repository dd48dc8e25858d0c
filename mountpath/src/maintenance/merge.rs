//! Merging: what is recent goes into the index database, and what it replaced there gives its space back.

use crate::{error::StoreError, index::database::Applied, shard_store::ShardStore};

impl ShardStore {
    /// Merges everything published so far into the index database.
    pub async fn merge(&self) -> Result<(), StoreError> {
        let _turn = self.merge_turns.take().await;
        // A merge that failed before is taken up again first; it covers less than what is published now.
        while self.index.recent().is_merging() {
            self.merge_one().await?;
        }
        self.merge_one().await
    }

    async fn merge_one(&self) -> Result<(), StoreError> {
        let checkpoint = self.log.checkpoint();
        let Some(merging) = self.index.freeze(checkpoint) else {
            return Ok(());
        };
        let checkpoint = merging.checkpoint;
        let published_bytes = self.log.published_bytes();
        if let Err(error) = self.log.sync_now().await {
            self.index.unfreeze();
            return Err(error);
        }
        let applied = self.index.apply(merging).await;
        self.log.release();
        match applied {
            Ok(applied) => {
                self.log.note_merged(published_bytes);
                self.merged.set(checkpoint);
                self.counters.merges.set(self.counters.merges.get() + 1);
                self.note_applied(&applied);
                self.note_garbage();
                Ok(())
            }
            Err(error) => {
                if matches!(error, StoreError::NoSpace) {
                    // The segment made ahead is what is kept for this: without the index nothing can be reclaimed.
                    self.log.note_space_short();
                    self.log.drop_spare().await?;
                }
                Err(self.judge(error))
            }
        }
    }

    /// Takes over what a transaction of the index found: segments' live bytes, blobs that nobody names any more.
    pub(crate) fn note_applied(&self, applied: &Applied) {
        for (id, segment) in &applied.segments {
            self.segments.update(*id, |info| {
                // A later transaction may have been heard of already.
                if applied.applied_at > info.counted_at {
                    info.live_bytes = segment.live_bytes;
                    info.counted_at = applied.applied_at;
                }
            });
        }
        for blob in &applied.doomed_blobs {
            self.blobs.give_up(*blob);
        }
        for (bucket, upload) in &applied.doomed_uploads {
            self.uploads.give_up(*bucket, *upload);
        }
    }
}
