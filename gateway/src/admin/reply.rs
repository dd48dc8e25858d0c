//! Answers of the admin API.

use proto::error::{ErrorCode, S3Error};
use serde::Serialize;

/// An answer, in JSON unless it says otherwise.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// What its body is.
    pub content_type: &'static str,
    /// The methods there are, where another one was used.
    pub allow: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A value.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self {
                body,
                ..Self::empty(status)
            },
            Err(_) => Self::empty(500),
        }
    }
    /// Nothing but a status.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: "application/json",
            allow: None,
            body: Vec::new(),
        }
    }
    /// An error.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &serde_json::json!({ "code": code, "message": message }))
    }
}

impl From<S3Error> for Reply {
    fn from(error: S3Error) -> Self {
        let message = match advice(&error) {
            Some(advice) => format!("{}. {advice}", error.message.trim_end_matches('.')),
            None => error.message.to_string(),
        };
        Self::error(error.status(), error.code.as_str(), &message)
    }
}

/// What to do about an error that says no more than S3 does.
fn advice(error: &S3Error) -> Option<String> {
    if error.message != error.code.message() {
        return None;
    }
    let field = |name| {
        error
            .fields
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    };
    let name = |field_name| field(field_name).map_or("it", String::as_str);
    Some(match error.code {
        ErrorCode::AccessDenied => {
            "Sign with a key of the bucket's owner or of the root user; GET /v1/keys tells root whose keys there are.".to_owned()
        }
        ErrorCode::NoSuchBucket => format!(
            "There is no bucket named {}. GET /v1/buckets lists yours; POST there makes one.",
            name("BucketName")
        ),
        ErrorCode::NoSuchKey => "GET /v1/buckets/{bucket}/objects lists what there is.".to_owned(),
        ErrorCode::NoSuchVersion => {
            "GET /v1/buckets/{bucket}/objects?versions=true lists the versions there are.".to_owned()
        }
        ErrorCode::InvalidBucketName => {
            "A name has 3 to 63 of a-z, 0-9, '.' and '-', begins and ends with a letter or digit, and looks like no IP address."
                .to_owned()
        }
        ErrorCode::BucketNotEmpty => format!(
            "Delete the objects of {} first, their versions and delete markers included.",
            name("BucketName")
        ),
        ErrorCode::InvalidAccessKeyId => "Use a key that GET /v1/keys shows root.".to_owned(),
        ErrorCode::ServiceUnavailable => "A part of the store is away: GET /v1/health and /v1/cluster say which.".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Reply;
    use proto::error::{ErrorCode, S3Error};

    fn message(error: S3Error) -> String {
        let reply = Reply::from(error);
        let value: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        value["message"].as_str().unwrap().to_owned()
    }

    #[test]
    fn errors_say_what_to_do_and_nothing_that_was_signed() {
        let missing = S3Error::new(ErrorCode::NoSuchBucket).field("BucketName", "photos");
        assert!(message(missing).contains("no bucket named photos"));
        let better = S3Error::with_message(ErrorCode::AccessDenied, "Signature Version 2 is off.");
        assert_eq!(message(better), "Signature Version 2 is off.");
        let signature = S3Error::new(ErrorCode::SignatureDoesNotMatch).field("CanonicalRequest", "secret query");
        assert!(!message(signature).contains("secret"));
    }
}
