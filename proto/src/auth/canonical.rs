//! The canonical request (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>) in the forms
//! that real clients sign: they differ in how they encode a path and in what they take for the host.

use super::{
    sigv4::{ALGORITHM, Scope, hex, sha256},
    ticket,
};
use crate::{
    http::{head::RequestHead, percent},
    s3::query::Query,
};
use std::borrow::Cow;

/// One way to read a request as its client may have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form<'h> {
    /// Canonical URI.
    path: Cow<'h, str>,
    /// What the client took for a part of the host: empty but for s3cmd.
    host_suffix: &'h str,
    /// Whether inner runs of spaces in header values count as one.
    collapses_spaces: bool,
    /// Whether the ticket in the query is part of what was signed.
    includes_ticket: bool,
}

/// The forms to try in order, most likely first; each costs a hash of the head. At most 12, and 1 for nearly every
/// request.
///
/// - The path as received, then decoded and encoded again: libraries between signer and socket re-quote it.
/// - With the ticket, then without: it may have been added after signing.
/// - Runs of spaces collapsed, as AWS's own clients do, then kept, as S3's documentation has it.
/// - s3cmd, given an endpoint with a path P, signs host `Host + P` and the path without P; P is `/s3` or
///   `/s3/<bucket>`. Only where `endpoint_may_have_path`.
pub(super) fn forms<'h>(
    head: &'h RequestHead,
    query: &Query,
    signed_headers: &[String],
    endpoint_may_have_path: bool,
) -> Vec<Form<'h>> {
    let has_ticket = query.contains(ticket::QUERY_PARAMETER);
    let has_runs = head
        .headers()
        .any(|(name, value)| is_signed(name, signed_headers) && value.windows(2).any(|pair| pair == b"  "));
    let raw_path = non_empty(head.raw_path());
    let encoded_path = percent::decode(raw_path).map(|path| percent::encode(&path, true));

    let plain = [Some(Cow::Borrowed(raw_path)), encoded_path.map(Cow::Owned)]
        .into_iter()
        .flatten()
        .flat_map(|path| [("", path.clone(), true), ("", path, false)]);
    let prefixed = s3cmd_prefixes(raw_path)
        .into_iter()
        .flatten()
        .filter(|_| endpoint_may_have_path)
        .map(|(prefix, path)| (prefix, Cow::Borrowed(non_empty(path)), false));

    let mut forms: Vec<Form<'h>> = Vec::new();
    for (host_suffix, path, collapses_spaces) in plain.chain(prefixed) {
        for includes_ticket in [true, false] {
            let form = Form {
                path: path.clone(),
                host_suffix,
                collapses_spaces: collapses_spaces || !has_runs,
                includes_ticket: includes_ticket && has_ticket,
            };
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

/// (P, path without P).
fn s3cmd_prefixes(raw_path: &str) -> [Option<(&str, &str)>; 2] {
    const PREFIX: &str = "/s3";
    let Some(rest) = raw_path.strip_prefix(PREFIX) else {
        return [None, None];
    };
    let endpoint = raw_path.split_at_checked(PREFIX.len());
    let Some(in_bucket) = rest.strip_prefix('/') else {
        return [endpoint.filter(|_| rest.is_empty()), None];
    };
    let bucket_bytes = in_bucket.find('/').unwrap_or(in_bucket.len());
    let bucket = raw_path
        .split_at_checked(PREFIX.len() + 1 + bucket_bytes)
        .filter(|_| bucket_bytes > 0);
    [endpoint, bucket]
}

fn non_empty(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

fn is_signed(name: &str, signed_headers: &[String]) -> bool {
    signed_headers.iter().any(|signed| signed.eq_ignore_ascii_case(name))
}

impl Form<'_> {
    /// The canonical request. Bytes, because header values need not be UTF-8.
    pub(super) fn request(
        &self,
        head: &RequestHead,
        query: &Query,
        signed_headers: &[String],
        payload_hash: &str,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        for line in [head.method_name(), &self.path, &self.canonical_query(query)] {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        for name in signed_headers {
            self.header(head, name, &mut out);
        }
        out.push(b'\n');
        out.extend_from_slice(signed_headers.join(";").as_bytes());
        out.push(b'\n');
        out.extend_from_slice(payload_hash.as_bytes());
        out
    }

    fn canonical_query(&self, query: &Query) -> String {
        let mut parameters: Vec<(String, String)> = query
            .iter()
            .filter(|(name, _)| *name != "X-Amz-Signature")
            .filter(|(name, _)| self.includes_ticket || *name != ticket::QUERY_PARAMETER)
            .map(|(name, value)| {
                (
                    percent::encode(name.as_bytes(), false),
                    percent::encode(value.as_bytes(), false),
                )
            })
            .collect();
        parameters.sort_unstable();
        let mut out = String::new();
        for (name, value) in &parameters {
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(name);
            out.push('=');
            out.push_str(value);
        }
        out
    }

    /// `name:value,value\n`; a header that was signed and did not arrive counts as empty.
    fn header(&self, head: &RequestHead, name: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(name.as_bytes());
        let values = head.headers().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let mut separator = b':';
        for (_, value) in values {
            out.push(separator);
            separator = b',';
            self.header_value(value, out);
        }
        if separator == b':' {
            out.push(separator);
        }
        if name == "host" {
            out.extend_from_slice(self.host_suffix.as_bytes());
        }
        out.push(b'\n');
    }

    fn header_value(&self, value: &[u8], out: &mut Vec<u8>) {
        let mut previous = 0;
        for &byte in value.trim_ascii() {
            if !(self.collapses_spaces && byte == b' ' && previous == b' ') {
                out.push(byte);
            }
            previous = byte;
        }
    }
}

/// The string to sign.
pub(super) fn string_to_sign(timestamp: &str, scope: &Scope, canonical_request: &[u8]) -> String {
    let hash = hex(&sha256(canonical_request));
    format!("{ALGORITHM}\n{timestamp}\n{scope}\n{hash}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{forms, s3cmd_prefixes};
    use crate::{http::head::RequestHead, s3::query::Query};

    #[test]
    fn prefixes_of_s3cmd() {
        assert_eq!(s3cmd_prefixes("/bucket/key"), [None, None]);
        assert_eq!(s3cmd_prefixes("/s3x/key"), [None, None]);
        assert_eq!(s3cmd_prefixes("/s3"), [Some(("/s3", "")), None]);
        assert_eq!(s3cmd_prefixes("/s3/"), [Some(("/s3", "/")), None]);
        assert_eq!(
            s3cmd_prefixes("/s3/bucket"),
            [Some(("/s3", "/bucket")), Some(("/s3/bucket", ""))]
        );
        assert_eq!(
            s3cmd_prefixes("/s3/bucket//k"),
            [Some(("/s3", "/bucket//k")), Some(("/s3/bucket", "//k"))]
        );
    }

    #[test]
    fn few_forms_are_tried() {
        let count = |request: &str, signed: &[&str]| {
            let (head, _) = RequestHead::parse(request.as_bytes()).unwrap().unwrap();
            let query = Query::parse(head.raw_query()).unwrap();
            let signed: Vec<String> = signed.iter().map(|&name| name.to_owned()).collect();
            forms(&head, &query, &signed, true).len()
        };
        assert_eq!(count("GET /b/k?x=y HTTP/1.1\r\nHost: h\r\n\r\n", &["host"]), 1);
        assert_eq!(count("GET /s3/b/k HTTP/1.1\r\nHost: h\r\n\r\n", &["host"]), 3);
        let worst = "GET /s3/b/(k?corelane-ticket=t HTTP/1.1\r\nHost: h\r\nx-amz-meta-a: b  c\r\n\r\n";
        assert_eq!(count(worst, &["host", "x-amz-meta-a"]), 12);
    }
}
