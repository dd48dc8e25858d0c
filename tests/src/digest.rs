//! Digests as tests compare them.

use md5::{Digest, Md5};

/// The MD5.
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// Lower-case hex of the MD5.
pub fn md5_hex(bytes: &[u8]) -> String {
    proto::auth::sigv4::hex(&Md5::digest(bytes))
}

/// Base64 of the MD5, as in Content-MD5.
pub fn md5_base64(bytes: &[u8]) -> String {
    base64(&Md5::digest(bytes))
}

/// Lower-case hex of the SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    proto::auth::sigv4::hex(&proto::auth::sigv4::sha256(bytes))
}

/// Base64 of the SHA-256, as in x-amz-checksum-sha256.
pub fn sha256_base64(bytes: &[u8]) -> String {
    base64(&proto::auth::sigv4::sha256(bytes))
}

/// Base64 of the CRC-32 (ISO-HDLC), as in x-amz-checksum-crc32.
pub fn crc32_base64(bytes: &[u8]) -> String {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    base64(&(!crc).to_be_bytes())
}

/// Base64 with padding (RFC 4648 section 4).
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let joined = group.iter().fold(0_u32, |joined, byte| joined << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for position in 0..4 {
            if position <= group.len() {
                let index = usize::try_from(joined >> (18 - 6 * position) & 63).unwrap();
                text.push(char::from(ALPHABET[index]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{base64, crc32_base64, md5_base64};

    #[test]
    fn published_values() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
        assert_eq!(base64(b"fooba"), "Zm9vYmE=");
        assert_eq!(base64(b"foob"), "Zm9vYg==");
        assert_eq!(md5_base64(b""), "1B2M2Y8AsgTpgAmY7PhCfg==");
        assert_eq!(crc32_base64(b"123456789"), base64(&0xCBF4_3926_u32.to_be_bytes()));
    }
}
