//! Talks to a running store's management interface (`/v1/...`): requests signed with AWS Signature V4, JSON answers.

use crate::{
    certificate::CertificateFiles,
    cmd::serve::credentials::{ACCESS_KEY_VARIABLE, Credentials, SECRET_KEY_VARIABLE, from_environment, load},
    error::{CliError, Result},
    limits::COMMAND_REQUEST,
};
use clap::Args;
use proto::{
    auth::sigv4::{Scope, SigningKey, hex, sha256},
    http::date,
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// How a command reaches the store; the same flags for every command that talks to one.
#[derive(Args)]
pub struct ConnectionArgs {
    /// Address of the store; a trailing /s3 is fine
    #[arg(
        long,
        value_name = "URL",
        env = "CORELANE_ENDPOINT",
        default_value = "http://127.0.0.1:51080",
        global = true
    )]
    endpoint: String,
    /// Where the store's own credentials are read from unless CORELANE_ACCESS_KEY and CORELANE_SECRET_KEY are set: its
    /// first data directory
    #[arg(long, value_name = "DIR", default_value = "./corelane-data", global = true)]
    data: PathBuf,
    /// With https: what signed the store's certificate, or that itself, a PEM file; nothing else is trusted then [default:
    /// what this machine trusts, and the certificate in --data]
    #[arg(long, value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
    /// With https: trust whoever answers. He learns no secret, but may read and change what is sent
    #[arg(long, global = true, conflicts_with = "ca")]
    insecure: bool,
}

/// A connection to the management interface of one store, as one user.
pub struct Client {
    http: reqwest::blocking::Client,
    /// `http://host:port` or `https://host:port`, without a path.
    origin: String,
    /// What the Host header says: signed.
    host: String,
    credentials: Credentials,
}

/// An error answer.
#[derive(Deserialize)]
struct ErrorAnswer {
    code: String,
    message: String,
}

impl Client {
    /// From the flags and the environment.
    pub fn new(args: &ConnectionArgs) -> Result<Self> {
        let (origin, host) = parse_endpoint(&args.endpoint)?;
        let credentials = match from_environment()? {
            Some(credentials) => credentials,
            None => load(&args.data.join("control"))?.ok_or_else(|| {
                CliError::failed(format!(
                    "no credentials: {} holds none; name the store's first data directory with --data, or set \
                     {ACCESS_KEY_VARIABLE} and {SECRET_KEY_VARIABLE}",
                    args.data.display()
                ))
            })?,
        };
        let mut http = reqwest::blocking::Client::builder()
            .timeout(COMMAND_REQUEST)
            .redirect(reqwest::redirect::Policy::none())
            // A proxy meant for the internet has no business between an operator and the store.
            .no_proxy();
        let own = CertificateFiles::of_store(&args.data.join("control")).certificate;
        if args.insecure {
            http = http.tls_danger_accept_invalid_certs(true);
        } else if let Some(ca) = &args.ca {
            http = http.tls_certs_only(trusted(ca)?);
        } else if origin.starts_with("https://") && own.exists() {
            http = http.tls_certs_merge(trusted(&own)?);
        }
        let http = http
            .build()
            .map_err(|error| CliError::failed(format!("cannot make an HTTP client: {error}")))?;
        Ok(Self {
            http,
            origin,
            host,
            credentials,
        })
    }

    /// Sends a request; `path` is percent-encoded already. The body of a 2xx answer.
    pub fn send(&self, method: &reqwest::Method, path: &str, body: Option<&serde_json::Value>) -> Result<Vec<u8>> {
        let body = body.map(serde_json::Value::to_string).unwrap_or_default().into_bytes();
        let now_unix_s = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let signed = sign(&self.credentials, method.as_str(), &self.host, path, &body, now_unix_s);
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.origin))
            .header("x-amz-date", signed.timestamp)
            .header("x-amz-content-sha256", signed.payload_sha256)
            .header("authorization", signed.authorization);
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let body = answer.bytes().map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        Err(CliError::failed(match serde_json::from_slice::<ErrorAnswer>(&body) {
            Ok(error) => explain(&error, &self.credentials.access_key),
            Err(_) if body.starts_with(b"This port speaks HTTPS") => format!(
                "{0} speaks HTTPS; name it with --endpoint {1}",
                self.origin,
                self.origin.replacen("http://", "https://", 1)
            ),
            Err(_) => format!("{} answered {status}; is it a Corelane store?", self.origin),
        }))
    }

    /// The same with an answer in JSON.
    pub fn send_for<T: DeserializeOwned>(
        &self,
        method: &reqwest::Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<T> {
        let answer = self.send(method, path, body)?;
        serde_json::from_slice(&answer).map_err(|_| {
            CliError::failed(format!(
                "{} gave an answer this program does not know; is it of another version?",
                self.origin
            ))
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> CliError {
        if error.is_timeout() {
            return CliError::failed(format!(
                "{} did not answer within {} s",
                self.origin,
                COMMAND_REQUEST.as_secs()
            ));
        }
        if let Some(reason) = certificate_error(error) {
            return CliError::failed(format!(
                "the certificate of {} is not accepted: {reason}; name what signed it, or itself, with --ca FILE",
                self.origin
            ));
        }
        CliError::failed(format!(
            "no store answers at {}; start one with `corelane serve`, or name its address with --endpoint URL",
            self.origin
        ))
    }
}

/// The certificates of a PEM file, to trust.
fn trusted(path: &Path) -> Result<Vec<reqwest::Certificate>> {
    let pem = std::fs::read(path)
        .map_err(|error| CliError::failed(format!("cannot read the certificate {}: {error}", path.display())))?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(CliError::failed(format!(
            "{} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
            path.display()
        ))),
    }
}

/// Why a certificate was not accepted, if that is why there was no answer.
fn certificate_error(error: &reqwest::Error) -> Option<String> {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(reason)) = error.downcast_ref() {
            return Some(reason.to_string());
        }
        // An I/O error passes its inner error's source off as its own.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(|error| error.get_ref())
            .map(|error| error as &dyn Error);
        cause = inner.or_else(|| error.source());
    }
    None
}

fn explain(error: &ErrorAnswer, access_key: &str) -> String {
    let advice = match error.code.as_str() {
        "AccessDenied" => format!(" (signed with {access_key}; only the store's first key may manage keys)"),
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
            format!(" (signed with {access_key}; are --data and --endpoint of the same store?)")
        }
        _ => String::new(),
    };
    format!("{}: {}{advice}", error.code, error.message)
}

/// Origin and host of an endpoint such as `http://127.0.0.1:51080/s3`.
fn parse_endpoint(endpoint: &str) -> Result<(String, String)> {
    let wrong = |what: &str| {
        CliError::usage(format!(
            "--endpoint {endpoint}: {what}; write it like http://127.0.0.1:51080"
        ))
    };
    let (scheme, default_port, rest) = match endpoint.strip_prefix("https://") {
        Some(rest) => ("https", ":443", rest),
        None => ("http", ":80", endpoint.strip_prefix("http://").unwrap_or(endpoint)),
    };
    let rest = rest.trim_end_matches('/');
    let host = rest.strip_suffix("/s3").unwrap_or(rest);
    if host.is_empty() || host.contains(['/', '?', '#', '@']) || host.contains(char::is_whitespace) {
        return Err(wrong("it is not an address"));
    }
    // HTTP leaves the default port out of Host, and the signature covers Host.
    let host = host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
    Ok((format!("{scheme}://{host}"), host))
}

/// The headers that prove who sent a request.
struct Signed {
    timestamp: String,
    payload_sha256: String,
    authorization: String,
}

/// AWS Signature V4 over `host`, `x-amz-content-sha256` and `x-amz-date`, for a path without a query
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>).
fn sign(credentials: &Credentials, method: &str, host: &str, path: &str, body: &[u8], now_unix_s: u64) -> Signed {
    const SIGNED_HEADERS: &str = "host;x-amz-content-sha256;x-amz-date";
    let timestamp = date::sigv4(now_unix_s);
    let payload_sha256 = hex(&sha256(body));
    let canonical_request = format!(
        "{method}\n{path}\n\nhost:{host}\nx-amz-content-sha256:{payload_sha256}\nx-amz-date:{timestamp}\n\n\
         {SIGNED_HEADERS}\n{payload_sha256}"
    );
    let scope = Scope {
        date: timestamp.chars().take_while(|c| *c != 'T').collect(),
        region: "us-east-1".to_owned(),
        service: "s3".to_owned(),
    };
    let scope_text = format!("{}/{}/{}/aws4_request", scope.date, scope.region, scope.service);
    let request_sha256 = hex(&sha256(canonical_request.as_bytes()));
    let string_to_sign = format!("AWS4-HMAC-SHA256\n{timestamp}\n{scope_text}\n{request_sha256}");
    let signature = hex(&SigningKey::derive(&credentials.secret_key, &scope).sign(&string_to_sign));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope_text},SignedHeaders={SIGNED_HEADERS},Signature={signature}",
        credentials.access_key
    );
    Signed {
        timestamp,
        payload_sha256,
        authorization,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{parse_endpoint, sign};
    use crate::cmd::serve::credentials::Credentials;

    #[test]
    fn endpoints_lose_their_path_and_default_port() {
        let host = |endpoint| {
            parse_endpoint(endpoint)
                .map(|(_, host)| host)
                .map_err(|error| error.exit_code())
        };
        assert_eq!(host("http://127.0.0.1:51080/s3/"), Ok("127.0.0.1:51080".to_owned()));
        assert_eq!(host("Store.example:80"), Ok("store.example".to_owned()));
        assert_eq!(host("https://store:443/s3"), Ok("store".to_owned()));
        assert_eq!(host("https://store:80"), Ok("store:80".to_owned()));
        assert_eq!(parse_endpoint("https://Store").unwrap().0, "https://store");
        assert_eq!(host("http://store/other"), Err(2));
        assert_eq!(host("http://"), Err(2));
    }

    /// The key, date and scope are those of AWS's published examples; the expected signature was computed with
    /// botocore's S3SigV4Auth.
    #[test]
    fn the_signature_is_the_one_botocore_makes() {
        let credentials = Credentials {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        };
        let signed = sign(
            &credentials,
            "POST",
            "127.0.0.1:51080",
            "/v1/keys",
            b"{\"user\":\"alice\"}",
            1_369_353_600,
        );
        assert_eq!(signed.timestamp, "20130524T000000Z");
        assert!(
            signed
                .authorization
                .ends_with("Signature=4f21926a8b68dd9692215c3b5f4fde7ede9ef667d91ed2dc6e062c98cae16c6e"),
            "{}",
            signed.authorization
        );
    }
}
