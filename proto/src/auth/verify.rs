//! Verification of a request's SigV4, in the Authorization header or in a presigned URL.

pub(crate) use super::claim::parse_credential;
pub use super::claim::{Credential, SignatureClaim, version_2_refused};
use super::{
    canonical::{forms, string_to_sign},
    chunked::ChunkSigner,
    payload::{CONTENT_SHA256_HEADER, UNSIGNED_PAYLOAD, content_sha256_value},
    sigv4::{Scope, SigningKey, hex, sha256},
};
use crate::{
    error::{ErrorCode, S3Error},
    http::{
        date,
        head::{BodyFraming, RequestHead},
    },
    limits::CLOCK_SKEW_S_MAX,
    s3::query::Query,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;

/// A verified signature: what signed chunks chain from.
#[derive(Clone)]
pub struct Verified {
    /// The derived key.
    pub signing_key: SigningKey,
    /// The seed signature.
    pub signature: [u8; 32],
    /// The timestamp.
    pub timestamp: String,
    /// The scope.
    pub scope: Scope,
}

impl std::fmt::Debug for Verified {
    /// Without the signature, as [`ChunkSigner`].
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verified")
            .field("timestamp", &self.timestamp)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl From<Verified> for ChunkSigner {
    fn from(verified: Verified) -> Self {
        Self {
            signing_key: verified.signing_key,
            timestamp: verified.timestamp,
            scope: verified.scope,
            seed_signature: verified.signature,
        }
    }
}

impl SignatureClaim {
    /// Verifies against the secret key at `now_unix_s`. Checks: skew (`RequestTimeTooSkewed` with RequestTime,
    /// ServerTime, MaxAllowedSkewMilliseconds), presigned expiry (`AccessDenied` "Request has expired" with
    /// X-Amz-Expires, Expires, ServerTime), `host` and every x-amz-* header sent must be signed (`AccessDenied` "There
    /// were headers present in the request which were not signed", field HeadersNotSigned), x-amz-content-sha256
    /// present for header signatures (`InvalidRequest` "Missing required header for this request:
    /// x-amz-content-sha256"). That the scope's date is the timestamp's was checked when the claim was read.
    ///
    /// The path is canonicalised from the raw bytes received (S3: single encoding, no normalisation), then decoded and
    /// encoded once; the query is decoded and re-encoded, sorted. The query parameter `corelane-ticket` (see
    /// `ticket::QUERY_PARAMETER`) may or may not be signed: both are tried. s3cmd's way is tried last: canonical host =
    /// Host + P and path minus P, for P = `/s3` and P = `/s3/<bucket>`. Constant-time compare; `SignatureDoesNotMatch`
    /// with AWSAccessKeyId, StringToSign, SignatureProvided, CanonicalRequest fields: the last two hold the request's
    /// query, so none of them belongs in a log.
    pub fn verify(&self, head: &RequestHead, secret_key: &str, now_unix_s: u64) -> Result<Verified, S3Error> {
        self.verify_with(head, SigningKey::derive(secret_key, &self.scope), now_unix_s)
    }

    /// The same with a signing key that was derived for this claim's scope.
    pub fn verify_with(
        &self,
        head: &RequestHead,
        signing_key: SigningKey,
        now_unix_s: u64,
    ) -> Result<Verified, S3Error> {
        self.check_time(now_unix_s)?;
        self.check_signed_headers(head)?;
        let payload_hash = self.payload_hash(head)?;
        let query = Query::parse(head.raw_query())?;
        let mut first = None;
        for form in forms(head, &query, &self.signed_headers, self.endpoint_may_have_path) {
            let request = form.request(head, &query, &self.signed_headers, &payload_hash);
            let string_to_sign = string_to_sign(&self.timestamp, &self.scope, &request);
            let calculated = signing_key.sign(&string_to_sign);
            if verify_slices_are_equal(&calculated, &self.signature).is_ok() {
                return Ok(Verified {
                    signing_key,
                    signature: self.signature,
                    timestamp: self.timestamp.clone(),
                    scope: self.scope.clone(),
                });
            }
            first.get_or_insert((request, string_to_sign));
        }
        let (request, string_to_sign) = first.unwrap_or_default();
        Err(S3Error::new(ErrorCode::SignatureDoesNotMatch)
            .field("AWSAccessKeyId", &self.access_key)
            .field("StringToSign", string_to_sign)
            .field("SignatureProvided", hex(&self.signature))
            .field("CanonicalRequest", String::from_utf8_lossy(&request)))
    }

    fn check_time(&self, now_unix_s: u64) -> Result<(), S3Error> {
        let signed_unix_s = date::parse_sigv4(&self.timestamp).ok_or(ErrorCode::AccessDenied)?;
        let server_time = || date::iso8601(now_unix_s.saturating_mul(1000));
        let Some(expires_s) = self.expires_s else {
            if signed_unix_s.abs_diff(now_unix_s) <= CLOCK_SKEW_S_MAX {
                return Ok(());
            }
            return Err(S3Error::new(ErrorCode::RequestTimeTooSkewed)
                .field("RequestTime", &self.timestamp)
                .field("ServerTime", server_time())
                .field("MaxAllowedSkewMilliseconds", (CLOCK_SKEW_S_MAX * 1000).to_string()));
        };
        if signed_unix_s.saturating_sub(now_unix_s) > CLOCK_SKEW_S_MAX {
            let expires = date::iso8601(signed_unix_s.saturating_add(expires_s).saturating_mul(1000));
            return Err(
                S3Error::with_message(ErrorCode::AccessDenied, "Request is not yet valid")
                    .field("X-Amz-Date", signed_unix_s.saturating_mul(1000).to_string())
                    .field("Expires", expires)
                    .field("ServerTime", server_time()),
            );
        }
        let expires_unix_s = signed_unix_s.saturating_add(expires_s);
        // No second at all is over as soon as it begins (the API's minimum is 1).
        if expires_s == 0 || now_unix_s > expires_unix_s {
            return Err(S3Error::with_message(ErrorCode::AccessDenied, "Request has expired")
                .field("X-Amz-Expires", expires_s.to_string())
                .field("Expires", date::iso8601(expires_unix_s.saturating_mul(1000)))
                .field("ServerTime", server_time()));
        }
        Ok(())
    }

    fn check_signed_headers(&self, head: &RequestHead) -> Result<(), S3Error> {
        let mut unsigned: Vec<String> = Vec::new();
        let required = std::iter::once("host").chain(head.headers().map(|(name, _)| name));
        for name in required.map(str::to_ascii_lowercase) {
            let must_be_signed = name == "host" || name.starts_with("x-amz-");
            if must_be_signed && !self.signed_headers.contains(&name) && !unsigned.contains(&name) {
                unsigned.push(name);
            }
        }
        if !unsigned.is_empty() {
            let message = "There were headers present in the request which were not signed";
            return Err(
                S3Error::with_message(ErrorCode::AccessDenied, message).field("HeadersNotSigned", unsigned.join(", "))
            );
        }
        // No host has a slash but in what s3cmd signs. Were one accepted, its signature for the object `key` of a
        // bucket would also be good for the bucket `key`.
        match head.header("host") {
            Some(host) if host.contains(&b'/') => Err(ErrorCode::InvalidRequest.into()),
            _ => Ok(()),
        }
    }

    /// The last line of the canonical request, as the client sent it.
    fn payload_hash(&self, head: &RequestHead) -> Result<String, S3Error> {
        match (self.expires_s, head.header(CONTENT_SHA256_HEADER)) {
            // Debian's curl signs like any AWS service but S3, without this header. Where there is no body, the hash it
            // signed can only be that of nothing.
            (None, None) if matches!(head.framing(), BodyFraming::None | BodyFraming::Length(0)) => {
                Ok(hex(&sha256(b"")))
            }
            (None, None) => {
                let message = "Missing required header for this request: x-amz-content-sha256";
                Err(S3Error::with_message(ErrorCode::InvalidRequest, message))
            }
            _ => Ok(content_sha256_value(head)?.unwrap_or_else(|| UNSIGNED_PAYLOAD.to_owned())),
        }
    }
}
