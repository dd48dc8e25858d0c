//! PostObject: uploads of browser forms (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    digest::{crc32_base64, md5_hex},
    form::{FAR, Form},
    random,
    raw::Response,
    request::Request,
    store::Store,
    xml,
};

const BUCKET: &str = "forms";

fn store() -> Store {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store
}

/// Sends a form as it is.
#[track_caller]
fn post(store: &Store, form: &Form) -> Response {
    store.send_as_is(&store.addressed(form.request(BUCKET)))
}

/// Signs a form, with a policy for exactly its fields, and sends it.
#[track_caller]
fn post_signed(store: &Store, form: Form) -> Response {
    post(store, &form.sign(&store.signer(), BUCKET, ""))
}

/// Of no bytes, few, as many as the log takes, and more: each takes another way through a core.
#[test]
fn files_of_every_size_arrive() {
    let store = store();
    let sizes = [
        0,
        1,
        100,
        32 * 1024,
        32 * 1024 + 1,
        200_000,
        256 * 1024,
        256 * 1024 + 1,
        1_000_000,
        5_000_001,
    ];
    for size in sizes {
        let content = random::bytes(size as u64, size);
        let answer = post_signed(&store, Form::new("dir/a key", content.clone())).expect_status(204);
        let etag = format!("\"{}\"", md5_hex(&content));
        assert_eq!(answer.header("etag"), Some(etag.as_str()), "{size}");
        let location = format!("http://127.0.0.1:{}/s3/{BUCKET}/dir/a%20key", store.port());
        assert_eq!(answer.header("location"), Some(location.as_str()));
        let object = store.get(BUCKET, "dir/a key").expect_status(200);
        assert!(object.body == content, "{size}");
        assert_eq!(object.header("etag"), Some(etag.as_str()));
        assert_eq!(object.header("content-type"), Some("binary/octet-stream"));
    }
    // They survive a restart, blobs whose length nobody had declared included.
    let mut store = store;
    store.restart();
    assert_eq!(store.get(BUCKET, "dir/a key").body.len(), 5_000_001);
}

#[test]
fn fields_are_kept_with_the_object() {
    let store = store();
    let form = Form::new("key", "content")
        .field("Content-Type", "text/plain")
        .field("Cache-Control", "no-cache")
        .field("Content-Disposition", "attachment; filename=\"a b\"")
        .field("Expires", "Thu, 01 Dec 2044 16:00:00 GMT")
        .field("acl", "private")
        .field("x-amz-meta-color", "blue gr\u{fc}n")
        .field("x-amz-storage-class", "STANDARD_IA")
        .field("x-amz-website-redirect-location", "/elsewhere")
        .field("x-amz-checksum-crc32", crc32_base64(b"content"))
        .field("x-ignore-this", "whatever");
    let answer = post_signed(&store, form.clone()).expect_status(204);
    assert_eq!(
        answer.header("x-amz-checksum-crc32"),
        Some(crc32_base64(b"content").as_str())
    );
    let read = Request::object("GET", BUCKET, "key").header("x-amz-checksum-mode", "ENABLED");
    let object = store.send(read).expect_status(200);
    for (name, value) in [
        ("content-type", "text/plain"),
        ("cache-control", "no-cache"),
        ("content-disposition", "attachment; filename=\"a b\""),
        ("expires", "Thu, 01 Dec 2044 16:00:00 GMT"),
        ("x-amz-meta-color", "blue gr\u{fc}n"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-website-redirect-location", "/elsewhere"),
        ("x-amz-checksum-crc32", crc32_base64(b"content").as_str()),
    ] {
        assert_eq!(object.header(name), Some(value), "{:?}", object.headers);
    }
    // What is wrong leaves the object as it is.
    let mut wrong = form.clone();
    wrong.files = vec![("f".to_owned(), b"other".to_vec())];
    post_signed(&store, wrong).expect_error(400, "BadDigest");
    for (name, value, status, code) in [
        ("x-amz-storage-class", "NONSENSE", 400, "InvalidStorageClass"),
        ("acl", "public-read", 501, "NotImplemented"),
        ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
        ("x-amz-meta-a", "b\r\nc: d", 400, "InvalidArgument"),
        ("x-amz-checksum-crc32", "AAAA", 400, "InvalidRequest"),
        ("x-amz-meta-long", &"v".repeat(3000), 400, "MetadataTooLarge"),
        ("tagging", "<nonsense/>", 400, "MalformedXML"),
    ] {
        post_signed(&store, Form::new("key", "other").field(name, value)).expect_error(status, code);
    }
    assert_eq!(store.get(BUCKET, "key").body, b"content");
}

/// `tagging` is a document, as in PutObjectTagging; on a versioned bucket each form makes a version.
#[test]
fn tags_and_versions() {
    let store = store();
    let document = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let versioning = Request::bucket("PUT", BUCKET).subresource("versioning").body(document);
    store.send(versioning.content_md5()).expect_status(200);
    let tagging = "<Tagging><TagSet><Tag><Key>colour of it</Key><Value>a+b</Value></Tag></TagSet></Tagging>";
    let version_of = |content: &str| {
        let answer = post_signed(&store, Form::new("key", content).field("tagging", tagging)).expect_status(204);
        answer.header("x-amz-version-id").unwrap().to_owned()
    };
    let (first, second) = (version_of("first"), version_of("second"));
    for (version, content) in [(&first, "first"), (&second, "second")] {
        let read = Request::object("GET", BUCKET, "key").query("versionId", version);
        let object = store.send(read).expect_status(200);
        assert_eq!(object.body, content.as_bytes());
        assert_eq!(object.header("x-amz-tagging-count"), Some("1"));
    }
    let tags = store
        .send(Request::object("GET", BUCKET, "key").subresource("tagging"))
        .expect_status(200)
        .text();
    assert_eq!(xml::text(&tags, "Key").as_deref(), Some("colour of it"));
    assert_eq!(xml::text(&tags, "Value").as_deref(), Some("a+b"));
    let bad = "<Tagging><TagSet><Tag><Key>aws:x</Key><Value>y</Value></Tag></TagSet></Tagging>";
    post_signed(&store, Form::new("key", "third").field("tagging", bad)).expect_error(400, "InvalidTag");
    assert_eq!(store.get(BUCKET, "key").body, b"second");
}

/// "${filename} ... is replaced with the name of the file provided by the user".
#[test]
fn the_files_name_finds_its_way() {
    let store = store();
    let mut form = Form::new("user/${filename}", "x").field("x-amz-meta-name", "${filename}");
    for (filename, key) in [
        ("a b.txt", "a b.txt"),
        ("C:\\dir\\photo.jpg", "photo.jpg"),
        ("/home/me/f", "f"),
        ("", ""),
    ] {
        form.files = vec![(filename.to_owned(), b"x".to_vec())];
        let conditions = "[\"starts-with\", \"$key\", \"user/\"], [\"starts-with\", \"$x-amz-meta-name\", \"\"]";
        let signed = form.clone().credential(&store.signer());
        let only = Form {
            fields: signed.fields[2..].to_vec(),
            files: Vec::new(),
        };
        let policy = only.policy(BUCKET, conditions, FAR);
        post(&store, &signed.signed_policy(&store.signer(), &policy)).expect_status(204);
        let object = store.get(BUCKET, &format!("user/{key}")).expect_status(200);
        assert_eq!(object.header("x-amz-meta-name").unwrap_or_default(), key);
    }
}

/// success_action_status and success_action_redirect.
#[test]
fn success_is_told_as_the_form_asks() {
    let store = store();
    let with = |name: &str, value: &str| post_signed(&store, Form::new("a/k\u{e9}y", "x").field(name, value));
    with("success_action_status", "200").expect_status(200);
    with("success_action_status", "404").expect_status(204);
    let created = with("success_action_status", "201").expect_status(201);
    let location = format!("http://127.0.0.1:{}/s3/{BUCKET}/a/k%C3%A9y", store.port());
    let etag = format!("\"{}\"", md5_hex(b"x"));
    assert_eq!(created.header("location"), Some(location.as_str()));
    assert_eq!(created.header("content-type"), Some("application/xml"));
    for (element, value) in [
        ("Location", location.as_str()),
        ("Bucket", BUCKET),
        ("Key", "a/k\u{e9}y"),
        ("ETag", &etag),
    ] {
        assert_eq!(xml::text(&created.text(), element).as_deref(), Some(value));
    }
    for (url, expected) in [
        ("http://example.com/done", "http://example.com/done?"),
        ("http://example.com/done?a=b", "http://example.com/done?a=b&"),
    ] {
        let answer = with("success_action_redirect", url).expect_status(303);
        let expected = format!(
            "{expected}bucket={BUCKET}&key=a%2Fk%C3%A9y&etag=%22{}%22",
            md5_hex(b"x")
        );
        assert_eq!(answer.header("location"), Some(expected.as_str()));
    }
    with("success_action_redirect", "no url").expect_status(204);
}

/// Every error leaves nothing behind.
#[track_caller]
fn refused(store: &Store, form: &Form, status: u16, code: &str, message: &str) {
    let answer = post(store, form).expect_error(status, code).text();
    assert!(answer.contains(message), "{answer}");
    assert_eq!(store.keys(BUCKET), Vec::<String>::new());
}

#[test]
fn what_is_no_form_is_refused() {
    let store = store();
    let answer = store.send_as_is(&store.addressed(Request::bucket("POST", BUCKET).body("key=value")));
    let text = answer.expect_error(412, "PreconditionFailed").text();
    let condition = "Bucket POST must be of the enclosure-type multipart/form-data";
    assert_eq!(xml::text(&text, "Condition").as_deref(), Some(condition));
    let signer = store.signer();
    let signed = |form: Form| form.sign(&signer, BUCKET, "");
    let mut no_key = signed(Form::default());
    no_key.files = vec![("f".to_owned(), b"x".to_vec())];
    refused(&store, &no_key, 400, "UserKeyMustBeSpecified", "");
    refused(
        &store,
        &signed(Form::new("", "x")),
        400,
        "InvalidArgument",
        "User key must have a length greater than 0.",
    );
    let mut no_file = signed(Form::new("key", "x"));
    no_file.files.clear();
    refused(&store, &no_file, 400, "IncorrectNumberOfFilesInPostRequest", "");
    let mut two_files = signed(Form::new("key", "x"));
    two_files.files.push(("g".to_owned(), b"y".to_vec()));
    refused(&store, &two_files, 400, "IncorrectNumberOfFilesInPostRequest", "");
    let long = signed(Form::new("key", "x").field("x-ignore-a", "v".repeat(21_000)));
    refused(&store, &long, 400, "MaxPostPreDataLengthExceededError", "");
    refused(
        &store,
        &signed(Form::new(&"k".repeat(1025), "x")),
        400,
        "KeyTooLongError",
        "",
    );
    // Cut off at any place.
    let whole = store.addressed(signed(Form::new("key", "content")).request(BUCKET));
    for kept in [0, 40, whole.body.len() - 20] {
        let mut cut = whole.clone();
        cut.body.truncate(kept);
        assert_eq!(store.send_as_is(&cut).expect_status(400).code(), "MalformedPOSTRequest");
    }
    let length = whole.body.len().to_string();
    let mut connection = store.connect();
    let mut gone = whole.clone().header("Content-Length", length);
    gone.body.truncate(gone.body.len() - 20);
    connection.send(&gone.to_bytes());
    connection.finish_sending();
    connection.receive("POST").expect_error(400, "IncompleteBody");
    let chunked = whole.clone().header("Transfer-Encoding", "chunked").body("0\r\n\r\n");
    store.send_as_is(&chunked).expect_error(411, "MissingContentLength");
    assert_eq!(store.keys(BUCKET), Vec::<String>::new());
}

/// The connection goes on after a form, also for a client that waits for 100 Continue.
#[test]
fn forms_on_a_kept_connection() {
    let store = store();
    let mut connection = store.connect();
    for (number, size) in [(0, 10), (1, 100_000)] {
        let form = Form::new(&format!("key-{number}"), vec![b'x'; size]).sign(&store.signer(), BUCKET, "");
        let request = store.addressed(form.request(BUCKET)).header("Expect", "100-continue");
        connection.send(&request.head());
        assert_eq!(connection.receive_head().unwrap().0, 100);
        connection.send(&request.body);
        connection.receive("POST").expect_status(204);
    }
    assert_eq!(store.keys(BUCKET), ["key-0", "key-1"]);
}

/// At the bucket's own host, as AWS's documentation has it.
#[test]
fn a_bucket_in_the_host() {
    let store = store();
    let form = Form::new("dir/key", "content").sign(&store.signer(), BUCKET, "");
    let host = format!("{BUCKET}.localhost:{}", store.port());
    let mut request = form.request(BUCKET).header("Host", host.as_str());
    request.path = "/".to_owned();
    let answer = store.send_as_is(&request).expect_status(204);
    let location = format!("http://{host}/dir/key");
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert_eq!(store.get(BUCKET, "dir/key").body, b"content");
}

#[test]
fn boto3_makes_forms() {
    for arguments in [&[][..], &["--tls"]] {
        let store = Store::start_with(arguments);
        Clients::new(&store)
            .python("boto3_post_object.py", &[])
            .ok()
            .says("all passed");
    }
}
