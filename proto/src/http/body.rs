//! Body framing without I/O: which of the next bytes on the wire are payload. A reader asks `want`, receives
//! payload straight into its destination buffer and hands framing bytes to `framing`; payload is never copied here.

use super::head::BodyFraming;
use crate::{
    error::{ErrorCode, S3Error},
    limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX},
};

/// What the next bytes on the wire are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Up to this many bytes of payload, never 0. Report each received slice with `payload`.
    Payload(u64),
    /// Framing (chunk lines, signatures, trailers): feed what was received to `framing`.
    Framing,
    /// The body is complete.
    End,
}

/// HTTP's own framing: Content-Length or chunked (RFC 9112 section 7.1). Chunk extensions are ignored, trailers kept.
#[derive(Debug)]
pub struct HttpFraming {
    state: State,
    trailers: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Payload delimited by Content-Length, so many bytes to come.
    Length(u64),
    /// A chunk-size line.
    ChunkSize,
    /// Payload of a chunk, so many bytes to come, at least 1.
    Chunk(u64),
    /// The CRLF after a chunk's payload.
    ChunkEnd,
    /// Trailer lines, after so many bytes of them.
    Trailer(usize),
    End,
}

impl HttpFraming {
    /// Framing of a request head.
    pub fn new(framing: BodyFraming) -> Self {
        let state = match framing {
            BodyFraming::None | BodyFraming::Length(0) => State::End,
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => State::ChunkSize,
        };
        Self {
            state,
            trailers: Vec::new(),
        }
    }
    /// What comes next.
    pub fn want(&self) -> Want {
        match self.state {
            State::Length(left) | State::Chunk(left) => Want::Payload(left),
            State::ChunkSize | State::ChunkEnd | State::Trailer(_) => Want::Framing,
            State::End => Want::End,
        }
    }
    /// Accounts for `count` bytes of payload, at most what `want` said.
    pub fn payload(&mut self, count: u64) {
        self.state = match self.state {
            State::Length(left) if left <= count => State::End,
            State::Length(left) => State::Length(left - count),
            State::Chunk(left) if left <= count => State::ChunkEnd,
            State::Chunk(left) => State::Chunk(left - count),
            other => other,
        };
    }
    /// Consumes framing from the start of `bytes`; returns how many bytes it took (may be less than all: payload or
    /// the next request follows; may be 0: the line is not complete, bring more). `InvalidRequest` for what is no
    /// chunked encoding and beyond CHUNK_LINE_BYTES_MAX or TRAILER_BYTES_MAX.
    pub fn framing(&mut self, bytes: &[u8]) -> Result<usize, S3Error> {
        let mut taken = 0;
        while self.want() == Want::Framing {
            let rest = bytes.get(taken..).unwrap_or_default();
            let line_bytes_max = match self.state {
                State::ChunkEnd => 0,
                State::Trailer(seen) => TRAILER_BYTES_MAX.saturating_sub(seen + 2),
                _ => CHUNK_LINE_BYTES_MAX,
            };
            let Some(line) = take_line(rest, line_bytes_max)? else {
                break;
            };
            taken += line.len() + 2;
            self.line(line)?;
        }
        Ok(taken)
    }
    /// Trailers received (names in lower case), complete once `want` is `End`.
    pub fn trailers(&self) -> &[(String, String)] {
        &self.trailers
    }

    fn line(&mut self, line: &[u8]) -> Result<(), S3Error> {
        self.state = match self.state {
            State::ChunkSize => match chunk_size(line)? {
                0 => State::Trailer(0),
                size => State::Chunk(size),
            },
            State::ChunkEnd => State::ChunkSize,
            State::Trailer(_) if line.is_empty() => State::End,
            State::Trailer(seen) => {
                self.trailers.push(trailer(line)?);
                State::Trailer(seen + line.len() + 2)
            }
            other => other,
        };
        Ok(())
    }
}

/// The line at the start of `bytes` without its CRLF; `None`: not complete. A bare CR or LF is refused, and so is a
/// line of more than `bytes_max` bytes.
fn take_line(bytes: &[u8], bytes_max: usize) -> Result<Option<&[u8]>, S3Error> {
    let window = bytes.get(..bytes_max.saturating_add(2)).unwrap_or(bytes);
    let Some(position) = window.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return if window.len() > bytes_max {
            Err(malformed())
        } else {
            Ok(None)
        };
    };
    let (line, end) = window.split_at_checked(position).ok_or_else(malformed)?;
    match end {
        _ if line.len() > bytes_max => Err(malformed()),
        [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some(line)),
        _ => Err(malformed()),
    }
}

/// `1*HEXDIG`, then blanks or extensions.
fn chunk_size(line: &[u8]) -> Result<u64, S3Error> {
    let digit_count = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at_checked(digit_count).ok_or_else(malformed)?;
    let extension_follows = matches!(rest.trim_ascii_start(), [] | [b';', ..]);
    let printable = rest.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
    if !extension_follows || !printable {
        return Err(malformed());
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(malformed)
}

fn trailer(line: &[u8]) -> Result<(String, String), S3Error> {
    let line = std::str::from_utf8(line).map_err(|_| malformed())?;
    let (name, value) = line.split_once(':').ok_or_else(malformed)?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let printable = value.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control());
    if name.is_empty() || !name.bytes().all(is_token) || !printable {
        return Err(malformed());
    }
    let value = value.trim_matches([' ', '\t']);
    Ok((name.to_ascii_lowercase(), value.to_owned()))
}

fn malformed() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidRequest,
        "The request body is not in valid chunked transfer encoding.",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{BodyFraming, HttpFraming, Want};
    use crate::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};

    #[test]
    fn content_length_counts_down() {
        let mut framing = HttpFraming::new(BodyFraming::Length(5));
        assert_eq!(framing.want(), Want::Payload(5));
        framing.payload(3);
        assert_eq!(framing.want(), Want::Payload(2));
        framing.payload(2);
        assert_eq!(framing.want(), Want::End);
        assert_eq!(HttpFraming::new(BodyFraming::None).want(), Want::End);
        assert_eq!(HttpFraming::new(BodyFraming::Length(0)).want(), Want::End);
    }

    #[test]
    fn chunks_and_trailers() {
        let mut framing = HttpFraming::new(BodyFraming::Chunked);
        assert_eq!(framing.framing(b"3 ; a=b\r\nabc").unwrap(), 9);
        assert_eq!(framing.want(), Want::Payload(3));
        framing.payload(3);
        assert_eq!(framing.framing(b"\r").unwrap(), 0);
        assert_eq!(framing.framing(b"\r\n0\r\nX-A: b \r\n\r\nGET").unwrap(), 16);
        assert_eq!(framing.want(), Want::End);
        assert_eq!(framing.trailers(), [("x-a".to_owned(), "b".to_owned())]);
    }

    #[test]
    fn what_is_no_chunked_encoding() {
        for bad in [
            &b"\r\n"[..],
            b"g\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x1\r\n",
            b" 1\r\n",
            b"1\n",
            b"1\rx",
            b"1 2\r\n",
            b"11111111111111111\r\n",
            b"1;\0\r\n",
        ] {
            assert!(HttpFraming::new(BodyFraming::Chunked).framing(bad).is_err(), "{bad:?}");
        }
        for bad in [&b"ab"[..], b"\n", b"\r\r"] {
            let mut framing = HttpFraming::new(BodyFraming::Chunked);
            framing.framing(b"1\r\n").unwrap();
            framing.payload(1);
            assert!(framing.framing(bad).is_err(), "{bad:?}");
        }
        for bad in [
            &b" a: b\r\n"[..],
            b"a : b\r\n",
            b"a\r\n",
            b": b\r\n",
            b"a: \0\r\n",
            b"a: \xff\r\n",
        ] {
            let mut framing = HttpFraming::new(BodyFraming::Chunked);
            framing.framing(b"0\r\n").unwrap();
            assert!(framing.framing(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lines_and_trailers_are_limited() {
        let extension = |length: usize| format!("1;{}\r\n", "x".repeat(length - 2));
        let fits = extension(CHUNK_LINE_BYTES_MAX);
        assert_eq!(
            HttpFraming::new(BodyFraming::Chunked).framing(fits.as_bytes()).unwrap(),
            fits.len()
        );
        let endless = extension(CHUNK_LINE_BYTES_MAX + 1);
        for cut in [endless.len(), endless.len() - 2] {
            let bytes = &endless.as_bytes()[..cut];
            assert!(HttpFraming::new(BodyFraming::Chunked).framing(bytes).is_err());
        }
        let many = format!("0\r\n{}", "a: b\r\n".repeat(TRAILER_BYTES_MAX / 6 + 1));
        assert!(HttpFraming::new(BodyFraming::Chunked).framing(many.as_bytes()).is_err());
    }
}
