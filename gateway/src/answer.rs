//! Answers the gateway makes itself: a status, headers, and a body of S3's XML.

use proto::{
    error::S3Error,
    http::response::ResponseWriter,
    s3::{config::cors_headers::CorsHeaders, name::Target, xml_write},
};

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: "",
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
    /// 200 with an XML document.
    pub fn xml(body: Vec<u8>) -> Self {
        Self {
            content_type: "application/xml",
            body,
            ..Self::empty(200)
        }
    }
    /// Another status with an XML document.
    pub fn xml_with_status(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            ..Self::xml(body)
        }
    }
    /// A page for people.
    pub fn html(status: u16, html: String) -> Self {
        Self {
            content_type: "text/html; charset=utf-8",
            body: html.into_bytes(),
            ..Self::empty(status)
        }
    }
    /// One line of text, for people and for nodes.
    pub fn text(status: u16, line: &str) -> Self {
        Self {
            content_type: "text/plain; charset=utf-8",
            body: format!("{line}\n").into_bytes(),
            ..Self::empty(status)
        }
    }
    /// An error in S3's XML.
    pub fn error(error: &S3Error, resource: &str, request_id: &str) -> Self {
        Self {
            status: error.status(),
            ..Self::xml(xml_write::error(error, resource, request_id))
        }
    }
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
    /// Adds what the page that asks is granted.
    #[must_use]
    pub fn cors(mut self, cors: Option<&CorsHeaders>) -> Self {
        if let Some(cors) = cors {
            cors.each(|name, value| self.headers.push((name, value.to_owned())));
        }
        self
    }
    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }
    /// The length of its body; an answer to HEAD has none.
    pub fn body_bytes(&self, is_head: bool) -> u64 {
        match is_head {
            true => 0,
            false => u64::try_from(self.body.len()).unwrap_or(u64::MAX),
        }
    }
    /// The bytes on the wire. An answer to HEAD has the head of the answer to GET and no body.
    pub fn encode(&self, request_id: &str, date: &str, is_head: bool, keep_alive: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 512);
        let mut response = ResponseWriter::new(&mut out, self.status, request_id, date);
        if !self.content_type.is_empty() {
            response.header("Content-Type", self.content_type);
        }
        for (name, value) in &self.headers {
            response.header(name, value);
        }
        let length = u64::try_from(self.body.len()).unwrap_or(u64::MAX);
        // RFC 9110 section 8.6: 204 and 304 carry no Content-Length. A redirected HEAD's is optional, and the AWS SDK for C++
        // takes it for the object's size, whatever the next answer says.
        let has_length = match self.status {
            204 | 304 => false,
            307 => !is_head,
            _ => true,
        };
        response.finish(has_length.then_some(length), keep_alive);
        if !is_head {
            out.extend_from_slice(&self.body);
        }
        out
    }
}

/// `<Resource>` of an error: the path without the `/s3` prefix, decoded.
pub fn resource(target: &Target) -> String {
    match target {
        Target::Service => "/".to_owned(),
        Target::Bucket(bucket) => format!("/{}", bucket.as_str()),
        Target::Object(bucket, key) => format!("/{}/{}", bucket.as_str(), key.as_str()),
    }
}
