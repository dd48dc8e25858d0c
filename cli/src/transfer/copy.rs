//! Copies within a store: no payload passes this machine.

use super::{Done, Transfer, plan::Plan, pool};
use crate::{
    bucket_name::ObjectName,
    limits::COPY_PART_BYTES,
    s3::{CallResult, CompletedPart, CopySource, Failure, ObjectHead, Put},
};
use proto::limits::COPY_BYTES_MAX;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

impl Transfer {
    /// Copies an object with all that is said of it.
    pub fn copy(&self, source: &CopySource, destination: &ObjectName) -> CallResult<Done> {
        let head = self.store.head(&source.name, source.version.as_deref(), None)?;
        let put = match head.size <= COPY_BYTES_MAX {
            true => {
                let _slot = self.slots.take(0);
                self.store.copy(source, &head.etag, destination)?
            }
            false => self.copy_in_parts(source, &head, destination)?,
        };
        self.progress.begin_small().advance(head.size);
        Ok(Done {
            object: destination.to_string(),
            file: None,
            size: head.size,
            etag: Some(put.etag),
            version: put.version,
            verified: None,
            resumed_bytes: 0,
        })
    }

    /// For objects that are too large for one copy.
    fn copy_in_parts(&self, source: &CopySource, head: &ObjectHead, destination: &ObjectName) -> CallResult<Put> {
        let plan = Plan::of_parts(head.size, COPY_PART_BYTES);
        let mut described = head.described.clone();
        described.set_tags(&self.store.tags(&source.name, source.version.as_deref())?);
        let upload = self.store.create_upload(destination, &described)?;
        let completed: Mutex<BTreeMap<u16, CompletedPart>> = Mutex::default();
        let copied = pool::number(self.jobs, plan.count(), |index| {
            let number = u16::try_from(index + 1).map_err(|_| Failure::Local("it has too many parts".to_owned()))?;
            let _slot = self.slots.take(0);
            let part = self
                .store
                .copy_part(&upload, number, source, &head.etag, plan.piece(index))?;
            completed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(number, part);
            Ok(())
        });
        let completed = completed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let parts: Vec<CompletedPart> = completed.into_values().collect();
        let put = copied.and_then(|()| self.complete_upload(&upload, &parts));
        if put.is_err() {
            // The failure is what counts.
            let _ = self.store.abort(&upload);
        }
        put
    }
}
