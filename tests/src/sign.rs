//! AWS Signature V4 as a client makes it, written from the specification and apart from the store's own verification
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>).

use crate::{
    digest::sha256_hex,
    request::{Request, encode},
};
use proto::{
    auth::sigv4::{Scope, SigningKey, hex},
    http::date,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch.
pub fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Signs requests as one key, at one time.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The key's id.
    pub access_key: String,
    /// The key's secret.
    pub secret_key: String,
    /// Of the scope.
    pub region: String,
    /// When it signs, in seconds since the epoch.
    pub unix_s: u64,
}

impl Signer {
    /// Signs now, for us-east-1.
    pub fn new(access_key: &str, secret_key: &str) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            region: "us-east-1".to_owned(),
            unix_s: now_unix_s(),
        }
    }

    /// `YYYYMMDDTHHMMSSZ`.
    pub fn timestamp(&self) -> String {
        date::sigv4(self.unix_s)
    }

    /// `date/region/s3/aws4_request`.
    pub fn scope(&self) -> String {
        format!("{}/{}/s3/aws4_request", &self.timestamp()[..8], self.region)
    }

    /// Hex HMAC of a string to sign.
    pub fn signature(&self, string_to_sign: &str) -> String {
        let scope = Scope {
            date: self.timestamp()[..8].to_owned(),
            region: self.region.clone(),
            service: "s3".to_owned(),
        };
        hex(&SigningKey::derive(&self.secret_key, &scope).sign(string_to_sign))
    }

    /// Adds `x-amz-date`, `x-amz-content-sha256` (unless given) and `Authorization`; every header but `Expect`,
    /// `Content-Length` and `Connection` is signed.
    pub fn sign(&self, mut request: Request) -> Request {
        request = request.header("x-amz-date", self.timestamp());
        if request.header_value("x-amz-content-sha256").is_none() {
            let digest = sha256_hex(&request.body);
            request = request.header("x-amz-content-sha256", digest);
        }
        let payload = request.header_value("x-amz-content-sha256").unwrap().to_owned();
        let mut headers: Vec<(String, String)> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .filter(|(name, _)| {
                !["expect", "content-length", "connection", "transfer-encoding"].contains(&name.as_str())
            })
            .collect();
        headers.sort();
        let signed_headers = headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
            .join(";");
        let signature = self.seed(
            &request,
            &headers,
            &signed_headers,
            &request.canonical_query(),
            &payload,
        );
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={signed_headers},Signature={signature}",
            self.access_key,
            self.scope()
        );
        request.header("Authorization", authorization)
    }

    /// Moves the signature into the query: a URL that works for `expires_s` seconds. Only Host is signed.
    pub fn presign(&self, mut request: Request, expires_s: u64) -> Request {
        for (name, value) in [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{}", self.access_key, self.scope())),
            ("X-Amz-Date", self.timestamp()),
            ("X-Amz-Expires", expires_s.to_string()),
            ("X-Amz-SignedHeaders", "host".to_owned()),
        ] {
            request = request.query(name, &value);
        }
        let host = request.header_value("host").unwrap().to_owned();
        let headers = [("host".to_owned(), host)];
        let signature = self.seed(
            &request,
            &headers,
            "host",
            &request.canonical_query(),
            "UNSIGNED-PAYLOAD",
        );
        request.query("X-Amz-Signature", &signature)
    }

    /// Frames a body as `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: every chunk signed, from the request's own signature on.
    pub fn signed_chunks(&self, body: &[u8], chunk_bytes: usize, request: &Request) -> Vec<u8> {
        let authorization = request.header_value("authorization").unwrap();
        let mut previous = authorization.rsplit("Signature=").next().unwrap().to_owned();
        let mut framed = Vec::new();
        let empty: &[u8] = &[];
        for chunk in body.chunks(chunk_bytes).chain([empty]) {
            let string_to_sign = format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{}\n{}",
                self.timestamp(),
                self.scope(),
                sha256_hex(b""),
                sha256_hex(chunk)
            );
            previous = self.signature(&string_to_sign);
            framed.extend_from_slice(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).as_bytes());
            framed.extend_from_slice(chunk);
            framed.extend_from_slice(b"\r\n");
        }
        framed
    }

    fn seed(
        &self,
        request: &Request,
        headers: &[(String, String)],
        signed_headers: &str,
        canonical_query: &str,
        payload: &str,
    ) -> String {
        let canonical_headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let canonical_request = format!(
            "{}\n{}\n{canonical_query}\n{canonical_headers}\n{signed_headers}\n{payload}",
            request.method, request.path
        );
        self.signature(&format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.timestamp(),
            self.scope(),
            sha256_hex(canonical_request.as_bytes())
        ))
    }
}

/// Frames a body as `STREAMING-UNSIGNED-PAYLOAD-TRAILER` with one trailer.
pub fn unsigned_chunks(body: &[u8], chunk_bytes: usize, trailer: &str, value: &str) -> Vec<u8> {
    let mut framed = Vec::new();
    for chunk in body.chunks(chunk_bytes) {
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(format!("0\r\n{trailer}:{value}\r\n\r\n").as_bytes());
    framed
}

/// A query in SigV4's canonical form: encoded, sorted, `name=` for bare names.
pub fn canonical_query(parameters: &[(String, Option<String>)]) -> String {
    let mut encoded: Vec<(String, String)> = parameters
        .iter()
        .map(|(name, value)| {
            (
                encode(name.as_bytes()),
                encode(value.as_deref().unwrap_or_default().as_bytes()),
            )
        })
        .collect();
    encoded.sort();
    encoded
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&")
}

#[cfg(test)]
mod tests {
    use super::Signer;
    use crate::request::Request;

    /// AWS's published example "GET Object" of the page above.
    #[test]
    fn a_published_example() {
        let signer = Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            region: "us-east-1".to_owned(),
            unix_s: 1_369_353_600,
        };
        let request = Request::new("GET", "/test.txt")
            .header("Host", "examplebucket.s3.amazonaws.com")
            .header("Range", "bytes=0-9");
        let signed = signer.sign(request);
        let authorization = signed.header_value("authorization").unwrap();
        let expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert!(authorization.ends_with(expected), "{authorization}");
    }
}
