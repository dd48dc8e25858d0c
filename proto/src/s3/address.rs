//! Where a request names its bucket: in its path, or in its host
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>).

use super::{
    name::{self, BucketName, Target},
    operation::Operation,
};
use crate::{
    error::{ErrorCode, S3Error},
    limits::DOMAIN_BYTES_MAX,
};

/// How a request names its bucket. The host selects the bucket and nothing else: it neither authorises anything nor
/// finds its way into a redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Path style: `/bucket/key`, below `/` or `/s3`.
    Path,
    /// Virtual-host style: the host is `bucket.domain`, and the whole path is the key.
    Host(BucketName),
}

impl Address {
    /// What a raw path names.
    pub fn target(&self, raw_path: &str) -> Result<Target, S3Error> {
        match self {
            Self::Path => Target::parse(raw_path),
            Self::Host(bucket) => Target::in_bucket(bucket.clone(), raw_path),
        }
    }
    /// Refuses what there is not at a raw path: in the native API objects are put, read, copied and deleted, whole or by
    /// ranges; all else that S3 has for them is at `/` and `/s3` alone.
    pub fn allows(&self, raw_path: &str, operation: Operation) -> Result<(), S3Error> {
        let is_plain = matches!(
            operation,
            Operation::PutObject
                | Operation::GetObject
                | Operation::HeadObject
                | Operation::DeleteObject
                | Operation::CopyObject
        );
        if is_plain || *self != Self::Path || !name::is_native_object(raw_path) {
            return Ok(());
        }
        let message =
            "Below /v1/objects objects are put, read, copied and deleted. For anything else use S3, below /s3.";
        Err(S3Error::with_message(ErrorCode::NotImplemented, message))
    }
}

/// The target of a raw path that names this bucket and key, in whichever style: a redirected client comes with the path
/// it first sent, but not with the host.
pub fn target_named(raw_path: &str, bucket: &str, key: &str) -> Option<Target> {
    let styles = [Some(Address::Path), BucketName::parse(bucket).ok().map(Address::Host)];
    styles
        .into_iter()
        .flatten()
        .filter_map(|address| address.target(raw_path).ok())
        .find(|target| {
            target.bucket().map(BucketName::as_str) == Some(bucket)
                && target.key().map(|found| found.as_str()) == Some(key)
        })
}

/// The domains below which hosts are buckets.
#[derive(Debug, Clone, Default)]
pub struct Domains {
    /// In lower case, the longest first.
    names: Vec<String>,
}

/// Why a text is no domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no domain name; give one such as store.example.org, without port, scheme or path")]
pub struct DomainError(pub String);

impl Domains {
    /// From their names, in any case, with or without the final dot.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, DomainError> {
        let checked = names.iter().map(|name| {
            let name = name.as_ref();
            let bare = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            if is_domain(&bare) {
                Ok(bare)
            } else {
                Err(DomainError(name.to_owned()))
            }
        });
        let mut names = checked.collect::<Result<Vec<String>, DomainError>>()?;
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        Ok(Self { names })
    }

    /// How a request with this Host header names its bucket. A domain itself, an IP address, any other name and a name
    /// that `is_own` (of a node, in lower case) are path style. `InvalidBucketName` for a name below a domain that no
    /// bucket can have.
    pub fn address(&self, host: Option<&[u8]>, is_own: impl Fn(&str) -> bool) -> Result<Address, S3Error> {
        let name = without_port(host.unwrap_or_default());
        let bucket = self
            .names
            .iter()
            .find_map(|domain| bucket_part(name, domain.as_bytes()));
        let Some(Some(bucket)) = bucket else {
            return Ok(Address::Path);
        };
        if is_own(&String::from_utf8_lossy(name).to_ascii_lowercase()) {
            return Ok(Address::Path);
        }
        let bucket = String::from_utf8_lossy(bucket).to_ascii_lowercase();
        BucketName::parse(&bucket).map(Address::Host)
    }
}

/// Labels of letters, digits, `-` and `_`, not all digits at the end: no IP address ends like a domain.
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= DOMAIN_BYTES_MAX && name.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// The host without `:port` and without the dot that ends a fully qualified name.
fn without_port(host: &[u8]) -> &[u8] {
    let name = match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if host.iter().skip(colon + 1).all(u8::is_ascii_digit) => host.get(..colon).unwrap_or_default(),
        _ => host,
    };
    name.strip_suffix(b".").unwrap_or(name)
}

/// What stands before the domain: `Some(None)` for the domain itself, `None` for a name that is not below it.
fn bucket_part<'n>(name: &'n [u8], domain: &[u8]) -> Option<Option<&'n [u8]>> {
    let split = name.len().checked_sub(domain.len())?;
    let (rest, end) = name.split_at_checked(split)?;
    match end.eq_ignore_ascii_case(domain) {
        true if rest.is_empty() => Some(None),
        true => rest.strip_suffix(b".").map(Some),
        false => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Address, Domains, target_named};
    use crate::{
        error::ErrorCode,
        s3::{name::BucketName, operation::Operation},
    };

    fn address(domains: &[&str], host: &str) -> Result<String, ErrorCode> {
        let domains = Domains::parse(domains).unwrap();
        match domains.address(Some(host.as_bytes()), |name| name == "node.example.org") {
            Ok(Address::Path) => Ok("path".to_owned()),
            Ok(Address::Host(bucket)) => Ok(bucket.as_str().to_owned()),
            Err(error) => Err(error.code),
        }
    }

    #[test]
    fn hosts_below_a_domain_are_buckets() {
        for host in [
            "bucket.localhost",
            "bucket.localhost:51080",
            "bucket.localhost:",
            "bucket.localhost.",
            "bucket.localhost.:51080",
            "BuCKet.LOCALhost",
        ] {
            assert_eq!(address(&["localhost"], host).unwrap(), "bucket", "{host}");
        }
        assert_eq!(
            address(&["localhost"], "my.own.bucket.localhost").unwrap(),
            "my.own.bucket"
        );
        assert_eq!(address(&["Example.ORG."], "bucket.example.org").unwrap(), "bucket");
    }

    #[test]
    fn other_hosts_are_path_style() {
        for host in [
            "",
            "localhost",
            "localhost:51080",
            "LOCALHOST.",
            "127.0.0.1",
            "127.0.0.1:51080",
            "[::1]:51080",
            "[::1]",
            "::1",
            "bucketlocalhost",
            "bucket.localhost.example",
            "bucket.localhost:51080:1",
            "bucket.localhost:x",
            "node.example.org:51081",
            "NODE.example.org",
        ] {
            assert_eq!(address(&["localhost", "example.org"], host).unwrap(), "path", "{host}");
        }
        let none = Domains::default();
        assert_eq!(none.address(Some(b"bucket.localhost"), |_| false), Ok(Address::Path));
        let local = Domains::parse(&["localhost"]).unwrap();
        assert_eq!(local.address(None, |_| false), Ok(Address::Path));
    }

    #[test]
    fn the_longest_domain_counts() {
        let domains = ["example.org", "s3.example.org"];
        assert_eq!(address(&domains, "s3.example.org").unwrap(), "path");
        assert_eq!(address(&domains, "bucket.s3.example.org").unwrap(), "bucket");
        assert_eq!(address(&domains, "bucket.example.org").unwrap(), "bucket");
    }

    #[test]
    fn names_that_no_bucket_can_have() {
        for host in [
            "s3.localhost",
            ".localhost",
            "a_b.localhost",
            "a..b.localhost",
            "bücher.localhost",
            "127.0.0.1.localhost",
        ] {
            assert_eq!(
                address(&["localhost"], host),
                Err(ErrorCode::InvalidBucketName),
                "{host}"
            );
        }
        let domains = Domains::parse(&["localhost"]).unwrap();
        let error = domains.address(Some(b"\xff\xffx.localhost"), |_| false).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidBucketName);
    }

    #[test]
    fn what_is_no_domain() {
        for bad in [
            "",
            ".",
            "127.0.0.1",
            "0.1",
            "a:80",
            "http://a",
            "a/b",
            "a..b",
            "[::1]",
            "*.a",
            &"a".repeat(254),
        ] {
            assert!(Domains::parse(&[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn at_a_bucket_host_the_whole_path_is_the_key() {
        let domains = Domains::parse(&["localhost"]).unwrap();
        let address = domains.address(Some(b"bucket.localhost"), |_| false).unwrap();
        for (path, key) in [
            ("", None),
            ("/", None),
            ("/key", Some("key")),
            ("//key", Some("/key")),
            ("/s3", Some("s3")),
            ("/s3/bucket/key", Some("s3/bucket/key")),
            ("/v1/health", Some("v1/health")),
            ("/v1/objects/bucket/key", Some("v1/objects/bucket/key")),
            ("/a%2Fb", Some("a/b")),
        ] {
            let target = address.target(path).unwrap();
            assert_eq!(target.bucket().unwrap().as_str(), "bucket");
            assert_eq!(target.key().map(|key| key.as_str()), key, "{path}");
        }
        for path in ["*", "key", "/%zz", "/%ff"] {
            assert_eq!(address.target(path).unwrap_err().code, ErrorCode::InvalidURI, "{path}");
        }
    }

    #[test]
    fn a_ticket_fits_the_path_of_either_style_and_no_other() {
        for path in [
            "/bucket/a/b",
            "/s3/bucket/a/b",
            "/v1/objects/bucket/a/b",
            "/a/b",
            "/a%2Fb",
        ] {
            assert!(target_named(path, "bucket", "a/b").is_some(), "{path}");
        }
        for path in [
            "/other/a/b",
            "/bucket/b",
            "/b",
            "/",
            "//a/b",
            "/s3/a/b",
            "/v1/objects/a/b",
            "/bucket",
            "*",
        ] {
            assert!(target_named(path, "bucket", "a/b").is_none(), "{path}");
        }
    }

    #[test]
    fn the_native_api_has_plain_objects_only() {
        let path = "/v1/objects/bucket/key";
        let refused = |address: &Address, path: &str, operation| address.allows(path, operation).is_err();
        for (operation, _) in Operation::OF_CORES {
            let is_plain = matches!(
                operation.name(),
                "PutObject" | "GetObject" | "HeadObject" | "DeleteObject" | "CopyObject"
            );
            assert_eq!(refused(&Address::Path, path, operation), !is_plain, "{operation:?}");
            assert!(!refused(&Address::Path, "/s3/bucket/key", operation));
            let bucket = Address::Host(BucketName::parse("bucket").unwrap());
            assert!(!refused(&bucket, path, operation), "there the path is a key");
        }
    }
}
