//! Conditions of copies, on their source and on what they replace.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{multipart::Upload, request::Request, store::Store};

const LONG_AGO: &str = "Mon, 23 Nov 2015 12:00:00 GMT";
const FAR_AHEAD: &str = "Mon, 23 Nov 2065 12:00:00 GMT";

#[test]
fn conditions_on_the_source() {
    let store = Store::start();
    store.make_bucket("conditions");
    let put = store
        .put("conditions", "source", b"payload".to_vec())
        .expect_status(200);
    let etag = put.header("etag").unwrap().to_owned();
    let upload = Upload::begin(&store, "conditions", "parts");
    let other = "\"00000000000000000000000000000000\"";
    for (conditions, holds) in [
        (&[("if-match", etag.as_str())][..], true),
        (&[("if-match", etag.trim_matches('"'))], true),
        (&[("if-match", other)], false),
        (&[("if-none-match", other)], true),
        (&[("if-none-match", &etag)], false),
        (&[("if-modified-since", LONG_AGO)], true),
        (&[("if-modified-since", FAR_AHEAD)], false),
        (&[("if-unmodified-since", FAR_AHEAD)], true),
        (&[("if-unmodified-since", LONG_AGO)], false),
        // The two pairs that the page names.
        (&[("if-match", &etag), ("if-unmodified-since", LONG_AGO)], true),
        (&[("if-none-match", &etag), ("if-modified-since", LONG_AGO)], false),
        (&[("if-match", other), ("if-unmodified-since", FAR_AHEAD)], false),
    ] {
        let object = Request::object("PUT", "conditions", "copy");
        for request in [object, upload.part_request(1)] {
            let mut request = request.header("x-amz-copy-source", "conditions/source");
            for (name, value) in conditions {
                request = request.header(&format!("x-amz-copy-source-{name}"), *value);
            }
            let answer = store.send(request);
            match holds {
                true => drop(answer.expect_status(200)),
                false => drop(answer.expect_error(412, "PreconditionFailed")),
            }
        }
    }
}

#[test]
fn conditions_on_what_is_replaced() {
    let store = Store::start();
    store.make_bucket("conditions");
    store
        .put("conditions", "source", b"payload".to_vec())
        .expect_status(200);
    let copy = |name: &str, value: &str| {
        let request = Request::object("PUT", "conditions", "copy").header("x-amz-copy-source", "conditions/source");
        store.send(request.header(name, value))
    };
    copy("if-match", "\"x\"").expect_error(404, "NoSuchKey");
    copy("if-none-match", "*").expect_status(200);
    copy("if-none-match", "*").expect_error(412, "PreconditionFailed");
    copy("if-match", "\"x\"").expect_error(412, "PreconditionFailed");
    let head = store
        .send(Request::object("HEAD", "conditions", "copy"))
        .expect_status(200);
    copy("if-match", head.header("etag").unwrap()).expect_status(200);
}
