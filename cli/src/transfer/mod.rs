//! Moving files to objects and objects to files: in parallel, in parts, continued after interruptions, verified.

mod content_type;
mod copy;
mod download;
mod journal;
mod local;
mod part_file;
mod plan;
mod pool;
mod progress;
mod slots;
mod stream;
mod tally;
mod upload;
mod verify;

pub use content_type::of_name as content_type_of;
pub use download::{Slice, Wanted};
pub use local::{below, file_name, walk};
pub use pool::run as run_pool;
pub use progress::Progress;
pub use tally::{Done, Print, Tally};

use crate::s3::Store;
use slots::Slots;

/// What all transfers of a command share.
pub struct Transfer {
    /// The store.
    pub store: Store,
    /// What is drawn.
    pub progress: Progress,
    /// What was done.
    pub tally: Tally,
    /// Most requests at a time.
    pub jobs: usize,
    /// Of parts and ranges.
    part_bytes: u64,
    slots: Slots,
}

impl Transfer {
    /// With so many requests at a time, of parts and ranges of this size.
    pub fn new(store: Store, progress: Progress, tally: Tally, jobs: usize, part_bytes: u64) -> Self {
        Self {
            store,
            progress,
            tally,
            jobs,
            part_bytes,
            slots: Slots::new(jobs),
        }
    }
}
