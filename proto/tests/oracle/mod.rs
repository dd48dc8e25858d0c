//! An independent signer, written from AWS's text alone ("Signature Calculations for the Authorization Header"), to
//! hold the verifier against. It shares no code with the library but HMAC and SHA-256 of the crypto library.
#![allow(dead_code, clippy::unwrap_used)]

use aws_lc_rs::{digest, hmac};
use std::fmt::Write as _;

pub const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// SHA-256 of nothing.
pub const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request before it is signed. Path and query are not encoded.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static str,
    pub path: Vec<u8>,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub payload_hash: String,
    pub timestamp: String,
    pub region: String,
}

impl Request {
    pub fn scope(&self) -> String {
        format!("{}/{}/s3/aws4_request", &self.timestamp[..8], self.region)
    }

    fn signed_headers(&self) -> Vec<String> {
        let mut names: Vec<String> = self.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn canonical(&self, query: &[(String, String)]) -> String {
        let mut pairs: Vec<String> = query
            .iter()
            .map(|(name, value)| {
                format!(
                    "{}={}",
                    uri_encode(name.as_bytes(), true),
                    uri_encode(value.as_bytes(), true)
                )
            })
            .collect();
        // "=" sorts after some characters of names, so pairs are sorted as pairs.
        pairs.sort_by(|a, b| a.split_once('=').cmp(&b.split_once('=')));
        let mut text = format!(
            "{}\n{}\n{}\n",
            self.method,
            uri_encode(&self.path, false),
            pairs.join("&")
        );
        for name in self.signed_headers() {
            let values: Vec<String> = self
                .headers
                .iter()
                .filter(|(found, _)| found.to_lowercase() == name)
                .map(|(_, value)| {
                    value
                        .split(' ')
                        .filter(|word| !word.is_empty())
                        .collect::<Vec<_>>()
                        .join(" ")
                })
                .collect();
            writeln!(text, "{name}:{}", values.join(",")).unwrap();
        }
        format!("{text}\n{}\n{}", self.signed_headers().join(";"), self.payload_hash)
    }

    pub fn signature(&self, query: &[(String, String)]) -> String {
        let hash = sha256_hex(self.canonical(query).as_bytes());
        let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{}\n{hash}", self.timestamp, self.scope());
        hex(&hmac(&signing_key(&self.timestamp[..8], &self.region), &to_sign))
    }

    /// The head of the request with an Authorization header. `path` and `query` go out as `wire` makes them.
    pub fn signed_head(&self, wire: impl Fn(&Self) -> String) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, wire(self));
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(
            head,
            "Authorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{}, SignedHeaders={}, Signature={}\r\n\r\n",
            self.scope(),
            self.signed_headers().join(";"),
            self.signature(&self.query)
        )
        .unwrap();
        head
    }

    /// The head of the request as a presigned URL.
    pub fn presigned_head(&self, expires_s: u64) -> String {
        let mut query = self.query.clone();
        for (name, value) in [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{ACCESS_KEY}/{}", self.scope())),
            ("X-Amz-Date", self.timestamp.clone()),
            ("X-Amz-Expires", expires_s.to_string()),
            ("X-Amz-SignedHeaders", self.signed_headers().join(";")),
        ] {
            query.push((name.to_owned(), value));
        }
        let signature = self.signature(&query);
        query.push(("X-Amz-Signature".to_owned(), signature));
        let mut head = format!(
            "{} {}{} HTTP/1.1\r\n",
            self.method,
            uri_encode(&self.path, false),
            wire_query(&query)
        );
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head + "\r\n"
    }
}

/// Path and query as AWS's clients send them.
pub fn encoded_target(request: &Request) -> String {
    format!("{}{}", uri_encode(&request.path, false), wire_query(&request.query))
}

fn wire_query(query: &[(String, String)]) -> String {
    let pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| {
            format!(
                "{}={}",
                uri_encode(name.as_bytes(), true),
                uri_encode(value.as_bytes(), true)
            )
        })
        .collect();
    if pairs.is_empty() {
        String::new()
    } else {
        format!("?{}", pairs.join("&"))
    }
}

/// `UriEncode()` of AWS's text.
pub fn uri_encode(bytes: &[u8], encode_slash: bool) -> String {
    let mut text = String::new();
    for &byte in bytes {
        let is_kept = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (byte == b'/' && !encode_slash);
        if is_kept {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").unwrap();
        }
    }
    text
}

pub fn signing_key(date: &str, region: &str) -> Vec<u8> {
    let mut key = format!("AWS4{SECRET_KEY}").into_bytes();
    for part in [date, region, "s3", "aws4_request"] {
        key = hmac(&key, part);
    }
    key
}

/// One link of the chain of chunk signatures.
pub fn chunk_signature(key: &[u8], timestamp: &str, scope: &str, previous: &str, chunk: &[u8]) -> String {
    let to_sign = format!(
        "AWS4-HMAC-SHA256-PAYLOAD\n{timestamp}\n{scope}\n{previous}\n{EMPTY}\n{}",
        sha256_hex(chunk)
    );
    hex(&hmac(key, &to_sign))
}

/// The last link, over the trailers as `name:value\n` lines.
pub fn trailer_signature(key: &[u8], timestamp: &str, scope: &str, previous: &str, trailers: &str) -> String {
    let to_sign = format!(
        "AWS4-HMAC-SHA256-TRAILER\n{timestamp}\n{scope}\n{previous}\n{}",
        sha256_hex(trailers.as_bytes())
    );
    hex(&hmac(key, &to_sign))
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
