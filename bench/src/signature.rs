//! Requests signed as every S3 client signs them (SigV4 in headers, payload unsigned). What is measured is what verifying
//! them costs, not signing them: they are made beforehand where they can be.

use crate::{
    error::{BenchError, Context, Result},
    loadgen::request::{Method, Payload, Request},
    tickets::unix_s,
};
use proto::{
    auth::sigv4::{Scope, SigningKey, hex, sha256},
    http::{date::iso8601, percent::encode},
};
use serde::Deserialize;
use std::{fmt::Write, fs, path::Path};

/// `credentials.json` of a store.
#[derive(Deserialize)]
struct Credentials {
    access_key: String,
    secret_key: String,
}

/// Signs as the store's first user.
#[derive(Debug)]
pub struct Signer {
    access_key: String,
    signing_key: SigningKey,
    scope: Scope,
    timestamp: String,
}

/// Headers that S3 wants signed where they are sent
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>).
const SIGNED_PREFIX: &str = "x-amz-";
const PAYLOAD: &str = "UNSIGNED-PAYLOAD";

impl Signer {
    /// With the credentials below a store's data directory. What it signs is good for a quarter of an hour.
    pub fn of(data: &Path) -> Result<Self> {
        let path = data.join("control").join("credentials.json");
        let text = fs::read_to_string(&path).context(format_args!("read {}", path.display()))?;
        let credentials: Credentials = serde_json::from_str(&text)
            .map_err(|error| BenchError::Server(format!("{} is not understood: {error}", path.display())))?;
        // 2026-11-23T09:10:11.000Z without what SigV4 leaves out.
        let now = iso8601(unix_s() * 1000).replace(['-', ':'], "").replace(".000", "");
        let scope = Scope {
            date: now.get(..8).unwrap_or_default().to_owned(),
            region: "us-east-1".to_owned(),
            service: "s3".to_owned(),
        };
        Ok(Self {
            access_key: credentials.access_key,
            signing_key: SigningKey::derive(&credentials.secret_key, &scope),
            scope,
            timestamp: now,
        })
    }

    /// A signed request. `path` needs no percent-encoding; of `others`, headers in lower case, those S3 wants signed are.
    pub fn request(
        &self,
        method: Method,
        authority: &str,
        path: &str,
        others: &[(&str, &str)],
        payload: Option<Payload>,
    ) -> Request {
        self.request_with_query(method, authority, (path, &[]), others, payload)
    }

    /// The same with the parameters of a query, in any order and not encoded.
    pub fn request_with_query(
        &self,
        method: Method,
        authority: &str,
        (path, parameters): (&str, &[(&str, &str)]),
        others: &[(&str, &str)],
        payload: Option<Payload>,
    ) -> Request {
        let query = canonical_query(parameters);
        let ours = [
            ("host", authority),
            ("x-amz-content-sha256", PAYLOAD),
            ("x-amz-date", self.timestamp.as_str()),
        ];
        let theirs = others.iter().filter(|(name, _)| name.starts_with(SIGNED_PREFIX));
        let mut signed: Vec<(&str, &str)> = ours.iter().chain(theirs).copied().collect();
        signed.sort_unstable();
        let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let mut canonical = format!("{}\n{path}\n{query}\n", method.name());
        for (name, value) in &signed {
            let _infallible = writeln!(canonical, "{name}:{value}");
        }
        let _infallible = write!(canonical, "\n{names}\n{PAYLOAD}");
        let string_to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.timestamp,
            self.scope,
            hex(&sha256(canonical.as_bytes()))
        );
        let signature = hex(&self.signing_key.sign(&string_to_sign));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={names},Signature={signature}",
            self.access_key, self.scope
        );
        let [_, ours @ ..] = ours;
        let headers: Vec<(&str, &str)> = ours
            .iter()
            .chain(&[("authorization", authorization.as_str())])
            .chain(others)
            .copied()
            .collect();
        let separator = if query.is_empty() { "" } else { "?" };
        Request::new(
            method,
            authority,
            &format!("{path}{separator}{query}"),
            &headers,
            payload,
        )
    }
}

/// Encoded, sorted by encoded name, each with its `=`.
fn canonical_query(parameters: &[(&str, &str)]) -> String {
    let encoded = |text: &str| encode(text.as_bytes(), false);
    let mut pairs: Vec<(String, String)> = parameters
        .iter()
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        let scope = Scope {
            date: "20130524".to_owned(),
            region: "us-east-1".to_owned(),
            service: "s3".to_owned(),
        };
        Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            signing_key: SigningKey::derive("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &scope),
            scope,
            timestamp: "20130524T000000Z".to_owned(),
        }
    }

    #[test]
    fn queries_are_encoded_and_sorted() {
        let query = [
            ("prefix", "a b/"),
            ("list-type", "2"),
            ("uploads", ""),
            ("start-after", "k=1"),
        ];
        assert_eq!(
            canonical_query(&query),
            "list-type=2&prefix=a%20b%2F&start-after=k%3D1&uploads="
        );
        let head = signer()
            .request_with_query(Method::Get, "h", ("/b", &query), &[], None)
            .head;
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("GET /b?list-type=2&prefix=a%20b%2F&start-after=k%3D1&uploads= HTTP/1.1\r\n"));
    }

    #[test]
    fn headers_that_must_be_signed_are() {
        let others = [("x-amz-copy-source", "/b/k"), ("if-match", "*")];
        let head = signer().request(Method::Put, "h", "/b/c", &others, None).head;
        let head = String::from_utf8(head).unwrap();
        assert!(
            head.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-copy-source;x-amz-date,"),
            "{head}"
        );
        assert!(
            head.contains("\r\nx-amz-copy-source: /b/k\r\nif-match: *\r\n"),
            "{head}"
        );
        assert_eq!(head.matches("host:").count(), 1);
    }
}
