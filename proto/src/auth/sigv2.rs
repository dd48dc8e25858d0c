//! AWS Signature Version 2 for S3, in the Authorization header or in a presigned URL
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html>). It signs neither the host nor most
//! of the query nor the payload, with HMAC-SHA1 and the secret key itself: it is there for clients that know no better,
//! where an operator allows it.

use super::payload::CONTENT_SHA256_HEADER;
use crate::{
    error::{ErrorCode, S3Error},
    http::{
        date,
        head::{Method, RequestHead},
        percent,
    },
    limits::CLOCK_SKEW_S_MAX,
    s3::{address::Address, query::Query, subresource::Subresource},
};
use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::collections::BTreeMap;

/// The mechanism's name in an Authorization header.
pub const MECHANISM: &str = "AWS";
/// The query parameter that marks a presigned URL.
pub const ACCESS_KEY_PARAMETER: &str = "AWSAccessKeyId";

/// Bytes of a signature.
const SIGNATURE_BYTES: usize = 20;

/// A parsed, unverified signature.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureV2 {
    /// The access key id.
    pub access_key: String,
    /// Presigned: seconds since the epoch until which it is valid. `None` for header signatures.
    pub expires_unix_s: Option<u64>,
    signature: [u8; SIGNATURE_BYTES],
}

impl std::fmt::Debug for SignatureV2 {
    /// Without the signature: until it expires, whoever has it can send the request again.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignatureV2")
            .field("access_key", &self.access_key)
            .field("expires_unix_s", &self.expires_unix_s)
            .finish_non_exhaustive()
    }
}

impl SignatureV2 {
    /// Reads it from a request known to bring one ([`super::verify::Credential::Version2`]). `InvalidArgument` for a
    /// malformed header, `AccessDenied` for missing or malformed parameters.
    pub fn from_request(head: &RequestHead, query: &Query) -> Result<Self, S3Error> {
        match head.header("authorization") {
            Some(value) => from_header(value),
            None => from_query(query),
        }
    }

    /// Verifies against the secret key at `now_unix_s`: the clock (`RequestTimeTooSkewed`, or `AccessDenied` "Request has
    /// expired"), then the signature, in constant time (`SignatureDoesNotMatch` with AWSAccessKeyId, StringToSign,
    /// SignatureProvided: nothing for a log). A payload that claims to be signed chunk by chunk is refused: there is no
    /// key to check the chunks with.
    pub fn verify(
        &self,
        head: &RequestHead,
        query: &Query,
        address: &Address,
        secret_key: &str,
        now_unix_s: u64,
    ) -> Result<(), S3Error> {
        self.check_time(head, now_unix_s)?;
        if head
            .header_str(CONTENT_SHA256_HEADER)
            .is_some_and(|value| value.starts_with("STREAMING-AWS4-"))
        {
            let message = "A payload with signed chunks needs a request that is signed with AWS4-HMAC-SHA256.";
            return Err(S3Error::with_message(ErrorCode::InvalidRequest, message));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret_key.as_bytes());
        let start = self.start(head, query);
        let mut first = None;
        for resource in canonical_resources(head, address) {
            let string_to_sign = [start.as_slice(), &resource].concat();
            if verify_slices_are_equal(hmac::sign(&key, &string_to_sign).as_ref(), &self.signature).is_ok() {
                return Ok(());
            }
            first.get_or_insert(string_to_sign);
        }
        Err(S3Error::new(ErrorCode::SignatureDoesNotMatch)
            .field("AWSAccessKeyId", &self.access_key)
            .field(
                "StringToSign",
                String::from_utf8_lossy(&first.unwrap_or_default()).into_owned(),
            )
            .field("SignatureProvided", BASE64_STANDARD.encode(self.signature)))
    }

    fn check_time(&self, head: &RequestHead, now_unix_s: u64) -> Result<(), S3Error> {
        let server_time = || date::iso8601(now_unix_s.saturating_mul(1000));
        if let Some(expires_unix_s) = self.expires_unix_s {
            if now_unix_s <= expires_unix_s {
                return Ok(());
            }
            return Err(S3Error::with_message(ErrorCode::AccessDenied, "Request has expired")
                .field("Expires", date::iso8601(expires_unix_s.saturating_mul(1000)))
                .field("ServerTime", server_time()));
        }
        let text = head.header_str("x-amz-date").or_else(|| head.header_str("date"));
        let signed_unix_s = text
            .and_then(|text| {
                date::parse_mail(text)
                    .or_else(|| date::parse_http(text))
                    .or_else(|| date::parse_sigv4(text))
            })
            .ok_or_else(|| {
                let message = "AWS authentication requires a valid Date or x-amz-date header";
                S3Error::with_message(ErrorCode::AccessDenied, message)
            })?;
        if signed_unix_s.abs_diff(now_unix_s) <= CLOCK_SKEW_S_MAX {
            return Ok(());
        }
        Err(S3Error::new(ErrorCode::RequestTimeTooSkewed)
            .field("RequestTime", text.unwrap_or_default())
            .field("ServerTime", server_time())
            .field("MaxAllowedSkewMilliseconds", (CLOCK_SKEW_S_MAX * 1000).to_string()))
    }

    /// The string to sign up to the resource.
    fn start(&self, head: &RequestHead, query: &Query) -> Vec<u8> {
        let is_presigned = self.expires_unix_s.is_some();
        // Clients put the headers they presign into the query, too.
        let header = |name: &str| -> &[u8] {
            let in_query = || query.value(name).filter(|_| is_presigned).map(str::as_bytes);
            head.header(name).or_else(in_query).unwrap_or_default()
        };
        let time = match self.expires_unix_s {
            Some(_) => query.value("Expires").unwrap_or_default().as_bytes(),
            // What stands among the x-amz- headers does not stand here.
            None if head.header("x-amz-date").is_some() => b"",
            None => header("date"),
        };
        let mut out = Vec::with_capacity(256);
        for line in [
            head.method_name().as_bytes(),
            header("content-md5"),
            header("content-type"),
            time,
        ] {
            out.extend_from_slice(line.trim_ascii());
            out.push(b'\n');
        }
        for (name, value) in amz_headers(head, query, is_presigned) {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            out.extend_from_slice(&value);
            out.push(b'\n');
        }
        out
    }
}

fn from_header(value: &[u8]) -> Result<SignatureV2, S3Error> {
    let malformed = || {
        let message = "AWS authorization header is invalid. Expected AwsAccessKeyId:signature";
        S3Error::with_message(ErrorCode::InvalidArgument, message).field("ArgumentName", "Authorization")
    };
    let text = std::str::from_utf8(value).map_err(|_| malformed())?;
    let credential = text.strip_prefix(MECHANISM).and_then(|rest| rest.strip_prefix(' '));
    // Base64 has no colon, an access key may.
    let parts = credential.and_then(|credential| credential.trim().rsplit_once(':'));
    let (access_key, signature) = parts
        .filter(|(access_key, signature)| !access_key.is_empty() && !signature.is_empty())
        .ok_or_else(malformed)?;
    Ok(SignatureV2 {
        access_key: access_key.to_owned(),
        expires_unix_s: None,
        signature: decode(signature)?,
    })
}

fn from_query(query: &Query) -> Result<SignatureV2, S3Error> {
    // A parameter given twice would leave open which one was signed for.
    let parameter = |wanted: &str| {
        let mut values = query.iter().filter(|(name, _)| *name == wanted).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Ok(value),
            _ => {
                let message =
                    "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
                Err(S3Error::with_message(ErrorCode::AccessDenied, message))
            }
        }
    };
    let (access_key, signature, expires) = (
        parameter(ACCESS_KEY_PARAMETER)?,
        parameter("Signature")?,
        parameter("Expires")?,
    );
    let is_number = expires.bytes().all(|byte| byte.is_ascii_digit());
    let expires_unix_s = expires.parse().ok().filter(|_| is_number).ok_or_else(|| {
        let message = format!("Invalid date (should be seconds since epoch): {expires}");
        S3Error::with_message(ErrorCode::AccessDenied, message)
    })?;
    Ok(SignatureV2 {
        access_key: access_key.to_owned(),
        expires_unix_s: Some(expires_unix_s),
        // A `+` that a client left as it is came out of the query as a space.
        signature: decode(&signature.replace(' ', "+"))?,
    })
}

fn decode(signature: &str) -> Result<[u8; SIGNATURE_BYTES], S3Error> {
    let bytes = BASE64_STANDARD.decode(signature).ok();
    bytes
        .and_then(|bytes| <[u8; SIGNATURE_BYTES]>::try_from(bytes).ok())
        .ok_or_else(|| ErrorCode::SignatureDoesNotMatch.into())
}

/// CanonicalizedAmzHeaders: names in lower case, sorted; values of one name joined in order.
fn amz_headers(head: &RequestHead, query: &Query, is_presigned: bool) -> BTreeMap<String, Vec<u8>> {
    let of_query = query
        .iter()
        .filter(|_| is_presigned)
        .map(|(name, value)| (name, value.as_bytes()));
    let mut headers: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (name, value) in head.headers().chain(of_query) {
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-") {
            continue;
        }
        let value = value.trim_ascii();
        match headers.get_mut(&name) {
            None => {
                headers.insert(name, value.to_vec());
            }
            // Sent both ways, as presigning clients have it.
            Some(values) if is_presigned && values == value => {}
            Some(values) => {
                values.push(b',');
                values.extend_from_slice(value);
            }
        }
    }
    headers
}

/// CanonicalizedResource in the forms that clients sign, most likely first:
///
/// - the bucket of the host before the path;
/// - the path with the endpoint's `/s3`, and without, as s3cmd and boto3 sign it;
/// - a bucket alone with a slash behind it, as boto3 signs it;
/// - the path decoded and encoded again;
/// - for reads, without the sub-resources that came after Signature Version 2.
fn canonical_resources(head: &RequestHead, address: &Address) -> Vec<Vec<u8>> {
    let raw_path = head.raw_path();
    let mut paths: Vec<String> = match address {
        Address::Host(bucket) if raw_path.is_empty() => vec![format!("/{}/", bucket.as_str())],
        Address::Host(bucket) => vec![format!("/{}{raw_path}", bucket.as_str())],
        Address::Path => vec![raw_path.to_owned()],
    };
    if *address == Address::Path
        && let Some(rest) = raw_path.strip_prefix("/s3")
        && (rest.is_empty() || rest.starts_with('/'))
    {
        paths.push(if rest.is_empty() {
            "/".to_owned()
        } else {
            rest.to_owned()
        });
    }
    let with_slash: Vec<String> = paths
        .iter()
        .filter(|path| is_bucket(path))
        .map(|path| format!("{path}/"))
        .collect();
    let encoded_again: Vec<String> = paths
        .iter()
        .filter_map(|path| Some(percent::encode(&percent::decode(path)?, true)))
        .collect();
    for path in with_slash.into_iter().chain(encoded_again) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let is_read = matches!(head.method(), Method::Get | Method::Head);
    let all = subresources(head.raw_query(), |name| is_signed(name) || is_signed_by_some(name));
    let old = subresources(head.raw_query(), is_signed);
    let mut queries = vec![all];
    if is_read && !queries.contains(&old) {
        queries.push(old);
    }
    let pairs = queries
        .iter()
        .flat_map(|query| paths.iter().map(move |path| (path, query)));
    pairs.map(|(path, query)| [path.as_bytes(), query].concat()).collect()
}

/// One name and no slash behind it: `/bucket`.
fn is_bucket(path: &str) -> bool {
    path.strip_prefix('/')
        .is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// `?name=value&name` of the signed parameters, sorted by name, values decoded; empty if there are none.
fn subresources(raw_query: &str, is_signed: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut signed: Vec<(&str, Option<Vec<u8>>)> = raw_query
        .split('&')
        .map(|part| match part.split_once('=') {
            Some((name, value)) => (name, Some(percent::decode(value).unwrap_or_else(|| value.into()))),
            None => (part, None),
        })
        .filter(|(name, _)| is_signed(name))
        .collect();
    signed.sort_by_key(|(name, _)| *name);
    let mut out = Vec::new();
    for (name, value) in signed {
        out.push(if out.is_empty() { b'?' } else { b'&' });
        out.extend_from_slice(name.as_bytes());
        if let Some(value) = value {
            out.push(b'=');
            out.extend_from_slice(&value);
        }
    }
    out
}

/// The parameters that clients agree to sign: those of S3's page on Signature Version 2, and `cors`, `delete`, `restore`,
/// `tagging`, `accelerate`, `replication`, `analytics`, `metrics`, `inventory`, `select` and `object-lock`, which came
/// later.
fn is_signed(name: &str) -> bool {
    matches!(
        name,
        "accelerate"
            | "acl"
            | "analytics"
            | "cors"
            | "delete"
            | "inventory"
            | "lifecycle"
            | "location"
            | "logging"
            | "metrics"
            | "notification"
            | "object-lock"
            | "partNumber"
            | "policy"
            | "replication"
            | "requestPayment"
            | "response-cache-control"
            | "response-content-disposition"
            | "response-content-encoding"
            | "response-content-language"
            | "response-content-type"
            | "response-expires"
            | "restore"
            | "select"
            | "tagging"
            | "torrent"
            | "uploadId"
            | "uploads"
            | "versionId"
            | "versioning"
            | "versions"
            | "website"
    )
}

/// Every other sub-resource. What changes something must have been asked for by whoever signed.
fn is_signed_by_some(name: &str) -> bool {
    Subresource::from_name(name).is_some()
}
