//! Answers without a payload from disk: errors, and small bodies.

use crate::{
    access_log::{Outcome, Record},
    core::Core,
    stats::{Kind, RequestCounters},
};
use mountpath::error::StoreError;
use proto::{
    error::{ErrorCode, S3Error},
    http::{head::Method, response::ResponseWriter},
    s3::{config::cors_headers::CorsHeaders, xml_write},
};
use std::{cell::Cell, rc::Rc};

/// What an answer needs to know of its request. The request is counted when this is dropped, with the last status that
/// was noted: an answer may be given up for another before it is sent.
#[derive(Debug)]
pub struct Exchange {
    /// `x-amz-request-id`.
    pub request_id: String,
    /// The method: HEAD has no body.
    pub method: Method,
    /// The path as sent, for `<Resource>`.
    pub resource: String,
    /// Whether the connection stays open after the answer.
    pub keep_alive: bool,
    /// What the request is counted as.
    pub kind: Kind,
    /// Where it is counted.
    pub counters: Rc<RequestCounters>,
    /// The status it is answered with; 0 as long as there is none.
    pub status: Cell<u16>,
    /// Bytes of the request's body that were taken.
    pub received_bytes: Cell<u64>,
    /// Bytes of the answer's body that were sent.
    pub sent_bytes: Cell<u64>,
    /// What the page that asks is granted; written to every answer.
    pub cors: Option<Box<CorsHeaders>>,
    /// What the access log is to tell of it, at its end.
    pub record: Option<Box<Record>>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.counters.count(self.kind, self.status.get());
        if let Some(record) = &self.record {
            record.end(Outcome {
                status: self.status.get(),
                received_bytes: self.received_bytes.get(),
                sent_bytes: self.sent_bytes.get(),
                request_id: &self.request_id,
            });
        }
    }
}

impl Exchange {
    /// Begins a head with what every answer has.
    pub fn begin<'o>(&self, core: &Core, status: u16, out: &'o mut Vec<u8>) -> ResponseWriter<'o> {
        self.status.set(status);
        let mut response = ResponseWriter::new(out, status, &self.request_id, &core.http_date());
        if let Some(cors) = &self.cors {
            cors.write(&mut response);
        }
        response
    }

    /// Writes a head without a body: 200 with Content-Length 0, 204, 304.
    pub fn empty(&self, core: &Core, status: u16, headers: impl FnOnce(&mut ResponseWriter<'_>)) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut response = self.begin(core, status, &mut out);
        headers(&mut response);
        let length = (status != 204 && status != 304).then_some(0);
        response.finish(length, self.keep_alive);
        out
    }

    /// Writes a head and a body.
    pub fn body(&self, core: &Core, status: u16, content_type: &str, body: &[u8]) -> Vec<u8> {
        self.body_with(core, status, content_type, body, |_| {})
    }

    /// The same with headers of its own.
    pub fn body_with(
        &self,
        core: &Core,
        status: u16,
        content_type: &str,
        body: &[u8],
        headers: impl FnOnce(&mut ResponseWriter<'_>),
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + body.len());
        let mut response = self.begin(core, status, &mut out);
        response.header("Content-Type", content_type);
        headers(&mut response);
        response.finish(Some(body.len() as u64), self.keep_alive);
        if self.method != Method::Head {
            self.sent_bytes.set(body.len() as u64);
            out.extend_from_slice(body);
        }
        out
    }

    /// Writes a head with these headers, and an XML document.
    pub fn document(&self, core: &Core, document: &[u8], headers: impl FnOnce(&mut ResponseWriter<'_>)) -> Vec<u8> {
        self.body_with(core, 200, "application/xml", document, headers)
    }

    /// Writes an S3 error.
    pub fn error(&self, core: &Core, error: &S3Error) -> Vec<u8> {
        self.error_with(core, error, |_| {})
    }

    /// The same with headers of its own.
    pub fn error_with(&self, core: &Core, error: &S3Error, headers: impl FnOnce(&mut ResponseWriter<'_>)) -> Vec<u8> {
        let body = xml_write::error(error, &self.resource, &self.request_id);
        self.body_with(core, error.status(), "application/xml", &body, headers)
    }
}

/// The error a client sees for one of the engine's; what only the operator can mend is logged.
pub fn store_error(error: &StoreError, bucket: &str, key: &str) -> S3Error {
    match error {
        StoreError::Fenced => S3Error::new(ErrorCode::NoSuchBucket).field("BucketName", bucket),
        StoreError::NoSpace => {
            tracing::error!(bucket, key, "the mountpath is full");
            S3Error::with_message(
                ErrorCode::SlowDown,
                "The storage is full. Try again when space was made.",
            )
        }
        StoreError::ReadOnly | StoreError::Unavailable(_) | StoreError::IndexDamaged(_) => {
            S3Error::new(ErrorCode::ServiceUnavailable)
        }
        StoreError::Damaged(reason) => {
            tracing::error!(bucket, key, reason, "a damaged object was asked for");
            S3Error::new(ErrorCode::InternalError)
        }
        StoreError::Io(reason) => {
            tracing::error!(bucket, key, reason, "an I/O error");
            S3Error::new(ErrorCode::InternalError)
        }
    }
}
