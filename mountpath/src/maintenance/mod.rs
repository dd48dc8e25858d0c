//! What a shard does for itself, in the background: recent entries are merged into the index, the next segment is made
//! ahead, dead space is reclaimed, what nobody names is swept, stored data is read and verified.

pub mod compaction;
mod merge;
pub mod scrub;
pub mod sweep;
pub mod turns;

use crate::{
    error::StoreError,
    files::segment::Preparation,
    io::{sleep, spawn, spawn_background},
    limits::{
        MAINTENANCE_INTERVAL, MOUNTPATH_CHECK_INTERVAL, RECENT_AGE_MAX, RECENT_BLOB_BYTES_MAX, RECENT_ENTRIES_MAX,
        RECENT_LOG_BYTES_MAX, TOUCHED_AGE_MAX, TOUCHED_MAX,
    },
    shard_store::ShardStore,
};
use std::{
    cell::Cell,
    rc::{Rc, Weak},
    time::Instant,
};

/// Starts the background work of a shard; it ends with the shard.
pub fn start(store: &Rc<ShardStore>) {
    let weak = Rc::downgrade(store);
    spawn(merge_when_due(Weak::clone(&weak)));
    spawn_background(tidy(Weak::clone(&weak)));
    spawn_background(sweep_once(Weak::clone(&weak)));
    spawn_background(scrub_now_and_then(weak));
}

/// Merges are light on the core, and appends wait for late ones: they have a task of their own.
async fn merge_when_due(store: Weak<ShardStore>) {
    while let Some(store) = store.upgrade().filter(|store| !store.is_closed()) {
        if is_merge_due(&store)
            && let Err(error) = store.merge().await
        {
            tracing::warn!(shard = store.name(), %error, "the index could not take what is new; it is tried again");
        }
        drop(store);
        sleep(MAINTENANCE_INTERVAL).await;
    }
}

/// Dead space shows only in what is merged: the less lives, the sooner it has to.
fn recent_log_bytes_max(store: &ShardStore) -> u64 {
    let live_bytes = store.segments.totals().live_bytes;
    (live_bytes / 8).clamp(store.segment_bytes, RECENT_LOG_BYTES_MAX.max(store.segment_bytes))
}

fn is_merge_due(store: &ShardStore) -> bool {
    let recent = store.index.recent();
    let (since, touched_since) = recent.since();
    let is_old = since.is_some_and(|since| since.elapsed() >= RECENT_AGE_MAX)
        || touched_since.is_some_and(|since| since.elapsed() >= TOUCHED_AGE_MAX);
    is_old
        || recent.is_merging()
        || recent.entry_count() >= RECENT_ENTRIES_MAX
        || recent.memory_bytes() >= store.recent_bytes
        || recent.blob_bytes() >= RECENT_BLOB_BYTES_MAX
        || recent.touched_count() >= TOUCHED_MAX
        || store.log.unmerged_live_bytes() >= recent_log_bytes_max(store)
}

async fn tidy(store: Weak<ShardStore>) {
    let checked = Cell::new(Instant::now());
    while let Some(store) = store.upgrade().filter(|store| !store.is_closed()) {
        if let Err(error) = tidy_once(&store, &checked).await {
            tracing::warn!(shard = store.name(), %error, "work in the background failed; it is tried again");
        }
        drop(store);
        sleep(MAINTENANCE_INTERVAL).await;
    }
}

async fn tidy_once(store: &ShardStore, checked: &Cell<Instant>) -> Result<(), StoreError> {
    if checked.get().elapsed() >= MOUNTPATH_CHECK_INTERVAL {
        checked.set(Instant::now());
        store.check_mountpath().await;
    }
    let was_short = store.log.is_space_short();
    if store.log.wants_spare()
        && let Err(error) = store.log.prepare_spare(Preparation::Zeroed).await
        && !(was_short && matches!(error, StoreError::NoSpace))
    {
        return Err(error);
    }
    loop {
        match store.compact().await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(error) => {
                // Whoever waits for it would wait for nothing.
                store.log.set_behind(false);
                return Err(error);
            }
        }
    }
}

async fn sweep_once(store: Weak<ShardStore>) {
    let Some(store) = store.upgrade() else { return };
    match store.sweep().await {
        Ok(report) => report.log(store.name()),
        Err(error) => tracing::warn!(shard = store.name(), %error, "blobs could not be swept; the next start does it"),
    }
}

async fn scrub_now_and_then(store: Weak<ShardStore>) {
    let mut begun = Instant::now();
    while let Some(store) = store.upgrade().filter(|store| !store.is_closed()) {
        if store
            .scrub_interval
            .get()
            .is_some_and(|interval| begun.elapsed() >= interval)
        {
            begun = Instant::now();
            match store.scrub(|_| {}).await {
                Ok(report) => tracing::info!(
                    shard = store.name(),
                    objects = report.objects,
                    bytes = report.bytes,
                    damaged = report.damaged.len(),
                    "everything was read and verified"
                ),
                Err(error) => tracing::warn!(shard = store.name(), %error, "a scrub could not be finished"),
            }
        }
        drop(store);
        sleep(MAINTENANCE_INTERVAL).await;
    }
}
