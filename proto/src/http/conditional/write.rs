//! Conditions of writes and deletes. A core decides them twice: before the body, so that nobody sends 5 GiB for a 412, and in
//! the turn that appends, which is the one that counts.
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>)

use crate::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    wire::{Decoder, Encoder, WireError},
};

const IF_MATCH: &str = "If-Match";
const IF_NONE_MATCH: &str = "If-None-Match";

/// What must be true of a key's newest version, for it to be replaced or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteCondition {
    /// It is an object with this ETag (kept without quotes): PutObject, CopyObject and CompleteMultipartUpload.
    Matches(String),
    /// There is no object.
    IsAbsent,
    /// What is deleted is an object, with this ETag (kept without quotes) or with any (`None`).
    DeletesMatching(Option<String>),
}

impl WriteCondition {
    /// Of a PutObject, CopyObject or CompleteMultipartUpload. If-Match takes one ETag, If-None-Match nothing but `*`, and they
    /// exclude each other; anything else is 501 NotImplemented with the header's name, as in S3.
    pub fn from_request(head: &RequestHead) -> Result<Option<Self>, S3Error> {
        match (value(head, IF_MATCH), value(head, IF_NONE_MATCH)) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(refused(
                "If-Match,If-None-Match",
                "Multiple conditional request headers present in the request".to_owned(),
            )),
            (Some("*"), None) => Err(value_refused(IF_MATCH)),
            (Some(etag), None) => Ok(Some(Self::Matches(unquoted(etag)))),
            (None, Some("*")) => Ok(Some(Self::IsAbsent)),
            (None, Some(_)) => Err(value_refused(IF_NONE_MATCH)),
        }
    }

    /// Of a DeleteObject: If-Match with an ETag or `*`.
    pub fn of_delete(head: &RequestHead) -> Option<Self> {
        value(head, IF_MATCH).map(Self::of_deleted_etag)
    }

    /// Of an `<ETag>` of DeleteObjects, or of DeleteObject's If-Match.
    pub fn of_deleted_etag(etag: &str) -> Self {
        Self::DeletesMatching((etag != "*").then(|| unquoted(etag)))
    }

    /// Holds it against the newest version of the key as (ETag without quotes, modification time in milliseconds since the
    /// epoch, bytes); `None`: there is none, or it is a delete marker. `PreconditionFailed` with Condition, or `NoSuchKey`
    /// where an ETag is to be compared and there is nothing that has one.
    pub fn check(&self, current: Option<(&str, u64, u64)>) -> Result<(), S3Error> {
        match (self, current) {
            (Self::Matches(etag), Some((current, ..))) if etag != current => Err(failed(IF_MATCH)),
            (Self::DeletesMatching(Some(etag)), Some((current, ..))) if etag != current => Err(failed(IF_MATCH)),
            (Self::Matches(_) | Self::DeletesMatching(_), None) => Err(ErrorCode::NoSuchKey.into()),
            (Self::IsAbsent, Some(_)) => Err(failed(IF_NONE_MATCH)),
            (Self::Matches(_) | Self::DeletesMatching(_), Some(_)) | (Self::IsAbsent, None) => Ok(()),
        }
    }

    /// The same where the newest version is a delete marker. For a write that is no object; for a delete the condition fails
    /// (conditional-deletes: "If the latest version of the object is a delete marker [...] 412 Precondition Failed").
    pub fn check_delete_marker(&self) -> Result<(), S3Error> {
        match self {
            Self::DeletesMatching(_) => Err(failed(IF_MATCH)),
            Self::Matches(_) | Self::IsAbsent => self.check(None),
        }
    }

    /// 409: what the condition is about was changed by somebody else while the request was under way.
    pub fn conflict(&self) -> S3Error {
        let condition = match self {
            Self::Matches(_) | Self::DeletesMatching(_) => IF_MATCH,
            Self::IsAbsent => IF_NONE_MATCH,
        };
        S3Error::new(ErrorCode::ConditionalRequestConflict).field("Condition", condition)
    }

    /// Encodes it within a message.
    pub fn encode(&self, encoder: &mut Encoder) {
        let (code, etag) = match self {
            Self::Matches(etag) => (1, Some(etag)),
            Self::IsAbsent => (2, None),
            Self::DeletesMatching(etag) => (3, etag.as_ref()),
        };
        encoder.u8(code).option(etag, |encoder, etag| {
            encoder.string(etag);
        });
    }

    /// Decodes it.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let code = decoder.u8()?;
        let etag = decoder.option(Decoder::string)?;
        match (code, etag) {
            (1, Some(etag)) => Ok(Self::Matches(etag)),
            (2, None) => Ok(Self::IsAbsent),
            (3, etag) => Ok(Self::DeletesMatching(etag)),
            _ => Err(WireError::Invalid),
        }
    }
}

/// A condition's value, trimmed; of several lines the first.
fn value<'h>(head: &'h RequestHead, name: &str) -> Option<&'h str> {
    // What is no text is no ETag of anything.
    let value = head.header(name)?;
    Some(std::str::from_utf8(value).unwrap_or_default().trim_ascii())
}

/// S3 takes ETags with quotes, without, and with one of them.
fn unquoted(etag: &str) -> String {
    let etag = etag.strip_prefix('"').unwrap_or(etag);
    etag.strip_suffix('"').unwrap_or(etag).to_owned()
}

fn failed(condition: &'static str) -> S3Error {
    S3Error::new(ErrorCode::PreconditionFailed).field("Condition", condition)
}

fn value_refused(name: &'static str) -> S3Error {
    refused(
        name,
        format!("We don't accept the provided value of {name} header for this API"),
    )
}

fn refused(names: &'static str, why: String) -> S3Error {
    let message = "A header you provided implies functionality that is not implemented";
    S3Error::with_message(ErrorCode::NotImplemented, message)
        .field("Header", names)
        .field("additionalMessage", why)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::WriteCondition::{self, DeletesMatching, IsAbsent, Matches};
    use crate::{
        error::{ErrorCode, S3Error},
        http::head::RequestHead,
        wire::{Decoder, Encoder},
    };

    fn head(fields: &str) -> RequestHead {
        let text = format!("PUT /b/k HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        RequestHead::parse(text.as_bytes()).unwrap().unwrap().0
    }

    fn field<'e>(error: &'e S3Error, name: &str) -> Option<&'e str> {
        let mut fields = error.fields.iter();
        fields
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, value)| value.as_str())
    }

    #[test]
    fn what_a_write_may_ask() {
        for (fields, expected) in [
            ("", None),
            ("If-Match: \"e\"\r\n", Some(Matches("e".to_owned()))),
            ("if-match: e\r\n", Some(Matches("e".to_owned()))),
            ("If-Match: e\"\r\n", Some(Matches("e".to_owned()))),
            ("If-Match: \"e\r\n", Some(Matches("e".to_owned()))),
            ("If-None-Match: *\r\n", Some(IsAbsent)),
        ] {
            assert_eq!(
                WriteCondition::from_request(&head(fields)).unwrap(),
                expected,
                "{fields}"
            );
        }
        for (fields, name) in [
            ("If-None-Match: \"e\"\r\n", "If-None-Match"),
            ("If-None-Match:\r\n", "If-None-Match"),
            ("If-Match: *\r\n", "If-Match"),
            ("If-Match: e\r\nIf-None-Match: *\r\n", "If-Match,If-None-Match"),
        ] {
            let error = WriteCondition::from_request(&head(fields)).unwrap_err();
            assert_eq!(error.code, ErrorCode::NotImplemented, "{fields}");
            assert_eq!(field(&error, "Header"), Some(name), "{fields}");
        }
        assert_eq!(
            WriteCondition::of_delete(&head("If-Match: *\r\n")),
            Some(DeletesMatching(None))
        );
        assert_eq!(
            WriteCondition::of_delete(&head("If-Match: \"e\"\r\n")),
            Some(DeletesMatching(Some("e".to_owned())))
        );
        assert_eq!(WriteCondition::of_delete(&head("")), None);
    }

    #[test]
    fn what_holds_of_what_is_there() {
        let object = Some(("e", 5, 7));
        let other = || Matches("x".to_owned());
        let failed = |result: Result<(), S3Error>| {
            let error = result.unwrap_err();
            (error.code, field(&error, "Condition").unwrap_or_default().to_owned())
        };
        assert!(Matches("e".to_owned()).check(object).is_ok());
        assert!(IsAbsent.check(None).is_ok());
        assert!(IsAbsent.check_delete_marker().is_ok());
        assert!(DeletesMatching(None).check(object).is_ok());
        assert!(DeletesMatching(Some("e".to_owned())).check(object).is_ok());
        let (precondition, missing) = (ErrorCode::PreconditionFailed, ErrorCode::NoSuchKey);
        for (result, code, condition) in [
            (other().check(object), precondition, "If-Match"),
            (other().check(None), missing, ""),
            (other().check_delete_marker(), missing, ""),
            (IsAbsent.check(object), precondition, "If-None-Match"),
            (
                DeletesMatching(Some("x".to_owned())).check(object),
                precondition,
                "If-Match",
            ),
            (DeletesMatching(None).check(None), missing, ""),
            (DeletesMatching(None).check_delete_marker(), precondition, "If-Match"),
        ] {
            assert_eq!(failed(result), (code, condition.to_owned()));
        }
        assert_eq!(other().conflict().code, ErrorCode::ConditionalRequestConflict);
    }

    #[test]
    fn conditions_survive_a_message() {
        for condition in [
            Matches("e".to_owned()),
            IsAbsent,
            DeletesMatching(None),
            DeletesMatching(Some(String::new())),
        ] {
            let mut encoder = Encoder::new();
            condition.encode(&mut encoder);
            let bytes = encoder.finish();
            assert_eq!(WriteCondition::decode(&mut Decoder::new(&bytes)).unwrap(), condition);
        }
        assert!(WriteCondition::decode(&mut Decoder::new(&[1, 0])).is_err());
        assert!(WriteCondition::decode(&mut Decoder::new(&[4, 0])).is_err());
    }
}
