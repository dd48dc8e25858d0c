//! Conditions of copies on their source: `x-amz-copy-source-if-*`
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).

use super::{Comparison, Tags};
use crate::{
    error::{ErrorCode, S3Error},
    http::{date, head::RequestHead},
    s3::query::Query,
};

const IF_MATCH: &str = "x-amz-copy-source-if-match";
const IF_NONE_MATCH: &str = "x-amz-copy-source-if-none-match";
const IF_MODIFIED_SINCE: &str = "x-amz-copy-source-if-modified-since";
const IF_UNMODIFIED_SINCE: &str = "x-amz-copy-source-if-unmodified-since";

/// Holds a source's ETag (without quotes) and modification time (milliseconds since the epoch, compared in whole seconds)
/// against the conditions. `PreconditionFailed` with Condition when one does not hold; of two that speak of the same, the
/// ETag decides. The parameters of a presigned URL count as headers.
pub fn check_copy(head: &RequestHead, query: &Query, etag: &str, modified_unix_ms: u64) -> Result<(), S3Error> {
    let modified_unix_s = modified_unix_ms / 1000;
    let date = |name: &str| values(head, query, name).find_map(date::parse_http);
    let failed = |name: &str| Err(S3Error::new(ErrorCode::PreconditionFailed).field("Condition", name));
    match matches_any(head, query, IF_MATCH, etag, Comparison::Strong) {
        Some(false) => return failed(IF_MATCH),
        Some(true) => {}
        None if date(IF_UNMODIFIED_SINCE).is_some_and(|limit_unix_s| modified_unix_s > limit_unix_s) => {
            return failed(IF_UNMODIFIED_SINCE);
        }
        None => {}
    }
    // "If both [...] if-none-match condition evaluates to false, if-modified-since evaluates to true: 412".
    if matches_any(head, query, IF_NONE_MATCH, etag, Comparison::Weak) == Some(true) {
        return failed(IF_NONE_MATCH);
    }
    let has_none_match = values(head, query, IF_NONE_MATCH).next().is_some();
    if !has_none_match && date(IF_MODIFIED_SINCE).is_some_and(|known_unix_s| modified_unix_s <= known_unix_s) {
        return failed(IF_MODIFIED_SINCE);
    }
    Ok(())
}

fn values<'h>(head: &'h RequestHead, query: &'h Query, name: &'h str) -> impl Iterator<Item = &'h str> {
    let of_head = head
        .headers()
        .filter(move |(candidate, _)| candidate.eq_ignore_ascii_case(name))
        // What is no text is no ETag of anything.
        .map(|(_, value)| std::str::from_utf8(value).unwrap_or_default());
    let of_query = query
        .iter()
        .filter(move |(candidate, _)| candidate.eq_ignore_ascii_case(name))
        .map(|(_, value)| value);
    of_head.chain(of_query)
}

fn matches_any(head: &RequestHead, query: &Query, name: &str, etag: &str, comparison: Comparison) -> Option<bool> {
    values(head, query, name).fold(None, |matched, value| {
        let matches = value.trim_ascii() == "*" || Tags(value).any(|tag| tag.matches(etag, comparison));
        Some(matched.unwrap_or(false) || matches)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::check_copy;
    use crate::{error::ErrorCode, http::head::RequestHead, s3::query::Query};

    const BEFORE: &str = "Mon, 23 Nov 2026 11:59:59 GMT";
    const AT: &str = "Mon, 23 Nov 2026 12:00:00 GMT";
    const AT_UNIX_MS: u64 = 1_795_435_200_999;

    fn failing(fields: &[(&str, &str)]) -> Option<String> {
        let mut text = "PUT /b/k HTTP/1.1\r\nHost: h\r\n".to_owned();
        for (name, value) in fields {
            text.push_str(&format!("x-amz-copy-source-{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let head = RequestHead::parse(text.as_bytes()).unwrap().unwrap().0;
        let error = check_copy(&head, &Query::default(), "e", AT_UNIX_MS).err()?;
        assert_eq!(error.code, ErrorCode::PreconditionFailed);
        Some(error.fields[0].1.trim_start_matches("x-amz-copy-source-").to_owned())
    }

    #[test]
    fn conditions_and_their_precedence() {
        for (fields, expected) in [
            (&[][..], None),
            (&[("if-match", "\"e\"")], None),
            (&[("if-match", "e")], None),
            (&[("if-match", "\"x\"")], Some("if-match")),
            (&[("if-none-match", "\"e\"")], Some("if-none-match")),
            (&[("if-none-match", "*")], Some("if-none-match")),
            (&[("if-none-match", "\"x\"")], None),
            (&[("if-modified-since", AT)], Some("if-modified-since")),
            (&[("if-modified-since", BEFORE)], None),
            (&[("if-unmodified-since", AT)], None),
            (&[("if-unmodified-since", BEFORE)], Some("if-unmodified-since")),
            (&[("if-unmodified-since", "nonsense")], None),
            // The two that CopyObject's page names.
            (&[("if-match", "e"), ("if-unmodified-since", BEFORE)], None),
            (
                &[("if-none-match", "e"), ("if-modified-since", BEFORE)],
                Some("if-none-match"),
            ),
            (&[("if-none-match", "x"), ("if-modified-since", AT)], None),
            (&[("if-match", "x"), ("if-unmodified-since", AT)], Some("if-match")),
        ] {
            assert_eq!(failing(fields).as_deref(), expected, "{fields:?}");
        }
    }

    #[test]
    fn parameters_of_presigned_urls_count() {
        let head = RequestHead::parse(b"PUT /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap()
            .unwrap()
            .0;
        let query = Query::parse("X-Amz-Copy-Source-If-Match=x").unwrap();
        assert!(check_copy(&head, &query, "e", AT_UNIX_MS).is_err());
        assert!(check_copy(&head, &query, "x", AT_UNIX_MS).is_ok());
    }
}
