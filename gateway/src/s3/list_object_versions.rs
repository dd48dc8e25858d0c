//! ListObjectVersions (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>).

use super::list_objects::{max_keys, no_encoding, url_encoding};
use crate::{answer::Answer, list::fanout, request::Request};
use proto::{
    error::{ErrorCode, S3Error},
    s3::{
        bucket::BucketId,
        listing::{ListQuery, ListScope},
        properties::LastModified,
        query::Query,
        version::VersionId,
        xml_versions::{self, VersionsResult},
    },
};

/// Where a listing begins.
#[derive(Debug, PartialEq, Eq)]
struct Markers<'q> {
    key: &'q str,
    version_id: &'q str,
    /// `None`: after all versions of the key.
    after: Option<VersionId>,
}

/// Serves it.
pub async fn serve(request: &Request<'_>) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let query = &request.query;
    // S3 checks its parameters in this order.
    let max_keys = max_keys(query.value("max-keys"))?;
    let markers = Markers::read(query)?;
    let url_encoding = match query.value("encoding-type") {
        // Unlike in the other listings.
        Some("") => return Err(no_encoding("")),
        given => url_encoding(given)?,
    };
    let prefix = query.value("prefix").unwrap_or_default();
    let delimiter = query.value("delimiter").filter(|delimiter| !delimiter.is_empty());
    let listed = ListQuery {
        prefix: prefix.to_owned(),
        delimiter: delimiter.unwrap_or_default().to_owned(),
        start_after: markers.key.to_owned(),
        limit: max_keys,
        scope: ListScope::Versions { after: markers.after },
        details: bucket.last_modified == LastModified::Atime,
    };
    let page = fanout::list(request.gateway, BucketId(bucket.id), &listed).await?;
    let page = page.shown(bucket.last_modified);
    let result = VersionsResult {
        bucket: &bucket.name,
        prefix,
        delimiter,
        max_keys,
        key_marker: markers.key,
        version_id_marker: markers.version_id,
        url_encoding,
        owner: &bucket.owner(),
    };
    Ok(Answer::xml(xml_versions::list_versions(&result, &page)))
}

impl<'q> Markers<'q> {
    fn read(query: &'q Query) -> Result<Self, S3Error> {
        let key = query.value("key-marker");
        let version_id = query.value("version-id-marker");
        let after = match version_id {
            None => None,
            Some(given) if key.is_none() => {
                let message = "A version-id marker cannot be specified without a key marker.";
                return Err(refused(message, given));
            }
            Some("") => return Err(refused("A version-id marker cannot be empty.", "")),
            Some(given) => Some(VersionId::parse(given).map_err(|_| refused("Invalid version id specified", given))?),
        };
        let key = key.unwrap_or_default();
        Ok(Self {
            key,
            version_id: version_id.unwrap_or_default(),
            // No key is empty: the listing begins at its beginning.
            after: after.filter(|_| !key.is_empty()),
        })
    }
}

fn refused(message: &'static str, given: &str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidArgument, message)
        .field("ArgumentName", "version-id-marker")
        .field("ArgumentValue", given)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Markers;
    use proto::s3::{query::Query, version::VersionId};

    #[test]
    fn markers_in_every_combination() {
        let read = |raw: &str| {
            let query = Query::parse(raw).unwrap();
            Markers::read(&query)
                .map(|markers| (markers.key.to_owned(), markers.after))
                .map_err(|error| error.message.into_owned())
        };
        let number = VersionId::Number(10);
        assert_eq!(read("versions"), Ok((String::new(), None)));
        assert_eq!(read("key-marker=k"), Ok(("k".to_owned(), None)));
        assert_eq!(
            read("key-marker=k&version-id-marker=null"),
            Ok(("k".to_owned(), Some(VersionId::Null)))
        );
        assert_eq!(
            read("key-marker=k&version-id-marker=000000000000000a"),
            Ok(("k".to_owned(), Some(number)))
        );
        assert_eq!(read("key-marker=&version-id-marker=null"), Ok((String::new(), None)));
        let without_key = "A version-id marker cannot be specified without a key marker.";
        for (raw, message) in [
            ("version-id-marker=null", without_key),
            ("version-id-marker=", without_key),
            (
                "key-marker=k&version-id-marker=",
                "A version-id marker cannot be empty.",
            ),
            ("key-marker=k&version-id-marker=x", "Invalid version id specified"),
            ("key-marker=&version-id-marker=x", "Invalid version id specified"),
        ] {
            assert_eq!(read(raw), Err(message.to_owned()), "{raw}");
        }
    }
}
