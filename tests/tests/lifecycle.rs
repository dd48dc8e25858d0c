//! Lifecycle rules: kept, checked, and applied, with days of two seconds
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    process::wait_for,
    raw::Response,
    request::Request,
    store::{Store, direct, location},
    tickets::{cluster_key, open},
    xml,
};
use proto::{
    auth::{
        sigv4::sha256,
        ticket::{Grant, QUERY_PARAMETER, Ticket},
    },
    cluster::expiry::{EXPIRE_PATH, ExpireBatch, ExpireResult, Expired, Expiry, Seen},
    s3::version::{UploadId, VersionId},
    wire::{Decoder, Encoder},
};

const BUCKET: &str = "cycle";

const DAY: &str = "<Expiration><Days>1</Days></Expiration>";

fn rule(id: &str, filter: &str, actions: &str) -> String {
    format!("<Rule><ID>{id}</ID><Filter>{filter}</Filter><Status>Enabled</Status>{actions}</Rule>")
}

fn put(store: &Store, rules: &str) -> Response {
    let body = format!(
        "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{rules}</LifecycleConfiguration>"
    );
    store.send(Request::bucket("PUT", BUCKET).subresource("lifecycle").body(body))
}

fn get(store: &Store) -> Response {
    store.send(Request::bucket("GET", BUCKET).subresource("lifecycle"))
}

/// A store whose days have two seconds.
fn store() -> Store {
    let store = Store::start_with(&["--lifecycle-day-seconds", "2"]);
    store.make_bucket(BUCKET);
    store
}

fn enable_versioning(store: &Store) {
    let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let request = Request::bucket("PUT", BUCKET).subresource("versioning").body(body);
    store.send(request).expect_status(200);
}

fn wait_for_keys(store: &Store, keys: &[&str]) {
    wait_for("objects to expire", || (store.keys(BUCKET) == keys).then_some(()));
}

/// The versions of all keys, the newest of a key first: key, whether it is a delete marker, and its id.
fn versions(store: &Store) -> Vec<(String, bool, String)> {
    let page = store.send(Request::bucket("GET", BUCKET).subresource("versions"));
    let page = page.expect_status(200).text();
    let of = |element: &str, is_marker: bool| {
        let inner = xml::inner(&page, element).into_iter();
        let listed = inner.map(|inner| {
            let text = |name: &str| xml::text(inner, name).unwrap();
            (text("Key"), is_marker, text("VersionId"))
        });
        listed.collect::<Vec<_>>()
    };
    let mut all = [of("Version", false), of("DeleteMarker", true)].concat();
    all.sort();
    all
}

fn count(store: &Store, key: &str, is_marker: bool) -> usize {
    let all = versions(store).into_iter();
    all.filter(|(name, marker, _)| name == key && *marker == is_marker)
        .count()
}

#[test]
fn rules_are_kept_and_removed() {
    let mut store = Store::start();
    store.make_bucket(BUCKET);
    get(&store).expect_error(404, "NoSuchLifecycleConfiguration");
    let rules = [
        rule("all", "", DAY),
        rule(
            "some",
            "<And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And>",
            "<Expiration><Date>2040-01-01T00:00:00.000Z</Date></Expiration>",
        ),
        rule(
            "versions",
            "<Prefix>a</Prefix>",
            "<Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>\
             <NoncurrentVersionTransition><NoncurrentDays>30</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>\
             <NoncurrentVersionExpiration><NoncurrentDays>40</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>\
             <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
        ),
        "<Rule><Prefix>old</Prefix><Status>Disabled</Status><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>".to_owned(),
    ];
    const MINIMUM: &str = "x-amz-transition-default-minimum-object-size";
    let answer = put(&store, &rules.concat()).expect_status(200);
    assert_eq!(answer.header(MINIMUM), Some("all_storage_classes_128K"));
    store.restart();
    let kept = get(&store).expect_status(200);
    assert_eq!(kept.header(MINIMUM), Some("all_storage_classes_128K"));
    let kept = kept.text();
    for part in &rules[..3] {
        let inner = part.strip_prefix("<Rule>").unwrap();
        assert!(kept.contains(inner), "{inner}\n{kept}");
    }
    // A rule without a name has got one.
    let ids = xml::texts(&kept, "ID");
    assert_eq!(ids[..3], ["all", "some", "versions"]);
    assert!(ids[3].len() >= 32, "{ids:?}");
    assert!(kept.contains("<Prefix>old</Prefix><Status>Disabled</Status>"), "{kept}");

    let request = Request::bucket("PUT", BUCKET)
        .subresource("lifecycle")
        .header(MINIMUM, "varies_by_storage_class");
    let body = format!("<LifecycleConfiguration>{}</LifecycleConfiguration>", rules[0]);
    store.send(request.body(body)).expect_status(200);
    assert_eq!(get(&store).header(MINIMUM), Some("varies_by_storage_class"));
    for _ in 0..2 {
        store
            .send(Request::bucket("DELETE", BUCKET).subresource("lifecycle"))
            .expect_status(204);
        get(&store).expect_error(404, "NoSuchLifecycleConfiguration");
    }
}

#[test]
fn rules_that_s3_refuses_change_nothing() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    put(&store, &rule("kept", "", DAY)).expect_status(200);
    for (rules, code) in [
        (String::new(), "MalformedXML"),
        (rule("same", "", DAY) + &rule("same", "", DAY), "InvalidArgument"),
        (rule(&"i".repeat(256), "", DAY), "InvalidArgument"),
        (rule("a", "", ""), "InvalidRequest"),
        (
            rule("a", "", "<Expiration><Days>0</Days></Expiration>"),
            "InvalidArgument",
        ),
        (
            rule("a", "", "<Expiration><Date>2040-01-01T12:00:00Z</Date></Expiration>"),
            "InvalidArgument",
        ),
        (
            rule("a", "<Prefix>a</Prefix><ObjectSizeLessThan>1</ObjectSizeLessThan>", DAY),
            "MalformedXML",
        ),
        (
            rule(
                "a",
                "",
                "<Transition><Days>1</Days><StorageClass>STANDARD_IA</StorageClass></Transition>",
            ),
            "InvalidArgument",
        ),
        (
            rule(
                "a",
                "",
                "<Transition><Days>1</Days><StorageClass>NONE</StorageClass></Transition>",
            ),
            "MalformedXML",
        ),
        (
            rule(
                "a",
                "<Tag><Key>k</Key><Value/></Tag>",
                "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
            ),
            "InvalidRequest",
        ),
        (rule("a", "", DAY).replace("Enabled", "On"), "MalformedXML"),
    ] {
        put(&store, &rules).expect_error(400, code);
    }
    let header = Request::bucket("PUT", BUCKET).subresource("lifecycle");
    let header = header
        .header("x-amz-transition-default-minimum-object-size", "none")
        .body("<x/>");
    store.send(header).expect_error(400, "InvalidRequest");
    assert_eq!(xml::texts(&get(&store).text(), "ID"), ["kept"]);
}

#[test]
fn objects_expire_by_prefix_and_size() {
    let store = store();
    let rules = [
        rule("logs", "<Prefix>logs/</Prefix>", DAY),
        rule("large", "<ObjectSizeGreaterThan>10</ObjectSizeGreaterThan>", DAY),
        rule(
            "never",
            "<Prefix>kept</Prefix>",
            "<Expiration><Days>10000</Days></Expiration>",
        ),
        rule("off", "", DAY).replace("Enabled", "Disabled"),
    ];
    put(&store, &rules.concat()).expect_status(200);
    for (key, body) in [
        ("logs/1", "x"),
        ("logs/2", "x"),
        ("large", "more than ten bytes"),
        ("kept", "x"),
        ("small", "0123456789"),
    ] {
        store.put(BUCKET, key, body);
    }
    wait_for_keys(&store, &["kept", "small"]);
    store.get(BUCKET, "logs/1").expect_error(404, "NoSuchKey");
    assert_eq!(store.get(BUCKET, "small").expect_status(200).text(), "0123456789");
}

/// Many pages, and what is written anew lives on from then.
#[test]
fn more_than_a_page_expires() {
    let store = store();
    let mut connection = store.connect();
    for number in 0..1200 {
        let put = store.signed(Request::object("PUT", BUCKET, &format!("old/{number:04}")).body("x"));
        connection.send(&put.to_bytes());
        connection.receive("PUT").expect_status(200);
    }
    store.put(BUCKET, "other", "x");
    put(&store, &rule("old", "<Prefix>old/</Prefix>", DAY)).expect_status(200);
    wait_for_keys(&store, &["other"]);
}

#[test]
fn dates_that_are_over_and_dates_to_come() {
    let store = store();
    store.put(BUCKET, "past/a", "x");
    store.put(BUCKET, "future/a", "x");
    let date = |date: &str| format!("<Expiration><Date>{date}T00:00:00Z</Date></Expiration>");
    let rules = rule("past", "<Prefix>past/</Prefix>", &date("2020-01-01"))
        + &rule("future", "<Prefix>future/</Prefix>", &date("2100-01-01"));
    put(&store, &rules).expect_status(200);
    wait_for_keys(&store, &["future/a"]);
}

#[test]
fn objects_expire_by_tag() {
    let store = store();
    let with = |key: &str, tags: &str| {
        let put = Request::object("PUT", BUCKET, key)
            .header("x-amz-tagging", tags)
            .body("x");
        store.send(put).expect_status(200);
    };
    with("both", "a=1&b=2");
    with("one", "a=1");
    with("other", "a=2&b=2");
    store.put(BUCKET, "none", "x");
    let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let filter = format!("<And>{}{}</And>", tag("a", "1"), tag("b", "2"));
    put(&store, &rule("tagged", &filter, DAY)).expect_status(200);
    wait_for_keys(&store, &["none", "one", "other"]);
    put(&store, &rule("tagged", &tag("a", "1"), DAY)).expect_status(200);
    wait_for_keys(&store, &["none", "other"]);
}

/// A current version expires into a noncurrent one under a delete marker.
#[test]
fn versions_expire_in_their_turn() {
    let store = store();
    enable_versioning(&store);
    store.put(BUCKET, "a", "1");
    store.put(BUCKET, "a", "2");
    put(&store, &rule("current", "", DAY)).expect_status(200);
    wait_for("a delete marker", || (count(&store, "a", true) == 1).then_some(()));
    assert_eq!(count(&store, "a", false), 2);
    store.get(BUCKET, "a").expect_error(404, "NoSuchKey");

    let noncurrent = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>";
    put(&store, &rule("noncurrent", "", noncurrent)).expect_status(200);
    wait_for("versions to go", || (count(&store, "a", false) == 0).then_some(()));
    assert_eq!(count(&store, "a", true), 1);

    let marker = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>";
    put(&store, &rule("marker", "", marker)).expect_status(200);
    wait_for("the marker to go", || versions(&store).is_empty().then_some(()));
}

#[test]
fn so_many_newer_versions_are_kept() {
    let store = store();
    enable_versioning(&store);
    for body in ["1", "2", "3", "4", "5"] {
        store.put(BUCKET, "a", body);
    }
    let newest = store.get(BUCKET, "a").header("x-amz-version-id").unwrap().to_owned();
    let keep = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>";
    put(&store, &rule("keep", "", keep)).expect_status(200);
    wait_for("old versions to go", || (count(&store, "a", false) == 3).then_some(()));
    assert!(versions(&store).iter().any(|(_, _, id)| *id == newest));
    assert_eq!(store.get(BUCKET, "a").expect_status(200).text(), "5");
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html>
#[test]
fn uploads_that_nobody_completes_are_aborted() {
    let store = store();
    let begin = |key: &str| {
        let answer = store.send(Request::object("POST", BUCKET, key).subresource("uploads"));
        xml::text(&answer.expect_status(200).text(), "UploadId").unwrap()
    };
    let stale = begin("stale/a");
    begin("kept");
    let part = Request::object("PUT", BUCKET, "stale/a")
        .query("partNumber", "1")
        .query("uploadId", &stale);
    store.send(part.body("part")).expect_status(200);
    let abort =
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    put(&store, &rule("abort", "<Prefix>stale/</Prefix>", abort)).expect_status(200);
    let uploads = || {
        let page = store.send(Request::bucket("GET", BUCKET).subresource("uploads"));
        xml::texts(&page.expect_status(200).text(), "Key")
    };
    wait_for("the upload to go", || (uploads() == ["kept"]).then_some(()));
    let parts = Request::object("GET", BUCKET, "stale/a").query("uploadId", &stale);
    store.send(parts).expect_error(404, "NoSuchUpload");
}

/// What was written since the listing stays, whatever the rules said of what was there before.
#[test]
fn a_core_takes_nothing_away_that_has_changed() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "content");
    let get = Request::object("GET", BUCKET, "key").header("x-corelane-route", "redirect");
    let ticket = open(&store, &location(&store, get));
    let Grant::Object { object, .. } = &ticket.grant else {
        panic!("no ticket of an object");
    };
    let seen = |modified_unix_ms| Seen {
        version: VersionId::Null,
        modified_unix_ms,
    };
    let expire = |what: Expired| {
        let batch = ExpireBatch {
            expiries: vec![Expiry {
                shard: ticket.shard,
                key: "key".to_owned(),
                what,
            }],
        };
        let mut encoder = Encoder::new();
        batch.encode(&mut encoder);
        let body = encoder.finish();
        let grant = Grant::Expire {
            bucket: object.bucket.clone(),
            body_sha256: sha256(&body),
        };
        let sealed = cluster_key(&store).seal(&Ticket {
            grant,
            ..ticket.clone()
        });
        let port = store.core_ports()[usize::from(ticket.core)];
        let request = Request::new("POST", EXPIRE_PATH).query(QUERY_PARAMETER, &sealed);
        let mut connection = store.connect_to(port);
        connection.send(&request.header("Host", "core").body(body).to_bytes());
        let answer = connection.receive("POST").expect_status(200);
        ExpireResult::decode(&mut Decoder::new(&answer.body)).unwrap()
    };
    let changed = ExpireResult {
        changed: 1,
        ..ExpireResult::default()
    };
    for what in [
        Expired::Newest(seen(1)),
        Expired::Version(VersionId::Null, seen(1)),
        Expired::Upload(UploadId(1)),
    ] {
        assert_eq!(expire(what), changed, "{what:?}");
        assert_eq!(store.get(BUCKET, "key").expect_status(200).text(), "content");
    }
    let modified = listed_time(&store);
    let done = ExpireResult {
        done: 1,
        ..ExpireResult::default()
    };
    assert_eq!(expire(Expired::Newest(seen(modified))), done);
    store.get(BUCKET, "key").expect_error(404, "NoSuchKey");
    assert_eq!(expire(Expired::Newest(seen(modified))), changed);
    // Nobody else than a gateway may say what has expired.
    direct(store.core_ports()[0], "POST", EXPIRE_PATH, "").expect_error(403, "AccessDenied");
}

/// The only object's time, in milliseconds since the epoch.
fn listed_time(store: &Store) -> u64 {
    let page = store.send(Request::bucket("GET", BUCKET)).text();
    let text = xml::text(&page, "LastModified").unwrap();
    let (seconds, rest) = text.split_once('.').unwrap();
    let digits: String = seconds.chars().filter(char::is_ascii_digit).collect();
    let unix_s = proto::http::date::parse_sigv4(&format!("{}T{}Z", &digits[..8], &digits[8..])).unwrap();
    unix_s * 1000 + rest[..3].parse::<u64>().unwrap()
}
