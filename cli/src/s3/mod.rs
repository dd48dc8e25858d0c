//! S3 as this program speaks it: signed calls, tried again where that helps.

mod copy;
mod delete;
mod failure;
mod list;
mod multipart;
mod object;
pub mod path;
mod xml;

pub use copy::CopySource;
pub use delete::Doomed;
pub use failure::{CallResult, Failure};
pub use list::Listed;
pub use multipart::{CompletedPart, StoredPart, Upload};
pub use object::{Described, ObjectHead, Put, Reading};

use crate::{
    client::{Call, Client, Payload},
    interrupt::Interrupt,
    limits::{RETRY_COUNT_MAX, RETRY_PAUSE, RETRY_PAUSE_MAX, UPLOAD_BASE, UPLOAD_BYTES_PER_S_MIN},
};
use bytes::Bytes;
use proto::digest::checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher};
use reqwest::blocking::Response;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use xml::Element;

/// What uploads are checked with, by part and as a whole: of the CRCs of parts the whole's can be made.
pub const UPLOAD_CHECKSUM: ChecksumAlgorithm = ChecksumAlgorithm::Crc64Nvme;

/// Where S3 is below the store's address.
const PREFIX: &str = "/s3/";

/// A store as threads share it.
pub struct Store {
    client: Client,
    interrupt: Interrupt,
    /// Whether any call was answered: a store that never was there is not waited for.
    was_reached: AtomicBool,
}

impl Store {
    /// Behind a connection; calls end when the user interrupts.
    pub fn new(client: Client, interrupt: Interrupt) -> Self {
        Self {
            client,
            interrupt,
            was_reached: AtomicBool::new(false),
        }
    }

    /// The connection.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the user wants no more.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Sends a call until it succeeds, fails for good or has failed often enough.
    fn call(&self, call: &Call) -> CallResult<Response> {
        self.retrying(|| self.call_once(call))
    }

    /// The same for an answer with an XML body.
    fn call_for_xml(&self, call: &Call, root: &str) -> CallResult<Element> {
        self.retrying(|| {
            let body = self.call_once(call)?.bytes().map_err(Failure::Lost)?;
            match Element::parse(&body) {
                Some(element) if element.name() == root => Ok(element),
                // S3 may find an error after it has begun to answer 200.
                Some(element) if element.name() == "Error" => Err(answered(reqwest::StatusCode::OK, &element)),
                _ => Err(Failure::odd(root)),
            }
        })
    }

    /// Does something until it succeeds, fails for good or has failed often enough, with pauses that grow.
    pub fn retrying<T>(&self, mut once: impl FnMut() -> CallResult<T>) -> CallResult<T> {
        let mut pause = RETRY_PAUSE;
        let mut failures = 0;
        loop {
            self.interrupt.check()?;
            let failure = match once() {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            failures += 1;
            let is_hopeless = matches!(failure, Failure::Lost(_)) && !self.was_reached.load(Ordering::Relaxed);
            if failures > RETRY_COUNT_MAX || is_hopeless || !failure.is_passing() {
                return Err(failure);
            }
            self.interrupt.pause(pause)?;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
    }

    fn call_once(&self, call: &Call) -> CallResult<Response> {
        let answer = self.client.exchange(call).map_err(Failure::Lost)?;
        self.was_reached.store(true, Ordering::Relaxed);
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.bytes().map_err(Failure::Lost)?;
        if call.method == reqwest::Method::HEAD {
            return Err(of_head(status));
        }
        match Element::parse(&body) {
            Some(element) if element.name() == "Error" => Err(answered(status, &element)),
            _ => Err(Failure::Stranger(status, body.to_vec())),
        }
    }

    /// A body that the store verifies before it keeps anything: by a signature that covers it, or, where TLS protects it
    /// on its way, by a checksum alone.
    fn payload(&self, body: Bytes) -> Payload {
        match self.client.is_https() {
            true if !body.is_empty() => Payload::Unsigned(body),
            _ if body.is_empty() => Payload::Empty,
            _ => Payload::Signed(body),
        }
    }
}

/// The error in an answer.
fn answered(status: reqwest::StatusCode, element: &Element) -> Failure {
    let text = |name| element.text(name).unwrap_or_default().to_owned();
    Failure::Answered {
        status,
        code: text("Code"),
        message: text("Message"),
    }
}

/// An answer to HEAD has no body that says what is wrong.
fn of_head(status: reqwest::StatusCode) -> Failure {
    let (code, message) = match status.as_u16() {
        404 => ("NoSuchKey", "There is no such object."),
        403 => ("AccessDenied", "Access Denied"),
        412 => ("PreconditionFailed", "The object has changed."),
        503 => ("SlowDown", "The store is busy."),
        _ => ("", ""),
    };
    match code {
        "" => Failure::Answered {
            status,
            code: status.as_u16().to_string(),
            message: status.canonical_reason().unwrap_or("no reason given").to_owned(),
        },
        _ => Failure::Answered {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        },
    }
}

/// The checksum that an upload is declared with.
pub fn upload_checksum(bytes: &[u8]) -> Checksum {
    let mut hasher = ChecksumHasher::new(UPLOAD_CHECKSUM);
    hasher.update(bytes);
    hasher.finish()
}

/// How long sending so many bytes may take.
fn upload_deadline(bytes: usize) -> Duration {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    UPLOAD_BASE + Duration::from_secs(bytes / UPLOAD_BYTES_PER_S_MIN)
}
