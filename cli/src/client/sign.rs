//! AWS Signature V4 for requests of this program
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>).

use crate::cmd::serve::credentials::Credentials;
use proto::{
    auth::sigv4::{ALGORITHM, Scope, SigningKey, hex, sha256},
    http::{date, percent},
};

/// What a signature covers.
pub struct Unsigned<'a> {
    /// Such as `GET`.
    pub method: &'a str,
    /// As the Host header has it.
    pub host: &'a str,
    /// Percent-encoded, as it is sent.
    pub path: &'a str,
    /// As [`canonical_query`] makes it, and as it is sent.
    pub query: &'a str,
    /// Names in lower case; those that begin with `x-amz-` are signed.
    pub headers: &'a [(&'static str, String)],
    /// The headers of user metadata, whose names are the user's, in lower case; signed as well.
    pub metadata: &'a [(String, String)],
    /// The SHA-256 of the body in hex, or `UNSIGNED-PAYLOAD`.
    pub payload_sha256: &'a str,
}

/// The headers that prove who sent a request.
pub struct Signed {
    /// `x-amz-date`.
    pub timestamp: String,
    /// `authorization`.
    pub authorization: String,
}

/// A query as SigV4 wants it: everything encoded, in order. Sent like this, it is what was signed.
pub fn canonical_query(parameters: &[(&str, &str)]) -> String {
    let mut encoded: Vec<(String, String)> = parameters
        .iter()
        .map(|(name, value)| {
            let encode = |text: &str| percent::encode(text.as_bytes(), false);
            (encode(name), encode(value))
        })
        .collect();
    encoded.sort_unstable();
    let joined: Vec<String> = encoded
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    joined.join("&")
}

/// Signs `host`, every `x-amz-` header and the query.
pub fn sign(credentials: &Credentials, request: &Unsigned<'_>, now_unix_s: u64) -> Signed {
    let timestamp = date::sigv4(now_unix_s);
    let mut headers: Vec<(&str, &str)> = vec![
        ("host", request.host),
        ("x-amz-content-sha256", request.payload_sha256),
        ("x-amz-date", &timestamp),
    ];
    let given = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
    headers.extend(given.filter(|(name, _)| name.starts_with("x-amz-")));
    headers.extend(
        request
            .metadata
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    headers.sort_unstable();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let signed_headers = names.join(";");
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{}\n", single_spaced(value)))
        .collect();
    let canonical_request = format!(
        "{}\n{}\n{}\n{lines}\n{signed_headers}\n{}",
        request.method, request.path, request.query, request.payload_sha256
    );
    let scope = Scope {
        date: timestamp.chars().take_while(|c| *c != 'T').collect(),
        region: "us-east-1".to_owned(),
        service: "s3".to_owned(),
    };
    let request_sha256 = hex(&sha256(canonical_request.as_bytes()));
    let string_to_sign = format!("{ALGORITHM}\n{timestamp}\n{scope}\n{request_sha256}");
    let signature = hex(&SigningKey::derive(&credentials.secret_key, &scope).sign(&string_to_sign));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope},SignedHeaders={signed_headers},Signature={signature}",
        credentials.access_key
    );
    Signed {
        timestamp,
        authorization,
    }
}

/// A header's value without spaces around it, and with single ones within.
fn single_spaced(value: &str) -> String {
    let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Unsigned, canonical_query, hex, sha256, sign};
    use crate::cmd::serve::credentials::Credentials;

    /// The key and scope are those of AWS's published examples.
    fn credentials() -> Credentials {
        Credentials {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        }
    }

    /// The expected signature was computed with botocore's S3SigV4Auth.
    #[test]
    fn the_signature_is_the_one_botocore_makes() {
        let request = Unsigned {
            method: "POST",
            host: "127.0.0.1:51080",
            path: "/v1/keys",
            query: "",
            headers: &[],
            metadata: &[],
            payload_sha256: &hex(&sha256(b"{\"user\":\"alice\"}")),
        };
        let signed = sign(&credentials(), &request, 1_369_353_600);
        assert_eq!(signed.timestamp, "20130524T000000Z");
        assert!(
            signed
                .authorization
                .ends_with("Signature=4f21926a8b68dd9692215c3b5f4fde7ede9ef667d91ed2dc6e062c98cae16c6e"),
            "{}",
            signed.authorization
        );
    }

    /// "Example: GET Bucket (List Objects)" of AWS's page on signatures in headers.
    #[test]
    fn queries_are_signed_as_aws_has_it() {
        let request = Unsigned {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/",
            query: &canonical_query(&[("prefix", "J"), ("max-keys", "2")]),
            headers: &[("range", "is not signed".to_owned())],
            metadata: &[],
            payload_sha256: &hex(&sha256(b"")),
        };
        let signed = sign(&credentials(), &request, 1_369_353_600);
        assert!(
            signed
                .authorization
                .ends_with("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
            "{}",
            signed.authorization
        );
        assert_eq!(
            canonical_query(&[("b", "x y/z"), ("a", ""), ("a+", "ü")]),
            "a=&a%2B=%C3%BC&b=x%20y%2Fz"
        );
    }
}
