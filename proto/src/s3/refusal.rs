//! Headers that ask for more than an operation does. Ignoring one of them would do something else than the client
//! asked for (plaintext instead of encryption, an overwrite instead of a condition), so the request is refused.

use super::{operation::Operation, query::Query};
use crate::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
};

/// Refuses a request whose headers `operation` cannot honour: 501 NotImplemented with the header's name, as S3 answers.
/// The `x-amz-*` parameters of a presigned URL count as headers, as in S3.
pub(super) fn check(operation: Operation, head: &RequestHead, query: &Query) -> Result<(), S3Error> {
    for (name, value) in head.headers() {
        check_header(operation, name, value)?;
    }
    for (name, value) in query.iter().filter(|(name, _)| starts_with_any(name, &["x-amz-"])) {
        check_header(operation, name, value.as_bytes())?;
    }
    Ok(())
}

fn check_header(operation: Operation, name: &str, value: &[u8]) -> Result<(), S3Error> {
    // Every header below starts with one of these; most others are passed by quickly.
    if !matches!(name.as_bytes().first(), Some(b'x' | b'X' | b'i' | b'I' | b'c' | b'C')) {
        return Ok(());
    }
    let is_refused = match operation {
        Operation::PutObject => {
            is_condition_of_reads(name) || is_refused_on_write(name, value) || is_refused_on_put_object(name)
        }
        Operation::CopyObject | Operation::CreateMultipartUpload => {
            is_refused_on_write(name, value) || is_refused_on_put_object(name) || is_refused_on_copy(name)
        }
        Operation::UploadPart => is_refused_on_put_object(name),
        Operation::UploadPartCopy => is_refused_on_put_object(name) || is_refused_on_copy(name),
        Operation::DeleteObject => is_condition_of_reads(name) || is_refused_on_delete_object(name),
        Operation::CreateBucket => is_refused_on_write(name, value) || is_refused_on_create_bucket(name, value),
        Operation::GetObject | Operation::HeadObject => {
            if starts_with_any(name, &["x-amz-server-side-encryption-customer-"]) {
                return Err(S3Error::with_message(
                    ErrorCode::InvalidRequest,
                    "The encryption parameters are not applicable to this object.",
                ));
            }
            false
        }
        _ => false,
    };
    if is_refused {
        return Err(S3Error::with_message(
            ErrorCode::NotImplemented,
            "A header you provided implies functionality that is not implemented.",
        )
        .field("Header", name));
    }
    Ok(())
}

/// Writes are conditional on ETags only.
fn is_condition_of_reads(name: &str) -> bool {
    ["if-modified-since", "if-unmodified-since"]
        .iter()
        .any(|candidate| name.eq_ignore_ascii_case(candidate))
}

/// DeleteObject's API page: time and size are "only supported for directory buckets".
fn is_refused_on_delete_object(name: &str) -> bool {
    [
        "if-none-match",
        "x-amz-if-match-last-modified-time",
        "x-amz-if-match-size",
    ]
    .iter()
    .any(|candidate| name.eq_ignore_ascii_case(candidate))
}

/// Access for others: all belongs to the bucket's owner alone.
fn is_refused_on_write(name: &str, value: &[u8]) -> bool {
    if name.eq_ignore_ascii_case("x-amz-acl") {
        return value != b"private";
    }
    starts_with_any(name, &["x-amz-grant-"])
}

fn is_refused_on_put_object(name: &str) -> bool {
    // A partial PUT would replace the whole object by a part (RFC 9110 section 14.5).
    name.eq_ignore_ascii_case("content-range")
        || starts_with_any(
            name,
            &[
                "x-amz-rename-source",
                "x-amz-write-offset-bytes",
                "x-amz-object-lock-",
                "x-amz-server-side-encryption",
            ],
        )
}

/// What a copy's source is encrypted with.
fn is_refused_on_copy(name: &str) -> bool {
    starts_with_any(name, &["x-amz-copy-source-server-side-encryption-customer-"])
}

fn is_refused_on_create_bucket(name: &str, value: &[u8]) -> bool {
    if name.eq_ignore_ascii_case("x-amz-bucket-object-lock-enabled") {
        return !value.eq_ignore_ascii_case(b"false");
    }
    // Access lists are never in force, which is what BucketOwnerEnforced says.
    name.eq_ignore_ascii_case("x-amz-object-ownership") && value != b"BucketOwnerEnforced"
}

fn starts_with_any(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}
