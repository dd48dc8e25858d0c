//! Response heads: written by cores and gateways, read back by gateways that proxy.

use super::{
    fields::FieldsThatMatter,
    head::{BodyFraming, HeadError},
};
use crate::limits::{HEADER_COUNT_MAX, REQUEST_HEAD_BYTES_MAX};
use std::mem::MaybeUninit;

/// The interim answer a client with `Expect: 100-continue` waits for.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Builds a response head into a reused buffer.
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> ResponseWriter<'a> {
    /// Starts a response: status line, `Server: Corelane`, `x-amz-request-id`, `x-amz-id-2`, `Date` (RFC 9110 IMF-fixdate, given
    /// ready-made because a core formats it once a second). Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>, status: u16, request_id: &str, date: &str) -> Self {
        out.extend_from_slice(b"HTTP/1.1 ");
        push_decimal(out, u64::from(status));
        out.push(b' ');
        out.extend_from_slice(reason(status).as_bytes());
        out.extend_from_slice(b"\r\nServer: Corelane\r\n");
        let mut writer = Self { out };
        writer
            .header("Date", date)
            .header("x-amz-request-id", request_id)
            .header("x-amz-id-2", request_id);
        writer
    }
    /// A header. Names and values must not hold CR, LF or other controls: such a header is left out (response splitting).
    pub fn header(&mut self, name: &str, value: &str) -> &mut Self {
        self.prefixed_header("", name, value)
    }
    /// The same with a name in two parts, such as `x-amz-meta-` and a stored name.
    pub fn prefixed_header(&mut self, prefix: &str, name: &str, value: &str) -> &mut Self {
        if is_name(prefix) && is_name(name) && is_clean(value) {
            self.out.extend_from_slice(prefix.as_bytes());
            self.start_header(name);
            self.out.extend_from_slice(value.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        }
        self
    }
    /// A header with a number, formatted without allocation.
    pub fn header_u64(&mut self, name: &str, value: u64) -> &mut Self {
        if is_name(name) {
            self.start_header(name);
            push_decimal(self.out, value);
            self.out.extend_from_slice(b"\r\n");
        }
        self
    }
    /// `ETag`, put in quotes.
    pub fn header_etag(&mut self, etag: &str) -> &mut Self {
        if etag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') {
            self.start_header("ETag");
            self.out.push(b'"');
            self.out.extend_from_slice(etag.as_bytes());
            self.out.extend_from_slice(b"\"\r\n");
        }
        self
    }
    /// `Content-Length`, and `Connection: close` unless the connection stays open; then the empty line.
    pub fn finish(mut self, content_length: Option<u64>, keep_alive: bool) {
        if let Some(length) = content_length {
            self.header_u64("Content-Length", length);
        }
        if !keep_alive {
            self.out.extend_from_slice(b"Connection: close\r\n");
        }
        self.out.extend_from_slice(b"\r\n");
    }

    fn start_header(&mut self, name: &str) {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
    }
}

/// Whether text can be a header's name, or part of it.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

/// Whether text can stand in a header line without ending it.
fn is_clean(text: &str) -> bool {
    text.bytes().all(|byte| !byte.is_ascii_control() || byte == b'\t')
}

/// Appends a number in decimal.
fn push_decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut count = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
        count += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

/// The standard reason phrase of a status.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

/// The response head of a core, as a proxying gateway needs it.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// Content-Length, if any.
    pub content_length: Option<u64>,
    /// Whether the connection may be reused after the body.
    pub keep_alive: bool,
    /// Bytes of the head, empty line included.
    pub length: usize,
}

impl ResponseHead {
    /// Parses the head at the start of `bytes`; `Ok(None)`: not complete yet. A core never sends chunks: those are
    /// `ConflictingFraming`.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, HeadError> {
        let window = bytes.get(..REQUEST_HEAD_BYTES_MAX).unwrap_or(bytes);
        let mut headers = [const { MaybeUninit::uninit() }; HEADER_COUNT_MAX];
        let mut response = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let length = match config.parse_response_with_uninit_headers(&mut response, window, &mut headers) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if window.len() == REQUEST_HEAD_BYTES_MAX => return Err(HeadError::TooLarge),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyHeaders),
            Err(_) => return Err(HeadError::Malformed),
        };
        let (Some(status), Some(minor)) = (response.code, response.version) else {
            return Err(HeadError::Malformed);
        };
        let mut fields = FieldsThatMatter::default();
        for header in response.headers.iter() {
            fields.take(header.name, header.value)?;
        }
        let content_length = match fields.framing(minor)? {
            BodyFraming::None => None,
            BodyFraming::Length(length) => Some(length),
            BodyFraming::Chunked => return Err(HeadError::ConflictingFraming),
        };
        Ok(Some(Self {
            status,
            content_length,
            keep_alive: !fields.close && (minor > 0 || fields.keep_alive),
            length,
        }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{ResponseHead, ResponseWriter, push_decimal, reason};
    use crate::{error::ErrorCode, http::head::HeadError};

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = b"earlier".to_vec();
        let mut writer = ResponseWriter::new(&mut out, 206, "ID", "Mon, 23 Nov 2026 12:00:00 GMT");
        writer
            .header("Content-Type", "text/plain")
            .header_u64("x-n", 0)
            .header_etag("abc-x");
        writer.finish(Some(u64::MAX), false);
        let text = std::str::from_utf8(&out).unwrap();
        assert_eq!(
            text,
            "earlierHTTP/1.1 206 Partial Content\r\nServer: Corelane\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n\
             x-amz-request-id: ID\r\nx-amz-id-2: ID\r\nContent-Type: text/plain\r\nx-n: 0\r\nETag: \"abc-x\"\r\n\
             Content-Length: 18446744073709551615\r\nConnection: close\r\n\r\n"
        );
        let head = ResponseHead::parse(&out[7..]).unwrap().unwrap();
        assert_eq!((head.status, head.content_length), (206, Some(u64::MAX)));
        assert_eq!((head.keep_alive, head.length), (false, out.len() - 7));
        for cut in 7..out.len() {
            assert!(ResponseHead::parse(&out[7..cut]).unwrap().is_none());
        }
    }

    #[test]
    fn a_response_cannot_be_split() {
        let mut out = Vec::new();
        let mut writer = ResponseWriter::new(&mut out, 200, "ID", "now");
        writer
            .header("a", "b\r\nSet-Cookie: c")
            .header("x\ny", "z")
            .header("n", "\0")
            .header("a: b\tc", "d")
            .header_etag("\"\r\n");
        writer.header("kept", "é\t");
        writer.finish(None, true);
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("x-amz-id-2: ID\r\nkept: é\t\r\n\r\n"), "{text}");
    }

    #[test]
    fn chunks_and_conflicts_of_a_core_are_refused() {
        for (fields, error) in [
            ("Transfer-Encoding: chunked", HeadError::ConflictingFraming),
            ("Content-Length: 1\r\nContent-Length: 2", HeadError::ConflictingFraming),
            ("no colon", HeadError::Malformed),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
            assert_eq!(ResponseHead::parse(text.as_bytes()).unwrap_err(), error);
        }
    }

    #[test]
    fn every_status_has_its_phrase() {
        assert!(ErrorCode::ALL.iter().all(|code| reason(code.status()) != "Unknown"));
        for value in [0, 9, 10, 1_234_567_890, u64::MAX] {
            let mut out = Vec::new();
            push_decimal(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
