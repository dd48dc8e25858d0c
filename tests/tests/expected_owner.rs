//! A request says whose bucket it expects, and is refused at another one's.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{request::Request, store::Store, xml};

const HEADER: &str = "x-amz-expected-bucket-owner";

#[test]
fn only_the_owners_bucket_is_used() {
    for route in ["handoff", "proxy"] {
        let store = Store::start_with(&["--route", route]);
        store.make_bucket("mine");
        store.put("mine", "key", "content");
        let listed = store.send(Request::new("GET", "/")).expect_status(200).text();
        let owner = xml::text(&listed, "ID").unwrap();
        let requests: [(fn() -> Request, u16); 6] = [
            (|| Request::object("GET", "mine", "key"), 200),
            (|| Request::object("PUT", "mine", "other").body("x"), 200),
            (
                || Request::object("PUT", "mine", "copy").header("x-amz-copy-source", "mine/key"),
                200,
            ),
            (|| Request::bucket("GET", "mine"), 200),
            (|| Request::bucket("GET", "mine").subresource("versioning"), 200),
            (|| Request::object("DELETE", "mine", "other"), 204),
        ];
        for (request, status) in requests {
            // Twice: on a connection that was passed on, the core answers the second one by itself.
            for _ in 0..2 {
                let refused = store.send(request().header(HEADER, "111122223333"));
                refused.expect_error(403, "AccessDenied");
                store
                    .send(request().header(HEADER, owner.as_str()))
                    .expect_status(status);
            }
        }
        let copy = || Request::object("PUT", "mine", "copy").header("x-amz-copy-source", "mine/key");
        const SOURCE: &str = "x-amz-source-expected-bucket-owner";
        store
            .send(copy().header(SOURCE, "111122223333"))
            .expect_error(403, "AccessDenied");
        store.send(copy().header(SOURCE, owner.as_str())).expect_status(200);
        store
            .send(Request::bucket("DELETE", "mine").header(HEADER, "somebody"))
            .expect_error(403, "AccessDenied");
    }
}
