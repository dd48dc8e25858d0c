//! Request heads: the bytes a client sent, parsed once and kept as they came (signatures cover the raw bytes).

use super::fields::{FieldsThatMatter, decimal};
use crate::{
    error::{ErrorCode, S3Error},
    limits::{HEADER_COUNT_MAX, REQUEST_HEAD_BYTES_MAX},
};
use std::mem::MaybeUninit;

/// The methods S3 uses; anything else is `Other` and answered 405.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
    Options,
    Other,
}

/// How a request's body is delimited (RFC 9112 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// No Content-Length and no Transfer-Encoding.
    None,
    /// Content-Length, in bytes.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
}

/// Why a head cannot be served; the connection closes after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum HeadError {
    #[error("the head is larger than the limit")]
    TooLarge,
    #[error("the head has more header lines than the limit")]
    TooManyHeaders,
    #[error("the head is not HTTP/1.x")]
    Malformed,
    #[error("Content-Length or Transfer-Encoding is malformed, unknown or in conflict")]
    ConflictingFraming,
    #[error("HTTP/1.1 needs exactly one Host header")]
    Host,
}

impl From<HeadError> for S3Error {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::TooLarge | HeadError::TooManyHeaders => Self::new(ErrorCode::RequestHeaderSectionTooLarge),
            HeadError::Malformed => Self::with_message(ErrorCode::InvalidRequest, "The request is not HTTP/1.1."),
            HeadError::ConflictingFraming => Self::with_message(
                ErrorCode::InvalidRequest,
                "Send either one Content-Length header or Transfer-Encoding: chunked.",
            ),
            HeadError::Host => Self::with_message(ErrorCode::InvalidRequest, "Send exactly one Host header."),
        }
    }
}

const _: () = assert!(
    REQUEST_HEAD_BYTES_MAX <= u16::MAX as usize,
    "a Span must reach every byte of a head"
);

/// A range of a head's bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u16,
    end: u16,
}

impl Span {
    /// Where `part`, a sub-slice of `whole`, lies in it.
    fn of(part: &[u8], whole: &[u8]) -> Option<Self> {
        let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
        let end = start.checked_add(part.len())?;
        Some(Self {
            start: u16::try_from(start).ok()?,
            end: u16::try_from(end).ok()?,
        })
    }
    fn bytes(self, raw: &[u8]) -> &[u8] {
        raw.get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }
    fn text(self, raw: &[u8]) -> &str {
        std::str::from_utf8(self.bytes(raw)).unwrap_or_default()
    }
}

/// A parsed request head. Owns its bytes; names and values are ranges into them.
#[derive(Debug, Clone)]
pub struct RequestHead {
    raw: Vec<u8>,
    method: Method,
    method_name: Span,
    /// Path and query.
    target: Span,
    /// Bytes of `target` before `?`.
    path_length: usize,
    headers: Vec<(Span, Span)>,
    framing: BodyFraming,
    keep_alive: bool,
    expects_continue: bool,
}

impl RequestHead {
    /// Parses the head at the start of `bytes`. `Ok(None)`: not complete yet. On success also the head's length in
    /// bytes (the body starts there). Refuses obs-fold, bare LF, whitespace before the colon, both Content-Length and
    /// Transfer-Encoding, differing Content-Lengths, Transfer-Encoding other than `chunked`, HTTP/1.1 without exactly
    /// one Host. An absolute-form target is reduced to its path. Leading CRLFs are skipped.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        let mut skipped = 0;
        let mut rest = bytes;
        while let Some(after) = rest.strip_prefix(b"\r\n") {
            rest = after;
            skipped += 2;
            if skipped > REQUEST_HEAD_BYTES_MAX {
                return Err(HeadError::TooLarge);
            }
        }
        if rest == b"\r" {
            return Ok(None);
        }
        let window = rest.get(..REQUEST_HEAD_BYTES_MAX).unwrap_or(rest);
        let mut headers = [const { MaybeUninit::uninit() }; HEADER_COUNT_MAX];
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(window, &mut headers) {
            Ok(httparse::Status::Complete(length)) => {
                let raw = window.get(..length).ok_or(HeadError::Malformed)?;
                Self::build(raw, &request).map(|head| Some((head, skipped + length)))
            }
            Ok(httparse::Status::Partial) if window.len() == REQUEST_HEAD_BYTES_MAX => Err(HeadError::TooLarge),
            Ok(httparse::Status::Partial) => Ok(None),
            Err(httparse::Error::TooManyHeaders) => Err(HeadError::TooManyHeaders),
            Err(_) => Err(HeadError::Malformed),
        }
    }

    fn build(raw: &[u8], request: &httparse::Request<'_, '_>) -> Result<Self, HeadError> {
        let (Some(method), Some(path), Some(minor)) = (request.method, request.path, request.version) else {
            return Err(HeadError::Malformed);
        };
        let span = |part: &[u8]| Span::of(part, raw).ok_or(HeadError::Malformed);
        let method_name = span(method.as_bytes())?;
        let line_end = usize::from(span(path.as_bytes())?.end) + " HTTP/1.1".len();
        // httparse takes a bare LF for a line end; proxies that do not would see other requests (smuggling).
        if method_name.start != 0 || !ends_with_crlf(raw, line_end) || !raw.ends_with(b"\r\n\r\n") {
            return Err(HeadError::Malformed);
        }
        let mut fields = FieldsThatMatter::default();
        let mut headers = Vec::with_capacity(request.headers.len());
        for header in request.headers.iter() {
            let (name, value) = (span(header.name.as_bytes())?, span(header.value)?);
            if !ends_with_crlf(raw, usize::from(value.end)) {
                return Err(HeadError::Malformed);
            }
            fields.take(header.name, header.value)?;
            headers.push((name, value));
        }
        if fields.host_count > 1 || (minor > 0 && fields.host_count == 0) {
            return Err(HeadError::Host);
        }
        let target = origin_form(path).ok_or(HeadError::Malformed)?;
        Ok(Self {
            raw: raw.to_vec(),
            method: method_of(method),
            method_name,
            target: span(target.as_bytes())?,
            path_length: target.find('?').unwrap_or(target.len()),
            headers,
            framing: fields.framing(minor)?,
            keep_alive: !fields.close && minor > 0,
            expects_continue: fields.expects_continue && minor > 0,
        })
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }
    /// The method as sent, such as `PROPFIND`.
    pub fn method_name(&self) -> &str {
        self.method_name.text(&self.raw)
    }
    /// Path and query as sent.
    pub fn target(&self) -> &str {
        self.target.text(&self.raw)
    }
    /// The path as sent, percent-encoding untouched.
    pub fn raw_path(&self) -> &str {
        self.target().get(..self.path_length).unwrap_or_default()
    }
    /// The query as sent without `?`; empty if there is none.
    pub fn raw_query(&self) -> &str {
        self.target().get(self.path_length + 1..).unwrap_or_default()
    }
    /// The first value of a header, surrounding whitespace trimmed; names compare case-insensitively.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.headers.iter().find(|(candidate, _)| {
            usize::from(candidate.end - candidate.start) == name.len()
                && candidate.bytes(&self.raw).eq_ignore_ascii_case(name.as_bytes())
        })?;
        Some(value.bytes(&self.raw))
    }
    /// The same as text; `None` also when it is not UTF-8.
    pub fn header_str(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.header(name)?).ok()
    }
    /// All headers in order, names as sent.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (name.text(&self.raw), value.bytes(&self.raw)))
    }
    /// How the body is delimited.
    pub fn framing(&self) -> BodyFraming {
        self.framing
    }
    /// Whether the connection may serve another request after this one. HTTP/1.0 clients count on a close unless they
    /// are told otherwise in a header nothing else needs, so they get one.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }
    /// Whether the client waits for `100 Continue` (HTTP/1.1 only).
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }
    /// The declared object length: `x-amz-decoded-content-length` if present, else Content-Length.
    /// `MissingContentLength` when there is neither; `InvalidArgument` when malformed.
    pub fn decoded_length(&self) -> Result<u64, S3Error> {
        const NAME: &str = "x-amz-decoded-content-length";
        match (self.header(NAME), self.framing) {
            (Some(value), _) => decimal(value).ok_or_else(|| {
                S3Error::with_message(
                    ErrorCode::InvalidArgument,
                    "The decoded content length is not a number.",
                )
                .field("ArgumentName", NAME)
                .field("ArgumentValue", String::from_utf8_lossy(value))
            }),
            (None, BodyFraming::Length(length)) => Ok(length),
            (None, _) => Err(S3Error::new(ErrorCode::MissingContentLength)),
        }
    }
    /// The head's bytes as received, final empty line included.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }
}

/// Whether nothing but blanks stands between `position` and a CRLF.
fn ends_with_crlf(raw: &[u8], position: usize) -> bool {
    let rest = raw.get(position..).unwrap_or_default();
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    rest.get(blanks..).is_some_and(|end| end.starts_with(b"\r\n"))
}

/// The target without scheme and authority. An absolute form without a path has nothing to be reduced to.
fn origin_form(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return Some(target);
    }
    for scheme in ["http://", "https://"] {
        if target
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        {
            let authority_and_path = target.get(scheme.len()..)?;
            let path_start = authority_and_path.find(['/', '?'])?;
            return authority_and_path
                .get(path_start..)
                .filter(|path| path.starts_with('/'));
        }
    }
    Some(target)
}

fn method_of(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "PUT" => Method::Put,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        _ => Method::Other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{BodyFraming, HeadError, Method, RequestHead};

    fn parse(text: &str) -> Result<RequestHead, HeadError> {
        RequestHead::parse(text.as_bytes()).map(|head| head.unwrap().0)
    }

    #[test]
    fn a_head_keeps_what_was_sent() {
        let text = "PUT /s3/b/a%20b?x=1&y HTTP/1.1\r\nhOST:  h:1 \t\r\nContent-Length: 12\r\nX-Raw: \u{e9}\r\n\r\nbody";
        let (head, length) = RequestHead::parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(&text[length..], "body");
        assert_eq!(head.raw(), &text.as_bytes()[..length]);
        assert_eq!((head.method(), head.method_name()), (Method::Put, "PUT"));
        assert_eq!(head.target(), "/s3/b/a%20b?x=1&y");
        assert_eq!((head.raw_path(), head.raw_query()), ("/s3/b/a%20b", "x=1&y"));
        assert_eq!(head.header_str("Host"), Some("h:1"));
        assert_eq!(head.header("x-raw"), Some("\u{e9}".as_bytes()));
        assert_eq!(head.header("x-ra"), None);
        assert_eq!(head.framing(), BodyFraming::Length(12));
        assert_eq!(head.decoded_length(), Ok(12));
        assert!(head.keep_alive() && !head.expects_continue());
    }

    #[test]
    fn absolute_targets_are_reduced() {
        for (sent, path, query) in [
            ("http://h/b/k?q", "/b/k", "q"),
            ("HTTPS://h:1/", "/", ""),
            ("/a?b?c", "/a", "b?c"),
            ("*", "*", ""),
        ] {
            let head = parse(&format!("GET {sent} HTTP/1.1\r\nHost: h\r\n\r\n")).unwrap();
            assert_eq!((head.raw_path(), head.raw_query()), (path, query));
        }
        for sent in ["http://h", "http://h?a/b"] {
            assert!(parse(&format!("GET {sent} HTTP/1.1\r\nHost: h\r\n\r\n")).is_err());
        }
    }
}
