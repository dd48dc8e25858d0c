//! A file becomes an object: in one piece, or in parts, which an interrupted upload finds again.

use super::{
    Done, Transfer,
    journal::{Journal, Source, absolute},
    plan::Plan,
    pool,
    progress::Item,
};
use crate::{
    bucket_name::ObjectName,
    s3::{CallResult, CompletedPart, Described, Failure, Put, StoredPart, UPLOAD_CHECKSUM, Upload, upload_checksum},
};
use proto::digest::multipart::combine_crc;
use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// An upload in parts under way.
struct Parts<'f> {
    file: &'f File,
    path: &'f Path,
    plan: Plan,
    upload: Upload,
    /// Parts that the store has from an earlier try, by number.
    stored: BTreeMap<u16, StoredPart>,
    completed: Mutex<BTreeMap<u16, CompletedPart>>,
    resumed_bytes: AtomicU64,
}

impl Transfer {
    /// Puts a file, or whatever else can be opened and read.
    pub fn put_file(&self, path: &Path, name: &ObjectName, described: &Described) -> CallResult<Done> {
        let open_error = |error| Failure::of_file("open", path, &error);
        let metadata = std::fs::metadata(path).map_err(open_error)?;
        let file = File::open(path).map_err(open_error)?;
        if !metadata.is_file() {
            let item = self.progress.begin(&name.key, 0);
            return self.put_stream(file, &path.display().to_string(), name, described, &item);
        }
        let (put, resumed_bytes) = match metadata.len() <= self.part_bytes {
            true => (self.put_whole(&file, &metadata, path, name, described)?, 0),
            false => self.put_in_parts(&file, &metadata, path, name, described)?,
        };
        Ok(Done {
            object: name.to_string(),
            file: Some(path.display().to_string()),
            size: metadata.len(),
            etag: Some(put.etag),
            version: put.version,
            verified: Some(UPLOAD_CHECKSUM.name().to_ascii_lowercase()),
            resumed_bytes,
        })
    }

    fn put_whole(
        &self,
        file: &File,
        metadata: &Metadata,
        path: &Path,
        name: &ObjectName,
        described: &Described,
    ) -> CallResult<Put> {
        let _slot = self.slots.take(metadata.len());
        let item = self.progress.begin_small();
        let body = read_piece(file, path, 0, metadata.len())?;
        check_unchanged(file, metadata, path)?;
        let checksum = upload_checksum(&body);
        let put = self.store.put(name, body.into(), &checksum, described)?;
        item.advance(metadata.len());
        Ok(put)
    }

    fn put_in_parts(
        &self,
        file: &File,
        metadata: &Metadata,
        path: &Path,
        name: &ObjectName,
        described: &Described,
    ) -> CallResult<(Put, u64)> {
        let plan = Plan::of_parts(metadata.len(), self.part_bytes);
        let source = Source {
            store: self.store.client().origin().to_owned(),
            bucket: name.bucket.to_string(),
            key: name.key.clone(),
            path: absolute(path),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            part_bytes: plan.piece_bytes,
            described: format!("{described:?}"),
        };
        let mut journal = Journal::open(&source);
        let (upload, stored) = self.begin(&source, journal.as_mut(), name, described)?;
        let parts = Parts {
            file,
            path,
            plan,
            upload,
            stored,
            completed: Mutex::default(),
            resumed_bytes: AtomicU64::new(0),
        };
        let item = self.progress.begin(&name.key, plan.size);
        let put = pool::number(self.jobs, plan.count(), |number| self.put_part(&parts, number, &item))
            .and_then(|()| check_unchanged(file, metadata, path))
            .and_then(|()| self.complete(&parts));
        match (put, journal) {
            (Ok(put), journal) => {
                if let Some(journal) = journal {
                    journal.remove();
                }
                Ok((put, parts.resumed_bytes.into_inner()))
            }
            (Err(failure), Some(_)) if can_be_continued(&failure) => Err(failure),
            (Err(failure), journal) => {
                // Best effort: the first failure is the one to tell of.
                let _ = self.store.abort(&parts.upload);
                if let Some(journal) = journal {
                    journal.remove();
                }
                Err(failure)
            }
        }
    }

    /// The upload to go on with, and what it has.
    fn begin(
        &self,
        source: &Source,
        journal: Option<&mut Journal>,
        name: &ObjectName,
        described: &Described,
    ) -> CallResult<(Upload, BTreeMap<u16, StoredPart>)> {
        if let Some((id, is_same)) = journal.as_ref().and_then(|journal| journal.upload(source)) {
            let upload = Upload { name: name.clone(), id };
            if is_same {
                match self.store.list_parts(&upload) {
                    Ok(parts) => return Ok((upload, parts.into_iter().map(|part| (part.number, part)).collect())),
                    Err(failure) if failure.is_code(&["NoSuchUpload"]) => {}
                    Err(failure) => return Err(failure),
                }
            } else {
                // Of a file that has changed since: nothing would ever take its space away.
                let _ = self.store.abort(&upload);
            }
        }
        let upload = self.store.create_upload(name, described)?;
        if let Some(journal) = journal {
            journal.keep(source, &upload.id);
        }
        Ok((upload, BTreeMap::new()))
    }

    fn put_part(&self, parts: &Parts<'_>, index: u64, item: &Item<'_>) -> CallResult<()> {
        let (first, length) = parts.plan.piece(index);
        let number = u16::try_from(index + 1).map_err(|_| Failure::Local("it has too many parts".to_owned()))?;
        let _slot = self.slots.take(length);
        self.store.interrupt().check()?;
        let body = read_piece(parts.file, parts.path, first, length)?;
        let checksum = upload_checksum(&body);
        let stored = parts
            .stored
            .get(&number)
            .filter(|stored| stored.size == length && stored.checksum.as_ref() == Some(&checksum));
        let completed = match stored {
            Some(stored) => {
                parts.resumed_bytes.fetch_add(length, Ordering::Relaxed);
                CompletedPart {
                    number,
                    size: length,
                    etag: stored.etag.clone(),
                    checksum: Some(checksum),
                }
            }
            None => self.store.put_part(&parts.upload, number, body.into(), checksum)?,
        };
        parts
            .completed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, completed);
        item.advance(length);
        Ok(())
    }

    fn complete(&self, parts: &Parts<'_>) -> CallResult<Put> {
        let completed = parts.completed.lock().unwrap_or_else(PoisonError::into_inner);
        let completed: Vec<CompletedPart> = completed.values().cloned().collect();
        self.complete_upload(&parts.upload, &completed)
    }

    /// Makes the object, which the store holds against the checksum of all of it.
    pub(super) fn complete_upload(&self, upload: &Upload, parts: &[CompletedPart]) -> CallResult<Put> {
        let pieces: Option<Vec<_>> = parts
            .iter()
            .map(|part| part.checksum.as_ref().map(|checksum| (checksum, part.size)))
            .collect();
        let whole = pieces.and_then(|pieces| combine_crc(UPLOAD_CHECKSUM, pieces));
        self.store.complete(upload, parts, whole.as_ref())
    }
}

/// Whether the same command may go on later with what is there.
fn can_be_continued(failure: &Failure) -> bool {
    match failure {
        Failure::Interrupted | Failure::Lost(_) | Failure::Cut(_) | Failure::Stranger(..) => true,
        Failure::Answered { .. } => failure.is_passing() || failure.is_final(),
        Failure::Damaged(_) | Failure::Local(_) | Failure::Plain(_) => false,
    }
}

fn read_piece(file: &File, path: &Path, first: u64, length: u64) -> CallResult<Vec<u8>> {
    let length = usize::try_from(length).map_err(|_| Failure::Local("its parts are too large".to_owned()))?;
    let mut body = vec![0; length];
    match file.read_exact_at(&mut body, first) {
        Ok(()) => Ok(body),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(changed(path)),
        Err(error) => Err(Failure::of_file("read", path, &error)),
    }
}

/// Fails if the file is not what it was when it was opened: then its parts may be of different contents.
fn check_unchanged(file: &File, before: &Metadata, path: &Path) -> CallResult<()> {
    let now = file
        .metadata()
        .map_err(|error| Failure::of_file("read", path, &error))?;
    let is_same = now.len() == before.len() && (now.mtime(), now.mtime_nsec()) == (before.mtime(), before.mtime_nsec());
    if is_same { Ok(()) } else { Err(changed(path)) }
}

fn changed(path: &Path) -> Failure {
    Failure::Local(format!("{} changed while it was read; nothing was put", path.display()))
}
