//! If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since with S3's precedence (RFC 9110 section 13.2.2,
//! GetObject's API page), and If-Range; conditions of writes are in [`write`], those of copies on their source in [`copy`].

mod copy;
mod write;

use super::{date, head::RequestHead};
pub use copy::check_copy;
pub use write::WriteCondition;

/// What the conditions of a read say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadCondition {
    /// Serve the object.
    Serve,
    /// 304, no body.
    NotModified,
    /// 412 PreconditionFailed, because of the header of this name.
    PreconditionFailed(&'static str),
}

/// Evaluates a read's conditions against an ETag (without quotes) and a modification time (milliseconds since the epoch,
/// compared in whole seconds). Weak ETags and lists and `*` are understood; malformed dates are ignored (RFC 9110 sections
/// 13.1.3 and 13.1.4). Tags without quotes are taken too, as S3 does.
pub fn evaluate_read(head: &RequestHead, etag: &str, modified_unix_ms: u64) -> ReadCondition {
    let modified_unix_s = modified_unix_ms / 1000;
    let date = |name: &str| head.header_str(name).and_then(date::parse_http);
    match matches_any(head, "if-match", etag, Comparison::Strong) {
        Some(false) => return ReadCondition::PreconditionFailed("If-Match"),
        Some(true) => {}
        None if date("if-unmodified-since").is_some_and(|limit_unix_s| modified_unix_s > limit_unix_s) => {
            return ReadCondition::PreconditionFailed("If-Unmodified-Since");
        }
        None => {}
    }
    match matches_any(head, "if-none-match", etag, Comparison::Weak) {
        Some(true) => ReadCondition::NotModified,
        Some(false) => ReadCondition::Serve,
        None if date("if-modified-since").is_some_and(|known_unix_s| modified_unix_s <= known_unix_s) => {
            ReadCondition::NotModified
        }
        None => ReadCondition::Serve,
    }
}

/// Whether a Range header counts (RFC 9110 section 13.1.5): not when If-Range names another state of the object, then the
/// whole object is served.
pub fn range_applies(head: &RequestHead, etag: &str, modified_unix_ms: u64) -> bool {
    match head.header_str("if-range") {
        None => true,
        Some(validator) => match date::parse_http(validator) {
            Some(unix_s) => unix_s == modified_unix_ms / 1000,
            None => Tags(validator).any(|tag| tag.matches(etag, Comparison::Strong)),
        },
    }
}

/// RFC 9110 section 8.8.3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether one of the tags in all header lines of `name` matches; `None`: there is no such header.
fn matches_any(head: &RequestHead, name: &str, etag: &str, comparison: Comparison) -> Option<bool> {
    head.header(name)?;
    let matched = head
        .headers()
        .filter(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
        .filter_map(|(_, value)| std::str::from_utf8(value).ok())
        .any(|value| value.trim_ascii() == "*" || Tags(value).any(|tag| tag.matches(etag, comparison)));
    Some(matched)
}

/// An entity tag of a header, without its quotes.
#[derive(Debug)]
struct Tag<'h> {
    opaque: &'h str,
    is_weak: bool,
}

impl Tag<'_> {
    fn matches(&self, etag: &str, comparison: Comparison) -> bool {
        self.opaque == etag && (comparison == Comparison::Weak || !self.is_weak)
    }
}

/// The entity tags of a comma-separated list; a comma inside quotes belongs to the tag.
struct Tags<'h>(&'h str);

impl<'h> Iterator for Tags<'h> {
    type Item = Tag<'h>;

    fn next(&mut self) -> Option<Tag<'h>> {
        let list = self.0.trim_start_matches([' ', '\t', ',']);
        if list.is_empty() {
            return None;
        }
        let (is_weak, list) = match list.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, list),
        };
        let (opaque, rest) = match list.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
            Some(found) => found,
            None => {
                let (bare, rest) = list.split_once(',').unwrap_or((list, ""));
                (bare.trim_ascii(), rest)
            }
        };
        self.0 = rest;
        Some(Tag { opaque, is_weak })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{ReadCondition, evaluate_read, range_applies};
    use crate::http::head::RequestHead;

    const BEFORE: &str = "Mon, 23 Nov 2026 11:59:59 GMT";
    const AT: &str = "Mon, 23 Nov 2026 12:00:00 GMT";
    const AT_UNIX_MS: u64 = 1_795_435_200_999;

    fn head(fields: &[(&str, &str)]) -> RequestHead {
        let mut text = "GET /b/k HTTP/1.1\r\nHost: h\r\n".to_owned();
        for (name, value) in fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        RequestHead::parse(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn conditions_and_their_precedence() {
        use ReadCondition::{NotModified, PreconditionFailed, Serve};
        let failed = PreconditionFailed("If-Match");
        for (fields, expected) in [
            (&[][..], Serve),
            (&[("If-Match", "\"e\"")], Serve),
            (&[("If-Match", "e")], Serve),
            (&[("If-Match", "*")], Serve),
            (&[("If-Match", "\"x,e\", \"e\"")], Serve),
            (&[("If-Match", "\"x\""), ("If-Match", "\"e\"")], Serve),
            (&[("If-Match", "W/\"e\"")], failed),
            (&[("If-Match", "\"x\"")], failed),
            (&[("If-Match", "\"x,e,\"")], failed),
            (&[("If-Match", "")], failed),
            (&[("If-None-Match", "\"e\"")], NotModified),
            (&[("If-None-Match", "W/\"e\"")], NotModified),
            (&[("If-None-Match", "*")], NotModified),
            (&[("If-None-Match", "x, e")], NotModified),
            (&[("If-None-Match", "\"x\"")], Serve),
            (&[("If-Modified-Since", AT)], NotModified),
            (&[("If-Modified-Since", BEFORE)], Serve),
            (&[("If-Modified-Since", "nonsense")], Serve),
            (&[("If-Unmodified-Since", AT)], Serve),
            (
                &[("If-Unmodified-Since", BEFORE)],
                PreconditionFailed("If-Unmodified-Since"),
            ),
            (&[("If-Unmodified-Since", "nonsense")], Serve),
            // S3: "If-Match true and If-Unmodified-Since false: 200 OK".
            (&[("If-Match", "e"), ("If-Unmodified-Since", BEFORE)], Serve),
            // S3: "If-None-Match false and If-Modified-Since true: 304".
            (&[("If-None-Match", "e"), ("If-Modified-Since", BEFORE)], NotModified),
            (&[("If-None-Match", "x"), ("If-Modified-Since", AT)], Serve),
            (&[("If-Match", "e"), ("If-None-Match", "e")], NotModified),
            (&[("If-Match", "x"), ("If-None-Match", "e")], failed),
            // All four (RFC 9110 section 13.2.2): tags go before dates, and If-Match before If-None-Match.
            (&all_four("x", BEFORE, "x", AT), failed),
            (&all_four("e", BEFORE, "e", BEFORE), NotModified),
            (&all_four("e", BEFORE, "x", AT), Serve),
            (
                &[("If-Unmodified-Since", BEFORE), ("If-Modified-Since", AT)],
                PreconditionFailed("If-Unmodified-Since"),
            ),
            (&[("If-Unmodified-Since", AT), ("If-Modified-Since", AT)], NotModified),
            (&[("If-Unmodified-Since", AT), ("If-None-Match", "e")], NotModified),
            (&[("If-Match", "e"), ("If-Modified-Since", AT)], NotModified),
            // The other forms of a date (RFC 9110 section 5.6.7).
            (&[("If-Modified-Since", "Monday, 23-Nov-26 12:00:00 GMT")], NotModified),
            (&[("If-Modified-Since", "Mon Nov 23 11:59:59 2026")], Serve),
        ] {
            assert_eq!(evaluate_read(&head(fields), "e", AT_UNIX_MS), expected, "{fields:?}");
        }
    }

    fn all_four<'a>(
        matches: &'a str,
        unmodified: &'a str,
        none_match: &'a str,
        modified: &'a str,
    ) -> [(&'static str, &'a str); 4] {
        [
            ("If-Match", matches),
            ("If-Unmodified-Since", unmodified),
            ("If-None-Match", none_match),
            ("If-Modified-Since", modified),
        ]
    }

    #[test]
    fn if_range_gives_the_range_only_for_the_same_state() {
        for (value, expected) in [
            ("\"e\"", true),
            ("W/\"e\"", false),
            ("\"x\"", false),
            (AT, true),
            (BEFORE, false),
        ] {
            assert_eq!(
                range_applies(&head(&[("If-Range", value)]), "e", AT_UNIX_MS),
                expected,
                "{value}"
            );
        }
        assert!(range_applies(&head(&[]), "e", AT_UNIX_MS));
    }
}
