//! The header fields that decide where a message ends and what becomes of its connection (RFC 9112 sections 6 and 9).

use super::head::{BodyFraming, HeadError};

/// What a head's headers say of its body and its connection.
#[derive(Debug, Default)]
pub(super) struct FieldsThatMatter {
    pub(super) host_count: usize,
    content_length: Option<u64>,
    chunked: bool,
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) expects_continue: bool,
}

impl FieldsThatMatter {
    /// Looks at one header line.
    pub(super) fn take(&mut self, name: &str, value: &[u8]) -> Result<(), HeadError> {
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => self.host_count += 1,
            6 if name.eq_ignore_ascii_case("expect") => {
                self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
            }
            10 if name.eq_ignore_ascii_case("connection") => {
                for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if name.eq_ignore_ascii_case("content-length") => {
                let length = decimal(value).ok_or(HeadError::ConflictingFraming)?;
                if self.content_length.is_some_and(|earlier| earlier != length) {
                    return Err(HeadError::ConflictingFraming);
                }
                self.content_length = Some(length);
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(HeadError::ConflictingFraming);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }
    /// The framing they declare together (RFC 9112 section 6.3).
    pub(super) fn framing(&self, version_minor: u8) -> Result<BodyFraming, HeadError> {
        match (self.chunked, self.content_length) {
            (true, Some(_)) => Err(HeadError::ConflictingFraming),
            // RFC 9112 section 6.1: HTTP/1.0 has no Transfer-Encoding, so the message's end is not certain.
            (true, None) if version_minor == 0 => Err(HeadError::ConflictingFraming),
            (true, None) => Ok(BodyFraming::Chunked),
            (false, Some(length)) => Ok(BodyFraming::Length(length)),
            (false, None) => Ok(BodyFraming::None),
        }
    }
}

/// Digits only, without sign, within 64 bits.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for bad in [&b""[..], b"+1", b"-1", b"1 ", b"0x1", b"18446744073709551616", b"1,1"] {
            assert_eq!(decimal(bad), None);
        }
    }
}
