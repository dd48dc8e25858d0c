//! How buckets and objects are named on the command line: `bck`, `s3://bck`, `ais://bck`, and each with `/key` behind it.

use proto::s3::name;
use std::{fmt, str::FromStr};

/// Schemes that may stand before a bucket's name; all mean the same store.
const SCHEMES: [&str; 3] = ["s3", "ais", "corelane"];

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketName(String);

/// An object, or where one is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName {
    /// Its bucket.
    pub bucket: BucketName,
    /// Its key: not empty.
    pub key: String,
}

/// Something in a store: all buckets (`ais://`, `s3:`), a bucket, or a bucket and the beginning of keys in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket; `None`: all of them.
    pub bucket: Option<BucketName>,
    /// What stands behind the bucket's name; empty if nothing does.
    pub key: String,
}

/// Why a name is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(String);

impl BucketName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, NameError> {
        match name::BucketName::parse(text) {
            Ok(name) => Ok(Self(name.as_str().to_owned())),
            Err(_) => Err(NameError(format!(
                "{text:?} is no bucket name: 3 to 63 of a-z, 0-9, '.' and '-', with a letter or digit at both ends"
            ))),
        }
    }
}

impl FromStr for Place {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let rest = without_scheme(text)?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return match rest.is_empty() && !text.is_empty() {
                true => Ok(Self {
                    bucket: None,
                    key: String::new(),
                }),
                false => Err(NameError(format!("{text:?} names no bucket"))),
            };
        }
        Ok(Self {
            bucket: Some(BucketName::parse(bucket)?),
            key: key.to_owned(),
        })
    }
}

impl FromStr for BucketName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.parse()? {
            Place { bucket: None, .. } => Err(NameError(format!("{text:?} names no bucket"))),
            Place {
                bucket: Some(bucket),
                key,
            } if key.is_empty() => Ok(bucket),
            Place {
                bucket: Some(bucket),
                key,
            } => Err(NameError(format!(
                "a bucket is wanted, not an object: write {bucket} without /{key}"
            ))),
        }
    }
}

impl FromStr for ObjectName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.parse()? {
            Place {
                bucket: Some(bucket),
                key,
            } if !key.is_empty() => Ok(Self { bucket, key }),
            Place { .. } => Err(NameError(format!(
                "{text:?} names no object; write it like BUCKET/KEY or s3://BUCKET/KEY"
            ))),
        }
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)
    }
}

/// What stands behind the scheme. A `://` behind the first `/` belongs to a key.
fn without_scheme(text: &str) -> Result<&str, NameError> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Ok(text);
    };
    if scheme.contains('/') {
        return Ok(text);
    }
    let known = SCHEMES.contains(&scheme);
    match rest.strip_prefix("//") {
        Some(rest) if known => Ok(rest),
        None if known && rest.is_empty() => Ok(rest),
        _ => Err(NameError(format!(
            "{text:?} is no name of a bucket here; write it like bck, s3://bck or ais://bck"
        ))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{BucketName, ObjectName, Place};

    #[test]
    fn all_forms_of_a_bucket_are_one() {
        for text in ["bck", "s3://bck", "ais://bck", "ais://bck/", "bck/"] {
            assert_eq!(text.parse::<BucketName>().unwrap().as_str(), "bck", "{text}");
        }
        for text in [
            "",
            "/",
            "s3://",
            "ais:",
            "gs://bck",
            "ais:bck",
            "bck/key",
            "Bck",
            "ab",
            "s3:///key",
        ] {
            assert!(text.parse::<BucketName>().is_err(), "{text}");
        }
    }

    #[test]
    fn keys_are_taken_as_they_are() {
        let name = |text: &str| text.parse::<ObjectName>().map(|name| (name.bucket.0, name.key));
        let of = |key: &str| Ok(("bck".to_owned(), key.to_owned()));
        assert_eq!(name("bck/key"), of("key"));
        assert_eq!(name("ais://bck/a/b//"), of("a/b//"));
        assert_eq!(name("s3://bck//lead"), of("/lead"));
        assert_eq!(name("bck/x://y:z"), of("x://y:z"));
        for text in ["bck", "bck/", "ais://bck", "ais://", "/bck/key"] {
            assert!(text.parse::<ObjectName>().is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_behind_the_scheme_is_everything() {
        for text in ["ais://", "ais:", "s3://", "s3:"] {
            assert_eq!(text.parse::<Place>().unwrap().bucket, None, "{text}");
        }
        assert_eq!("ais://bck/dir/".parse::<Place>().unwrap().key, "dir/");
        assert!("".parse::<Place>().is_err());
    }
}
