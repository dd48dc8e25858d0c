//! CopyObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>). The core that owns the copy reads the
//! source from the core that owns that, and receives it as it receives an upload.

use super::{ObjectRequest, commit, version::write_version_id};
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    copy_source::{Opened, Source, declared},
    core::{Core, unix_ms},
    limits::COPY_TIMEOUT,
    receive::{Failure, Upload, receive_whole},
};
use mountpath::{
    error::StoreError,
    index::entry::ObjectEntry,
    record::ObjectMeta,
    shard_store::{NewPayload, ShardStore},
};
use proto::{
    auth::{body::BodyDecoder, object_grant::SealedSource},
    cluster::source::SourceObject,
    digest::{
        checksum::ChecksumAlgorithm,
        hasher::{PayloadDigests, PayloadHasher},
        multipart::unsupported_algorithm,
        stored::ChecksumForm,
    },
    error::{ErrorCode, S3Error},
    http::{
        conditional::{WriteCondition, check_copy},
        head::RequestHead,
    },
    limits::COPY_BYTES_MAX,
    s3::{
        copy_source::{Directive, amz_header},
        object::ObjectHeaders,
        query::Query,
        tagging::TagSet,
        version::VersionId,
        xml_multipart,
    },
};
use std::{rc::Rc, sync::Arc};

/// What the request wants of the copy.
struct Wishes {
    metadata: Directive,
    tagging: Directive,
    headers: ObjectHeaders,
    tags: Vec<(String, String)>,
    algorithm: Option<ChecksumAlgorithm>,
    condition: Option<WriteCondition>,
}

/// Copies, answers.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
    sealed: &SealedSource,
) -> After {
    let core = Rc::clone(connection.core);
    connection.deadline.set(COPY_TIMEOUT);
    match copy(&core, head, query, &object, sealed).await {
        Ok((entry, source_version)) => {
            let meta = &entry.meta;
            let checksum = meta.checksum.as_ref();
            let document = xml_multipart::copy_object_result(&meta.etag, meta.modified_unix_ms, checksum);
            let bytes = exchange.document(&core, &document, |response| {
                if let Some(version) = source_version {
                    response.header("x-amz-copy-source-version-id", &version.to_string());
                }
                write_version_id(response, object.bucket.versioning, entry.version);
            });
            connection.answer(&exchange, &bytes).await
        }
        Err(error) => connection.refuse(head, exchange, &error).await,
    }
}

async fn copy(
    core: &Rc<Core>,
    head: &RequestHead,
    query: &Query,
    object: &ObjectRequest,
    sealed: &SealedSource,
) -> Result<(Arc<ObjectEntry>, Option<VersionId>), S3Error> {
    let told = |failure: Failure| failure.error(&object.bucket.name, &object.key);
    let (_, shard) = core
        .shard(object.shard)
        .ok_or_else(|| S3Error::new(ErrorCode::ServiceUnavailable))?;
    if shard.is_fenced(object.bucket.id) {
        return Err(store_error(&StoreError::Fenced, &object.bucket.name, &object.key));
    }
    let wishes = Wishes::from_request(head, query)?;
    if is_itself(object, sealed) && !wishes.change_something(head, query) {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the \
                       object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(S3Error::with_message(ErrorCode::InvalidRequest, message));
    }
    commit::check_early(shard, object, wishes.condition.as_ref()).await?;
    let Opened { mut source, decoder } = Source::open(core, sealed)
        .await
        .map_err(|error| describe(error, sealed))?;
    check_copy(head, query, &source.object.etag, source.object.modified_unix_ms)?;
    check_size(source.object.size)?;
    let length = source.object.size;
    let algorithm = wishes
        .algorithm
        .or_else(|| source.object.checksum.as_ref().map(|c| c.algorithm()));
    let (payload, digests) = receive(core, shard, object, &mut source, decoder, length, algorithm)
        .await
        .map_err(told)?;
    let version = source.object.version;
    let condition = wishes.condition.clone();
    let meta = wishes.meta(std::mem::take(&mut source.object), digests);
    let entry = commit::put(shard, object, meta, payload, condition.as_ref())
        .await
        .map_err(told)?;
    Ok((entry, version))
}

/// Receives so much of a source, and gives it a checksum of this algorithm. One that the source has of the same bytes is
/// verified.
pub async fn receive(
    core: &Core,
    shard: &Rc<ShardStore>,
    object: &ObjectRequest,
    source: &mut Source,
    decoder: BodyDecoder,
    length: u64,
    algorithm: Option<ChecksumAlgorithm>,
) -> Result<(NewPayload, PayloadDigests), Failure> {
    if source.object.payload_bytes != length {
        return Err(S3Error::new(ErrorCode::InternalError).into());
    }
    let known = source.object.checksum.as_ref().filter(|known| {
        known.form() == ChecksumForm::FullObject && Some(known.algorithm()) == algorithm && length == source.object.size
    });
    let upload = Upload {
        declaration: declared(length, known.map(|known| known.checksum.clone())),
        signer: None,
        open_length_max: None,
    };
    let mut hasher = PayloadHasher::new(object.bucket.checksum_type, &upload.declaration);
    if let Some(algorithm) = algorithm {
        hasher = hasher.with_missing(algorithm);
    }
    let mut body = source.body(decoder);
    let received = receive_whole(core, shard, &mut body, hasher, &upload).await;
    received.map_err(|failure| match failure {
        // The source's core has ended it, or sent what is not the source: no fault of the client.
        Failure::Client(error) if matches!(error.code, ErrorCode::IncompleteBody | ErrorCode::BadDigest) => {
            tracing::error!(bucket = object.bucket.name, key = object.key, %error, "a copy's source did not arrive whole");
            S3Error::new(ErrorCode::InternalError).into()
        }
        other => other,
    })
}

/// Refuses what is more than a copy takes.
pub fn check_size(size: u64) -> Result<(), S3Error> {
    if size <= COPY_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "The specified copy source is larger than the maximum allowable size for a copy source: {COPY_BYTES_MAX}"
    );
    Err(S3Error::with_message(ErrorCode::InvalidRequest, message))
}

/// Adds to what the source's core said what it is about.
pub fn describe(error: S3Error, sealed: &SealedSource) -> S3Error {
    match error.code {
        ErrorCode::NoSuchKey => error.field("Key", sealed.key.as_str()),
        ErrorCode::NoSuchVersion => error.field("Key", sealed.key.as_str()).field(
            "VersionId",
            sealed.version.map_or_else(String::new, |version| version.to_string()),
        ),
        ErrorCode::NoSuchBucket => error.field("BucketName", sealed.bucket.as_str()),
        _ => error,
    }
}

/// An older version copied to its own key becomes the newest: that changes something.
fn is_itself(object: &ObjectRequest, sealed: &SealedSource) -> bool {
    sealed.bucket == object.bucket.name && sealed.key == object.key && sealed.version.is_none()
}

impl Wishes {
    fn from_request(head: &RequestHead, query: &Query) -> Result<Self, S3Error> {
        let algorithm = match amz_header(head, query, "x-amz-checksum-algorithm") {
            None => None,
            Some(name) => {
                let known = ChecksumAlgorithm::from_name(&name);
                Some(known.ok_or_else(|| unsupported_algorithm(|_| true))?)
            }
        };
        Ok(Self {
            metadata: Directive::from_request(head, query, "x-amz-metadata-directive")?,
            tagging: Directive::from_request(head, query, "x-amz-tagging-directive")?,
            headers: ObjectHeaders::from_request(head)?,
            tags: TagSet::from_request(head)?.into_tags(),
            algorithm,
            condition: WriteCondition::from_request(head)?,
        })
    }

    /// Whether a copy of an object onto itself would change anything of it.
    fn change_something(&self, head: &RequestHead, query: &Query) -> bool {
        self.metadata == Directive::Replace
            || amz_header(head, query, "x-amz-storage-class").is_some()
            || self.headers.website_redirect.is_some()
            || self.algorithm.is_some()
    }

    /// What is kept with the copy. Storage class and website redirect are never the source's.
    fn meta(self, source: SourceObject, digests: PayloadDigests) -> ObjectMeta {
        let headers = match self.metadata {
            Directive::Replace => self.headers,
            Directive::Copy => ObjectHeaders {
                storage_class: self.headers.storage_class,
                website_redirect: self.headers.website_redirect,
                ..source.headers
            },
        };
        ObjectMeta {
            modified_unix_ms: unix_ms(),
            size: digests.length,
            xxh3_128: digests.xxh3_128,
            etag: digests.etag,
            checksum: digests.checksum.map(Into::into),
            headers,
            tags: match self.tagging {
                Directive::Replace => self.tags,
                Directive::Copy => source.tags,
            },
            block_checksums: digests.block_checksums,
            ..ObjectMeta::default()
        }
    }
}
