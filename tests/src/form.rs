//! Browser forms for PostObject, written from the specification and apart from the store's own reader
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>).

use crate::{digest::base64, request::Request, sign::Signer};

const BOUNDARY: &str = "----tests-boundary";

/// A form in the making.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// Name and value, in order.
    pub fields: Vec<(String, String)>,
    /// Filename and content.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Form {
    /// A form for one key, with one file.
    pub fn new(key: &str, content: impl Into<Vec<u8>>) -> Self {
        Self {
            fields: vec![("key".to_owned(), key.to_owned())],
            files: vec![("upload.txt".to_owned(), content.into())],
        }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// A policy for what the form holds so far, with more conditions (JSON, without a comma behind), good until
    /// `expiration`.
    pub fn policy(&self, bucket: &str, more: &str, expiration: &str) -> String {
        let mut conditions: Vec<String> = self
            .fields
            .iter()
            .map(|(name, value)| format!("[\"eq\", {}, {}]", json(&format!("${name}")), json(value)))
            .collect();
        conditions.push(format!("{{\"bucket\": {}}}", json(bucket)));
        if !more.is_empty() {
            conditions.push(more.to_owned());
        }
        format!(
            "{{\"expiration\": \"{expiration}\", \"conditions\": [{}]}}",
            conditions.join(", ")
        )
    }

    /// Signs with Signature Version 4: a policy for exactly these fields, and `more`.
    #[must_use]
    pub fn sign(self, signer: &Signer, bucket: &str, more: &str) -> Self {
        let form = self.credential(signer);
        let policy = form.policy(bucket, more, FAR);
        form.signed_policy(signer, &policy)
    }

    /// Adds what Signature Version 4 has to name besides the policy.
    #[must_use]
    pub fn credential(self, signer: &Signer) -> Self {
        self.field("x-amz-algorithm", "AWS4-HMAC-SHA256")
            .field("x-amz-credential", format!("{}/{}", signer.access_key, signer.scope()))
            .field("x-amz-date", signer.timestamp())
    }

    /// Adds a policy and its signature.
    #[must_use]
    pub fn signed_policy(self, signer: &Signer, policy: &str) -> Self {
        let policy = base64(policy.as_bytes());
        let signature = signer.signature(&policy);
        self.field("policy", policy).field("x-amz-signature", signature)
    }

    /// The request that a browser makes of it, for a bucket below `/s3`.
    pub fn request(&self, bucket: &str) -> Request {
        Request::bucket("POST", bucket)
            .header("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(self.body())
    }

    /// The body.
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        for (filename, content) in &self.files {
            let part = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            );
            body.extend_from_slice(part.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        body
    }
}

/// A policy's expiration that tests do not live to see.
pub const FAR: &str = "2099-12-01T12:00:00.000Z";

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
