//! Uploads whose parts somebody reads: the parts of one that was given up are forgotten when its last reader is done.

use crate::index::ShardIndex;
use proto::s3::{bucket::BucketId, version::UploadId};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::{Rc, Weak},
};

/// The uploads of a shard that somebody reads.
pub struct Uploads {
    index: Rc<ShardIndex>,
    held: RefCell<HashMap<UploadId, Weak<HeldUpload>>>,
}

/// An upload whose parts stay as long as this does.
pub struct HeldUpload {
    uploads: Rc<Uploads>,
    bucket: BucketId,
    upload: UploadId,
    given_up: Cell<bool>,
}

impl std::fmt::Debug for HeldUpload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HeldUpload").field(&self.upload).finish()
    }
}

impl Uploads {
    /// Nobody reads any yet.
    pub fn new(index: Rc<ShardIndex>) -> Rc<Self> {
        Rc::new(Self {
            index,
            held: RefCell::default(),
        })
    }

    /// An upload, to be held while its parts are read.
    pub fn hold(self: &Rc<Self>, bucket: BucketId, upload: UploadId) -> Rc<HeldUpload> {
        let mut held = self.held.borrow_mut();
        if let Some(known) = held.get(&upload).and_then(Weak::upgrade) {
            return known;
        }
        let new = Rc::new(HeldUpload {
            uploads: Rc::clone(self),
            bucket,
            upload,
            given_up: Cell::new(false),
        });
        held.insert(upload, Rc::downgrade(&new));
        new
    }

    /// Forgets the parts of an upload that nothing keeps any more, when their last reader is done.
    pub fn give_up(&self, bucket: BucketId, upload: UploadId) {
        let held = self.held.borrow().get(&upload).and_then(Weak::upgrade);
        match held {
            Some(held) => held.given_up.set(true),
            None => self.index.forget_parts(bucket, upload),
        }
    }
}

impl Drop for HeldUpload {
    fn drop(&mut self) {
        self.uploads.held.borrow_mut().remove(&self.upload);
        if self.given_up.get() {
            self.uploads.index.forget_parts(self.bucket, self.upload);
        }
    }
}
