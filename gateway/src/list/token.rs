//! Continuation tokens: opaque to clients; the name of a page's last entry, so that any gateway can go on.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proto::{
    error::{ErrorCode, S3Error},
    limits::KEY_BYTES_MAX,
};

/// The first byte; another one is a token of another version.
const VERSION: u8 = 1;

/// The token to continue after `name`.
pub fn encode(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len() + 1);
    bytes.push(VERSION);
    bytes.extend_from_slice(name.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The name to continue after.
pub fn decode(token: &str) -> Result<String, S3Error> {
    parse(token).ok_or_else(|| {
        S3Error::with_message(
            ErrorCode::InvalidArgument,
            "The continuation token provided is incorrect",
        )
        .field("ArgumentName", "continuation-token")
        .field("ArgumentValue", token)
    })
}

fn parse(token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (version, name) = bytes.split_first()?;
    let name = (*version == VERSION && !name.is_empty() && name.len() <= KEY_BYTES_MAX).then_some(name)?;
    String::from_utf8(name.to_vec()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn any_name_survives() {
        for name in ["a", "photos/2026/", "ключ", "+ %&=?", &"x".repeat(1024)] {
            let token = encode(name);
            assert!(
                token
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            );
            assert_eq!(decode(&token).unwrap(), name);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let other_version = "AmE";
        let long = encode(&"x".repeat(1025));
        let not_utf8 = "Af8";
        for token in ["", "AQ", "!", "a b", other_version, long.as_str(), not_utf8, "AQE="] {
            let error = decode(token).unwrap_err();
            assert_eq!(error.message, "The continuation token provided is incorrect", "{token}");
        }
    }
}
