//! Bucket names, object keys, and the target of a request.

use crate::{
    error::{ErrorCode, S3Error},
    http::percent,
    limits::{BUCKET_NAME_BYTES_MAX, BUCKET_NAME_BYTES_MIN, KEY_BYTES_MAX},
};

/// A valid bucket name (S3's "Bucket naming rules": 3-63 of a-z 0-9 . -, starts and ends with a letter or digit, no `..`,
/// not formatted as an IPv4 address, no reserved prefixes `xn--` `sthree-` `amzn-s3-demo-`, or suffixes `-s3alias` `--ol-s3` `.mrap` `--x-s3` `--table-s3`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketName(String);

/// Below it the native API has object data: `/v1/objects/bucket/key`.
const NATIVE_OBJECTS: &str = "/v1/objects/";

const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

impl BucketName {
    /// Checks the rules; `InvalidBucketName` with field `BucketName`.
    pub fn parse(name: &str) -> Result<Self, S3Error> {
        if follows_the_rules(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(S3Error::new(ErrorCode::InvalidBucketName).field("BucketName", name))
        }
    }
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn follows_the_rules(name: &str) -> bool {
    let is_letter_or_digit = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (BUCKET_NAME_BYTES_MIN..=BUCKET_NAME_BYTES_MAX).contains(&bytes.len())
        && bytes
            .iter()
            .all(|byte| is_letter_or_digit(byte) || matches!(byte, b'.' | b'-'))
        && bytes.first().is_some_and(is_letter_or_digit)
        && bytes.last().is_some_and(is_letter_or_digit)
        && !name.contains("..")
        && !looks_like_ipv4(name)
        && !RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Four groups of digits: S3 refuses the format, whatever the numbers.
fn looks_like_ipv4(name: &str) -> bool {
    name.split('.').count() == 4 && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// An object key: 1 to 1,024 bytes of UTF-8, any characters, compared bytewise.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Checks the length; `KeyTooLongError` with `Size` and `MaxSizeAllowed`; empty is `InvalidURI`.
    pub fn parse(key: impl Into<String>) -> Result<Self, S3Error> {
        let key: String = key.into();
        match key.len() {
            0 => Err(S3Error::new(ErrorCode::InvalidURI)),
            1..=KEY_BYTES_MAX => Ok(Self(key)),
            size => Err(S3Error::new(ErrorCode::KeyTooLongError)
                .field("Size", size.to_string())
                .field("MaxSizeAllowed", KEY_BYTES_MAX.to_string())),
        }
    }
    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
    /// The key, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `/` or `/s3` or `/s3/`.
    Service,
    /// `/bucket` or `/bucket/`.
    Bucket(BucketName),
    /// `/bucket/key`.
    Object(BucketName, ObjectKey),
}

impl Target {
    /// Parses a raw path of path style. The `/s3` prefix (exactly `/s3` or `/s3/...`) is taken off first: no bucket can have a two-letter name.
    /// So is `/v1/objects`, but only from the path of an object: nothing else is there.
    /// Bucket and key are told apart in the raw path and then decoded once each, so `%2F` never ends a bucket's name; the key is
    /// what follows the first `/` after the bucket, `//`, `.` and `..` included. Bad escapes or non-UTF-8: `InvalidURI`.
    pub fn parse(raw_path: &str) -> Result<Self, S3Error> {
        if let Some((raw_bucket, raw_key)) = native_object(raw_path) {
            let bucket = BucketName::parse(&decode(raw_bucket)?)?;
            return Ok(Self::Object(bucket, ObjectKey::parse(decode(raw_key)?)?));
        }
        let unprefixed = match raw_path.strip_prefix("/s3") {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => raw_path,
        };
        let path = unprefixed.strip_prefix('/').ok_or_else(invalid_uri)?;
        if path.is_empty() {
            return Ok(Self::Service);
        }
        let (raw_bucket, raw_key) = path.split_once('/').unwrap_or((path, ""));
        let bucket = BucketName::parse(&decode(raw_bucket)?)?;
        if raw_key.is_empty() {
            return Ok(Self::Bucket(bucket));
        }
        Ok(Self::Object(bucket, ObjectKey::parse(decode(raw_key)?)?))
    }
    /// What a raw path names in a bucket that is known already: all of it is the key, `/s3` included.
    pub fn in_bucket(bucket: BucketName, raw_path: &str) -> Result<Self, S3Error> {
        match raw_path {
            "" | "/" => Ok(Self::Bucket(bucket)),
            _ => {
                let raw_key = raw_path.strip_prefix('/').ok_or_else(invalid_uri)?;
                Ok(Self::Object(bucket, ObjectKey::parse(decode(raw_key)?)?))
            }
        }
    }
    /// The bucket, if any.
    pub fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::Service => None,
            Self::Bucket(b) | Self::Object(b, _) => Some(b),
        }
    }
    /// The key, if any.
    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::Object(_, k) => Some(k),
            _ => None,
        }
    }
}

/// Whether a raw path of path style is an object's in the native API.
pub fn is_native_object(raw_path: &str) -> bool {
    native_object(raw_path).is_some()
}

/// Bucket and key of such a path, still encoded.
fn native_object(raw_path: &str) -> Option<(&str, &str)> {
    let (raw_bucket, raw_key) = raw_path.strip_prefix(NATIVE_OBJECTS)?.split_once('/')?;
    (!raw_bucket.is_empty() && !raw_key.is_empty()).then_some((raw_bucket, raw_key))
}

fn decode(raw: &str) -> Result<String, S3Error> {
    let bytes = percent::decode(raw).ok_or_else(invalid_uri)?;
    String::from_utf8(bytes).map_err(|_| invalid_uri())
}

fn invalid_uri() -> S3Error {
    S3Error::new(ErrorCode::InvalidURI)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{BucketName, ObjectKey, Target};
    use crate::error::ErrorCode;

    #[test]
    fn bucket_naming_rules() {
        for good in [
            "abc",
            "a-b.c",
            "0a9",
            "1.2.3",
            "1.2.3.4.5",
            "a1.2.3.4",
            &"a".repeat(63),
            "s3alias",
            "my--bucket",
        ] {
            assert_eq!(BucketName::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "ab",
            &"a".repeat(64),
            "Abc",
            "a_b",
            "a b",
            "-abc",
            "abc-",
            ".abc",
            "abc.",
            "a..b",
            "192.168.5.4",
            "999.1.1.1",
            "xn--abc",
            "sthree-abc",
            "amzn-s3-demo-x",
            "abc-s3alias",
            "abc--ol-s3",
            "abc.mrap",
            "abc--x-s3",
            "abc--table-s3",
            "abc\n",
            "ab/c",
            "bücher",
        ] {
            let error = BucketName::parse(bad).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidBucketName, "{bad}");
            assert_eq!(error.fields, [("BucketName", bad.to_owned())]);
        }
    }

    #[test]
    fn keys_are_limited_in_bytes() {
        assert!(ObjectKey::parse("é".repeat(512)).is_ok());
        let error = ObjectKey::parse("é".repeat(513)).unwrap_err();
        assert_eq!(error.code, ErrorCode::KeyTooLongError);
        assert_eq!(
            error.fields,
            [("Size", "1026".to_owned()), ("MaxSizeAllowed", "1024".to_owned())]
        );
        assert_eq!(ObjectKey::parse("").unwrap_err().code, ErrorCode::InvalidURI);
    }

    #[test]
    fn paths_at_both_roots() {
        for path in ["/", "/s3", "/s3/"] {
            assert_eq!(Target::parse(path).unwrap(), Target::Service);
        }
        for path in ["/bucket", "/bucket/", "/s3/bucket", "/s3/bucket/"] {
            let target = Target::parse(path).unwrap();
            assert_eq!((target.bucket().unwrap().as_str(), target.key()), ("bucket", None));
        }
        for (raw, key) in [
            ("a", "a"),
            ("a/", "a/"),
            ("/", "/"),
            ("//a", "//a"),
            (".", "."),
            ("..", ".."),
            ("../x", "../x"),
            ("a%2Fb", "a/b"),
            ("a%2fb", "a/b"),
            ("a%252Fb", "a%2Fb"),
            ("a+b", "a+b"),
            ("%00", "\0"),
            ("%C3%A9", "é"),
            ("é", "é"),
            ("s3/x", "s3/x"),
        ] {
            for root in ["", "/s3", "/v1/objects"] {
                let target = Target::parse(&format!("{root}/bucket/{raw}")).unwrap();
                assert_eq!(target.key().unwrap().as_str(), key);
            }
        }
    }

    #[test]
    fn paths_that_name_nothing() {
        for (path, code) in [
            ("", ErrorCode::InvalidURI),
            ("*", ErrorCode::InvalidURI),
            ("bucket/key", ErrorCode::InvalidURI),
            ("/bucket/%zz", ErrorCode::InvalidURI),
            ("/bucket/%ff", ErrorCode::InvalidURI),
            ("//bucket/key", ErrorCode::InvalidBucketName),
            ("/s3//bucket", ErrorCode::InvalidBucketName),
            ("/s3.", ErrorCode::InvalidBucketName),
            ("/bucket%2Fkey", ErrorCode::InvalidBucketName),
            ("/s3%2Fbucket/key", ErrorCode::InvalidBucketName),
            ("/v1", ErrorCode::InvalidBucketName),
            ("/v1/objects", ErrorCode::InvalidBucketName),
            ("/v1/objects/", ErrorCode::InvalidBucketName),
            ("/v1/objects/bucket", ErrorCode::InvalidBucketName),
            ("/v1/objects/bucket/", ErrorCode::InvalidBucketName),
            ("/v1/objects//key", ErrorCode::InvalidBucketName),
            ("/v1/objects/bucket%2Fkey", ErrorCode::InvalidBucketName),
            ("/v1/objects/bucket%2Fkey/a", ErrorCode::InvalidBucketName),
            ("/v1%2Fobjects/bucket/key", ErrorCode::InvalidBucketName),
            ("/v1/objects/bucket/%zz", ErrorCode::InvalidURI),
            ("/v1/objectsx/bucket/key", ErrorCode::InvalidBucketName),
            ("/s3/v1/objects/bucket/key", ErrorCode::InvalidBucketName),
        ] {
            assert_eq!(Target::parse(path).unwrap_err().code, code, "{path}");
        }
        let longest = format!("/bucket/{}", "%C3%A9".repeat(512));
        assert!(Target::parse(&longest).is_ok());
        assert_eq!(
            Target::parse(&(longest + "x")).unwrap_err().code,
            ErrorCode::KeyTooLongError
        );
    }
}
