//! Copies that the store makes by itself.

use super::{CallResult, CompletedPart, Failure, Put, Store, UPLOAD_CHECKSUM, Upload};
use crate::{bucket_name::ObjectName, limits::COMPLETION};
use proto::{digest::checksum::Checksum, http::percent};
use reqwest::Method;

/// What is copied.
#[derive(Debug, Clone)]
pub struct CopySource {
    /// The object.
    pub name: ObjectName,
    /// A version other than the newest.
    pub version: Option<String>,
}

impl CopySource {
    fn header(&self) -> String {
        let key = percent::encode(self.name.key.as_bytes(), true);
        match &self.version {
            None => format!("/{}/{key}", self.name.bucket),
            Some(version) => format!(
                "/{}/{key}?versionId={}",
                self.name.bucket,
                percent::encode(version.as_bytes(), false)
            ),
        }
    }
}

impl Store {
    /// Copies an object of up to 5 GiB with all that is said of it, while it has this ETag.
    pub fn copy(&self, source: &CopySource, etag: &str, destination: &ObjectName) -> CallResult<Put> {
        let mut call = self
            .of_object(Method::PUT, destination)?
            .with_header("x-amz-copy-source", source.header())
            .with_header("x-amz-copy-source-if-match", format!("\"{etag}\""));
        call.deadline = Some(COMPLETION);
        let answer = self.call_for_xml(&call, "CopyObjectResult")?;
        let etag = answer.text("ETag").ok_or_else(|| Failure::odd("ETag"))?;
        Ok(Put {
            etag: etag.trim_matches('"').to_owned(),
            version: None,
        })
    }

    /// Copies bytes of an object into a part of an upload: `range` is the first byte and how many.
    pub fn copy_part(
        &self,
        upload: &Upload,
        number: u16,
        source: &CopySource,
        etag: &str,
        range: (u64, u64),
    ) -> CallResult<CompletedPart> {
        let (first, count) = range;
        let last = first.saturating_add(count.saturating_sub(1));
        let mut call = self
            .of_part(upload, number)?
            .with_header("x-amz-copy-source", source.header())
            .with_header("x-amz-copy-source-if-match", format!("\"{etag}\""))
            .with_header("x-amz-copy-source-range", format!("bytes={first}-{last}"));
        call.deadline = Some(COMPLETION);
        let answer = self.call_for_xml(&call, "CopyPartResult")?;
        let etag = answer.text("ETag").ok_or_else(|| Failure::odd("ETag"))?;
        Ok(CompletedPart {
            number,
            size: count,
            etag: etag.trim_matches('"').to_owned(),
            checksum: answer
                .text("ChecksumCRC64NVME")
                .and_then(|text| Checksum::from_base64(UPLOAD_CHECKSUM, text)),
        })
    }
}
