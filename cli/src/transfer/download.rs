//! An object becomes a file: in one piece, or in ranges, which an interrupted command finds again; or it is written to
//! standard output.

use super::{
    Done, Transfer,
    part_file::PartFile,
    plan::Plan,
    pool,
    progress::Item,
    verify::{Expected, damaged},
};
use crate::{
    bucket_name::ObjectName,
    limits::TRANSFER_BUFFER_BYTES,
    s3::{CallResult, Failure, ObjectHead, Reading},
};
use proto::digest::{
    checksum::{Checksum, ChecksumHasher},
    multipart::combine_crc,
};
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// An object to get.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its name.
    pub name: ObjectName,
    /// A version other than the newest.
    pub version: Option<String>,
    /// Its size, if a listing told it.
    pub size: Option<u64>,
}

/// A slice of an object.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// First byte.
    pub offset: u64,
    /// How many; `None`: up to the end.
    pub length: Option<u64>,
}

/// An object as it was when its first byte was asked for.
struct Pinned<'a> {
    name: &'a ObjectName,
    version: Option<&'a str>,
    head: ObjectHead,
}

impl Transfer {
    /// Gets an object to a file, which is written only when all of it is there and verified.
    pub fn get_file(&self, wanted: &Wanted, target: &Path) -> CallResult<Done> {
        if wanted.size.is_some_and(|size| size <= self.part_bytes) {
            return self.get_small(wanted, target);
        }
        let head = self.store.head(&wanted.name, wanted.version.as_deref(), None)?;
        if wanted.size.is_none() {
            self.progress.expect_more(head.size);
        }
        if head.size <= self.part_bytes {
            return self.get_small(wanted, target);
        }
        let pinned = Pinned {
            name: &wanted.name,
            version: wanted.version.as_deref(),
            head,
        };
        self.get_in_ranges(&pinned, target)
    }

    /// In one request, and in memory until it is verified.
    fn get_small(&self, wanted: &Wanted, target: &Path) -> CallResult<Done> {
        let _slot = self.slots.take(wanted.size.unwrap_or(self.part_bytes));
        let reading = Reading {
            version: wanted.version.as_deref(),
            ..Reading::default()
        };
        let (head, body) = self.store.retrying(|| {
            let (head, answer) = self.store.get(&wanted.name, &reading)?;
            let mut body = Vec::new();
            // It may have grown since it was listed; memory has limits.
            let mut limited = answer.take(self.part_bytes.saturating_mul(2));
            limited.read_to_end(&mut body).map_err(|error| cut(&error))?;
            match u64::try_from(body.len()).is_ok_and(|length| length == head.size) {
                true => Ok((head, body)),
                false => Err(Failure::Cut("it ended too early".to_owned())),
            }
        })?;
        let expected = Expected::of(&self.store, &wanted.name, &head, self.jobs)?;
        let mut verifier = expected.verifier();
        verifier.update(&body);
        verifier.finish()?;
        let part = PartFile::open(target, &identity(&wanted.name, &head, 0))?;
        let written = part.file.set_len(0).and_then(|()| part.file.write_all_at(&body, 0));
        if let Err(error) = written {
            part.discard();
            return Err(Failure::of_file("write", target, &error));
        }
        part.finish()?;
        self.progress.begin_small().advance(head.size);
        Ok(done(&wanted.name, &head, head.size, target, &expected))
    }

    fn get_in_ranges(&self, pinned: &Pinned<'_>, target: &Path) -> CallResult<Done> {
        let plan = Plan::of_ranges(pinned.head.size, self.part_bytes);
        let part = PartFile::open(target, &identity(pinned.name, &pinned.head, plan.piece_bytes))?;
        part.discard_others();
        let expected = Expected::of(&self.store, pinned.name, &pinned.head, self.jobs)?;
        let item = self.progress.begin(&pinned.name.key, plan.size);
        let resumed_bytes = AtomicU64::new(0);
        let checksums: Mutex<BTreeMap<u64, (Checksum, u64)>> = Mutex::default();
        let got = pool::number(self.jobs, plan.count(), |range| {
            let (first, length) = plan.piece(range);
            let _slot = self.slots.take(0);
            self.store.interrupt().check()?;
            let mut hasher = expected
                .combinable()
                .map(|checksum| ChecksumHasher::new(checksum.algorithm));
            if part.has(range) {
                resumed_bytes.fetch_add(length, Ordering::Relaxed);
                read_back(&part, first, length, |bytes| {
                    if let Some(hasher) = &mut hasher {
                        hasher.update(bytes);
                    }
                })?;
                item.advance(length);
            } else {
                let mut at = first;
                self.read_slice(pinned, (first, length), &item, |bytes| {
                    if let Some(hasher) = &mut hasher {
                        hasher.update(bytes);
                    }
                    let written = part.file.write_all_at(bytes, at);
                    at += u64::try_from(bytes.len()).unwrap_or_default();
                    written.map_err(|error| Failure::of_file("write", target, &error))
                })?;
                part.add(range)?;
            }
            if let Some(hasher) = hasher {
                let mut checksums = checksums.lock().unwrap_or_else(PoisonError::into_inner);
                checksums.insert(range, (hasher.finish(), length));
            }
            Ok(())
        });
        if let Err(failure) = got {
            // With another object in its place, nothing of this one is of use.
            if failure.is_code(&["PreconditionFailed", "NoSuchKey", "NoSuchVersion"]) {
                part.discard();
                return Err(Failure::Local("it changed while it was read; try again".to_owned()));
            }
            return Err(failure);
        }
        let checksums = checksums.into_inner().unwrap_or_else(PoisonError::into_inner);
        match self.verify_file(&part, plan, &expected, &checksums) {
            Ok(()) => part.finish()?,
            Err(failure) => {
                if matches!(failure, Failure::Damaged(_)) {
                    part.discard();
                }
                return Err(failure);
            }
        }
        Ok(Done {
            resumed_bytes: resumed_bytes.into_inner(),
            ..done(pinned.name, &pinned.head, plan.size, target, &expected)
        })
    }

    /// Of CRCs of ranges the whole's is made; for anything else the file is read once more.
    fn verify_file(
        &self,
        part: &PartFile,
        plan: Plan,
        expected: &Expected,
        checksums: &BTreeMap<u64, (Checksum, u64)>,
    ) -> CallResult<()> {
        if let Some(whole) = expected.combinable() {
            let pieces = checksums.values().map(|(checksum, length)| (checksum, *length));
            return match combine_crc(whole.algorithm, pieces).as_ref() == Some(whole) {
                true => Ok(()),
                false => Err(damaged()),
            };
        }
        let mut verifier = expected.verifier();
        for range in 0..plan.count() {
            self.store.interrupt().check()?;
            let (first, length) = plan.piece(range);
            read_back(part, first, length, |bytes| verifier.update(bytes))?;
        }
        verifier.finish()
    }

    /// Gets a slice of an object to a file.
    pub fn get_slice(&self, wanted: &Wanted, slice: Slice, target: &Path) -> CallResult<Done> {
        let (pinned, range) = self.pin(wanted, Some(slice))?;
        let identity = format!("{} {range:?}", identity(pinned.name, &pinned.head, 0));
        let part = PartFile::open(target, &identity)?;
        let item = self.progress.begin(&pinned.name.key, range.1);
        let mut at = 0;
        let written = part
            .file
            .set_len(0)
            .map_err(|error| Failure::of_file("write", target, &error))
            .and_then(|()| {
                self.read_slice(&pinned, range, &item, |bytes| {
                    let written = part.file.write_all_at(bytes, at);
                    at += u64::try_from(bytes.len()).unwrap_or_default();
                    written.map_err(|error| Failure::of_file("write", target, &error))
                })
            });
        match written {
            Ok(()) => part.finish()?,
            Err(failure) => {
                part.discard();
                return Err(failure);
            }
        }
        Ok(done(pinned.name, &pinned.head, range.1, target, &Expected::Nothing))
    }

    /// Writes an object, or a slice of it, as it comes; a whole one is verified at its end.
    pub fn get_stream(&self, wanted: &Wanted, slice: Option<Slice>, output: &mut impl Write) -> CallResult<Done> {
        let (pinned, range) = self.pin(wanted, slice)?;
        let is_whole = range == (0, pinned.head.size);
        let expected = match is_whole {
            true => Expected::of(&self.store, pinned.name, &pinned.head, self.jobs)?,
            false => Expected::Nothing,
        };
        let mut verifier = expected.verifier();
        let item = self.progress.begin(&pinned.name.key, range.1);
        let failed = |error: &io::Error| Failure::Plain(crate::error::CliError::output(error));
        self.read_slice(&pinned, range, &item, |bytes| {
            verifier.update(bytes);
            output.write_all(bytes).map_err(|error| failed(&error))
        })?;
        output.flush().map_err(|error| failed(&error))?;
        verifier.finish().map_err(|_| {
            Failure::Damaged("what came is not what the store has: do not use what was written".to_owned())
        })?;
        Ok(done(pinned.name, &pinned.head, range.1, Path::new("-"), &expected))
    }

    /// The object, and what of it is wanted: first byte and how many.
    fn pin<'w>(&self, wanted: &'w Wanted, slice: Option<Slice>) -> CallResult<(Pinned<'w>, (u64, u64))> {
        let head = self.store.head(&wanted.name, wanted.version.as_deref(), None)?;
        let size = head.size;
        let range = match slice {
            None => (0, size),
            Some(slice) if slice.offset < size || slice.offset == 0 => {
                let left = size.saturating_sub(slice.offset);
                (slice.offset, slice.length.map_or(left, |length| length.min(left)))
            }
            Some(slice) => {
                return Err(Failure::Local(format!(
                    "it has {size} bytes: there is nothing at offset {}",
                    slice.offset
                )));
            }
        };
        self.progress.expect_more(range.1);
        let pinned = Pinned {
            name: &wanted.name,
            version: wanted.version.as_deref(),
            head,
        };
        Ok((pinned, range))
    }

    /// Reads a slice of an object as it was; what was lost on the way is asked for again from where it ended.
    fn read_slice(
        &self,
        pinned: &Pinned<'_>,
        range: (u64, u64),
        item: &Item<'_>,
        mut sink: impl FnMut(&[u8]) -> CallResult<()>,
    ) -> CallResult<()> {
        let (first, length) = range;
        let mut got = 0;
        let mut buffer = vec![0; TRANSFER_BUFFER_BYTES];
        while got < length {
            let before = got;
            // Tries are counted anew whenever something came.
            self.store.retrying(|| {
                let reading = Reading {
                    version: pinned.version,
                    range: Some((first + got, length - got)),
                    etag: Some(&pinned.head.etag),
                    directly: true,
                };
                let (head, mut answer) = self.store.get(pinned.name, &reading)?;
                if head.size != length - got {
                    return Err(Failure::odd("range"));
                }
                while got < length {
                    self.store.interrupt().check()?;
                    let count = match answer.read(&mut buffer) {
                        Ok(0) => 0,
                        Ok(count) => count,
                        // What came is kept; the rest is asked for by another request.
                        Err(_) if got > before => return Ok(()),
                        Err(error) => return Err(cut(&error)),
                    };
                    let bytes = buffer.get(..count).unwrap_or_default();
                    if bytes.is_empty() {
                        return match got > before {
                            true => Ok(()),
                            false => Err(Failure::Cut("it ended too early".to_owned())),
                        };
                    }
                    sink(bytes)?;
                    let count = u64::try_from(count).unwrap_or_default();
                    got += count;
                    item.advance(count);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Reads what is in the file already.
fn read_back(part: &PartFile, first: u64, length: u64, mut each: impl FnMut(&[u8])) -> CallResult<()> {
    let mut buffer = vec![0; TRANSFER_BUFFER_BYTES];
    let mut at = 0;
    while at < length {
        let count = usize::try_from(length - at).unwrap_or(usize::MAX).min(buffer.len());
        let bytes = buffer.get_mut(..count).unwrap_or_default();
        part.file
            .read_exact_at(bytes, first + at)
            .map_err(|error| Failure::Local(format!("cannot read what came before: {error}")))?;
        each(bytes);
        at += u64::try_from(count).unwrap_or_default();
    }
    Ok(())
}

fn cut(error: &io::Error) -> Failure {
    Failure::Cut(error.to_string())
}

/// Tells an object from every other one, and its ranges from those of another size.
fn identity(name: &ObjectName, head: &ObjectHead, piece_bytes: u64) -> String {
    format!(
        "{name}\n{}\n{}\n{}\n{piece_bytes}",
        head.etag,
        head.version.as_deref().unwrap_or_default(),
        head.size
    )
}

fn done(name: &ObjectName, head: &ObjectHead, size: u64, target: &Path, expected: &Expected) -> Done {
    Done {
        object: name.to_string(),
        file: Some(target.display().to_string()),
        size,
        etag: Some(head.etag.clone()),
        version: head.version.clone(),
        verified: expected.name(),
        resumed_bytes: 0,
    }
}
