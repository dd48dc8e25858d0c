//! What is refused, and that everything else comes back as it was.

use crate::{
    error::ErrorCode,
    s3::config::lifecycle::{
        Expiration, Filter, LifecycleConfiguration, LifecycleRule, NoncurrentExpiration, Scope, TransitionMinimumSize,
    },
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest},
};

fn parse(body: &str) -> Result<LifecycleConfiguration, ErrorCode> {
    let mut made = 0;
    let new_id = || {
        made += 1;
        format!("made-{made}")
    };
    LifecycleConfiguration::parse(body.as_bytes(), TransitionMinimumSize::default(), new_id).map_err(|error| error.code)
}

fn rules(rules: &str) -> Result<LifecycleConfiguration, ErrorCode> {
    parse(&format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>"))
}

/// A rule of all objects.
fn actions(actions: &str) -> Result<LifecycleConfiguration, ErrorCode> {
    rules(&format!("<Rule><Filter/><Status>Enabled</Status>{actions}</Rule>"))
}

fn filter(filter: &str) -> Result<LifecycleConfiguration, ErrorCode> {
    rules(&format!(
        "<Rule><Filter>{filter}</Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>"
    ))
}

const DAY: &str = "<Expiration><Days>1</Days></Expiration>";

#[test]
fn ids_are_made_and_unique() {
    let rule = format!("<Rule><Prefix/><Status>Disabled</Status>{DAY}</Rule>");
    let named = |id: &str| format!("<Rule><ID>{id}</ID><Prefix/><Status>Enabled</Status>{DAY}</Rule>");
    let found = rules(&format!("{rule}{}{rule}", named("a"))).unwrap();
    let ids: Vec<&str> = found.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["made-1", "a", "made-2"]);
    assert_eq!(rules(&(named("a") + &named("a"))), Err(ErrorCode::InvalidArgument));
    assert!(rules(&named(&"é".repeat(255))).is_ok());
    assert_eq!(rules(&named(&"é".repeat(256))), Err(ErrorCode::InvalidArgument));
    assert!(rules(&rule.repeat(1000)).is_ok());
    assert_eq!(rules(&rule.repeat(1001)), Err(ErrorCode::InvalidRequest));
    assert_eq!(rules(""), Err(ErrorCode::MalformedXML));
}

#[test]
fn what_a_rule_must_have() {
    for rule in [
        format!("<Rule><Filter/>{DAY}</Rule>"),
        format!("<Rule><Filter/><Status>enabled</Status>{DAY}</Rule>"),
        format!("<Rule><Status>Enabled</Status>{DAY}</Rule>"),
        format!("<Rule><Prefix/><Filter/><Status>Enabled</Status>{DAY}</Rule>"),
        format!("<Rule><Filter/><Status>Enabled</Status>{DAY}{DAY}</Rule>"),
        format!("<Rule><Filter/><Status>Enabled</Status>{DAY}<Other/></Rule>"),
    ] {
        assert_eq!(rules(&rule), Err(ErrorCode::MalformedXML), "{rule}");
    }
    assert_eq!(actions(""), Err(ErrorCode::InvalidRequest));
    let long = "p".repeat(1025);
    assert_eq!(
        filter(&format!("<Prefix>{long}</Prefix>")),
        Err(ErrorCode::InvalidRequest)
    );
}

#[test]
fn actions_and_their_numbers() {
    for (action, expected) in [
        ("<Expiration/>", ErrorCode::MalformedXML),
        ("<Expiration><Days>x</Days></Expiration>", ErrorCode::MalformedXML),
        (
            "<Expiration><Days>2147483648</Days></Expiration>",
            ErrorCode::MalformedXML,
        ),
        ("<Expiration><Days>0</Days></Expiration>", ErrorCode::InvalidArgument),
        ("<Expiration><Days>-1</Days></Expiration>", ErrorCode::InvalidArgument),
        ("<Expiration><Date>soon</Date></Expiration>", ErrorCode::MalformedXML),
        (
            "<Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>",
            ErrorCode::InvalidArgument,
        ),
        (
            "<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>",
            ErrorCode::MalformedXML,
        ),
        ("<NoncurrentVersionExpiration/>", ErrorCode::MalformedXML),
        (
            "<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>",
            ErrorCode::InvalidArgument,
        ),
        (
            "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
            ErrorCode::InvalidArgument,
        ),
        ("<AbortIncompleteMultipartUpload/>", ErrorCode::MalformedXML),
        (
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
            ErrorCode::InvalidArgument,
        ),
        ("<Transition><Days>30</Days></Transition>", ErrorCode::MalformedXML),
        (
            "<Transition><Days>30</Days><StorageClass>STANDARD</StorageClass></Transition>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Transition><Days>29</Days><StorageClass>STANDARD_IA</StorageClass></Transition>",
            ErrorCode::InvalidArgument,
        ),
        (
            "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition><Expiration><Days>1</Days></Expiration>",
            ErrorCode::InvalidArgument,
        ),
        (
            "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>",
            ErrorCode::InvalidRequest,
        ),
        (
            "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition><Transition><Days>2</Days><StorageClass>GLACIER</StorageClass></Transition>",
            ErrorCode::InvalidRequest,
        ),
    ] {
        assert_eq!(actions(action), Err(expected), "{action}");
    }
    for action in [
        "<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>",
        "<Expiration><Date>2030-01-01T02:00:00+02:00</Date></Expiration>",
        "<Expiration><Date>2030-01-01</Date></Expiration>",
        "<Transition><Days>0</Days><StorageClass>GLACIER</StorageClass></Transition><Expiration><Days>1</Days></Expiration>",
    ] {
        assert!(actions(action).is_ok(), "{action}");
    }
}

#[test]
fn filters() {
    let tag = "<Tag><Key>k</Key><Value>v</Value></Tag>";
    for (content, expected) in [
        (format!("<Prefix>a</Prefix>{tag}"), ErrorCode::MalformedXML),
        ("<And/>".to_owned(), ErrorCode::MalformedXML),
        (format!("<And>{tag}</And>"), ErrorCode::MalformedXML),
        ("<Other/>".to_owned(), ErrorCode::MalformedXML),
        (
            "<ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan>".to_owned(),
            ErrorCode::MalformedXML,
        ),
        (format!("<And>{tag}{tag}</And>"), ErrorCode::InvalidRequest),
        (
            "<And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And>"
                .to_owned(),
            ErrorCode::InvalidRequest,
        ),
        ("<Tag><Key/><Value/></Tag>".to_owned(), ErrorCode::InvalidTag),
    ] {
        assert_eq!(filter(&content), Err(expected), "{content}");
    }
    assert!(filter(&format!("<And><Prefix/>{tag}</And>")).is_ok());
    let with = |content: &str, action: &str| {
        rules(&format!(
            "<Rule><Filter>{content}</Filter><Status>Enabled</Status>{action}</Rule>"
        ))
    };
    let abort =
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    let marker = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>";
    for action in [abort, marker] {
        assert_eq!(with(tag, action), Err(ErrorCode::InvalidRequest), "{action}");
        let size = "<ObjectSizeLessThan>5</ObjectSizeLessThan>";
        assert_eq!(with(size, action), Err(ErrorCode::InvalidRequest), "{action}");
        assert!(with("<Prefix>a</Prefix>", action).is_ok(), "{action}");
    }
    let newer = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>";
    assert!(with("", newer).is_ok());
    let legacy = format!("<Rule><Prefix/><Status>Enabled</Status>{newer}</Rule>");
    assert_eq!(rules(&legacy), Err(ErrorCode::InvalidRequest));
}

fn scopes() -> impl Strategy<Value = Scope> {
    let tags = btree_map("[a-zé]{1,9}", "[a-z ]{0,9}", 2..4).prop_map(|tags| tags.into_iter().collect::<Vec<_>>());
    prop_oneof![
        "[a-z/<&]{0,20}".prop_map(Scope::Prefix),
        Just(Scope::Filter(Filter::default())),
        "[a-z/<&]{0,20}".prop_map(|prefix| Scope::Filter(Filter {
            prefix: Some(prefix),
            ..Filter::default()
        })),
        (
            option::of("[a-z/]{0,9}"),
            tags,
            option::of(0u64..100),
            option::of(101u64..200)
        )
            .prop_map(
                |(prefix, tags, size_greater_than, size_less_than)| Scope::Filter(Filter {
                    and: true,
                    prefix,
                    tags,
                    size_greater_than,
                    size_less_than,
                })
            ),
    ]
}

fn expirations() -> impl Strategy<Value = Expiration> {
    prop_oneof![
        (1u32..=2_147_483_647).prop_map(Expiration::Days),
        (0u64..100_000).prop_map(|day| Expiration::DateUnixMs(day * 86_400_000)),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        parts in vec((scopes(), proptest::bool::ANY, expirations(), option::of(1u32..1000)), 1..8)
    ) {
        let rules = parts.into_iter().enumerate().map(|(number, (scope, enabled, expiration, noncurrent))| LifecycleRule {
            id: format!("rule {number}"),
            enabled,
            scope,
            expiration: Some(expiration),
            noncurrent_expiration: noncurrent.map(|days| NoncurrentExpiration { days, newer_versions: None }),
            ..LifecycleRule::default()
        });
        let configuration = LifecycleConfiguration { rules: rules.collect(), minimum_size: TransitionMinimumSize::default() };
        let written = String::from_utf8(configuration.write()).unwrap();
        prop_assert_eq!(parse(&written).unwrap(), configuration);
    }

    #[test]
    fn nothing_parses_into_a_panic(body in "\\PC{0,200}") {
        prop_assert!(parse(&body).is_err());
    }
}
