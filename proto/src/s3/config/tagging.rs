//! Tags of a bucket (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>), within the limits of
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html>. They are written as an object's are.

use crate::{
    error::{ErrorCode, S3Error},
    limits::BUCKET_TAGS_MAX,
    s3::tagging::{check, is_reserved, read},
};

/// Parses `<Tagging>` of a bucket: at most 50 tags, as keys and values. `InvalidTag` for a tag that breaks a rule,
/// `MalformedXML` for what is no such document.
pub fn parse(body: &[u8]) -> Result<Vec<(String, String)>, S3Error> {
    let tags = read(body)?;
    check(&tags, BUCKET_TAGS_MAX)?;
    match tags.iter().find(|(key, _)| is_reserved(key)) {
        None => Ok(tags),
        Some((key, _)) => {
            let message = "System tags cannot be added/updated by requester";
            Err(S3Error::with_message(ErrorCode::InvalidTag, message).field("TagKey", key))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::parse;
    use crate::{error::ErrorCode, s3::tagging::write};
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
                .prop_map(|tags| tags.into_iter().collect::<Vec<_>>())
        ) {
            prop_assert_eq!(parse(&write(&tags)).unwrap(), tags);
        }
    }
}
