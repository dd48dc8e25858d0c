//! MD5, for ETags and Content-MD5 only. Its own file so that a multi-buffer implementation can take its place.

use md5::Digest;

/// Incremental MD5.
#[derive(Debug, Clone)]
pub struct Md5 {
    state: md5::Md5,
}

impl Md5 {
    /// A fresh hasher.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { state: md5::Md5::new() }
    }
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
    }
    /// The digest.
    pub fn finish(self) -> [u8; 16] {
        self.state.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::Md5;
    use crate::auth::sigv4::hex;

    /// The test suite of RFC 1321, appendix A.5.
    #[test]
    fn rfc_1321() {
        for (text, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            let mut md5 = Md5::new();
            for byte in text.as_bytes().chunks(7) {
                md5.update(byte);
            }
            assert_eq!(hex(&md5.finish()), digest);
        }
    }
}
