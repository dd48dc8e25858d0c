//! What the core that owns an object says of it when the gateway asks, as HeadObject has it.

use crate::{
    core_client::{self, Answered},
    gateway::Gateway,
    records::BucketRecord,
    ticketing,
};
use proto::{
    auth::object_grant::ObjectGrant,
    digest::checksum::ChecksumAlgorithm,
    error::{ErrorCode, S3Error},
    http::{head::RequestHead, percent},
    s3::{bucket::BucketId, name::ObjectKey, operation::Operation, query::Query, version::VersionId},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Asks for checksums, too.
const HEADERS: &str = "x-amz-checksum-mode: ENABLED\r\n";
const METADATA_PREFIX: &str = "x-amz-meta-";

/// What is kept with an object, and not in listings.
#[derive(Debug, Default, Serialize)]
pub struct HeadView {
    content_type: Option<String>,
    cache_control: Option<String>,
    content_disposition: Option<String>,
    content_encoding: Option<String>,
    content_language: Option<String>,
    expires: Option<String>,
    website_redirect: Option<String>,
    metadata: BTreeMap<String, String>,
    tags_count: u64,
    checksums: Vec<StoredChecksumView>,
}

#[derive(Debug, Serialize)]
struct StoredChecksumView {
    algorithm: &'static str,
    form: String,
    value: String,
}

/// Looks at the version of a key, or at its newest; the ETag it has, and the rest.
pub async fn look(
    gateway: &Gateway,
    bucket: &BucketRecord,
    key: &ObjectKey,
    version: Option<VersionId>,
) -> Result<(String, HeadView), S3Error> {
    let placement = gateway.cluster.owner(BucketId(bucket.id), key.as_str())?;
    let raw_query = version
        .map(|version| format!("versionId={version}"))
        .unwrap_or_default();
    let separator = if raw_query.is_empty() { "" } else { "?" };
    let path = percent::encode(key.as_bytes(), true);
    let target = format!("/{}/{path}{separator}{raw_query}", bucket.name);
    let text = format!(
        "HEAD {target} HTTP/1.1\r\nHost: {}\r\n{HEADERS}\r\n",
        placement.core.address
    );
    let parsed = RequestHead::parse(text.as_bytes()).ok().flatten();
    let (head, _) = parsed.ok_or(ErrorCode::InternalError)?;
    let object = ObjectGrant::new(Operation::HeadObject, bucket.grant(), key.as_str(), &head, None)?;
    let asked = ticketing::Asked {
        principal: gateway.catalog.root().principal(),
        head: &head,
        query: &Query::parse(&raw_query)?,
        proxied: true,
    };
    let ticket = ticketing::for_object(&gateway.ticket_key, &placement, object, asked);
    let answer = core_client::look(gateway, &placement.core, &target, &ticket, HEADERS).await?;
    match answer.status {
        200 => {
            let etag = answer.header("etag").unwrap_or_default().trim_matches('"').to_owned();
            Ok((etag, HeadView::new(&answer)))
        }
        403 => Err(ErrorCode::AccessDenied.into()),
        404 | 405 => Err(S3Error::new(ErrorCode::NoSuchKey).field("Key", key.as_str())),
        503 => Err(ErrorCode::ServiceUnavailable.into()),
        status => {
            tracing::warn!(
                status,
                bucket = bucket.name,
                key = key.as_str(),
                "a core's answer to HEAD"
            );
            Err(ErrorCode::InternalError.into())
        }
    }
}

impl HeadView {
    fn new(answer: &Answered) -> Self {
        let text = |name: &str| answer.header(name).map(str::to_owned);
        let form = answer.header("x-amz-checksum-type").unwrap_or("FULL_OBJECT");
        let checksums = ChecksumAlgorithm::ALL.into_iter().filter_map(|algorithm| {
            Some(StoredChecksumView {
                algorithm: algorithm.name(),
                form: form.to_owned(),
                value: answer.header(algorithm.header())?.to_owned(),
            })
        });
        let metadata = answer.headers().filter_map(|(name, value)| {
            let name = name.strip_prefix(METADATA_PREFIX)?;
            Some((name.to_owned(), value.to_owned()))
        });
        Self {
            content_type: text("content-type"),
            cache_control: text("cache-control"),
            content_disposition: text("content-disposition"),
            content_encoding: text("content-encoding"),
            content_language: text("content-language"),
            expires: text("expires"),
            website_redirect: text("x-amz-website-redirect-location"),
            metadata: metadata.collect(),
            tags_count: answer
                .header("x-amz-tagging-count")
                .and_then(|count| count.parse().ok())
                .unwrap_or_default(),
            checksums: checksums.collect(),
        }
    }
}
