//! How a form's sender is told that the object is there.

use crate::{http::percent, s3::xml_document::Document};

/// What answers an upload that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Success {
    /// `success_action_redirect`: 303 to this URL, with bucket, key and ETag in its query.
    Redirect(String),
    /// `success_action_status`: 200 or 204 without a body, 201 with one.
    Status(u16),
}

impl Success {
    /// From the values of `success_action_redirect` and `success_action_status`. What is no URL and no such status counts
    /// for nothing, and then it is 204.
    pub fn of(redirect: Option<&str>, status: Option<&str>) -> Self {
        if let Some(url) = redirect.filter(|url| is_url(url)) {
            return Self::Redirect(url.to_owned());
        }
        Self::Status(match status {
            Some("200") => 200,
            Some("201") => 201,
            _ => 204,
        })
    }
}

/// A URL that can stand in a Location.
fn is_url(text: &str) -> bool {
    let is_http = ["http://", "https://"].iter().any(|scheme| {
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    is_http && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The URL of a redirect, with what was stored; `etag` without quotes.
pub fn redirect_location(url: &str, bucket: &str, key: &str, etag: &str) -> String {
    let (url, fragment) = match url.split_once('#') {
        Some((url, fragment)) => (url, format!("#{fragment}")),
        None => (url, String::new()),
    };
    let separator = if url.contains('?') { '&' } else { '?' };
    let (key, etag) = (
        percent::encode(key.as_bytes(), false),
        percent::encode(etag.as_bytes(), false),
    );
    format!("{url}{separator}bucket={bucket}&key={key}&etag=%22{etag}%22{fragment}")
}

/// The body of a 201.
pub fn document(location: &str, bucket: &str, key: &str, etag: &str) -> Vec<u8> {
    let mut document = Document::new();
    document.element("PostResponse", |document| {
        document.text("Location", location);
        document.text("Bucket", bucket);
        document.text("Key", key);
        document.quoted("ETag", etag);
    });
    document.finish()
}
