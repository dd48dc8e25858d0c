//! Something without an end in sight becomes an object: standard input, a pipe.

use super::{Done, Transfer, plan::stream_part_bytes, progress::Item, slots::Slot};
use crate::{
    bucket_name::ObjectName,
    s3::{CallResult, CompletedPart, Described, Failure, Put, UPLOAD_CHECKSUM, Upload, upload_checksum},
};
use bytes::Bytes;
use proto::limits::{PART_BYTES_MIN, PART_NUMBER_MAX};
use std::{
    collections::BTreeMap,
    io::Read,
    sync::{Mutex, PoisonError, mpsc::sync_channel},
};

/// A part on its way to whoever sends it.
struct Piece<'s> {
    number: u16,
    body: Bytes,
    _slot: Slot<'s>,
}

impl Transfer {
    /// Puts what `input` gives until its end. There is never more of it in memory than what is being sent.
    pub fn put_stream(
        &self,
        mut input: impl Read + Send,
        what: &str,
        name: &ObjectName,
        described: &Described,
        item: &Item<'_>,
    ) -> CallResult<Done> {
        let part_bytes = self.part_bytes.max(PART_BYTES_MIN);
        let slot = self.slots.take(part_bytes);
        let first = self.read(&mut input, part_bytes, what)?;
        let is_all = len(&first) < part_bytes;
        let (put, size) = if is_all {
            let checksum = upload_checksum(&first);
            let size = len(&first);
            let put = self.store.put(name, first, &checksum, described)?;
            self.arrived(item, size);
            drop(slot);
            (put, size)
        } else {
            let upload = self.store.create_upload(name, described)?;
            let first = Piece {
                number: 1,
                body: first,
                _slot: slot,
            };
            match self.put_pieces(input, what, first, &upload, item) {
                Ok(done) => done,
                Err(failure) => {
                    // Nobody can read a stream's beginning again. The failure is what counts.
                    let _ = self.store.abort(&upload);
                    return Err(failure);
                }
            }
        };
        Ok(Done {
            object: name.to_string(),
            file: Some(what.to_owned()),
            size,
            etag: Some(put.etag),
            version: put.version,
            verified: Some(UPLOAD_CHECKSUM.name().to_ascii_lowercase()),
            resumed_bytes: 0,
        })
    }

    fn put_pieces<'t>(
        &'t self,
        input: impl Read,
        what: &str,
        first: Piece<'t>,
        upload: &Upload,
        item: &Item<'_>,
    ) -> CallResult<(Put, u64)> {
        let completed: Mutex<BTreeMap<u16, CompletedPart>> = Mutex::default();
        let failure: Mutex<Option<Failure>> = Mutex::default();
        // Nothing waits in the channel: what is read has a slot, and someone who sends it.
        let (sender, receiver) = sync_channel::<Piece<'t>>(0);
        let receiver = Mutex::new(receiver);
        let read = std::thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    loop {
                        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok(piece) = next else { return };
                        if lock(&failure).is_some() {
                            continue;
                        }
                        let size = len(&piece.body);
                        let checksum = upload_checksum(&piece.body);
                        match self.store.put_part(upload, piece.number, piece.body, checksum) {
                            Ok(part) => {
                                lock(&completed).insert(part.number, part);
                                self.arrived(item, size);
                            }
                            Err(error) => {
                                lock(&failure).get_or_insert(error);
                            }
                        }
                    }
                });
            }
            let mut give = |piece| lock(&failure).is_none() && sender.send(piece).is_ok();
            let read = self.read_pieces(input, what, first, &mut give);
            drop(sender);
            read
        });
        if let Some(failure) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(failure);
        }
        read?;
        let parts: Vec<CompletedPart> = completed
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .into_values()
            .collect();
        let size = parts.iter().map(|part| part.size).sum();
        Ok((self.complete_upload(upload, &parts)?, size))
    }

    /// Reads part after part and gives them away, until the end or until nobody takes them.
    fn read_pieces<'t>(
        &'t self,
        mut input: impl Read,
        what: &str,
        first: Piece<'t>,
        give: &mut impl FnMut(Piece<'t>) -> bool,
    ) -> CallResult<()> {
        let mut number = first.number;
        if !give(first) {
            return Ok(());
        }
        loop {
            let bytes = stream_part_bytes(self.part_bytes.max(PART_BYTES_MIN), u64::from(number) + 1);
            let slot = self.slots.take(bytes);
            let body = self.read(&mut input, bytes, what)?;
            if body.is_empty() {
                return Ok(());
            }
            if number >= PART_NUMBER_MAX {
                return Err(Failure::Local(format!(
                    "{what} is too long for {PART_NUMBER_MAX} parts; choose a larger --part-size"
                )));
            }
            number += 1;
            let is_last = len(&body) < bytes;
            let piece = Piece {
                number,
                body,
                _slot: slot,
            };
            if !give(piece) || is_last {
                return Ok(());
            }
        }
    }

    /// Up to so many bytes; fewer at the end.
    fn read(&self, input: &mut impl Read, bytes: u64, what: &str) -> CallResult<Bytes> {
        self.store.interrupt().check()?;
        let mut body = Vec::new();
        input
            .take(bytes)
            .read_to_end(&mut body)
            .map_err(|error| Failure::Local(format!("cannot read {what}: {error}")))?;
        self.store.interrupt().check()?;
        Ok(body.into())
    }

    /// How long it is was not known before.
    fn arrived(&self, item: &Item<'_>, bytes: u64) {
        self.progress.expect_more(bytes);
        item.advance(bytes);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn len(body: &Bytes) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
}
