//! Requests signed as every S3 client signs them (SigV4 in headers, payload unsigned), made beforehand: what is measured
//! is what verifying them costs, not signing them.

use crate::{
    error::{BenchError, Context, Result},
    loadgen::request::{Method, Payload, Request},
    tickets::unix_s,
};
use proto::{
    auth::sigv4::{Scope, SigningKey, hex, sha256},
    http::date::iso8601,
};
use serde::Deserialize;
use std::{fs, path::Path};

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

const SIGNED_HEADERS: &str = "host;x-amz-content-sha256;x-amz-date";
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

    /// A signed request. `path` needs no percent-encoding; `others`: headers that are not signed.
    pub fn request(
        &self,
        method: Method,
        authority: &str,
        path: &str,
        others: &[(&str, &str)],
        payload: Option<Payload>,
    ) -> Request {
        let canonical = format!(
            "{}\n{path}\n\nhost:{authority}\nx-amz-content-sha256:{PAYLOAD}\nx-amz-date:{}\n\n{SIGNED_HEADERS}\n{PAYLOAD}",
            method.name(),
            self.timestamp
        );
        let string_to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.timestamp,
            self.scope,
            hex(&sha256(canonical.as_bytes()))
        );
        let signature = hex(&self.signing_key.sign(&string_to_sign));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={SIGNED_HEADERS},Signature={signature}",
            self.access_key, self.scope
        );
        let signed = [
            ("x-amz-content-sha256", PAYLOAD),
            ("x-amz-date", self.timestamp.as_str()),
            ("authorization", authorization.as_str()),
        ];
        let headers: Vec<(&str, &str)> = signed.iter().chain(others).copied().collect();
        Request::new(method, authority, path, &headers, payload)
    }
}
