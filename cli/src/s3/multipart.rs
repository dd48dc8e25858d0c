//! Uploads in parts.

use super::{
    CallResult, Described, Failure, Put, Store, UPLOAD_CHECKSUM,
    object::etag_of,
    upload_deadline,
    xml::{Element, escaped},
};
use crate::{bucket_name::ObjectName, client::Call, limits::COMPLETION};
use bytes::Bytes;
use proto::digest::checksum::Checksum;
use reqwest::Method;

/// An upload under way.
#[derive(Debug, Clone)]
pub struct Upload {
    /// What it becomes.
    pub name: ObjectName,
    /// Its id.
    pub id: String,
}

/// A part as the store has it.
#[derive(Debug, Clone)]
pub struct StoredPart {
    /// From 1.
    pub number: u16,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// Of its bytes, if the upload's kind is kept.
    pub checksum: Option<Checksum>,
}

/// A part to make the object of.
#[derive(Debug, Clone)]
pub struct CompletedPart {
    /// From 1.
    pub number: u16,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// Of its bytes; copied parts may have none.
    pub checksum: Option<Checksum>,
}

impl Store {
    /// Begins an upload.
    pub fn create_upload(&self, name: &ObjectName, described: &Described) -> CallResult<Upload> {
        let call = described
            .on(self.of_object(Method::POST, name)?)
            .with_query(&[("uploads", "")])
            .with_header("x-amz-checksum-algorithm", UPLOAD_CHECKSUM.name())
            .with_header("x-amz-checksum-type", "FULL_OBJECT");
        let answer = self.call_for_xml(&call, "InitiateMultipartUploadResult")?;
        let id = answer.text("UploadId").ok_or_else(|| Failure::odd("UploadId"))?;
        Ok(Upload {
            name: name.clone(),
            id: id.to_owned(),
        })
    }

    /// Puts a part; the store verifies its bytes.
    pub fn put_part(&self, upload: &Upload, number: u16, body: Bytes, checksum: Checksum) -> CallResult<CompletedPart> {
        let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let mut call = self
            .of_part(upload, number)?
            .with_header(UPLOAD_CHECKSUM.header(), checksum.to_base64())
            .with_header("x-corelane-route", "handoff");
        call.deadline = Some(upload_deadline(body.len()));
        call.payload = self.payload(body);
        let answer = self.call(&call)?;
        Ok(CompletedPart {
            number,
            size,
            etag: etag_of(answer.headers())?,
            checksum: Some(checksum),
        })
    }

    pub(super) fn of_part(&self, upload: &Upload, number: u16) -> CallResult<Call> {
        let query = [("partNumber", number.to_string()), ("uploadId", upload.id.clone())];
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Ok(self.of_object(Method::PUT, &upload.name)?.with_query(&query))
    }

    /// All parts that an upload has by now.
    pub fn list_parts(&self, upload: &Upload) -> CallResult<Vec<StoredPart>> {
        let mut parts = Vec::new();
        let mut marker = "0".to_owned();
        loop {
            let call = self
                .of_object(Method::GET, &upload.name)?
                .with_query(&[("uploadId", &upload.id), ("part-number-marker", &marker)]);
            let page = self.call_for_xml(&call, "ListPartsResult")?;
            for part in page.all("Part") {
                parts.push(stored_part(part).ok_or_else(|| Failure::odd("Part"))?);
            }
            let next = page.text("NextPartNumberMarker").unwrap_or_default();
            if page.text("IsTruncated") != Some("true") || next == marker {
                return Ok(parts);
            }
            marker = next.to_owned();
        }
    }

    /// Makes the object of its parts. With `whole`, the store holds all of it against that checksum first.
    pub fn complete(&self, upload: &Upload, parts: &[CompletedPart], whole: Option<&Checksum>) -> CallResult<Put> {
        let mut call = self
            .of_object(Method::POST, &upload.name)?
            .with_query(&[("uploadId", &upload.id)])
            .with_header("content-type", "application/xml")
            .with_header("x-amz-mp-object-size", total(parts).to_string());
        if let Some(whole) = whole {
            call = call
                .with_header(whole.algorithm.header(), whole.to_base64())
                .with_header("x-amz-checksum-type", "FULL_OBJECT");
        }
        call.deadline = Some(COMPLETION);
        // Short enough to be signed always.
        call.payload = crate::client::Payload::Signed(completion(parts).into());
        let answer = self.call_for_xml(&call, "CompleteMultipartUploadResult");
        match answer {
            Ok(answer) => Ok(Put {
                etag: answer.text("ETag").unwrap_or_default().trim_matches('"').to_owned(),
                version: None,
            }),
            // The answer to an earlier try may have been lost.
            Err(failure) if failure.is_code(&["NoSuchUpload"]) => self.completed_earlier(upload, parts, whole, failure),
            Err(failure) => Err(failure),
        }
    }

    fn completed_earlier(
        &self,
        upload: &Upload,
        parts: &[CompletedPart],
        whole: Option<&Checksum>,
        failure: Failure,
    ) -> CallResult<Put> {
        let (Some(whole), Ok(head)) = (whole, self.head(&upload.name, None, None)) else {
            return Err(failure);
        };
        let is_it = head.size == total(parts)
            && head
                .checksum
                .is_some_and(|stored| stored.composite_parts.is_none() && stored.checksum == *whole);
        match is_it {
            true => Ok(Put {
                etag: head.etag,
                version: head.version,
            }),
            false => Err(failure),
        }
    }

    /// Gives up an upload with its parts; one that is gone is as good.
    pub fn abort(&self, upload: &Upload) -> CallResult<()> {
        let call = self
            .of_object(Method::DELETE, &upload.name)?
            .with_query(&[("uploadId", &upload.id)]);
        match self.call_once(&call) {
            Err(failure) if !failure.is_code(&["NoSuchUpload"]) => Err(failure),
            _ => Ok(()),
        }
    }
}

/// Bytes of all parts.
pub(super) fn total(parts: &[CompletedPart]) -> u64 {
    parts.iter().map(|part| part.size).sum()
}

fn stored_part(part: &Element) -> Option<StoredPart> {
    Some(StoredPart {
        number: part.text("PartNumber")?.parse().ok()?,
        size: part.text("Size")?.parse().ok()?,
        etag: part.text("ETag")?.trim_matches('"').to_owned(),
        checksum: part
            .text("ChecksumCRC64NVME")
            .and_then(|text| Checksum::from_base64(UPLOAD_CHECKSUM, text)),
    })
}

fn completion(parts: &[CompletedPart]) -> String {
    let mut body = "<CompleteMultipartUpload>".to_owned();
    for part in parts {
        let checksum = match &part.checksum {
            Some(checksum) => format!(
                "<Checksum{0}>{1}</Checksum{0}>",
                checksum.algorithm.name(),
                checksum.to_base64()
            ),
            None => String::new(),
        };
        body.push_str(&format!(
            "<Part><PartNumber>{}</PartNumber><ETag>&quot;{}&quot;</ETag>{checksum}</Part>",
            part.number,
            escaped(&part.etag)
        ));
    }
    body.push_str("</CompleteMultipartUpload>");
    body
}
