//! Percent-encoding (RFC 3986) as S3 and SigV4 use it.

/// Decodes `%XX`; a `+` stays a `+`. `None` when an escape is malformed.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some(position) = rest.iter().position(|byte| *byte == b'%') {
        let (literal, escape) = rest.split_at_checked(position)?;
        let (&[_, high, low], after) = escape.split_first_chunk::<3>()?;
        out.extend_from_slice(literal);
        out.push(hex_digit(high)? << 4 | hex_digit(low)?);
        rest = after;
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// Encodes everything but unreserved characters (`A-Z a-z 0-9 - . _ ~`); `/` is kept when `keep_slash`.
pub fn encode(bytes: &[u8], keep_slash: bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    encode_into(bytes, keep_slash, &mut out);
    out
}

/// The same, appended to `out`.
pub fn encode_into(bytes: &[u8], keep_slash: bool, out: &mut String) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(*byte)),
            b'/' if keep_slash => out.push('/'),
            _ => push_escape(*byte, out),
        }
    }
}

/// Appends `%XX`.
pub(crate) fn push_escape(byte: u8, out: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    out.push('%');
    for nibble in [byte >> 4, byte & 15] {
        out.extend(DIGITS.get(usize::from(nibble)));
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn every_byte_round_trips() {
        let all: Vec<u8> = (0..=255).collect();
        for keep_slash in [false, true] {
            let encoded = encode(&all, keep_slash);
            assert_eq!(decode(&encoded).unwrap(), all);
            assert_eq!(encoded.contains('/'), keep_slash);
        }
        assert_eq!(encode("a b/é~".as_bytes(), true), "a%20b/%C3%A9~");
    }

    #[test]
    fn malformed_escapes_are_refused() {
        assert_eq!(decode("a+b%2fc").unwrap(), b"a+b/c");
        for bad in ["%", "%4", "a%zz", "%%41", "%+1", "%é"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
