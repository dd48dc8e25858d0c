//! Tags of objects, from XML and from `x-amz-tagging`
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>), and the rules that every tag keeps.

use super::{
    xml_document,
    xml_read::{Document, malformed, set_once},
};
use crate::{
    error::{ErrorCode, S3Error},
    http::{head::RequestHead, percent},
    limits::{OBJECT_TAGS_MAX, TAG_KEY_UNITS_MAX, TAG_VALUE_UNITS_MAX},
    s3::query::Query,
};

const HEADER: &str = "x-amz-tagging";

/// The tags of an object: at most OBJECT_TAGS_MAX, each key once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagSet {
    /// (key, value).
    tags: Vec<(String, String)>,
}

impl TagSet {
    /// Parses `<Tagging>`. `MalformedXML` for what is no such document, `InvalidTag` for tags that break a rule.
    pub fn from_xml(body: &[u8]) -> Result<Self, S3Error> {
        Self::checked(read(body)?)
    }

    /// What a request that makes an object asks for: `x-amz-tagging`, in a header or in the query of a presigned URL. No tags
    /// when it says nothing.
    pub fn from_request(head: &RequestHead) -> Result<Self, S3Error> {
        if let Some(value) = head.header(HEADER) {
            return Self::from_header(value);
        }
        // A presigned URL's parameters count as headers. Most requests have no query at all.
        if head.raw_query().is_empty() {
            return Ok(Self::default());
        }
        let query = Query::parse(head.raw_query())?;
        let hoisted = query.iter().find(|(name, _)| name.eq_ignore_ascii_case(HEADER));
        hoisted.map_or_else(|| Ok(Self::default()), |(_, value)| Self::from_header(value.as_bytes()))
    }

    /// Parses a value of `x-amz-tagging`, which is a query: `InvalidArgument` when it is none or names a key twice,
    /// `InvalidTag` for tags that break a rule. A key without `=` has the empty value. The tags come in the order of their keys.
    pub fn from_header(value: &[u8]) -> Result<Self, S3Error> {
        let malformed = || malformed_header(value);
        let text = std::str::from_utf8(value).map_err(|_| malformed())?;
        let mut tags = Vec::new();
        for pair in text.trim_ascii().split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if value.contains('=') {
                return Err(malformed());
            }
            let decode = |text: &str| form_decoded(text).ok_or_else(malformed);
            tags.push((decode(key)?, decode(value)?));
        }
        tags.sort();
        match repeated_key(&tags) {
            Some(_) => Err(malformed()),
            None => Self::checked(tags),
        }
    }

    fn checked(tags: Vec<(String, String)>) -> Result<Self, S3Error> {
        check(&tags, OBJECT_TAGS_MAX)?;
        if let Some((key, _)) = tags.iter().find(|(key, _)| is_reserved(key)) {
            return Err(invalid("Your TagKey cannot be prefixed with aws:").field("TagKey", key));
        }
        Ok(Self { tags })
    }

    /// As they are kept with an object.
    pub fn into_tags(self) -> Vec<(String, String)> {
        self.tags
    }
}

/// Writes `<Tagging>`.
pub fn write(tags: &[(String, String)]) -> Vec<u8> {
    let mut document = xml_document::Document::new();
    document.root("Tagging", |document| {
        document.element("TagSet", |document| {
            for tag in tags {
                write_tag(document, tag);
            }
        });
    });
    document.finish()
}

/// Writes `<Tag>`.
pub(super) fn write_tag(document: &mut xml_document::Document, (key, value): &(String, String)) {
    document.element("Tag", |document| {
        document.text("Key", key);
        document.text("Value", value);
    });
}

/// What all tags keep to, of objects and of buckets: no more than `most`, each key once, lengths and characters.
pub fn check(tags: &[(String, String)], most: usize) -> Result<(), S3Error> {
    if tags.len() > most {
        return Err(invalid(format!("Tags cannot be greater than {most}")));
    }
    if let Some(key) = repeated_key(tags) {
        return Err(invalid("Cannot provide multiple Tags with the same key").field("TagKey", key));
    }
    for (key, value) in tags {
        if key.is_empty() || !is_text(key, TAG_KEY_UNITS_MAX) {
            return Err(invalid("The TagKey you have provided is invalid").field("TagKey", key));
        }
        if !is_text(value, TAG_VALUE_UNITS_MAX) {
            return Err(invalid("The TagValue you have provided is invalid")
                .field("TagKey", key)
                .field("TagValue", value));
        }
    }
    Ok(())
}

/// Whether a key is AWS's own.
pub fn is_reserved(key: &str) -> bool {
    key.starts_with("aws:")
}

/// Letters, numbers, spaces and `_ . : / = + @ -`; lengths count in UTF-16, as the user guide says.
fn is_text(text: &str, units_max: usize) -> bool {
    let is_space = |character: char| character.is_whitespace() && !character.is_control();
    let is_allowed =
        |character: char| character.is_alphanumeric() || is_space(character) || "_.:/=+@-".contains(character);
    text.encode_utf16().nth(units_max).is_none() && text.chars().all(is_allowed)
}

fn repeated_key(tags: &[(String, String)]) -> Option<&str> {
    let mut keys: Vec<&str> = tags.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    let pair = keys.windows(2).find(|pair| pair.first() == pair.last())?;
    pair.first().copied()
}

/// Reads `<Tagging>`, whatever its tags are.
pub(super) fn read(body: &[u8]) -> Result<Vec<(String, String)>, S3Error> {
    let mut document = Document::open(body, "Tagging")?;
    let mut tags = None;
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "TagSet" => set_once(&mut tags, read_tag_set(&mut document)?)?,
            _ => return Err(malformed()),
        }
    }
    document.close()?;
    tags.ok_or_else(malformed)
}

fn read_tag_set(document: &mut Document<'_>) -> Result<Vec<(String, String)>, S3Error> {
    let mut tags = Vec::new();
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "Tag" => tags.push(read_tag(document)?),
            _ => return Err(malformed()),
        }
    }
    Ok(tags)
}

/// Reads the content of `<Tag>`, whatever it says.
pub(super) fn read_tag(document: &mut Document<'_>) -> Result<(String, String), S3Error> {
    let (mut key, mut value) = (None, None);
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "Key" => set_once(&mut key, document.text()?)?,
            "Value" => set_once(&mut value, document.text()?)?,
            _ => return Err(malformed()),
        }
    }
    key.zip(value).ok_or_else(malformed)
}

/// A part of a query as HTML forms and SDKs write it: `+` is a space.
fn form_decoded(text: &str) -> Option<String> {
    String::from_utf8(percent::decode(&text.replace('+', " "))?).ok()
}

fn malformed_header(value: &[u8]) -> S3Error {
    let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag \
                   name duplicates.";
    S3Error::with_message(ErrorCode::InvalidArgument, message)
        .field("ArgumentName", HEADER)
        .field("ArgumentValue", String::from_utf8_lossy(value))
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidTag, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{TagSet, write};
    use crate::{error::ErrorCode, http::head::RequestHead};

    fn pairs(tags: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        tags.iter().map(owned).collect()
    }

    fn header(value: &str) -> Result<Vec<(String, String)>, ErrorCode> {
        TagSet::from_header(value.as_bytes())
            .map(TagSet::into_tags)
            .map_err(|error| error.code)
    }

    fn xml(tags: &[(String, String)]) -> Result<Vec<(String, String)>, ErrorCode> {
        TagSet::from_xml(&write(tags))
            .map(TagSet::into_tags)
            .map_err(|error| error.code)
    }

    #[test]
    fn the_header_is_a_query() {
        for (value, expected) in [
            ("", &[][..]),
            ("a=b", &[("a", "b")]),
            ("foo=bar&bar", &[("bar", ""), ("foo", "bar")]),
            ("a=&&b=", &[("a", ""), ("b", "")]),
            ("a%20b=c+d&%C3%A9=%2B%3D", &[("a b", "c d"), ("é", "+=")]),
        ] {
            assert_eq!(header(value), Ok(pairs(expected)), "{value}");
        }
        for value in ["a=1&a=2", "a=b=c", "a=%", "a=%ff", "TagSet=[{Key=a,Value=b}]"] {
            assert_eq!(header(value), Err(ErrorCode::InvalidArgument), "{value}");
        }
        for value in ["=b", "%7B=b", "a=%7B", "aws:a=b", "a=%00", "a=%0A"] {
            assert_eq!(header(value), Err(ErrorCode::InvalidTag), "{value}");
        }
        let eleven: Vec<String> = (0..11).map(|number| format!("k{number}=v")).collect();
        assert_eq!(header(&eleven.join("&")), Err(ErrorCode::InvalidTag));
        assert_eq!(header(&eleven[..10].join("&")).unwrap().len(), 10);
    }

    #[test]
    fn a_presigned_url_may_hold_it() {
        let of = |target: &str, fields: &str| {
            let text = format!("PUT {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
            let head = RequestHead::parse(text.as_bytes()).unwrap().unwrap().0;
            TagSet::from_request(&head).unwrap().into_tags()
        };
        assert_eq!(of("/b/k", ""), pairs(&[]));
        assert_eq!(
            of("/b/k?X-Amz-Tagging=a%3Db%26c%3Dd", ""),
            pairs(&[("a", "b"), ("c", "d")])
        );
        assert_eq!(of("/b/k", "X-Amz-Tagging: a=b\r\n"), pairs(&[("a", "b")]));
    }

    #[test]
    fn limits_and_order() {
        let longest = pairs(&[(&"é".repeat(128), &"ü".repeat(256)), ("a _.:/=+@-", "")]);
        assert_eq!(xml(&longest), Ok(longest.clone()));
        // Two units of UTF-16 each.
        assert_eq!(xml(&pairs(&[(&"\u{20000}".repeat(64), "")])).unwrap().len(), 1);
        assert_eq!(
            xml(&pairs(&[(&"\u{20000}".repeat(65), "")])),
            Err(ErrorCode::InvalidTag)
        );
        let eleven: Vec<(String, String)> = (0..11).map(|number| (number.to_string(), String::new())).collect();
        assert_eq!(xml(&eleven), Err(ErrorCode::InvalidTag));
        assert_eq!(xml(&eleven[..10]).unwrap(), eleven[..10]);
        for tags in [
            [(&*"k".repeat(129), "v")],
            [("k", &*"v".repeat(257))],
            [("", "v")],
            [("aws:k", "v")],
            [("k!", "v")],
            [("k", "v\n")],
        ] {
            assert_eq!(xml(&pairs(&tags)), Err(ErrorCode::InvalidTag), "{tags:?}");
        }
        let twice = TagSet::from_xml(&write(&pairs(&[("k", "1"), ("l", ""), ("k", "2")]))).unwrap_err();
        assert_eq!(twice.message, "Cannot provide multiple Tags with the same key");
    }

    #[test]
    fn what_is_no_tagging() {
        for body in [
            "",
            "<Tagging/>",
            "<TagSet/>",
            "<Tagging><TagSet/><TagSet/></Tagging>",
            "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Other/></TagSet></Tagging>",
        ] {
            let error = TagSet::from_xml(body.as_bytes()).unwrap_err();
            assert_eq!(error.code, ErrorCode::MalformedXML, "{body}");
        }
        assert_eq!(
            TagSet::from_xml(b"<Tagging><TagSet/></Tagging>").unwrap(),
            TagSet::default()
        );
    }
}
