//! Tags of a bucket (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>), within the limits of
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html>.

use crate::{
    error::{ErrorCode, S3Error},
    limits::{BUCKET_TAGS_MAX, TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX},
    s3::{
        xml_document,
        xml_read::{Document, malformed, set_once},
    },
};
use serde::{Deserialize, Serialize};

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// 0 to 256 characters.
    pub value: String,
}

/// Parses `<Tagging>` of a bucket: at most 50 tags. `InvalidTag` for a tag that breaks a rule, `MalformedXML` for what is
/// no such document.
pub fn parse(body: &[u8]) -> Result<Vec<Tag>, S3Error> {
    let mut document = Document::open(body, "Tagging")?;
    let mut tags = None;
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "TagSet" => set_once(&mut tags, tag_set(&mut document)?)?,
            _ => return Err(malformed()),
        }
    }
    document.close()?;
    let tags = tags.ok_or_else(malformed)?;
    if tags.len() > BUCKET_TAGS_MAX {
        let message = format!("Bucket tags cannot be greater than {BUCKET_TAGS_MAX}");
        return Err(S3Error::with_message(ErrorCode::InvalidTag, message));
    }
    check_unique(&tags)?;
    tags.iter().try_for_each(check_bucket_tag)?;
    Ok(tags)
}

/// Writes `<Tagging>`.
pub fn write(tags: &[Tag]) -> Vec<u8> {
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
pub(super) fn write_tag(document: &mut xml_document::Document, tag: &Tag) {
    document.element("Tag", |document| {
        document.text("Key", &tag.key);
        document.text("Value", &tag.value);
    });
}

fn tag_set(document: &mut Document<'_>) -> Result<Vec<Tag>, S3Error> {
    let mut tags = Vec::new();
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "Tag" => tags.push(tag(document)?),
            _ => return Err(malformed()),
        }
    }
    Ok(tags)
}

/// The content of `<Tag>`, whatever it says.
pub(super) fn tag(document: &mut Document<'_>) -> Result<Tag, S3Error> {
    let (mut key, mut value) = (None, None);
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "Key" => set_once(&mut key, document.text()?)?,
            "Value" => set_once(&mut value, document.text()?)?,
            _ => return Err(malformed()),
        }
    }
    match (key, value) {
        (Some(key), Some(value)) => Ok(Tag { key, value }),
        _ => Err(malformed()),
    }
}

fn check_unique(tags: &[Tag]) -> Result<(), S3Error> {
    let mut keys: Vec<&str> = tags.iter().map(|tag| tag.key.as_str()).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair.first() == pair.last()) {
        None => Ok(()),
        Some(pair) => Err(S3Error::with_message(
            ErrorCode::InvalidTag,
            "Cannot provide multiple Tags with the same key",
        )
        .field("TagKey", pair.first().copied().unwrap_or_default())),
    }
}

fn check_bucket_tag(tag: &Tag) -> Result<(), S3Error> {
    if tag.key.starts_with("aws:") {
        let message = "System tags cannot be added/updated by requester";
        return Err(S3Error::with_message(ErrorCode::InvalidTag, message).field("TagKey", tag.key.as_str()));
    }
    check_tag(tag)
}

/// The lengths and characters of a tag: letters, numbers, spaces and `+ - = . _ : / @`.
pub(super) fn check_tag(tag: &Tag) -> Result<(), S3Error> {
    let is_long = |text: &str, most: usize| text.chars().nth(most).is_some();
    if tag.key.is_empty() || is_long(&tag.key, TAG_KEY_CHARS_MAX) || !tag.key.chars().all(is_allowed) {
        let message = "The TagKey you have provided is invalid";
        return Err(S3Error::with_message(ErrorCode::InvalidTag, message).field("TagKey", tag.key.as_str()));
    }
    if is_long(&tag.value, TAG_VALUE_CHARS_MAX) || !tag.value.chars().all(is_allowed) {
        let message = "The TagValue you have provided is invalid";
        return Err(S3Error::with_message(ErrorCode::InvalidTag, message)
            .field("TagKey", tag.key.as_str())
            .field("TagValue", tag.value.as_str()));
    }
    Ok(())
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "+-=._:/@".contains(character)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Tag, parse, write};
    use crate::error::ErrorCode;
    use proptest::prelude::{Strategy, prop_assert_eq, proptest};

    fn document(tags: &[(&str, &str)]) -> String {
        let tags: String = tags
            .iter()
            .map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"))
            .collect();
        format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")
    }

    fn code(body: &str) -> ErrorCode {
        parse(body.as_bytes()).unwrap_err().code
    }

    #[test]
    fn limits() {
        let longest = document(&[(&"é".repeat(128), &"ü".repeat(256))]);
        assert_eq!(parse(longest.as_bytes()).unwrap().len(), 1);
        let fifty: Vec<String> = (0..51).map(|number| number.to_string()).collect();
        let fifty: Vec<(&str, &str)> = fifty.iter().map(|key| (key.as_str(), "")).collect();
        assert_eq!(parse(document(&fifty[..50]).as_bytes()).unwrap().len(), 50);
        assert_eq!(code(&document(&fifty)), ErrorCode::InvalidTag);
        assert_eq!(parse(document(&[]).as_bytes()).unwrap(), []);
    }

    #[test]
    fn tags_that_break_a_rule() {
        let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
        for tags in [
            &[("", "v")][..],
            &[(long_key.as_str(), "v")],
            &[("k", long_value.as_str())],
            &[("k", "1"), ("l", "2"), ("k", "2")],
            &[("aws:k", "v")],
            &[("k!", "v")],
            &[("k", "v\u{7}")],
            &[("k", "a,b")],
        ] {
            assert_eq!(code(&document(tags)), ErrorCode::InvalidTag, "{tags:?}");
        }
    }

    #[test]
    fn what_is_no_tagging() {
        for body in [
            "<Tagging/>",
            "<TagSet/>",
            "<Tagging><TagSet/><TagSet/></Tagging>",
            "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value><Key>k</Key></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Other/></TagSet></Tagging>",
        ] {
            assert_eq!(code(body), ErrorCode::MalformedXML, "{body}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            tags in proptest::collection::btree_map("[b-zé0-9 +=._:/@-]{1,128}", "[a-zü0-9 +=._:/@-]{0,256}", 0..50)
                .prop_map(|tags| tags.into_iter().map(|(key, value)| Tag { key, value }).collect::<Vec<_>>())
        ) {
            prop_assert_eq!(parse(&write(&tags)).unwrap(), tags);
        }
    }
}
