//! A request before it becomes bytes: what tests change, sign and send.

use crate::{digest::md5_base64, sign::canonical_query};

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// As on the wire: percent-encoded, without the query.
    pub path: String,
    /// Decoded; `None` is a bare name.
    pub parameters: Vec<(String, Option<String>)>,
    /// In order.
    pub headers: Vec<(String, String)>,
    /// As on the wire, framing included.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without query, headers and body.
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            path: path.into(),
            parameters: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A request for a bucket, below `/s3`.
    pub fn bucket(method: &str, bucket: &str) -> Self {
        Self::new(method, format!("/s3/{bucket}"))
    }

    /// A request for an object, below `/s3`; the key is encoded as SDKs do.
    pub fn object(method: &str, bucket: &str, key: &str) -> Self {
        Self::new(method, format!("/s3/{bucket}/{}", encode_path(key)))
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Adds a bare name to the query, as `?acl`.
    #[must_use]
    pub fn subresource(mut self, name: &str) -> Self {
        self.parameters.push((name.to_owned(), None));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Takes a header out.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    /// Sets the body; `Content-Length` is added when the bytes are made.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds the body's Content-MD5, without which S3 takes no DeleteObjects.
    #[must_use]
    pub fn content_md5(self) -> Self {
        let digest = md5_base64(&self.body);
        self.header("Content-MD5", digest)
    }

    /// The first value of a header.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// Path and query as on the wire.
    pub fn target(&self) -> String {
        let query: Vec<String> = self
            .parameters
            .iter()
            .map(|(name, value)| match value {
                Some(value) => format!("{}={}", encode(name.as_bytes()), encode(value.as_bytes())),
                None => encode(name.as_bytes()),
            })
            .collect();
        if query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, query.join("&"))
        }
    }

    /// The query in SigV4's canonical form.
    pub fn canonical_query(&self) -> String {
        canonical_query(&self.parameters)
    }

    /// The head as on the wire. `Content-Length` is added for a body, and for PUT and POST without one, unless the
    /// framing is given in a header.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target());
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let has_framing =
            self.header_value("content-length").is_some() || self.header_value("transfer-encoding").is_some();
        if !has_framing && (!self.body.is_empty() || matches!(self.method.as_str(), "PUT" | "POST")) {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Head and body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The same, but slashes stay.
pub fn encode_path(key: &str) -> String {
    key.split('/')
        .map(|part| encode(part.as_bytes()))
        .collect::<Vec<_>>()
        .join("/")
}
