//! The arithmetic of AWS Signature Version 4
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>): canonical request, string to
//! sign, keys.

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};

/// The one algorithm that is accepted.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What every scope ends with.
pub const SCOPE_TERMINATOR: &str = "aws4_request";

/// A credential scope as a client sent it; region and service are taken as they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// `YYYYMMDD`.
    pub date: String,
    /// Such as `us-east-1`.
    pub region: String,
    /// `s3`.
    pub service: String,
}

impl std::fmt::Display for Scope {
    /// `YYYYMMDD/region/service/aws4_request`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{SCOPE_TERMINATOR}", self.date, self.region, self.service)
    }
}

/// A derived signing key: good for one day, region and service. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey([u8; 32]);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKey {
    /// Derives from a secret key.
    pub fn derive(secret_key: &str, scope: &Scope) -> Self {
        let mut key = hmac_sha256(format!("AWS4{secret_key}").as_bytes(), scope.date.as_bytes());
        for part in [scope.region.as_str(), scope.service.as_str(), SCOPE_TERMINATOR] {
            key = hmac_sha256(&key, part.as_bytes());
        }
        Self(key)
    }
    /// From its bytes (out of a ticket).
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// Its bytes (into a ticket).
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// HMAC-SHA256 of a string to sign.
    pub fn sign(&self, string_to_sign: &str) -> [u8; 32] {
        hmac_sha256(&self.0, string_to_sign.as_bytes())
    }
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    array(digest(&SHA256, bytes).as_ref())
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    array(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref())
}

/// A digest's bytes, which are as many as its algorithm says.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    debug_assert_eq!(bytes.len(), N);
    bytes.first_chunk::<N>().copied().unwrap_or([0; N])
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// From hex of exactly N bytes, either case.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !odd.is_empty() {
        return None;
    }
    let digit = |character: u8| char::from(character).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Scope, SigningKey, from_hex, hex, sha256};

    #[test]
    fn hex_both_ways() {
        assert_eq!(hex(&[0, 0x9f, 0xff]), "009fff");
        assert_eq!(from_hex::<3>("009FfF"), Some([0, 0x9f, 0xff]));
        for bad in ["009ff", "009fff00", "009ffg", "+09fff", "", "00 fff"] {
            assert_eq!(from_hex::<3>(bad), None, "{bad}");
        }
        assert_eq!(
            hex(&sha256(b"")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    /// "Deriving a signing key" in AWS's Signature Version 4 reference.
    #[test]
    fn aws_example_key() {
        let scope = Scope {
            date: "20150830".to_owned(),
            region: "us-east-1".to_owned(),
            service: "iam".to_owned(),
        };
        let key = SigningKey::derive("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &scope);
        assert_eq!(
            hex(key.as_bytes()),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        );
        assert_eq!(format!("{key:?}"), "SigningKey(..)");
        assert_eq!(scope.to_string(), "20150830/us-east-1/iam/aws4_request");
    }
}
