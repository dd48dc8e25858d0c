//! The Range header as S3 reads it (RFC 9110 section 14): one byte range; malformed or several ranges are ignored
//! and the whole object is served; a range beyond the end is 416.

use crate::error::{ErrorCode, S3Error};

/// A resolved range: `start..start+length` bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// Bytes in the range, at least 1.
    pub length: u64,
}

impl ByteRange {
    /// The value of Content-Range for an object of `size` bytes, such as `bytes 0-4/10`.
    pub fn content_range(&self, size: u64) -> String {
        let last = self.start.saturating_add(self.length.saturating_sub(1));
        format!("bytes {}-{last}/{size}", self.start)
    }
}

/// A syntactically valid range.
#[derive(Debug, Clone, Copy)]
enum RangeSpec {
    /// `first-` or `first-last`.
    From { first: u64, last: u64 },
    /// `-length`.
    Suffix { length: u64 },
}

/// Resolves a Range header against an object of `size` bytes. `Ok(None)`: serve the whole object with 200.
/// `InvalidRange` carries `RangeRequested` and `ActualObjectSize`. `bytes=-0` and any range of an empty object: 416.
pub fn resolve(header: &str, size: u64) -> Result<Option<ByteRange>, S3Error> {
    let Some(spec) = parse(header) else {
        return Ok(None);
    };
    let (start, end) = match spec {
        RangeSpec::From { first, last } => (first, last.saturating_add(1).min(size)),
        RangeSpec::Suffix { length } => (size.saturating_sub(length), size),
    };
    match end.checked_sub(start) {
        Some(length) if length > 0 => Ok(Some(ByteRange { start, length })),
        _ => Err(S3Error::new(ErrorCode::InvalidRange)
            .field("RangeRequested", header)
            .field("ActualObjectSize", size.to_string())),
    }
}

/// `None`: not one byte range.
fn parse(header: &str) -> Option<RangeSpec> {
    let (unit, range) = header.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.split_once('-')?;
    match (first, last) {
        ("", length) => Some(RangeSpec::Suffix {
            length: saturating_decimal(length)?,
        }),
        (first, "") => Some(RangeSpec::From {
            first: saturating_decimal(first)?,
            last: u64::MAX,
        }),
        (first, last) => {
            let (first, last) = (saturating_decimal(first)?, saturating_decimal(last)?);
            (first <= last).then_some(RangeSpec::From { first, last })
        }
    }
}

/// Digits; a number above 64 bits is beyond every object's end, like `u64::MAX`.
fn saturating_decimal(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{ByteRange, resolve};
    use crate::error::ErrorCode;

    #[test]
    fn ranges_of_ten_bytes() {
        for (header, start, length) in [
            ("bytes=0-4", 0, 5),
            ("Bytes=4-4", 4, 1),
            ("bytes=3-", 3, 7),
            ("bytes=9-99", 9, 1),
            ("bytes=-3", 7, 3),
            ("bytes=-99", 0, 10),
            ("bytes=0-99999999999999999999999", 0, 10),
        ] {
            assert_eq!(
                resolve(header, 10).unwrap(),
                Some(ByteRange { start, length }),
                "{header}"
            );
        }
        assert_eq!(ByteRange { start: 3, length: 7 }.content_range(10), "bytes 3-9/10");
    }

    #[test]
    fn malformed_and_several_ranges_serve_the_whole() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=4-2",
            "bytes=1-2,4-5",
            "bytes= 1-2",
            "bytes=1 -2",
            "items=0-1",
            "bytes=+1-2",
            "bytes=--1",
            "bytes=1-2-3",
            "0-4",
        ] {
            assert_eq!(resolve(header, 10).unwrap(), None, "{header}");
        }
    }

    #[test]
    fn beyond_the_end_is_refused() {
        for (header, size) in [
            ("bytes=10-", 10),
            ("bytes=10-12", 10),
            ("bytes=-0", 10),
            ("bytes=0-", 0),
            ("bytes=-1", 0),
            ("bytes=0-0", 0),
            ("bytes=99999999999999999999-", 10),
        ] {
            let error = resolve(header, size).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidRange);
            assert_eq!(error.fields[0], ("RangeRequested", header.to_owned()));
            assert_eq!(error.fields[1], ("ActualObjectSize", size.to_string()));
        }
    }
}
