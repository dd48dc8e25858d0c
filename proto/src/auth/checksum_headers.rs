//! The headers that declare a checksum: `x-amz-checksum-*`, `x-amz-trailer`, `x-amz-checksum-mode`.

use crate::{
    digest::checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher},
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::query::Query,
};

const CHECKSUM_HEADER_PREFIX: &str = "x-amz-checksum-";
/// Headers with the prefix of a checksum's that hold none.
const CHECKSUM_HEADERS_OTHER: [&str; 3] = ["x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"];

/// The checksum of `x-amz-checksum-*`. In a presigned URL it may stand in the query: clients move their headers there.
pub(super) fn checksum(head: &RequestHead) -> Result<Option<Checksum>, S3Error> {
    let mut checksum = None;
    for (name, value) in head.headers() {
        let value = std::str::from_utf8(value).unwrap_or_default();
        if let Some(found) = checksum_of(name, value)?
            && checksum.replace(found).is_some()
        {
            return Err(second_checksum());
        }
    }
    for (name, value) in hoisted(head, CHECKSUM_HEADER_PREFIX)? {
        match checksum_of(&name, &value)? {
            // Sent both ways, it is one.
            Some(found) if checksum.as_ref().is_some_and(|earlier| *earlier != found) => return Err(second_checksum()),
            Some(found) => checksum = Some(found),
            None => {}
        }
    }
    Ok(checksum)
}

/// Whether a checksum stands in the query and is that of nothing: SDKs that presign an upload without having its body put
/// it there (the AWS SDK for JavaScript since 3.729, by default). It says nothing of a body that is sent later. S3's guide to
/// presigned URLs has no checksums in them at all.
pub(super) fn is_of_unknown_body(head: &RequestHead, checksum: &Checksum) -> bool {
    let is_header = head.header(checksum.algorithm.header()).is_some();
    !is_header && *checksum == ChecksumHasher::new(checksum.algorithm).finish()
}

/// The checksum in a header, if it is one that holds one.
fn checksum_of(name: &str, value: &str) -> Result<Option<Checksum>, S3Error> {
    if !starts_with_ignoring_case(name, CHECKSUM_HEADER_PREFIX) {
        return Ok(None);
    }
    let name = name.to_ascii_lowercase();
    if CHECKSUM_HEADERS_OTHER.contains(&name.as_str()) {
        return Ok(None);
    }
    // What cannot be verified must not be accepted in silence.
    let algorithm = ChecksumAlgorithm::from_header(&name)
        .ok_or_else(|| invalid("The algorithm type you specified in x-amz-checksum- header is invalid."))?;
    let checksum = Checksum::from_base64(algorithm, value)
        .ok_or_else(|| invalid(format!("Value for {name} header is invalid.")))?;
    Ok(Some(checksum))
}

/// The query parameters that begin so, in any case; a query without any costs one look.
fn hoisted(head: &RequestHead, prefix: &str) -> Result<Vec<(String, String)>, S3Error> {
    let is_there = head
        .raw_query()
        .split('&')
        .any(|part| starts_with_ignoring_case(part, prefix));
    if !is_there {
        return Ok(Vec::new());
    }
    let query = Query::parse(head.raw_query())?;
    let named = query.iter().filter(|(name, _)| starts_with_ignoring_case(name, prefix));
    Ok(named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Whether a read asks for the object's checksum: `x-amz-checksum-mode: ENABLED`, as a header or in the query of a
/// presigned URL (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>). `InvalidRequest` for another
/// value.
pub fn wants_checksum(head: &RequestHead) -> Result<bool, S3Error> {
    const HEADER: &str = "x-amz-checksum-mode";
    let in_query = hoisted(head, HEADER)?;
    let in_query = in_query.first().map(|(_, value)| value.as_bytes());
    match head.header(HEADER).or(in_query) {
        None => Ok(false),
        Some(mode) if mode.eq_ignore_ascii_case(b"enabled") => Ok(true),
        Some(_) => Err(invalid("Value for x-amz-checksum-mode header is invalid.")),
    }
}

/// The checksum that `x-amz-trailer` promises.
pub(super) fn trailer(head: &RequestHead) -> Result<Option<ChecksumAlgorithm>, S3Error> {
    let mut trailer = None;
    let headers = head
        .headers()
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-amz-trailer"));
    for name in headers.flat_map(|(_, value)| value.split(|&byte| byte == b',')) {
        let name = std::str::from_utf8(name).unwrap_or_default().trim();
        let algorithm = ChecksumAlgorithm::from_header(name)
            .ok_or_else(|| invalid("The value specified in the x-amz-trailer header is not supported"))?;
        if trailer.replace(algorithm).is_some() {
            return Err(second_checksum());
        }
    }
    Ok(trailer)
}

/// What S3 answers when a checksum is not that of the payload.
pub fn checksum_mismatch(algorithm: ChecksumAlgorithm) -> S3Error {
    let message = format!(
        "The {} you specified did not match the calculated checksum.",
        algorithm.name()
    );
    S3Error::with_message(ErrorCode::BadDigest, message)
}

/// Two where one is allowed.
pub(super) fn second_checksum() -> S3Error {
    invalid("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
}

/// `InvalidRequest` with a message.
pub(super) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}
