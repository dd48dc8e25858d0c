//! ListMultipartUploads (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>).

use crate::{answer::Answer, list::fanout, request::Request};
use proto::{
    error::{ErrorCode, S3Error},
    limits::LIST_KEYS_MAX,
    s3::{
        bucket::BucketId,
        listing::{ListQuery, ListScope},
        query::Query,
        version::UploadId,
        xml_multipart::{self, UploadsResult},
    },
};

/// Serves it.
pub async fn serve(request: &Request<'_>) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let query = &request.query;
    let max_uploads = max_uploads(query)?;
    let url_encoding = match query.value("encoding-type") {
        None | Some("") => false,
        Some("url") => true,
        Some(other) => {
            let message = "Invalid Encoding Method specified in Request";
            return Err(argument("encoding-type", other, message));
        }
    };
    let (key_marker, after) = markers(query)?;
    let delimiter = query.value("delimiter").filter(|delimiter| !delimiter.is_empty());
    let list_query = ListQuery {
        prefix: query.value("prefix").unwrap_or_default().to_owned(),
        delimiter: delimiter.unwrap_or_default().to_owned(),
        start_after: key_marker.to_owned(),
        limit: max_uploads,
        scope: ListScope::Uploads { after },
        details: false,
    };
    let page = fanout::list(request.gateway, BucketId(bucket.id), &list_query).await?;
    let result = UploadsResult {
        bucket: &bucket.name,
        prefix: &list_query.prefix,
        delimiter,
        key_marker,
        upload_id_marker: match after {
            Some(_) => query.value("upload-id-marker").unwrap_or_default(),
            None => "",
        },
        max_uploads,
        url_encoding,
        owner: &bucket.owner(),
    };
    Ok(Answer::xml(xml_multipart::list_uploads_result(&result, &page)))
}

/// `key-marker` and `upload-id-marker`: "If key-marker is not specified, the upload-id-marker parameter is ignored."
fn markers(query: &Query) -> Result<(&str, Option<UploadId>), S3Error> {
    let key_marker = query.value("key-marker").unwrap_or_default();
    let upload = query.value("upload-id-marker").filter(|marker| !marker.is_empty());
    match upload.filter(|_| !key_marker.is_empty()) {
        None => Ok((key_marker, None)),
        Some(marker) => match UploadId::parse(marker) {
            Ok(upload) => Ok((key_marker, Some(upload))),
            Err(_) => Err(argument("upload-id-marker", marker, "Invalid uploadId marker")),
        },
    }
}

/// `max-uploads`: absent is the maximum, more than the maximum is the maximum.
fn max_uploads(query: &Query) -> Result<usize, S3Error> {
    let Some(text) = query.value("max-uploads").filter(|text| !text.is_empty()) else {
        return Ok(LIST_KEYS_MAX);
    };
    // S3 counts in 32 bits: a larger number is no integer to it.
    let number: i32 = text.parse().map_err(|_| {
        let message = "Provided max-uploads not an integer or within integer range";
        argument("max-uploads", text, message)
    })?;
    let count = usize::try_from(number).map_err(|_| {
        let message = "Argument max-uploads must be an integer between 0 and 2147483647";
        argument("max-uploads", text, message)
    })?;
    Ok(count.min(LIST_KEYS_MAX))
}

fn argument(name: &str, value: &str, message: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidArgument, message)
        .field("ArgumentName", name)
        .field("ArgumentValue", value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Query, UploadId, markers, max_uploads};

    fn query(raw: &str) -> Query {
        Query::parse(raw).unwrap()
    }

    #[test]
    fn an_upload_marker_needs_a_key_marker() {
        assert_eq!(markers(&query("upload-id-marker=nonsense")), Ok(("", None)));
        let both = query("key-marker=a&upload-id-marker=000000000000000a");
        assert_eq!(markers(&both), Ok(("a", Some(UploadId(10)))));
        assert!(markers(&query("key-marker=a&upload-id-marker=nonsense")).is_err());
    }

    #[test]
    fn max_uploads_as_s3_reads_it() {
        for (raw, expected) in [
            ("", 1000),
            ("max-uploads=", 1000),
            ("max-uploads=7", 7),
            ("max-uploads=1001", 1000),
        ] {
            assert_eq!(max_uploads(&query(raw)), Ok(expected), "{raw}");
        }
        for bad in ["max-uploads=-1", "max-uploads=x", "max-uploads=2147483648"] {
            assert!(max_uploads(&query(bad)).is_err(), "{bad}");
        }
    }
}
