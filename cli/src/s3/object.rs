//! Whole objects: HEAD, GET, PUT, DELETE.

use super::{CallResult, Failure, PREFIX, Store, UPLOAD_CHECKSUM, path, upload_deadline};
use crate::{bucket_name::ObjectName, client::Call};
use bytes::Bytes;
use proto::{
    digest::{
        checksum::{Checksum, ChecksumAlgorithm},
        stored::StoredChecksum,
    },
    http::percent,
};
use reqwest::{Method, blocking::Response, header::HeaderMap};

/// What the store says of an object.
#[derive(Debug, Clone)]
pub struct ObjectHead {
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// The version, in buckets that keep them.
    pub version: Option<String>,
    /// The client's checksum that is kept with it.
    pub checksum: Option<StoredChecksum>,
    /// `content-type`, `x-amz-meta-...` and the like, to make a copy with.
    pub described: Described,
}

/// What is said of an object beside its bytes.
#[derive(Debug, Clone, Default)]
pub struct Described {
    /// Headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// `x-amz-meta-...`.
    pub metadata: Vec<(String, String)>,
}

/// Headers of an object that go with it when it is copied in parts.
const DESCRIBING: [&str; 6] = [
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-language",
    "cache-control",
    "x-amz-website-redirect-location",
];

/// What is read.
#[derive(Debug, Clone, Default)]
pub struct Reading<'a> {
    /// A version other than the newest.
    pub version: Option<&'a str>,
    /// First byte and how many; `None`: all.
    pub range: Option<(u64, u64)>,
    /// Only while the object has this ETag.
    pub etag: Option<&'a str>,
    /// Whether the store should send the client to the core that has the object, where it cannot pass on the connection.
    pub directly: bool,
}

/// An object that was put.
#[derive(Debug, Clone)]
pub struct Put {
    /// Without quotes.
    pub etag: String,
    /// In buckets that keep versions.
    pub version: Option<String>,
}

impl Store {
    /// What the store says of an object, or of one of the parts it was made of.
    pub fn head(&self, name: &ObjectName, version: Option<&str>, part: Option<u16>) -> CallResult<ObjectHead> {
        let part = part.map(|part| part.to_string());
        let mut query = of_version(version);
        query.extend(part.as_deref().map(|part| ("partNumber", part)));
        let call = self
            .of_object(Method::HEAD, name)?
            .with_query(&query)
            .with_header("x-amz-checksum-mode", "ENABLED");
        match self.call(&call) {
            Ok(answer) => head_of(answer.headers()),
            Err(failure) => Err(self.explained(call, failure)),
        }
    }

    /// An answer to HEAD has no body that says what is wrong; one to GET has.
    fn explained(&self, mut call: Call, failure: Failure) -> Failure {
        let is_refusal = matches!(&failure, Failure::Answered { status, .. } if status.is_client_error());
        if !is_refusal {
            return failure;
        }
        call.method = Method::GET;
        match self.call_once(&call.with_header("range", "bytes=0-0")) {
            Err(explained @ Failure::Answered { .. }) => explained,
            _ => failure,
        }
    }

    /// Begins to read an object: what is said of it (its size is that of what is read), and its bytes. It is for the caller to
    /// try again, who knows how much has come.
    pub fn get(&self, name: &ObjectName, reading: &Reading<'_>) -> CallResult<(ObjectHead, Response)> {
        let mut call = self
            .of_object(Method::GET, name)?
            .with_query(&of_version(reading.version))
            .with_header("x-amz-checksum-mode", "ENABLED");
        if let Some((first, count)) = reading.range {
            let last = first.saturating_add(count.saturating_sub(1));
            call = call.with_header("range", format!("bytes={first}-{last}"));
        }
        if let Some(etag) = reading.etag {
            call = call.with_header("if-match", format!("\"{etag}\""));
        }
        if reading.directly && self.client.is_https() {
            call = call.with_header("x-corelane-route", "redirect");
        }
        let answer = self.call_once(&call)?;
        if reading.range.is_some() && answer.status() != reqwest::StatusCode::PARTIAL_CONTENT {
            return Err(Failure::odd("range"));
        }
        Ok((head_of(answer.headers())?, answer))
    }

    /// Puts an object; the store verifies the bytes before it shows them to anyone.
    pub fn put(&self, name: &ObjectName, body: Bytes, checksum: &Checksum, described: &Described) -> CallResult<Put> {
        let mut call = described.on(self.of_object(Method::PUT, name)?);
        call = call
            .with_header(UPLOAD_CHECKSUM.header(), checksum.to_base64())
            // A body cannot be sent twice at will: no redirects.
            .with_header("x-corelane-route", "handoff");
        call.deadline = Some(upload_deadline(body.len()));
        call.payload = self.payload(body);
        let answer = self.call(&call)?;
        Ok(Put {
            etag: etag_of(answer.headers())?,
            version: text(answer.headers(), "x-amz-version-id"),
        })
    }

    /// Removes an object, or one of its versions.
    pub fn remove(&self, name: &ObjectName, version: Option<&str>) -> CallResult<()> {
        let call = self.of_object(Method::DELETE, name)?.with_query(&of_version(version));
        self.call(&call).map(|_| ())
    }

    /// An object's tags.
    pub fn tags(&self, name: &ObjectName, version: Option<&str>) -> CallResult<Vec<(String, String)>> {
        let mut query = of_version(version);
        query.push(("tagging", ""));
        let answer = self.call_for_xml(&self.of_object(Method::GET, name)?.with_query(&query), "Tagging")?;
        let sets: Vec<_> = answer.all("TagSet").collect();
        let tags = sets.iter().flat_map(|set| set.all("Tag")).map(|tag| {
            let text = |name| tag.text(name).map(str::to_owned);
            text("Key").zip(text("Value")).ok_or_else(|| Failure::odd("Tag"))
        });
        tags.collect()
    }

    /// A call about an object.
    pub(super) fn of_object(&self, method: Method, name: &ObjectName) -> CallResult<Call> {
        Ok(Call::new(
            method,
            path::of_object(PREFIX, name.bucket.as_str(), &name.key)?,
        ))
    }
}

impl Described {
    /// A call with these headers.
    pub(super) fn on(&self, mut call: Call) -> Call {
        call.headers.extend(self.headers.iter().cloned());
        call.metadata.extend(self.metadata.iter().cloned());
        call
    }

    /// Tags, as a header has them.
    pub fn set_tags(&mut self, tags: &[(String, String)]) {
        let encode = |text: &str| percent::encode(text.as_bytes(), false);
        let pairs: Vec<String> = tags
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        if !pairs.is_empty() {
            self.headers.push(("x-amz-tagging", pairs.join("&")));
        }
    }
}

pub(super) fn of_version(version: Option<&str>) -> Vec<(&str, &str)> {
    version.map(|version| ("versionId", version)).into_iter().collect()
}

fn head_of(headers: &HeaderMap) -> CallResult<ObjectHead> {
    let size = text(headers, "content-length").and_then(|size| size.parse().ok());
    let checksum = ChecksumAlgorithm::ALL.into_iter().find_map(|algorithm| {
        let value = text(headers, algorithm.header())?;
        StoredChecksum::from_text(algorithm, &value)
    });
    let metadata = headers.iter().filter_map(|(name, value)| {
        let is_metadata = name.as_str().starts_with("x-amz-meta-");
        let value = value.to_str().ok().filter(|_| is_metadata)?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let described = Described {
        headers: DESCRIBING
            .into_iter()
            .filter_map(|name| Some((name, text(headers, name)?)))
            .collect(),
        metadata: metadata.collect(),
    };
    Ok(ObjectHead {
        size: size.ok_or_else(|| Failure::odd("Content-Length"))?,
        etag: etag_of(headers)?,
        version: text(headers, "x-amz-version-id"),
        checksum,
        described,
    })
}

pub(super) fn etag_of(headers: &HeaderMap) -> CallResult<String> {
    let etag = text(headers, "etag").ok_or_else(|| Failure::odd("ETag"))?;
    Ok(etag.trim_matches('"').to_owned())
}

pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
