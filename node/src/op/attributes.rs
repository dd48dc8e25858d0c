//! GetObjectAttributes (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>).

use super::{
    ObjectRequest,
    version::{Absent, Located, locate, write_version_id},
};
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
};
use mountpath::record::Multipart;
use proto::{
    digest::stored::ChecksumForm,
    http::{date, head::RequestHead},
    s3::{
        attributes::{Attributes, AttributesRequest, ListedPart, ObjectParts},
        query::Query,
    },
};

/// Answers with what was asked for.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
) -> After {
    let core = connection.core;
    let (located, asked, listed) = match look(connection, head, query, &object).await {
        Ok(found) => found,
        Err(absent) => return absent.answer(connection, head, exchange).await,
    };
    let last_modified_unix_ms = match located.shown_unix_ms(&object).await {
        Ok(unix_ms) => unix_ms,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    let meta = &located.entry.meta;
    let page = listed
        .as_ref()
        .map(|(parts, is_truncated)| (parts.as_slice(), *is_truncated));
    let document = asked.write(&Attributes {
        etag: &meta.etag,
        checksum: meta.checksum.as_ref(),
        storage_class: meta.headers.storage_class.as_deref(),
        size: meta.size,
        parts: meta.multipart.as_ref().map(|multipart| ObjectParts {
            count: multipart.parts.len(),
            page,
        }),
    });
    let bytes = exchange.body_with(core, 200, "application/xml", &document, |response| {
        response.header("Last-Modified", &date::http(last_modified_unix_ms));
        write_version_id(response, object.bucket.versioning, located.entry.version);
    });
    connection.answer(&exchange, &bytes).await
}

type Found = (Located, AttributesRequest, Option<(Vec<ListedPart>, bool)>);

async fn look(
    connection: &Connection<'_>,
    head: &RequestHead,
    query: &Query,
    object: &ObjectRequest,
) -> Result<Found, Absent> {
    let asked = AttributesRequest::from_request(head, query)?;
    let located = locate(connection.core, object, head, query).await?;
    let meta = &located.entry.meta;
    // S3 lists parts only where the object's checksum is made of theirs.
    let is_composite = meta
        .checksum
        .as_ref()
        .is_some_and(|checksum| checksum.form() == ChecksumForm::Composite);
    let listed = match &meta.multipart {
        Some(multipart) if asked.parts && is_composite => Some(list_parts(&located, object, multipart, &asked).await?),
        _ => None,
    };
    Ok((located, asked, listed))
}

/// A page of the object's parts, and whether more follow.
async fn list_parts(
    located: &Located,
    object: &ObjectRequest,
    multipart: &Multipart,
    asked: &AttributesRequest,
) -> Result<(Vec<ListedPart>, bool), Absent> {
    // Held open, so that its parts stay while they are read.
    let told = |error| store_error(&error, &object.bucket.name, &object.key);
    let _open = located
        .shard
        .open_entry(object.bucket.id, located.entry.clone())
        .map_err(told)?;
    let follows = multipart
        .parts
        .iter()
        .filter(|part| part.number > asked.part_number_marker);
    let is_truncated = follows.clone().nth(asked.max_parts).is_some();
    let mut listed = Vec::new();
    let last = follows.clone().take(asked.max_parts).last();
    let found = located
        .shard
        .parts(
            object.bucket.id,
            multipart.upload,
            asked.part_number_marker,
            asked.max_parts,
        )
        .await
        .map_err(told)?;
    for (number, entry) in found {
        if last.is_some_and(|last| number <= last.number) {
            listed.push(ListedPart {
                number,
                size: entry.meta.size,
                checksum: entry.meta.checksum.clone(),
            });
        }
    }
    Ok((listed, is_truncated))
}
