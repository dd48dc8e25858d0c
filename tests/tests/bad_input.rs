//! Bad input: what is malformed or oversized gets an error or a closed connection, and the store serves on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{random, raw::Connection, request::Request, store::Store};

const BUCKET: &str = "input";

fn store() -> Store {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store
}

/// Sends bytes to the gateway and to every core; each must answer one of these statuses or close, and serve on.
fn expect_refusal(store: &Store, what: &str, bytes: &[u8], statuses: &[u16]) {
    for port in store.core_ports().iter().chain([&store.port()]) {
        let mut connection = Connection::open(*port);
        let _ = connection.try_send(bytes);
        match connection.try_receive("GET") {
            Ok(answer) => {
                assert!(
                    statuses.contains(&answer.status),
                    "{what} on {port}: {} {}",
                    answer.status,
                    answer.text()
                );
                assert!(!answer.text().contains("smuggled"), "{what} on {port}");
                assert!(
                    connection.is_closed(),
                    "{what} on {port}: a second answer, or the connection stays open"
                );
            }
            Err(error) => assert_ne!(
                error.kind(),
                std::io::ErrorKind::WouldBlock,
                "{what} on {port}: no answer at all"
            ),
        }
    }
    store.send(Request::bucket("HEAD", BUCKET)).expect_status(200);
}

#[test]
fn heads_that_are_not_http_are_refused() {
    let store = store();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        (
            "binary",
            random::bytes(1, 400).into_iter().chain(*b"\r\n\r\n").collect(),
        ),
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaa\r\n\r\n".to_vec(),
        ),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /s3\r\n\r\n".to_vec()),
        ("HTTP/3.0", b"GET /s3 HTTP/3.0\r\nHost: x\r\n\r\n".to_vec()),
        ("no target", b"GET HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        (
            "space in a name",
            b"GET /s3 HTTP/1.1\r\nHost: x\r\nBad name: y\r\n\r\n".to_vec(),
        ),
        (
            "space before the colon",
            b"GET /s3 HTTP/1.1\r\nHost : x\r\n\r\n".to_vec(),
        ),
        (
            "obs-fold",
            b"GET /s3 HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n".to_vec(),
        ),
        (
            "NUL in a value",
            b"GET /s3 HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n".to_vec(),
        ),
        ("bare CR", b"GET /s3 HTTP/1.1\r\nHost: x\rA: b\r\n\r\n".to_vec()),
        ("no colon", b"GET /s3 HTTP/1.1\r\nHost\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in cases {
        expect_refusal(&store, what, &bytes, &[400, 505]);
    }
}

#[test]
fn oversized_heads_are_refused() {
    let store = store();
    let line = format!("X-Filler: {}\r\n", "f".repeat(1000));
    let cases = [
        (
            "many bytes",
            format!("GET /s3 HTTP/1.1\r\nHost: x\r\n{}\r\n", line.repeat(100)),
        ),
        (
            "many lines",
            format!("GET /s3 HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(2000)),
        ),
        (
            "a long target",
            format!("GET /s3/{} HTTP/1.1\r\nHost: x\r\n\r\n", "t".repeat(100_000)),
        ),
        (
            "a head without an end",
            format!("GET /s3 HTTP/1.1\r\nHost: x\r\n{}", line.repeat(200)),
        ),
    ];
    for (what, head) in cases {
        expect_refusal(&store, what, head.as_bytes(), &[400, 414, 431]);
    }
}

#[test]
fn ambiguous_framing_is_refused_and_nothing_is_smuggled() {
    let store = store();
    store.put(BUCKET, "victim", "smuggled");
    let inner = "GET /s3/input/victim HTTP/1.1\r\nHost: x\r\n\r\n";
    let length = inner.len();
    let head = "PUT /s3/input/key HTTP/1.1\r\nHost: x\r\n";
    let cases = [
        (
            "CL and TE",
            format!("{head}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        ),
        (
            "TE and CL",
            format!("{head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{inner}"),
        ),
        (
            "two CL",
            format!("{head}Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{inner}"),
        ),
        (
            "a list of CL",
            format!("{head}Content-Length: 0, {length}\r\n\r\n{inner}"),
        ),
        ("negative CL", format!("{head}Content-Length: -1\r\n\r\n{inner}")),
        ("signed CL", format!("{head}Content-Length: +{length}\r\n\r\n{inner}")),
        ("hex CL", format!("{head}Content-Length: 0x10\r\n\r\n{inner}")),
        (
            "CL beyond 64 bits",
            format!("{head}Content-Length: 99999999999999999999\r\n\r\n{inner}"),
        ),
        ("odd TE", format!("{head}Transfer-Encoding: xchunked\r\n\r\n{inner}")),
        (
            "TE of two codings",
            format!("{head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{inner}"),
        ),
        (
            "TE with a tab",
            format!("{head}Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n{inner}"),
        ),
    ];
    for (what, bytes) in cases {
        expect_refusal(&store, what, bytes.as_bytes(), &[400, 403, 411, 501]);
    }
    // A refused request's body must not be read as the next request.
    let unsigned = format!("{head}Content-Length: {length}\r\n\r\n{inner}{inner}");
    let mut connection = store.connect();
    connection.send(unsigned.as_bytes());
    connection.finish_sending();
    let all = String::from_utf8_lossy(&connection.receive_to_end()).into_owned();
    let answers = all.matches("HTTP/1.1 ").count();
    assert!(
        all.starts_with("HTTP/1.1 403") && answers <= 2 && !all.contains("smuggled"),
        "{all}"
    );
}

#[test]
fn malformed_and_hostile_xml_is_refused() {
    let store = store();
    store.put(BUCKET, "key", "x");
    let object = "<Object><Key>key</Key></Object>";
    let cases = [
        ("cut short", format!("<Delete>{object}")),
        ("crossed", "<Delete><Object><Key>key</Object></Key></Delete>".to_owned()),
        (
            "deep",
            format!("{}{}", "<Delete>".repeat(100_000), "</Delete>".repeat(100_000)),
        ),
        (
            "deep inside",
            format!("<Delete>{}{}{object}</Delete>", "<a>".repeat(50), "</a>".repeat(50)),
        ),
        (
            "entities",
            format!(
                "<!DOCTYPE d [<!ENTITY a \"key\"><!ENTITY b \"&a;&a;\">]><Delete><Object><Key>&b;</Key></Object>{object}</Delete>"
            ),
        ),
        (
            "external entity",
            "<!DOCTYPE d [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><Delete><Object><Key>&a;</Key></Object></Delete>"
                .to_owned(),
        ),
        (
            "unknown entity",
            "<Delete><Object><Key>&nbsp;</Key></Object></Delete>".to_owned(),
        ),
        (
            "not UTF-8",
            "<Delete><Object><Key>\u{fffd}</Key></Object></Delete>".to_owned(),
        ),
    ];
    for (what, body) in cases {
        let bytes = match what {
            "not UTF-8" => body
                .into_bytes()
                .into_iter()
                .filter(|byte| ![0xbf, 0xbd].contains(byte))
                .collect(),
            _ => body.into_bytes(),
        };
        let answer = store.send(
            Request::bucket("POST", BUCKET)
                .subresource("delete")
                .body(bytes)
                .content_md5(),
        );
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "MalformedXML"),
            "{what}: {}",
            answer.text()
        );
        assert!(!answer.text().contains("root:"), "{what}");
    }
    let huge = vec![b' '; 9 << 20];
    let request = store.signed(
        Request::bucket("POST", BUCKET)
            .subresource("delete")
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .header("Content-Length", huge.len().to_string()),
    );
    let mut connection = store.connect();
    connection.send(&request.head());
    let _ = connection.try_send(&huge);
    if let Ok(answer) = connection.try_receive("POST") {
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    assert_eq!(store.keys(BUCKET), ["key"]);
}

#[test]
fn more_body_than_declared_is_the_next_request() {
    let store = store();
    let put = store.signed(Request::object("PUT", BUCKET, "exact").body("12345"));
    let mut connection = store.connect();
    connection.send(&put.to_bytes());
    connection.send(b"6789 not a request\r\n\r\n");
    connection.receive("PUT").expect_status(200);
    if let Ok(answer) = connection.try_receive("GET") {
        assert_eq!(answer.status, 400);
    }
    assert_eq!(store.get(BUCKET, "exact").body, b"12345");
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let store = store();
    let put = store.signed(
        Request::object("PUT", BUCKET, "slow")
            .header("x-amz-meta-a", "b")
            .body("content"),
    );
    for port in store.core_ports().iter().chain([&store.port()]) {
        let mut connection = Connection::open(*port);
        for byte in put.to_bytes() {
            connection.send(&[byte]);
        }
        connection.receive("PUT").expect_status(200);
    }
    assert_eq!(
        store.get(BUCKET, "slow").expect_status(200).header("x-amz-meta-a"),
        Some("b")
    );
}

#[test]
fn values_that_overflow_are_refused() {
    let store = store();
    store.put(BUCKET, "key", "content");
    for range in [
        "bytes=18446744073709551616-",
        "bytes=-18446744073709551616",
        "bytes=0-18446744073709551616",
    ] {
        let status = store
            .send(Request::object("GET", BUCKET, "key").header("Range", range))
            .status;
        assert!([200, 206, 416].contains(&status), "{range}: {status}");
    }
    for decoded in ["-1", "x", "18446744073709551616", "5368709121"] {
        let request = Request::object("PUT", BUCKET, "key")
            .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-decoded-content-length", decoded)
            .header("x-amz-trailer", "x-amz-checksum-crc32");
        let answer = store.send(request.body("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"));
        assert_eq!(answer.status, 400, "{decoded}: {}", answer.text());
    }
    for size_line in ["ffffffffffffffffff", "-1", "g", "", "7fffffffffffffff", "1;x", "0x5"] {
        let body = format!("{size_line}\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
        let request = Request::object("PUT", BUCKET, "key")
            .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-decoded-content-length", "1")
            .header("x-amz-trailer", "x-amz-checksum-crc32");
        let request = store.signed(request.body(body));
        let mut connection = store.connect();
        connection.send(&request.to_bytes());
        connection.finish_sending();
        if let Ok(answer) = connection.try_receive("PUT") {
            assert_eq!(answer.status, 400, "{size_line:?}: {}", answer.text());
        }
    }
    assert_eq!(store.get(BUCKET, "key").body, b"content");
}
