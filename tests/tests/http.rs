//! HTTP/1.1 and 1.0 as such: persistence, versions, request forms.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{raw::Connection, store::Store};

/// A store that verifies nothing, so that requests can be written as text, with `bucket/key` in it; all its ports.
fn store() -> (Store, Vec<u16>) {
    let store = Store::start_with(&["--anonymous", "--route", "proxy"]);
    store.make_bucket("bucket");
    store.put("bucket", "key", "content");
    let ports = store.core_ports().iter().copied().chain([store.port()]).collect();
    (store, ports)
}

#[track_caller]
fn ask(port: u16, text: &str) -> (Connection, corelane_tests::raw::Response) {
    let mut connection = Connection::open(port);
    connection.send(text.as_bytes());
    let answer = connection.receive(text.split(' ').next().unwrap());
    (connection, answer)
}

#[test]
fn connections_stay_open_and_close_as_asked() {
    let (_store, ports) = store();
    for port in ports {
        let (mut connection, answer) = ask(port, "GET /s3/bucket/key HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(answer.expect_status(200).body, b"content");
        connection.send(b"GET /s3/bucket/key HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let last = connection.receive("GET").expect_status(200);
        assert!(
            last.header("connection")
                .is_some_and(|value| value.eq_ignore_ascii_case("close"))
        );
        assert!(connection.is_closed());

        let (mut connection, answer) = ask(port, "GET /s3/bucket/key HTTP/1.0\r\n\r\n");
        assert_eq!(answer.expect_status(200).body, b"content");
        assert!(connection.is_closed());
        // It would have to be told that the connection stays, and waits for the end of the answer otherwise.
        let kept = "GET /s3/bucket/key HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        let (mut connection, answer) = ask(port, kept);
        assert_eq!(answer.expect_status(200).body, b"content");
        assert!(connection.is_closed());
        let (mut connection, answer) = ask(port, "GET /s3/bucket/missing HTTP/1.1\r\nHost: x\r\n\r\n");
        answer.expect_error(404, "NoSuchKey");
        connection.send(b"HEAD /s3/bucket/key HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(
            connection.receive("HEAD").expect_status(200).header("content-length"),
            Some("7")
        );
        connection.send(b"HEAD /s3/bucket/missing HTTP/1.1\r\nHost: x\r\n\r\n");
        connection.receive("HEAD").expect_status(404);
        connection.send(b"DELETE /s3/bucket/missing HTTP/1.1\r\nHost: x\r\n\r\n");
        connection.receive("DELETE").expect_status(204);
        connection.send(b"GET /s3/bucket/key HTTP/1.1\r\nHost: x\r\n\r\n");
        connection.receive("GET").expect_status(200);
    }
}

#[test]
fn requests_come_in_more_than_one_form() {
    let (_store, ports) = store();
    for port in ports {
        for form in [
            "GET http://anywhere/s3/bucket/key HTTP/1.1\r\nHost: x\r\n\r\n",
            "\r\n\r\nGET /s3/bucket/key HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /s3/bucket/key HTTP/1.1\r\nhOsT:x\r\nRANGE:bytes=0-6\r\n\r\n",
        ] {
            let mut connection = Connection::open(port);
            connection.send(form.as_bytes());
            assert_eq!(connection.receive("GET").body, b"content", "{form:?}");
        }
        let chunked = "PUT /s3/bucket/chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
             x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nx-amz-decoded-content-length: 4\r\n\r\n\
             e;ext=1\r\n4\r\nbody\r\n0\r\n\r\n\r\n0\r\n\r\n";
        ask(port, chunked).1.expect_status(200);
        let (_, answer) = ask(port, "GET /s3/bucket/chunked HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(answer.body, b"body");
    }
}

#[test]
fn an_unread_body_does_not_become_the_next_request() {
    let (store, ports) = store();
    for port in ports {
        // Refused before its body is read; small enough to be drained, so the connection may go on.
        let mut connection = Connection::open(port);
        connection.send(b"PUT /s3/nowhere/key HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n");
        connection.send(b"DELETE /s3/bucket/key HTTP/1.1\r\nHost: xxxxxxxx\r\n\r\n");
        connection.receive("PUT").expect_error(404, "NoSuchBucket");
        assert_eq!(store.get("bucket", "key").expect_status(200).body, b"content");
    }
}

/// A core used to take the body of a GET for the next request, and its answer to that went to a gateway, which cut the
/// connection of its client.
#[test]
fn a_body_where_none_belongs_does_not_become_a_request() {
    let (store, ports) = store();
    store.put("bucket", "victim", "another client's");
    for port in ports {
        for method in ["GET", "HEAD", "DELETE"] {
            for inner in [
                "GET /s3/bucket/key HTTP/1.1\r\nHost: x\r\n\r\n",
                "nothing HTTP knows\r\n\r\n",
            ] {
                for framed in [
                    format!("Content-Length: {}\r\n\r\n{inner}", inner.len()),
                    format!(
                        "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{inner}\r\n0\r\n\r\n",
                        inner.len()
                    ),
                ] {
                    let key = if method == "DELETE" { "missing" } else { "key" };
                    let text = format!("{method} /s3/bucket/{key} HTTP/1.1\r\nHost: x\r\n{framed}");
                    let (mut connection, answer) = ask(port, &text);
                    assert!(matches!(answer.status, 200 | 204), "{method}: {answer:?}");
                    connection.finish_sending();
                    let rest = connection.receive_to_end();
                    assert_eq!(String::from_utf8_lossy(&rest), "", "{method} on {port}");
                    let victim = store.get("bucket", "victim").expect_status(200);
                    assert_eq!(victim.text(), "another client's", "after {method} on {port}");
                }
            }
        }
    }
}
