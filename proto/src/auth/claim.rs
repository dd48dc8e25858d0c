//! Reading a SigV4 signature out of a request: from the Authorization header
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html>) or a presigned URL
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>).

use super::{
    sigv2,
    sigv4::{ALGORITHM, SCOPE_TERMINATOR, Scope, from_hex},
};
use crate::{
    error::{ErrorCode, S3Error},
    http::{date, head::RequestHead},
    limits::{HEADER_COUNT_MAX, PRESIGNED_EXPIRY_S_MAX},
    s3::query::Query,
};

/// What a request brings to prove who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing: no Authorization header and no signature in the query.
    Anonymous,
    /// A SigV4 signature, not verified yet.
    Signed(SignatureClaim),
    /// A SigV2 signature (`AWS k:s`, `AWSAccessKeyId=`), not looked into: where it is allowed,
    /// [`SignatureV2`](super::sigv2::SignatureV2) reads it, elsewhere it is [`version_2_refused`].
    Version2,
}

/// A parsed, unverified SigV4 signature.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureClaim {
    /// The access key id.
    pub access_key: String,
    /// The scope as sent.
    pub scope: Scope,
    /// Signed header names, lower case, in the order sent.
    pub signed_headers: Vec<String>,
    /// The signature.
    pub signature: [u8; 32],
    /// `X-Amz-Date` (or Date), as `YYYYMMDDTHHMMSSZ`.
    pub timestamp: String,
    /// Presigned: seconds of validity. `None` for header signatures.
    pub expires_s: Option<u64>,
    /// Whether the client may have signed the path of its endpoint as a part of the host, as s3cmd does.
    pub(super) endpoint_may_have_path: bool,
}

impl SignatureClaim {
    /// For a request whose bucket is in the host: nothing before its path can be an endpoint's. A client that believes so
    /// means another key than it asks for.
    #[must_use]
    pub fn for_bucket_host(mut self) -> Self {
        self.endpoint_may_have_path = false;
        self
    }
}

impl std::fmt::Debug for SignatureClaim {
    /// Without the signature: until it expires, whoever has it can send the request again.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignatureClaim")
            .field("access_key", &self.access_key)
            .field("scope", &self.scope)
            .field("signed_headers", &self.signed_headers)
            .field("timestamp", &self.timestamp)
            .field("expires_s", &self.expires_s)
            .finish_non_exhaustive()
    }
}

impl Credential {
    /// Reads it from head and query. Errors as S3: `AuthorizationHeaderMalformed`, `AuthorizationQueryParametersError`,
    /// `InvalidArgument` for an unsupported Authorization type and when both header and query sign, `AccessDenied` for
    /// a missing date.
    pub fn from_request(head: &RequestHead, query: &Query) -> Result<Self, S3Error> {
        let is_presigned = PRESIGNED_MARKS.iter().any(|name| query.contains(name));
        let is_version_2 = query.contains(sigv2::ACCESS_KEY_PARAMETER);
        match head.header("authorization") {
            Some(_) if is_presigned || is_version_2 || count(head, "authorization") > 1 => Err(two_mechanisms()),
            Some(value) if is_version_2_header(value) => Ok(Self::Version2),
            Some(value) => from_header(head, value).map(Self::Signed),
            None if is_presigned => from_query(query).map(Self::Signed),
            None if is_version_2 => Ok(Self::Version2),
            None => Ok(Self::Anonymous),
        }
    }
}

/// Any of these in a query means that its sender meant to presign.
const PRESIGNED_MARKS: [&str; 3] = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"];

fn count(head: &RequestHead, header: &str) -> usize {
    head.headers()
        .filter(|(name, _)| name.eq_ignore_ascii_case(header))
        .count()
}

fn from_header(head: &RequestHead, value: &[u8]) -> Result<SignatureClaim, S3Error> {
    let value = std::str::from_utf8(value).map_err(|_| malformed_header(THREE_COMPONENTS))?;
    let (mechanism, components) = value.split_once(' ').unwrap_or((value, ""));
    match mechanism {
        ALGORITHM => (),
        // The value is not echoed: it may hold a secret of some other service.
        _ => {
            return Err(
                S3Error::with_message(ErrorCode::InvalidArgument, "Unsupported Authorization Type")
                    .field("ArgumentName", "Authorization"),
            );
        }
    }
    let component = |name: &str| {
        let mut values = components.split(',').filter_map(|component| {
            let (found, value) = component.trim().split_once('=')?;
            (found == name).then_some(value.trim())
        });
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Ok(value),
            _ => Err(malformed_header(THREE_COMPONENTS)),
        }
    };
    let (credential, signed_headers, signature) = (
        component("Credential")?,
        component("SignedHeaders")?,
        component("Signature")?,
    );
    let (access_key, scope) = parse_credential(credential).map_err(|problem| malformed_header(&problem))?;
    let timestamp = header_timestamp(head)?;
    if !timestamp.starts_with(&scope.date) {
        return Err(malformed_header(&format!(
            "Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{}\".",
            scope.date,
            timestamp.get(..8).unwrap_or_default()
        )));
    }
    Ok(SignatureClaim {
        access_key,
        scope,
        signed_headers: parse_signed_headers(signed_headers).ok_or_else(|| malformed_header(THREE_COMPONENTS))?,
        signature: from_hex(signature).ok_or(ErrorCode::SignatureDoesNotMatch)?,
        timestamp,
        expires_s: None,
        endpoint_may_have_path: true,
    })
}

/// `x-amz-date`, else `Date`, which may be in one of HTTP's forms too.
fn header_timestamp(head: &RequestHead) -> Result<String, S3Error> {
    let timestamp = match (head.header_str("x-amz-date"), head.header_str("date")) {
        (Some(text), _) => date::parse_sigv4(text),
        (None, Some(text)) => date::parse_sigv4(text).or_else(|| date::parse_http(text)),
        (None, None) => None,
    };
    timestamp.map(date::sigv4).ok_or_else(|| {
        let message = "AWS authentication requires a valid Date or x-amz-date header";
        S3Error::with_message(ErrorCode::AccessDenied, message)
    })
}

fn from_query(query: &Query) -> Result<SignatureClaim, S3Error> {
    // A parameter given twice would leave open which one was signed for.
    let parameter = |wanted: &str| {
        let mut values = query.iter().filter(|(name, _)| *name == wanted).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(malformed_query(SIX_PARAMETERS)),
        }
    };
    let (algorithm, credential, date, expires, signed_headers, signature) = (
        parameter("X-Amz-Algorithm")?,
        parameter("X-Amz-Credential")?,
        parameter("X-Amz-Date")?,
        parameter("X-Amz-Expires")?,
        parameter("X-Amz-SignedHeaders")?,
        parameter("X-Amz-Signature")?,
    );
    if algorithm != ALGORITHM {
        return Err(malformed_query("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let (access_key, scope) = parse_credential(credential)
        .map_err(|problem| malformed_query(&format!("Error parsing the X-Amz-Credential parameter; {problem}")))?;
    if date::parse_sigv4(date).is_none() {
        return Err(malformed_query(
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
        ));
    }
    if !date.starts_with(&scope.date) {
        return Err(malformed_query(&format!(
            "Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{}\".",
            scope.date,
            date.get(..8).unwrap_or_default()
        )));
    }
    let signed_headers = parse_signed_headers(signed_headers).ok_or_else(|| malformed_query(SIX_PARAMETERS))?;
    Ok(SignatureClaim {
        access_key,
        scope,
        signed_headers,
        signature: from_hex(signature).ok_or(ErrorCode::SignatureDoesNotMatch)?,
        timestamp: date.to_owned(),
        expires_s: Some(parse_expires(expires)?),
        endpoint_may_have_path: true,
    })
}

fn parse_expires(text: &str) -> Result<u64, S3Error> {
    let expires_s: i64 = text
        .parse()
        .map_err(|_| malformed_query("X-Amz-Expires should be a number"))?;
    match u64::try_from(expires_s) {
        Err(_) => Err(malformed_query("X-Amz-Expires must be non-negative")),
        Ok(expires_s) if expires_s > PRESIGNED_EXPIRY_S_MAX => Err(malformed_query(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds",
        )),
        Ok(expires_s) => Ok(expires_s),
    }
}

/// `AKID/YYYYMMDD/REGION/SERVICE/aws4_request`; an access key may hold slashes, so it is read from the right. The error
/// says what is wrong, in AWS's words.
pub(crate) fn parse_credential(credential: &str) -> Result<(String, Scope), String> {
    let mut parts = credential.rsplitn(5, '/');
    let (Some(terminator), Some(service), Some(region), Some(date), Some(access_key)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(format!(
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/{SCOPE_TERMINATOR}\"."
        ));
    };
    if terminator != SCOPE_TERMINATOR {
        return Err(format!(
            "incorrect terminal \"{terminator}\". This endpoint uses \"{SCOPE_TERMINATOR}\"."
        ));
    }
    if access_key.is_empty() {
        return Err("a non-empty Access Key (AKID) must be provided in the credential.".to_owned());
    }
    if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "incorrect date format \"{date}\". This date in the credential must be in the format \"yyyyMMdd\"."
        ));
    }
    let scope = Scope {
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
    };
    Ok((access_key.to_owned(), scope))
}

/// Each name costs a search through the head, so there may be no more of them than header lines.
fn parse_signed_headers(text: &str) -> Option<Vec<String>> {
    let names: Vec<String> = text
        .split(';')
        .take(HEADER_COUNT_MAX + 1)
        .map(str::to_ascii_lowercase)
        .collect();
    (names.len() <= HEADER_COUNT_MAX && names.iter().all(|name| !name.is_empty())).then_some(names)
}

const THREE_COMPONENTS: &str =
    "the authorization header requires three components: Credential, SignedHeaders, and Signature.";
const SIX_PARAMETERS: &str = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
     X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";

fn malformed_header(problem: &str) -> S3Error {
    let message = format!("The authorization header is malformed; {problem}");
    S3Error::with_message(ErrorCode::AuthorizationHeaderMalformed, message)
}

fn malformed_query(problem: &str) -> S3Error {
    S3Error::with_message(ErrorCode::AuthorizationQueryParametersError, problem.to_owned())
}

fn is_version_2_header(value: &[u8]) -> bool {
    let rest = value.strip_prefix(sigv2::MECHANISM.as_bytes());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b" "))
}

/// What S3 answers a SigV2 signature where it is not taken (any more).
pub fn version_2_refused() -> S3Error {
    let message = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}

fn two_mechanisms() -> S3Error {
    let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                   parameter or the Authorization header should be specified";
    S3Error::with_message(ErrorCode::InvalidArgument, message).field("ArgumentName", "Authorization")
}
