//! One client that uploads in parts, and copies.

use crate::{
    cell::BUCKET_PATH,
    error::{BenchError, Result},
    limits::{OBJECTS_SPARE_BYTES, XML_START_BYTES},
    loadgen::{
        histogram::Histogram,
        request::{Method, Pattern, Payload, Request},
    },
    machine,
    server::{corelane, process::Server},
    session::{Reply, Session},
    signature::Signer,
    xml_text::text_of,
};
use serde::Serialize;
use std::{
    fmt::Write,
    path::Path,
    time::{Duration, Instant},
};

/// One multipart upload.
#[derive(Debug, Serialize)]
pub struct Multipart {
    /// CreateMultipartUpload.
    pub create_ms: f64,
    /// UploadPart: time that half of them do not exceed.
    pub part_p50_ms: f64,
    /// UploadPart: time that 99 % of them do not exceed.
    pub part_p99_ms: f64,
    /// Of all parts, one after the other.
    pub megabytes_per_s: f64,
    /// CompleteMultipartUpload.
    pub complete_ms: f64,
    /// DELETE of the object.
    pub delete_ms: f64,
}

/// One copy each way, in MB (10^6 bytes) of the object a second.
#[derive(Debug, Serialize)]
pub struct Copied {
    /// By CopyObject.
    pub inside_megabytes_per_s: f64,
    /// By a GET and a PUT.
    pub through_client_megabytes_per_s: f64,
}

/// One client that signs.
#[derive(Debug)]
pub struct Client<'a> {
    server: &'a Server,
    directory: &'a Path,
    signer: Signer,
    authority: String,
    session: Session,
    pattern: Pattern,
    body: Vec<u8>,
}

impl<'a> Client<'a> {
    /// Connects to the gateway of a server that was started with `directory`.
    pub fn open(server: &'a Server, directory: &'a Path) -> Result<Self> {
        Ok(Self {
            server,
            directory,
            signer: Signer::of(&corelane::data(directory))?,
            authority: server.address().to_string(),
            session: Session::open(server.address())?,
            pattern: Pattern::new(),
            body: Vec::new(),
        })
    }

    /// Makes the bucket.
    pub fn create_bucket(&mut self) -> Result<()> {
        let request = self.sign(Method::Put, "", &[], &[], Some(Payload::of(Vec::new())));
        self.send(&request)?;
        Ok(())
    }

    /// Fails where the disk has no room for `bytes`.
    pub fn require_space(&self, bytes: u64) -> Result<()> {
        machine::require_space(self.directory, bytes + OBJECTS_SPARE_BYTES).map_err(|error| {
            BenchError::Usage(format!(
                "{error} (--parts, --part-bytes, --copy-bytes; what was removed before may still be there)"
            ))
        })
    }

    fn sign(
        &self,
        method: Method,
        key: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        payload: Option<Payload>,
    ) -> Request {
        let path = match key {
            "" => BUCKET_PATH.to_owned(),
            key => format!("{BUCKET_PATH}/{key}"),
        };
        let signer = &self.signer;
        signer.request_with_query(method, &self.authority, (&path, query), headers, payload)
    }

    /// The answer, and how long it took.
    fn send(&mut self, request: &Request) -> Result<(Reply, Duration)> {
        let begun = Instant::now();
        let reply = self.session.done(request, &mut self.body);
        let reply = reply.map_err(|error| self.server.explain(error))?;
        Ok((reply, begun.elapsed()))
    }

    /// The text of an element of the last answer; an answer of an error is no success, whatever its status.
    fn answered(&self, tag: &str) -> Result<String> {
        let start = self.body.get(..XML_START_BYTES).unwrap_or(&self.body);
        let text = String::from_utf8_lossy(start);
        let found = text_of(&text, tag).map(str::to_owned);
        found.ok_or_else(|| BenchError::Answer {
            server: self.authority.clone(),
            what: format!("no {tag}"),
            text: text.into_owned(),
        })
    }

    /// Uploads an object in `parts` of `part_bytes`, one after the other, and removes it.
    pub fn multipart(&mut self, parts: u16, part_bytes: u64) -> Result<Multipart> {
        self.signer = Signer::of(&corelane::data(self.directory))?;
        rustix::fs::sync();
        let create = self.sign(
            Method::Post,
            "multipart",
            &[("uploads", "")],
            &[],
            Some(Payload::of(Vec::new())),
        );
        let (_, create) = self.send(&create)?;
        let upload = self.answered("UploadId")?;
        let mut latency = Histogram::default();
        let mut list = String::from("<CompleteMultipartUpload>");
        let begun = Instant::now();
        for number in 1..=parts {
            let text = number.to_string();
            let query = [("partNumber", text.as_str()), ("uploadId", upload.as_str())];
            let payload = self.pattern.payload(usize::from(number), part_bytes);
            let request = self.sign(Method::Put, "multipart", &query, &[], Some(payload));
            let (reply, took) = self.send(&request)?;
            latency.record(took);
            let etag = reply.etag.unwrap_or_default();
            let _infallible = write!(list, "<Part><PartNumber>{text}</PartNumber><ETag>{etag}</ETag></Part>");
        }
        let seconds = begun.elapsed().as_secs_f64();
        list.push_str("</CompleteMultipartUpload>");
        let query = [("uploadId", upload.as_str())];
        let request = self.sign(
            Method::Post,
            "multipart",
            &query,
            &[],
            Some(Payload::of(list.into_bytes())),
        );
        let (_, complete) = self.send(&request)?;
        self.answered("ETag")?;
        let remove = self.sign(Method::Delete, "multipart", &[], &[], None);
        let (_, delete) = self.send(&remove)?;
        let share = |share| latency.quantile(share).map_or(f64::NAN, milliseconds);
        Ok(Multipart {
            create_ms: milliseconds(create),
            part_p50_ms: share(0.5),
            part_p99_ms: share(0.99),
            megabytes_per_s: (u64::from(parts) * part_bytes) as f64 / 1e6 / seconds,
            complete_ms: milliseconds(complete),
            delete_ms: milliseconds(delete),
        })
    }

    /// Copies an object of `bytes` inside the store, and then through this client.
    pub fn copies(&mut self, bytes: u64) -> Result<Copied> {
        self.signer = Signer::of(&corelane::data(self.directory))?;
        let payload = self.pattern.payload(0, bytes);
        let source = self.sign(Method::Put, "source", &[], &[], Some(payload.clone()));
        self.send(&source)?;
        rustix::fs::sync();
        let named = format!("{BUCKET_PATH}/source");
        let headers = [("x-amz-copy-source", named.as_str())];
        let copy = self.sign(Method::Put, "copy", &[], &headers, Some(Payload::of(Vec::new())));
        let (_, inside) = self.send(&copy)?;
        self.answered("ETag")?;
        rustix::fs::sync();
        let get = self.sign(Method::Get, "source", &[], &[], None);
        let put = self.sign(Method::Put, "copy", &[], &[], Some(payload.clone()));
        let mut to = Session::open(self.server.address())?;
        let begun = Instant::now();
        let passed = self.session.pass_on(&get, &mut to, &put);
        passed.map_err(|error| self.server.explain(error))?;
        let through_client = begun.elapsed();
        for key in ["copy", "source"] {
            let remove = self.sign(Method::Delete, key, &[], &[], None);
            self.send(&remove)?;
        }
        let rate = |took: Duration| bytes as f64 / 1e6 / took.as_secs_f64();
        Ok(Copied {
            inside_megabytes_per_s: rate(inside),
            through_client_megabytes_per_s: rate(through_client),
        })
    }
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}
