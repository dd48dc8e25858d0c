//! Removing many objects at once.

use super::{CallResult, Store, UPLOAD_CHECKSUM, list::of_bucket, upload_checksum, xml::escaped};
use crate::{bucket_name::BucketName, client::Payload, limits::COMPLETION};
use reqwest::Method;

/// What is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// Its key.
    pub key: String,
    /// A version other than the newest.
    pub version: Option<String>,
}

/// How that went.
#[derive(Debug, Default)]
pub struct Deletion {
    /// Key, code and message of what is still there.
    pub failed: Vec<(String, String, String)>,
}

impl Store {
    /// Removes at most 1,000 objects or versions.
    pub fn delete(&self, bucket: &BucketName, doomed: &[Doomed]) -> CallResult<Deletion> {
        let mut body = "<Delete><Quiet>true</Quiet>".to_owned();
        for one in doomed {
            let version = match &one.version {
                Some(version) => format!("<VersionId>{}</VersionId>", escaped(version)),
                None => String::new(),
            };
            body.push_str(&format!("<Object><Key>{}</Key>{version}</Object>", escaped(&one.key)));
        }
        body.push_str("</Delete>");
        let mut call = of_bucket(bucket)
            .with_query(&[("delete", "")])
            .with_header("content-type", "application/xml")
            .with_header(UPLOAD_CHECKSUM.header(), upload_checksum(body.as_bytes()).to_base64());
        call.method = Method::POST;
        call.deadline = Some(COMPLETION);
        call.payload = Payload::Signed(body.into());
        let answer = self.call_for_xml(&call, "DeleteResult")?;
        let text = |element: &super::Element, name: &str| element.text(name).unwrap_or_default().to_owned();
        let failed = answer
            .all("Error")
            .map(|error| (text(error, "Key"), text(error, "Code"), text(error, "Message")));
        Ok(Deletion {
            failed: failed.collect(),
        })
    }
}
