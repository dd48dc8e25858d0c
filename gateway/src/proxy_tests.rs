//! The proxy between scripted cores and scripted clients, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::{
    clock::unix_s,
    config::RouteMode,
    testing::{CLUSTER_KEY, OK, connect, is_closed, play, read_exact, read_head},
};
use proto::auth::ticket::{self, Grant, Principal, Ticket, TicketKey};
use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

#[test]
fn connections_are_kept_on_both_sides() {
    let answers = play(
        RouteMode::Proxy,
        false,
        |index, mut stream| {
            while read_head(&mut stream).starts_with("GET /bucket/key?a=b&corelane-ticket=") {
                let body = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{index}");
                stream.write_all(body.as_bytes()).unwrap();
            }
        },
        |address| {
            let mut stream = connect(address);
            (0..3)
                .map(|_| {
                    stream
                        .write_all(b"GET /bucket/key?a=b HTTP/1.1\r\nHost: h\r\n\r\n")
                        .unwrap();
                    assert!(read_head(&mut stream).starts_with("HTTP/1.1 200 OK\r\n"));
                    read_exact(&mut stream, 1)
                })
                .collect::<Vec<_>>()
        },
    );
    assert_eq!(answers, [b"0", b"0", b"0"]);
}

#[test]
fn a_stale_connection_is_tried_again_once() {
    let bodies = play(
        RouteMode::Proxy,
        false,
        |index, mut stream| {
            read_head(&mut stream);
            stream.write_all(OK).unwrap();
            if index == 0 {
                // Takes the next request and closes without a word.
                read_head(&mut stream);
            }
        },
        |address| {
            let mut stream = connect(address);
            (0..2)
                .map(|_| {
                    stream
                        .write_all(b"GET /bucket/key HTTP/1.1\r\nHost: h\r\n\r\n")
                        .unwrap();
                    read_head(&mut stream);
                    read_exact(&mut stream, 2)
                })
                .collect::<Vec<_>>()
        },
    );
    assert_eq!(bodies, [b"ok", b"ok"]);
}

#[test]
fn bodies_go_up_with_their_framing_and_interim_answers_come_down() {
    const BODY: &[u8] = b"3\r\nabc\r\n5;x=1\r\nhello\r\n0\r\nx-t: 1\r\n\r\n";
    play(
        RouteMode::Proxy,
        false,
        |_, mut stream| {
            loop {
                let head = read_head(&mut stream);
                if head.is_empty() {
                    return;
                }
                if head.starts_with("PUT") {
                    assert!(head.contains("Expect: 100-continue\r\n"));
                    assert!(head.contains("Transfer-Encoding: chunked\r\n"));
                    assert!(!head.to_lowercase().contains("connection:") && !head.contains("x-hop"));
                    stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
                    assert_eq!(read_exact(&mut stream, BODY.len()), BODY);
                }
                stream.write_all(OK).unwrap();
            }
        },
        |address| {
            let mut stream = connect(address);
            let head = "PUT /bucket/key HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\
                 x-amz-decoded-content-length: 8\r\nConnection: keep-alive, x-hop\r\nx-hop: 1\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            assert_eq!(read_head(&mut stream), "HTTP/1.1 100 Continue\r\n\r\n");
            // In small pieces, and with the next request behind it.
            for piece in BODY.chunks(3) {
                stream.write_all(piece).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
            stream
                .write_all(b"GET /bucket/key HTTP/1.1\r\nHost: h\r\n\r\n")
                .unwrap();
            for _ in 0..2 {
                assert!(read_head(&mut stream).starts_with("HTTP/1.1 200"));
                assert_eq!(read_exact(&mut stream, 2), b"ok");
            }
        },
    );
}

#[test]
fn large_bodies_pass_unchanged_both_ways() {
    let body: Vec<u8> = (0..5_000_000u32).map(|n| (n % 251) as u8).collect();
    let (up, down) = (body.clone(), body.clone());
    let returned = play(
        RouteMode::Proxy,
        false,
        move |_, mut stream| {
            read_head(&mut stream);
            assert!(read_exact(&mut stream, up.len()) == up);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", up.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&up).unwrap();
        },
        move |address| {
            let mut stream = connect(address);
            let head = format!(
                "PUT /bucket/key HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
                down.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&down).unwrap();
            read_head(&mut stream);
            read_exact(&mut stream, down.len())
        },
    );
    assert!(returned == body);
}

#[test]
fn an_answer_before_the_body_ends_the_connection() {
    let (head, closed) = play(
        RouteMode::Proxy,
        false,
        |_, mut stream| {
            read_head(&mut stream);
            stream
                .write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
            thread::sleep(Duration::from_millis(200));
        },
        |address| {
            let mut stream = connect(address);
            stream
                .write_all(b"PUT /bucket/key HTTP/1.1\r\nHost: h\r\nContent-Length: 900000000\r\n\r\n")
                .unwrap();
            stream.write_all(&[0; 100_000]).unwrap();
            (read_head(&mut stream), is_closed(&mut stream))
        },
    );
    assert!(head.starts_with("HTTP/1.1 403"));
    assert!(head.contains("Connection: close\r\n"));
    assert!(closed);
}

#[test]
fn a_client_that_vanishes_ends_the_request_at_its_core() {
    let (ended, waits) = std::sync::mpsc::channel();
    play(
        RouteMode::Proxy,
        false,
        move |_, mut stream| {
            read_head(&mut stream);
            read_exact(&mut stream, 5);
            let started = Instant::now();
            assert!(is_closed(&mut stream));
            ended.send(started.elapsed()).unwrap();
        },
        move |address| {
            let mut stream = connect(address);
            stream
                .write_all(b"PUT /bucket/key HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabcde")
                .unwrap();
            thread::sleep(Duration::from_millis(100));
            drop(stream);
            assert!(waits.recv_timeout(Duration::from_secs(5)).unwrap() < Duration::from_secs(2));
        },
    );
}

#[test]
fn a_core_that_dies_in_the_middle_cuts_the_client_off() {
    play(
        RouteMode::Proxy,
        false,
        |_, mut stream| {
            read_head(&mut stream);
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
                .unwrap();
        },
        |address| {
            let mut stream = connect(address);
            stream
                .write_all(b"GET /bucket/key HTTP/1.1\r\nHost: h\r\n\r\n")
                .unwrap();
            read_head(&mut stream);
            assert_eq!(read_exact(&mut stream, 3), b"abc");
            assert!(is_closed(&mut stream));
        },
    );
}

#[test]
fn a_core_that_says_nothing_is_unavailable() {
    let head = play(
        RouteMode::Proxy,
        false,
        |_, stream| drop(stream),
        |address| {
            let mut stream = connect(address);
            stream
                .write_all(b"GET /bucket/key HTTP/1.1\r\nHost: h\r\n\r\n")
                .unwrap();
            read_head(&mut stream)
        },
    );
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
}

#[test]
fn a_redirect_names_the_core_and_carries_a_ticket() {
    let (get, put) = play(
        RouteMode::Redirect,
        true,
        |_, _| panic!("nothing is proxied"),
        |address| {
            let mut stream = connect(address);
            stream
                .write_all(b"GET /s3/bucket/a%20b?x=y HTTP/1.1\r\nHost: evil.example\r\n\r\n")
                .unwrap();
            let get = read_head(&mut stream);
            let length = get
                .split_once("Content-Length: ")
                .unwrap()
                .1
                .split_once("\r\n")
                .unwrap()
                .0
                .parse()
                .unwrap();
            let body = String::from_utf8(read_exact(&mut stream, length)).unwrap();
            assert!(
                body.contains("<Bucket>bucket</Bucket><Endpoint>core.example:"),
                "{body}"
            );
            assert!(body.contains("/s3</Endpoint>"), "{body}");
            stream
                .write_all(b"PUT /bucket/k HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
                .unwrap();
            (get, read_head(&mut stream))
        },
    );
    assert!(get.starts_with("HTTP/1.1 307"));
    assert!(get.contains("x-amz-bucket-region: us-east-1\r\n"));
    assert!(!get.contains("Connection: close"));
    let location = get.split_once("Location: ").unwrap().1.split_once("\r\n").unwrap().0;
    let (place, query) = location.split_once('?').unwrap();
    assert!(
        place.starts_with("http://core.example:") && place.ends_with("/s3/bucket/a%20b"),
        "{place}"
    );
    let sealed = ticket::find(query).unwrap();
    let opened = TicketKey::from_bytes(CLUSTER_KEY).open(sealed, unix_s()).unwrap();
    assert!(matches!(opened.grant, Grant::Object { object, .. } if object.key == "a b"));
    // The body was not read: where the next request would begin is unknown.
    assert!(
        put.starts_with("HTTP/1.1 307") && put.contains("Connection: close\r\n"),
        "{put}"
    );
}

#[test]
fn what_a_core_passed_back_is_never_redirected() {
    let sealed = TicketKey::from_bytes(CLUSTER_KEY).seal(&Ticket {
        issued_unix_ms: unix_s() * 1000,
        expires_unix_s: unix_s() + 60,
        node: [9; 16],
        core: 0,
        shard: [0; 16],
        principal: Principal::default(),
        proxied: false,
        grant: Grant::Relay {
            client: "192.0.2.1:99".to_owned(),
        },
    });
    let heads = play(
        RouteMode::Redirect,
        true,
        |_, mut stream| {
            while !read_head(&mut stream).is_empty() {
                stream.write_all(OK).unwrap();
            }
        },
        move |address| {
            let mut heads = Vec::new();
            for value in [sealed.as_str(), "forged"] {
                let mut stream = connect(address);
                let head = format!("GET /bucket/k HTTP/1.1\r\nHost: h\r\nx-corelane-relay: {value}\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                heads.push(read_head(&mut stream));
            }
            heads
        },
    );
    assert!(heads[0].starts_with("HTTP/1.1 200"), "{heads:?}");
    assert!(heads[1].starts_with("HTTP/1.1 307"), "{heads:?}");
}

#[test]
fn a_forged_ticket_is_refused_and_an_unread_small_body_keeps_the_connection() {
    let heads = play(
        RouteMode::Proxy,
        false,
        |_, _| panic!("nothing reaches the core"),
        |address| {
            let mut stream = connect(address);
            let mut heads = Vec::new();
            for request in [
                "PUT /bucket/k?corelane-ticket=forged HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde",
                "PUT /nosuch/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde",
                "HEAD /nosuch/k HTTP/1.1\r\nHost: h\r\n\r\n",
                "PUT /nosuch/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
            ] {
                stream.write_all(request.as_bytes()).unwrap();
                let head = read_head(&mut stream);
                if !request.starts_with("HEAD") {
                    let length = head
                        .split_once("Content-Length: ")
                        .unwrap()
                        .1
                        .split_once("\r\n")
                        .unwrap()
                        .0;
                    read_exact(&mut stream, length.parse().unwrap());
                }
                heads.push(head);
            }
            assert!(is_closed(&mut stream));
            heads
        },
    );
    let statuses: Vec<&str> = heads.iter().filter_map(|head| head.get(9..12)).collect();
    assert_eq!(statuses, ["403", "404", "404", "404"]);
}
