//! Whose bucket a client expects: a request that would reach another one's is refused
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>).

use super::{copy_source::amz_header, query::Query};
use crate::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
};

/// Whose the bucket of the request must be.
pub const OF_BUCKET: &str = "x-amz-expected-bucket-owner";
/// Whose the bucket of a copy's source must be.
pub const OF_SOURCE: &str = "x-amz-source-expected-bucket-owner";

/// `AccessDenied` when the header names somebody else than the owner. Users have no account numbers here: the owner is
/// named by the canonical id that listings show.
pub fn check(head: &RequestHead, query: &Query, header: &str, owner_id: &str) -> Result<(), S3Error> {
    match amz_header(head, query, header) {
        Some(expected) if expected != owner_id => Err(ErrorCode::AccessDenied.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{OF_BUCKET, OF_SOURCE, check};
    use crate::{http::head::RequestHead, s3::query::Query};

    #[test]
    fn only_the_owner_is_expected() {
        let is_fine = |target: &str, fields: &str, header| {
            let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
            let head = RequestHead::parse(text.as_bytes()).unwrap().unwrap().0;
            let query = Query::parse(head.raw_query()).unwrap();
            check(&head, &query, header, "abc").is_ok()
        };
        assert!(is_fine("/b", "", OF_BUCKET));
        assert!(is_fine("/b", "X-Amz-Expected-Bucket-Owner: abc\r\n", OF_BUCKET));
        assert!(!is_fine(
            "/b",
            "x-amz-expected-bucket-owner: 111122223333\r\n",
            OF_BUCKET
        ));
        assert!(is_fine(
            "/b",
            "x-amz-expected-bucket-owner: 111122223333\r\n",
            OF_SOURCE
        ));
        assert!(!is_fine("/b?x-amz-source-expected-bucket-owner=x", "", OF_SOURCE));
    }
}
