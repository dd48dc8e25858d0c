//! What the fields of a form ask for.

use super::success::Success;
use crate::{
    error::{ErrorCode, S3Error},
    http::percent,
    limits::HEADER_COUNT_MAX,
    s3::{
        name::ObjectKey,
        xml_read::{Document, malformed, set_once},
    },
};

/// The fields of a form, in order. Names in any case are the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    fields: Vec<(String, String)>,
}

impl Fields {
    /// Adds one. `InvalidArgument` for a value that is no UTF-8 and for a second one of a name; metadata may come several
    /// times and is joined, as in headers.
    pub fn add(&mut self, name: String, value: Vec<u8>) -> Result<(), S3Error> {
        let value = String::from_utf8(value).map_err(|_| unusable(&name, "is not UTF-8"))?;
        let is_full = self.fields.len() >= HEADER_COUNT_MAX;
        let earlier = self
            .fields
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name));
        match earlier {
            None if is_full => Err(ErrorCode::MaxPostPreDataLengthExceededError.into()),
            None => {
                self.fields.push((name, value));
                Ok(())
            }
            Some((_, joined)) if is_metadata(&name) => {
                joined.push(',');
                joined.push_str(&value);
                Ok(())
            }
            Some(_) => Err(unusable(&name, "is there twice")),
        }
    }
    /// The value of a field.
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
    /// Name and value of all.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
    /// Puts the file's name in place of `${filename}`, everywhere but in what was signed.
    pub fn set_filename(&mut self, filename: &str) {
        for (name, value) in &mut self.fields {
            let is_signature = ["policy", "signature", "x-amz-signature"]
                .iter()
                .any(|signed| name.eq_ignore_ascii_case(signed));
            if !is_signature && value.contains(FILENAME) {
                *value = value.replace(FILENAME, filename);
            }
        }
    }

    /// The object's key. `UserKeyMustBeSpecified` without one.
    pub fn key(&self) -> Result<ObjectKey, S3Error> {
        match self.value("key") {
            None => Err(S3Error::with_message(
                ErrorCode::UserKeyMustBeSpecified,
                "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields.",
            )
            .field("ArgumentName", "key")
            .field("ArgumentValue", "")),
            Some("") => Err(
                S3Error::with_message(ErrorCode::InvalidArgument, "User key must have a length greater than 0.")
                    .field("ArgumentName", "key")
                    .field("ArgumentValue", ""),
            ),
            Some(key) => ObjectKey::parse(key),
        }
    }

    /// How success is told; `redirect` is the old name of `success_action_redirect`.
    pub fn success(&self) -> Success {
        Success::of(
            self.value("success_action_redirect").or_else(|| self.value("redirect")),
            self.value("success_action_status"),
        )
    }

    /// The fields that are headers of a PutObject, as such: what is stored with the object, its checksum, and whatever
    /// asks for more, so that it is refused there as there. `InvalidArgument` for what no header can hold, `MalformedXML`
    /// for `tagging` that is none.
    pub fn headers(&self) -> Result<Vec<(String, String)>, S3Error> {
        let mut headers = Vec::new();
        for (name, value) in self.iter() {
            let name = name.to_ascii_lowercase();
            let header = match name.as_str() {
                "acl" => "x-amz-acl".to_owned(),
                "tagging" => {
                    headers.push(("x-amz-tagging".to_owned(), tagging(value)?));
                    continue;
                }
                "content-type"
                | "content-encoding"
                | "content-disposition"
                | "content-language"
                | "content-md5"
                | "cache-control"
                | "expires" => name,
                _ if name.starts_with("x-amz-") && !is_signing(&name) => name,
                _ => continue,
            };
            let is_name = header
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            if !is_name || value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
                return Err(unusable(&header, "cannot be a header"));
            }
            headers.push((header, value.to_owned()));
        }
        Ok(headers)
    }
}

const FILENAME: &str = "${filename}";

fn is_metadata(name: &str) -> bool {
    const PREFIX: &str = "x-amz-meta-";
    name.get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Fields of the signature itself.
fn is_signing(name: &str) -> bool {
    [
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-signature",
    ]
    .contains(&name)
}

/// `tagging` is a `<Tagging>` document, `x-amz-tagging` a query. What the tags may be is looked at there.
fn tagging(document: &str) -> Result<String, S3Error> {
    let mut tagging = Document::open(document.trim_start().as_bytes(), "Tagging")?;
    let mut pairs = None;
    while let Some(name) = tagging.next_child()? {
        match name.as_str() {
            "TagSet" => set_once(&mut pairs, tag_set(&mut tagging)?)?,
            _ => return Err(malformed()),
        }
    }
    tagging.close()?;
    Ok(pairs.ok_or_else(malformed)?.join("&"))
}

fn tag_set(tagging: &mut Document<'_>) -> Result<Vec<String>, S3Error> {
    let encode = |text: String| percent::encode(text.as_bytes(), false);
    let mut pairs = Vec::new();
    while let Some(name) = tagging.next_child()? {
        if name != "Tag" {
            return Err(malformed());
        }
        let (mut key, mut value) = (None, None);
        while let Some(name) = tagging.next_child()? {
            match name.as_str() {
                "Key" => set_once(&mut key, tagging.text()?)?,
                "Value" => set_once(&mut value, tagging.text()?)?,
                _ => return Err(malformed()),
            }
        }
        let (key, value) = key.zip(value).ok_or_else(malformed)?;
        pairs.push(format!("{}={}", encode(key), encode(value)));
    }
    Ok(pairs)
}

fn unusable(name: &str, problem: &str) -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidArgument,
        format!("The form's field '{name}' {problem}."),
    )
    .field("ArgumentName", name)
}
