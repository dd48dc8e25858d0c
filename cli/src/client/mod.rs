//! Talks to a running store: requests signed with AWS Signature V4, sent once.

mod connection;
mod json;
mod sign;

pub use connection::{ConnectionArgs, Endpoint, GlobalArgs};

use crate::{
    cmd::serve::credentials::{ACCESS_KEY_VARIABLE, Credentials, SECRET_KEY_VARIABLE, from_environment, load},
    error::{CliError, Result},
    limits::COMMAND_REQUEST,
};
use bytes::Bytes;
use connection::{certificate_error, http_client};
use proto::auth::{
    payload::{CONTENT_SHA256_HEADER, UNSIGNED_PAYLOAD},
    sigv4::{hex, sha256},
};
use reqwest::{Method, StatusCode, blocking::Response};
use sign::{Unsigned, canonical_query, sign};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A connection to one store, as one user. Threads share it.
pub struct Client {
    http: reqwest::blocking::Client,
    endpoint: Endpoint,
    credentials: Credentials,
}

/// A request.
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Percent-encoded.
    pub path: String,
    /// Encoded and in order.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// `x-amz-meta-...`, in lower case.
    pub metadata: Vec<(String, String)>,
    /// Its body.
    pub payload: Payload,
    /// How long all of it may take, in place of how long the store may keep silent.
    pub deadline: Option<Duration>,
}

/// The body of a request.
#[derive(Clone)]
pub enum Payload {
    /// None.
    Empty,
    /// Its SHA-256 is part of what is signed.
    Signed(Bytes),
    /// No signature covers it. For TLS, which lets nobody change it.
    Unsigned(Bytes),
}

impl Call {
    /// A request without query, headers and body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: String::new(),
            headers: Vec::new(),
            metadata: Vec::new(),
            payload: Payload::Empty,
            deadline: None,
        }
    }

    /// With a query of these parameters, which are not encoded yet.
    #[must_use]
    pub fn with_query(mut self, parameters: &[(&str, &str)]) -> Self {
        self.query = canonical_query(parameters);
        self
    }

    /// With a header more; the name is in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn with_payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    fn target(&self) -> String {
        match self.query.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, self.query),
        }
    }
}

impl Client {
    /// From the flags and the environment.
    pub fn new(args: &ConnectionArgs) -> Result<Self> {
        let endpoint = Endpoint::parse(&args.endpoint)?;
        let credentials = match from_environment()? {
            Some(credentials) => credentials,
            None => load(&args.data.join("control"))?.ok_or_else(|| {
                CliError::Denied(format!(
                    "no credentials: {} holds none; name the store's first data directory with --data, or set \
                     {ACCESS_KEY_VARIABLE} and {SECRET_KEY_VARIABLE}",
                    args.data.display()
                ))
            })?,
        };
        Ok(Self {
            http: http_client(args, &endpoint)?,
            endpoint,
            credentials,
        })
    }

    /// `http://host:port` or `https://host:port`.
    pub fn origin(&self) -> &str {
        &self.endpoint.origin
    }

    /// Whether TLS protects what is sent.
    pub fn is_https(&self) -> bool {
        self.endpoint.is_https()
    }

    /// Signs a request and sends it once. A redirect of a request without body is followed, once: to the core that owns the
    /// object, with a ticket in place of the signature.
    pub fn exchange(&self, call: &Call) -> reqwest::Result<Response> {
        let (body, payload_sha256) = match &call.payload {
            Payload::Empty => (None, hex(&sha256(b""))),
            Payload::Signed(body) => (Some(body), hex(&sha256(body))),
            Payload::Unsigned(body) => (Some(body), UNSIGNED_PAYLOAD.to_owned()),
        };
        let now_unix_s = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let unsigned = Unsigned {
            method: call.method.as_str(),
            host: &self.endpoint.host,
            path: &call.path,
            query: &call.query,
            headers: &call.headers,
            metadata: &call.metadata,
            payload_sha256: &payload_sha256,
        };
        let signed = sign(&self.credentials, &unsigned, now_unix_s);
        let request = |url: String| {
            let mut request = self
                .http
                .request(call.method.clone(), url)
                .header("x-amz-date", &signed.timestamp)
                .header(CONTENT_SHA256_HEADER, &payload_sha256);
            for (name, value) in &call.headers {
                request = request.header(*name, value);
            }
            for (name, value) in &call.metadata {
                request = request.header(name, value);
            }
            match call.deadline {
                Some(deadline) => request.timeout(deadline),
                None => request,
            }
        };
        let mut first = request(format!("{}{}", self.origin(), call.target()));
        if let Some(body) = body {
            first = first.body(body.clone());
        } else if call.method == Method::PUT || call.method == Method::POST {
            first = first.header("content-length", "0");
        }
        let answer = first.header("authorization", &signed.authorization).send()?;
        match self.core_of(&answer) {
            Some(location) if body.is_none() => request(location).send(),
            _ => Ok(answer),
        }
    }

    /// Where a core is that the store redirects to; never from https to http.
    fn core_of(&self, answer: &Response) -> Option<String> {
        if answer.status() != StatusCode::TEMPORARY_REDIRECT {
            return None;
        }
        let location = answer.headers().get("location")?.to_str().ok()?;
        let scheme = if self.is_https() { "https://" } else { "http://" };
        location.starts_with(scheme).then(|| location.to_owned())
    }

    /// What to say of a request that got no answer.
    pub fn unreachable(&self, error: &reqwest::Error) -> CliError {
        if error.is_timeout() {
            return CliError::Unreachable(format!(
                "{} did not answer within {} s",
                self.origin(),
                COMMAND_REQUEST.as_secs()
            ));
        }
        if let Some(reason) = certificate_error(error) {
            return CliError::Unreachable(format!(
                "the certificate of {} is not accepted: {reason}; name what signed it, or itself, with --ca FILE",
                self.origin()
            ));
        }
        CliError::Unreachable(format!(
            "no store answers at {}; start one with `corelane serve`, or name its address with --endpoint URL",
            self.origin()
        ))
    }

    /// What to say of an error answer.
    pub fn refused(&self, status: StatusCode, code: &str, message: &str) -> CliError {
        let access_key = &self.credentials.access_key;
        let advice = match code {
            "AccessDenied" => format!(" (signed with {access_key})"),
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
                format!(" (signed with {access_key}; are --data and --endpoint of the same store?)")
            }
            _ => String::new(),
        };
        CliError::answered(status.as_u16(), code, format!("{code}: {message}{advice}"))
    }

    /// What to say of an answer that no store of this kind gives.
    pub fn stranger(&self, status: StatusCode, body: &[u8]) -> CliError {
        CliError::failed(match body.starts_with(b"This port speaks HTTPS") {
            true => format!(
                "{0} speaks HTTPS; name it with --endpoint {1}",
                self.origin(),
                self.origin().replacen("http://", "https://", 1)
            ),
            false => format!("{} answered {status}; is it a Corelane store?", self.origin()),
        })
    }
}
