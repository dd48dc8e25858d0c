//! XML in both directions: what clients send in any order and shape, and answers that say exactly what they are given.
#![allow(clippy::unwrap_used)]

use corelane_proto::{
    error::{ErrorCode, S3Error},
    limits::XML_DEPTH_MAX,
    s3::{
        listing::{ListEntry, ListPage, ListedObject},
        version::VersionId,
        xml_read::{ObjectIdentifier, create_bucket_configuration, delete_request},
        xml_write::{
            BucketPage, DeleteOutcome, ListResult, Owner, acl_owner_full_control, delete_result, empty, empty_list,
            error, list_buckets, list_objects_v1, list_objects_v2, location, tagging_empty,
        },
    },
};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use quick_xml::{Reader, events::Event};

const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

/// The document without its declaration.
fn text(document: Vec<u8>) -> String {
    let text = String::from_utf8(document).unwrap();
    let body = text
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        .unwrap();
    body.replace(NAMESPACE, "NS")
}

/// The texts of all elements of this name, as a parser resolves them.
fn values(document: &[u8], name: &str) -> Vec<String> {
    let mut reader = Reader::from_str(std::str::from_utf8(document).unwrap());
    let (mut values, mut current) = (Vec::new(), None::<String>);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => current = (start.name().as_ref() == name).then(String::new),
            Event::Empty(start) if start.name().as_ref() == name => values.push(String::new()),
            Event::Text(text) => {
                assert!(
                    text.chars().all(|c| !c.is_control() || c == '\n'),
                    "a raw control character"
                );
                current.iter_mut().for_each(|value| value.push_str(&text));
            }
            Event::GeneralRef(reference) => {
                let resolved = match reference.as_ref() {
                    "lt" => '<',
                    "gt" => '>',
                    "amp" => '&',
                    "apos" => '\'',
                    "quot" => '"',
                    number => {
                        char::from_u32(u32::from_str_radix(number.strip_prefix("#x").unwrap(), 16).unwrap()).unwrap()
                    }
                };
                current.iter_mut().for_each(|value| value.push(resolved));
            }
            Event::End(_) => values.extend(current.take()),
            Event::Eof => return values,
            _ => {}
        }
    }
}

fn object(key: &str) -> ListEntry {
    ListEntry::Object(ListedObject {
        key: key.to_owned(),
        size: 5,
        modified_unix_ms: 0,
        etag: "abc-x".to_owned(),
        checksum: None,
        storage_class: None,
        details: None,
    })
}

fn owner() -> Owner {
    Owner {
        id: "0f".to_owned(),
        display_name: "corelane".to_owned(),
    }
}

#[test]
fn small_answers() {
    assert_eq!(text(location("us-east-1")), "<LocationConstraint NS/>");
    assert_eq!(
        text(location("eu-west-1")),
        "<LocationConstraint NS>eu-west-1</LocationConstraint>"
    );
    assert_eq!(text(tagging_empty()), "<Tagging NS><TagSet/></Tagging>");
    assert_eq!(text(empty("BucketLoggingStatus")), "<BucketLoggingStatus NS/>");
    assert_eq!(text(empty_list("A")), "<A NS><IsTruncated>false</IsTruncated></A>");
    assert_eq!(
        text(acl_owner_full_control(&owner())),
        "<AccessControlPolicy NS><Owner><ID>0f</ID><DisplayName>corelane</DisplayName></Owner><AccessControlList><Grant>\
         <Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"><ID>0f</ID>\
         <DisplayName>corelane</DisplayName></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>\
         </AccessControlPolicy>"
    );
    assert_eq!(
        text(list_buckets(
            &owner(),
            &[("abc".to_owned(), 1_795_435_200_000)],
            BucketPage::default()
        )),
        "<ListAllMyBucketsResult NS><Owner><ID>0f</ID><DisplayName>corelane</DisplayName></Owner><Buckets><Bucket><Name>abc</Name>\
         <CreationDate>2026-11-23T12:00:00.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>"
    );
}

#[test]
fn errors() {
    let missing = S3Error::new(ErrorCode::NoSuchKey).field("Key", "a<\u{1}>");
    assert_eq!(
        text(error(&missing, "/b/a&b", "ID")),
        "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a&lt;&#x1;&gt;</Key>\
         <Resource>/b/a&amp;b</Resource><RequestId>ID</RequestId><HostId>ID</HostId></Error>"
    );
}

#[test]
fn listings() {
    let page = ListPage {
        entries: vec![ListEntry::CommonPrefix("a b/".to_owned()), object("c+d~*é")],
        truncated: true,
    };
    let owner = owner();
    let result = ListResult {
        bucket: "bucket",
        delimiter: Some("/"),
        max_keys: 2,
        owner: Some(&owner),
        marker: "a",
        next_marker: Some("c+d~*é"),
        ..ListResult::default()
    };
    assert_eq!(
        text(list_objects_v1(&result, &page)),
        "<ListBucketResult NS><Name>bucket</Name><Prefix/><Marker>a</Marker><NextMarker>c+d~*é</NextMarker><MaxKeys>2</MaxKeys>\
         <Delimiter>/</Delimiter><IsTruncated>true</IsTruncated><Contents><Key>c+d~*é</Key>\
         <LastModified>1970-01-01T00:00:00.000Z</LastModified><ETag>&quot;abc-x&quot;</ETag><Size>5</Size>\
         <Owner><ID>0f</ID><DisplayName>corelane</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>\
         <CommonPrefixes><Prefix>a b/</Prefix></CommonPrefixes></ListBucketResult>"
    );
    let result = ListResult {
        bucket: "bucket",
        prefix: " ",
        max_keys: 1000,
        url_encoding: true,
        start_after: Some("a b"),
        continuation_token: Some("t+1"),
        next_continuation_token: Some("t+2"),
        ..ListResult::default()
    };
    assert_eq!(
        text(list_objects_v2(&result, &page)),
        "<ListBucketResult NS><Name>bucket</Name><Prefix>+</Prefix><StartAfter>a+b</StartAfter>\
         <ContinuationToken>t+1</ContinuationToken><NextContinuationToken>t+2</NextContinuationToken><KeyCount>2</KeyCount>\
         <MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><Contents>\
         <Key>c%2Bd%7E*%C3%A9</Key><LastModified>1970-01-01T00:00:00.000Z</LastModified><ETag>&quot;abc-x&quot;</ETag>\
         <Size>5</Size><StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>a+b/</Prefix></CommonPrefixes>\
         </ListBucketResult>"
    );
}

fn outcome(key: &str, version_id: Option<&str>, result: Result<Option<VersionId>, S3Error>) -> DeleteOutcome {
    DeleteOutcome {
        key: key.to_owned(),
        version_id: version_id.map(str::to_owned),
        result,
    }
}

#[test]
fn delete_results() {
    let outcomes = [
        outcome("a", None, Ok(None)),
        outcome("a", None, Ok(Some(VersionId::Number(10)))),
        outcome("a", Some("null"), Ok(Some(VersionId::Null))),
        outcome("b\r", Some("x"), Err(ErrorCode::AccessDenied.into())),
    ];
    let deleted = "<Deleted><Key>a</Key></Deleted>\
        <Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>000000000000000a</DeleteMarkerVersionId></Deleted>\
        <Deleted><Key>a</Key><VersionId>null</VersionId><DeleteMarker>true</DeleteMarker>\
        <DeleteMarkerVersionId>null</DeleteMarkerVersionId></Deleted>";
    let failed = "<Error><Key>b&#xd;</Key><VersionId>x</VersionId><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    assert_eq!(
        text(delete_result(&outcomes, false)),
        format!("<DeleteResult NS>{deleted}{failed}</DeleteResult>")
    );
    assert_eq!(
        text(delete_result(&outcomes, true)),
        format!("<DeleteResult NS>{failed}</DeleteResult>")
    );
}

fn identifier(key: &str) -> ObjectIdentifier {
    ObjectIdentifier {
        key: key.to_owned(),
        ..ObjectIdentifier::default()
    }
}

/// What clients really send (botocore, s3cmd, minio).
#[test]
fn delete_requests_of_clients() {
    for body in [
        "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a/b</Key></Object><Object><Key>c</Key></Object><Quiet>true</Quiet></Delete>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Delete><Quiet>true</Quiet><Object><Key>a/b</Key></Object><Object><Key>c</Key></Object></Delete>",
        "<?xml version='1.0' encoding='utf-8'?>\r\n<Delete>\r\n\t<Quiet>TRUE</Quiet></Delete>",
    ] {
        match delete_request(body.as_bytes()) {
            Ok(request) => {
                assert!(request.quiet);
                assert_eq!(request.objects, [identifier("a/b"), identifier("c")]);
            }
            Err(error) => assert_eq!((error.code, body.contains("TRUE")), (ErrorCode::MalformedXML, true)),
        }
    }
}

#[test]
fn bombs_and_depth() {
    let laughs =
        "<!DOCTYPE d [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><Delete><Object><Key>&b;</Key></Object></Delete>";
    let external =
        "<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><Delete><Object><Key>&x;</Key></Object></Delete>";
    let deep = "<Delete>".repeat(XML_DEPTH_MAX + 1);
    let endless_name = format!("<Delete><{}", "a".repeat(1 << 20));
    for body in [laughs, external, &deep, &endless_name] {
        assert_eq!(
            delete_request(body.as_bytes()).unwrap_err().code,
            ErrorCode::MalformedXML
        );
        assert_eq!(
            create_bucket_configuration(body.as_bytes()).unwrap_err().code,
            ErrorCode::MalformedXML
        );
    }
}

#[test]
fn a_body_cut_anywhere_is_malformed() {
    let body = "<Delete><Object><Key>a&amp;b</Key></Object><Quiet>false</Quiet></Delete>";
    assert!(delete_request(body.as_bytes()).is_ok());
    for end in 0..body.len() {
        assert_eq!(
            delete_request(&body.as_bytes()[..end]).unwrap_err().code,
            ErrorCode::MalformedXML,
            "{end}"
        );
    }
}

proptest! {
    /// Any key comes back from every answer that names it, and from a request that names it as the answers do.
    #[test]
    fn any_key_round_trips(key in "\\PC{1,20}|[\u{0}-\u{ff}\u{2028}\u{fffd}-\u{10000}]{1,20}") {
        let page = ListPage { entries: vec![object(&key)], truncated: false };
        let only = [key.clone()];
        let plain = list_objects_v2(&ListResult::default(), &page);
        prop_assert_eq!(values(&plain, "Key"), &only);
        let deleted = delete_result(&[outcome(&key, None, Ok(None))], false);
        prop_assert_eq!(values(&deleted, "Key"), &only);
        let failed = error(&S3Error::new(ErrorCode::NoSuchKey).field("Key", key.clone()), &key, "ID");
        prop_assert_eq!(values(&failed, "Key"), &only);
        prop_assert_eq!(values(&failed, "Resource"), &only);

        let written = text(deleted).replace("DeleteResult NS", "Delete").replace("DeleteResult", "Delete");
        let request = written.replace("Deleted>", "Object>");
        prop_assert_eq!(delete_request(request.as_bytes()).unwrap().objects, [identifier(&key)]);

        // encoding-type=url: what botocore's unquote_plus makes of it.
        let encoded = values(&list_objects_v1(&ListResult { url_encoding: true, ..ListResult::default() }, &page), "Key");
        let decoded = corelane_proto::http::percent::decode(&encoded[0].replace('+', " ")).unwrap();
        prop_assert_eq!(decoded, key.into_bytes());
    }

    #[test]
    fn any_body_is_answered(body in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(delete_request(&body).is_err());
    }

    #[test]
    fn any_markup_is_answered(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "<Delete>", "</Delete>", "<Object>", "</Object>", "<Key>", "</Key>", "k", "<Quiet>", "</Quiet>", "true", "<!--", "-->",
                "<![CDATA[", "]]>", "&amp;", "&", ";", "<", ">", "<?p ?>", "<VersionId/>", " ",
            ]),
            0..14,
        ),
    ) {
        if let Ok(request) = delete_request(parts.concat().as_bytes()) {
            prop_assert!(!request.objects.is_empty());
            prop_assert!(request.objects.iter().all(|object| !object.key.is_empty()));
        }
    }
}
