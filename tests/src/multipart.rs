//! Multipart uploads, step by step.

use crate::{raw::Response, request::Request, store::Store, xml};

/// An upload that was begun.
#[derive(Debug)]
pub struct Upload<'s> {
    store: &'s Store,
    bucket: String,
    key: String,
    /// Its id.
    pub id: String,
}

/// A part as the list of CompleteMultipartUpload names it: number, ETag, and further elements.
pub type ListedPart = (u32, String, String);

impl<'s> Upload<'s> {
    /// Begins one.
    #[track_caller]
    pub fn begin(store: &'s Store, bucket: &str, key: &str) -> Self {
        Self::begin_with(store, bucket, key, &[])
    }

    /// Begins one with these headers.
    #[track_caller]
    pub fn begin_with(store: &'s Store, bucket: &str, key: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::object("POST", bucket, key).subresource("uploads");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let answer = store.send(request).expect_status(200).text();
        assert_eq!(xml::text(&answer, "Bucket").as_deref(), Some(bucket));
        assert_eq!(xml::text(&answer, "Key").as_deref(), Some(key));
        Self {
            store,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            id: xml::text(&answer, "UploadId").unwrap_or_default(),
        }
    }

    /// A request about it.
    pub fn request(&self, method: &str) -> Request {
        Request::object(method, &self.bucket, &self.key).query("uploadId", &self.id)
    }

    /// A request for one of its parts.
    pub fn part_request(&self, number: u32) -> Request {
        self.request("PUT").query("partNumber", &number.to_string())
    }

    /// Uploads a part.
    #[track_caller]
    pub fn part(&self, number: u32, body: &[u8]) -> ListedPart {
        let answer = self.store.send(self.part_request(number).body(body)).expect_status(200);
        (
            number,
            answer.header("etag").unwrap_or_default().to_owned(),
            String::new(),
        )
    }

    /// The request that completes it.
    pub fn completion(&self, parts: &[ListedPart]) -> Request {
        self.request("POST").body(list(parts))
    }

    /// Completes it, whatever comes.
    #[track_caller]
    pub fn complete(&self, parts: &[ListedPart]) -> Response {
        self.store.send(self.completion(parts))
    }

    /// Lists its parts, whatever comes.
    #[track_caller]
    pub fn list(&self, parameters: &[(&str, &str)]) -> Response {
        let mut request = self.request("GET");
        for (name, value) in parameters {
            request = request.query(name, value);
        }
        self.store.send(request)
    }
}

/// The body of CompleteMultipartUpload.
pub fn list(parts: &[ListedPart]) -> String {
    let mut body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">".to_owned();
    for (number, etag, further) in parts {
        body.push_str(&format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{further}</Part>"
        ));
    }
    body.push_str("</CompleteMultipartUpload>");
    body
}
