//! CompleteMultipartUpload (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>). Everything is
//! computed before the one step that makes the object of the upload; that step only sees to it that nothing has changed.

use super::{
    ObjectRequest,
    commit::name_key,
    version::{check_since, write_version_id},
};
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::{Core, unix_ms},
    limits::{BUFFER_WAIT, COMBINED_PARTS, COMPLETE_TRIES, PARTS_PAGE},
    receive::{self, Upload, decoder},
    recv::{Body, send_continue},
    rt::{within, yield_if_needed},
};
use mountpath::{
    error::StoreError,
    index::entry::ObjectEntry,
    record::{Multipart, ObjectMeta, PartSize},
    shard_store::ShardStore,
};
use proto::{
    auth::xml_body,
    digest::{
        checksum::Checksum,
        multipart::{MultipartChecksum, combine_crc, composite},
        stored::{ChecksumForm, StoredChecksum},
    },
    error::{ErrorCode, S3Error},
    http::{conditional::WriteCondition, head::RequestHead},
    limits::COMPLETE_BODY_BYTES_MAX,
    s3::{
        completion::{Expected, UploadedPart, checksum_of, choose, etag, integrity},
        part,
        query::Query,
        version::UploadId,
        xml_complete::{CompletedPart, completed_parts},
        xml_multipart,
    },
};
use std::{rc::Rc, sync::Arc};

/// What the request says.
struct Wanted {
    upload: UploadId,
    parts: Vec<CompletedPart>,
    expected: Expected,
    condition: Option<WriteCondition>,
}

/// Why the object was not made in the step that decides.
enum Refusal {
    /// A part, or the upload, is not what was computed with.
    Changed,
    /// The condition does not hold.
    Condition(S3Error),
}

/// Receives the list of parts, makes the object, answers.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
    upload: Upload,
) -> After {
    let core = Rc::clone(connection.core);
    let Some((_, shard)) = core.shard(object.shard) else {
        let error = S3Error::new(ErrorCode::ServiceUnavailable);
        return connection.refuse(head, exchange, &error).await;
    };
    let decoder = match decoder(head, &upload) {
        Ok(decoder) => decoder,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    if send_continue(head, &connection.inbox, &mut connection.stream)
        .await
        .is_err()
    {
        return After::Close;
    }
    let mut body = Body {
        inbox: &mut connection.inbox,
        stream: &mut connection.stream,
        deadline: &connection.deadline,
        decoder,
    };
    let list = receive_list(&core, &mut body, &upload).await;
    exchange.received_bytes.set(body.decoder.payload_length());
    let decoder = body.decoder;
    let completed = match list.and_then(|list| Wanted::new(head, query, &list)) {
        Ok(wanted) => complete(shard, &object, &wanted).await,
        Err(error) => Err(error),
    };
    match completed {
        Ok(entry) => {
            let scheme = if connection.stream.is_tls() { "https" } else { "http" };
            let host = head.header_str("host").unwrap_or_default();
            let location = format!("{scheme}://{host}{}", head.raw_path());
            let meta = &entry.meta;
            let (bucket, key) = (&object.bucket, &object.key);
            let document =
                xml_multipart::complete_result(&location, &bucket.name, key, &meta.etag, meta.checksum.as_ref());
            let bytes = exchange.document(&core, &document, |response| {
                write_version_id(response, bucket.versioning, entry.version);
            });
            connection.answer(&exchange, &bytes).await
        }
        Err(error) => receive::refuse(connection, exchange, decoder, &error).await,
    }
}

/// Receives the body, with memory of the core's uploads.
async fn receive_list(core: &Core, body: &mut Body<'_>, upload: &Upload) -> Result<Vec<u8>, S3Error> {
    let too_long = || S3Error::new(ErrorCode::MaxMessageLengthExceeded);
    let declared = upload
        .declaration
        .decoded_length
        .unwrap_or(COMPLETE_BODY_BYTES_MAX as u64);
    let length_max = usize::try_from(declared)
        .ok()
        .filter(|length| *length <= COMPLETE_BODY_BYTES_MAX)
        .ok_or_else(too_long)?;
    let _memory = within(BUFFER_WAIT, core.receiving.reserve(length_max))
        .await
        .ok_or_else(|| S3Error::new(ErrorCode::SlowDown))?;
    let mut list = Vec::new();
    let mut piece = vec![0; length_max.clamp(1, 64 * 1024)];
    loop {
        let count = body.fill(&mut piece).await?;
        list.extend_from_slice(piece.get(..count).unwrap_or_default());
        if list.len() > length_max {
            return Err(too_long());
        }
        if count < piece.len() {
            break;
        }
    }
    body.end().await?;
    xml_body::verify(&upload.declaration, &list, body.decoder.trailers())?;
    Ok(list)
}

impl Wanted {
    fn new(head: &RequestHead, query: &Query, list: &[u8]) -> Result<Self, S3Error> {
        Ok(Self {
            upload: part::upload_id(query)?,
            parts: completed_parts(list)?,
            expected: Expected::from_request(head)?,
            condition: WriteCondition::from_request(head)?,
        })
    }
}

async fn complete(
    shard: &Rc<ShardStore>,
    object: &ObjectRequest,
    wanted: &Wanted,
) -> Result<Arc<ObjectEntry>, S3Error> {
    let bucket = &object.bucket;
    let told = |error: StoreError| store_error(&error, &bucket.name, &object.key);
    for _ in 0..COMPLETE_TRIES {
        let found = shard.upload(bucket.id, object.key.as_bytes(), wanted.upload).await;
        let Some(begun) = found.map_err(told)? else {
            return repeated(shard, object, wanted).await;
        };
        let uploaded = uploaded_parts(shard, object, wanted.upload).await.map_err(told)?;
        let declared = declared(&begun);
        let chosen = choose(&wanted.parts, &uploaded, declared, wanted.upload)?;
        let meta = compute(&begun, &chosen, wanted).await?;
        let key = object.key.clone().into_bytes();
        let decide = |upload: &ObjectEntry, parts: &[(u16, Arc<ObjectEntry>)], newest: Option<&ObjectEntry>| {
            if upload.sequence != begun.sequence || !are_there(&chosen, parts) {
                return Err(Refusal::Changed);
            }
            if let Some(condition) = &wanted.condition {
                check_since(condition, newest, wanted.upload)
                    .map_err(|error| Refusal::Condition(name_key(error, object)))?;
            }
            Ok(meta.clone())
        };
        shard.note_bucket(bucket.id, &bucket.name);
        let completed = shard
            .complete_upload(bucket.id, key, bucket.versioning, wanted.upload, decide)
            .await;
        match completed.map_err(told)? {
            Ok(Some(entry)) => return Ok(entry),
            Ok(None) => return repeated(shard, object, wanted).await,
            Err(Refusal::Condition(error)) => return Err(error),
            Err(Refusal::Changed) => {}
        }
    }
    Err(ErrorCode::OperationAborted.into())
}

/// What the upload was begun with.
fn declared(upload: &ObjectEntry) -> Option<MultipartChecksum> {
    let multipart = upload.meta.multipart.as_ref()?;
    let (algorithm, form) = multipart.checksum?;
    Some(MultipartChecksum { algorithm, form })
}

/// All parts of an upload, or of the object that was made of it: only what completing looks at, so that 10,000 of them take
/// little.
async fn uploaded_parts(
    shard: &ShardStore,
    object: &ObjectRequest,
    upload: UploadId,
) -> Result<Vec<UploadedPart>, StoreError> {
    let mut uploaded: Vec<UploadedPart> = Vec::new();
    loop {
        let after = uploaded.last().map_or(0, |part| part.number);
        let page = shard.parts(object.bucket.id, upload, after, PARTS_PAGE).await?;
        let is_last = page.len() < PARTS_PAGE;
        uploaded.extend(page.into_iter().map(|(number, part)| UploadedPart {
            number,
            sequence: part.sequence,
            size: part.meta.size,
            etag: part.meta.etag.clone(),
            checksum: part.meta.checksum.as_ref().map(|checksum| checksum.checksum.clone()),
        }));
        if is_last {
            return Ok(uploaded);
        }
        yield_if_needed().await;
    }
}

/// Whether the parts that were chosen are still those of the upload.
fn are_there(chosen: &[&UploadedPart], parts: &[(u16, Arc<ObjectEntry>)]) -> bool {
    chosen.iter().all(|chosen| {
        let position = parts.binary_search_by_key(&chosen.number, |(number, _)| *number);
        let part = position.ok().and_then(|position| parts.get(position));
        part.is_some_and(|(_, part)| part.sequence == chosen.sequence)
    })
}

/// What is kept with the object.
async fn compute(begun: &ObjectEntry, chosen: &[&UploadedPart], wanted: &Wanted) -> Result<ObjectMeta, S3Error> {
    let declared = declared(begun);
    wanted.expected.check_form(declared)?;
    let size = chosen.iter().map(|part| part.size).sum();
    let checksum = match checksum_of(declared, chosen) {
        Some(of_parts) => object_checksum(of_parts, chosen).await,
        None => None,
    };
    wanted.expected.check(size, checksum.as_ref())?;
    Ok(ObjectMeta {
        modified_unix_ms: unix_ms(),
        size,
        xxh3_128: integrity(chosen),
        etag: etag(chosen),
        checksum,
        headers: begun.meta.headers.clone(),
        tags: begun.meta.tags.clone(),
        multipart: Some(Box::new(Multipart {
            upload: wanted.upload,
            checksum: declared.map(|declared| (declared.algorithm, declared.form)),
            parts: chosen
                .iter()
                .map(|part| PartSize {
                    number: part.number,
                    size: part.size,
                })
                .collect(),
        })),
        ..ObjectMeta::default()
    })
}

/// The object's checksum of its parts'. CRCs are combined some at a time: others get their turn between.
async fn object_checksum(of_parts: MultipartChecksum, chosen: &[&UploadedPart]) -> Option<StoredChecksum> {
    if of_parts.form == ChecksumForm::Composite {
        return composite(
            of_parts.algorithm,
            chosen.iter().filter_map(|part| part.checksum.as_ref()),
        );
    }
    let mut whole: Option<(Checksum, u64)> = None;
    for some in chosen.chunks(COMBINED_PARTS) {
        let so_far = whole.iter().map(|(checksum, length)| (checksum, *length));
        let pieces = some
            .iter()
            .filter_map(|part| part.checksum.as_ref().map(|checksum| (checksum, part.size)));
        let combined = combine_crc(of_parts.algorithm, so_far.chain(pieces))?;
        let before = whole.map_or(0, |(_, length)| length);
        whole = Some((combined, before + some.iter().map(|part| part.size).sum::<u64>()));
        yield_if_needed().await;
    }
    whole.map(|(checksum, _)| checksum.into())
}

/// The upload is gone. If the key's newest version was made of it, and of the parts that are asked for, this request is one
/// that was answered before, whose answer got lost: it gets the same again ("CompleteMultipartUpload is idempotent").
async fn repeated(shard: &ShardStore, object: &ObjectRequest, wanted: &Wanted) -> Result<Arc<ObjectEntry>, S3Error> {
    let bucket = &object.bucket;
    let told = |error: StoreError| store_error(&error, &bucket.name, &object.key);
    let gone = || UploadId::unknown(&wanted.upload.to_string());
    let newest = shard
        .find(bucket.id, object.key.as_bytes(), bucket.versioning, None)
        .await;
    let entry = newest.map_err(told)?.ok_or_else(gone)?;
    let multipart = entry.meta.multipart.as_ref();
    let multipart = multipart
        .filter(|multipart| multipart.upload == wanted.upload)
        .ok_or_else(gone)?;
    let uploaded = uploaded_parts(shard, object, wanted.upload).await.map_err(told)?;
    let is_same = multipart.parts.len() == wanted.parts.len()
        && multipart
            .parts
            .iter()
            .zip(&wanted.parts)
            .all(|(made_of, wanted)| made_of.number == wanted.number)
        && choose(&wanted.parts, &uploaded, declared(&entry), wanted.upload).is_ok();
    if is_same { Ok(entry) } else { Err(gone()) }
}
