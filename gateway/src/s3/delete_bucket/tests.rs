//! DeleteBucket against a core that plays its part, and does not.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::{
    clock::unix_s,
    config::RouteMode,
    testing::{CLUSTER_KEY, connect, play, read_exact, read_head},
};
use proto::{
    auth::ticket::{self, Grant, TicketKey},
    s3::listing::{ListEntry, ListPage, ListScope},
    wire::Encoder,
};
use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What the core was asked, in order: `list`, `uploads`, `fence`, `lift`.
type Asked = Arc<Mutex<Vec<&'static str>>>;

/// Serves messages; `answer` gets what is asked and how often it was asked before, and returns a body or a failure.
fn core(asked: &Asked, mut stream: TcpStream, answer: fn(&str, usize) -> Option<Vec<u8>>) {
    loop {
        let head = read_head(&mut stream);
        let Some(query) = head.split_whitespace().nth(1).and_then(|target| target.split_once('?')) else {
            return;
        };
        let sealed = ticket::find(query.1).unwrap();
        let message = match TicketKey::from_bytes(CLUSTER_KEY).open(sealed, unix_s()).unwrap().grant {
            Grant::List { query, .. } if matches!(query.scope, ListScope::Uploads { .. }) => "uploads",
            Grant::List { .. } => "list",
            Grant::Fence { fenced: true, .. } => "fence",
            Grant::Fence { fenced: false, .. } => "lift",
            other => panic!("{other:?}"),
        };
        let earlier = {
            let mut asked = asked.lock().unwrap();
            let earlier = asked.iter().filter(|&&one| one == message).count();
            asked.push(message);
            earlier
        };
        let (status, body) = match answer(message, earlier) {
            Some(body) => ("200 OK", body),
            None => ("503 Slow Down", b"<Error><Code>SlowDown</Code></Error>".to_vec()),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
    }
}

fn page(keys: &[&str]) -> Vec<u8> {
    let entries = keys
        .iter()
        .map(|key| ListEntry::CommonPrefix((*key).to_owned()))
        .collect();
    let page = ListPage {
        entries,
        truncated: false,
    };
    let mut encoder = Encoder::new();
    page.encode(&mut encoder);
    encoder.finish()
}

fn request(address: SocketAddr, line: &str) -> String {
    let mut stream = connect(address);
    stream
        .write_all(format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes())
        .unwrap();
    let head = read_head(&mut stream);
    let length = head
        .split_once("Content-Length: ")
        .map(|(_, rest)| rest.split_once("\r\n").unwrap().0.parse().unwrap());
    let body = match line.starts_with("HEAD") {
        true => Vec::new(),
        false => read_exact(&mut stream, length.unwrap_or(0)),
    };
    head + &String::from_utf8(body).unwrap()
}

/// Deletes the bucket; the answer, and what follows.
fn delete<T: Send + 'static>(
    answer: fn(&str, usize) -> Option<Vec<u8>>,
    then: impl FnOnce(SocketAddr) -> T + Send + 'static,
) -> (String, T, Vec<&'static str>) {
    let asked = Asked::default();
    let at_core = Arc::clone(&asked);
    let (answered, after) = play(
        RouteMode::Proxy,
        false,
        move |_, stream| {
            let asked = Arc::clone(&at_core);
            thread::spawn(move || core(&asked, stream, answer));
        },
        move |address| (request(address, "DELETE /bucket"), then(address)),
    );
    let asked = asked.lock().unwrap().clone();
    (answered, after, asked)
}

fn head_status(address: SocketAddr) -> String {
    request(address, "HEAD /bucket").get(9..12).unwrap().to_owned()
}

#[test]
fn an_empty_bucket_is_fenced_looked_into_and_removed() {
    let (answer, status, asked) = delete(|_, _| Some(page(&[])), head_status);
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(status, "404");
    assert_eq!(asked, ["list", "fence", "list", "uploads"]);
}

#[test]
fn a_bucket_with_objects_is_refused_without_a_fence() {
    let (answer, status, asked) = delete(|_, _| Some(page(&["key"])), head_status);
    assert!(answer.contains("<Code>BucketNotEmpty</Code>"), "{answer}");
    assert_eq!(status, "200");
    assert_eq!(asked, ["list"]);
}

#[test]
fn an_object_that_comes_before_the_fence_keeps_the_bucket() {
    let answer = |message: &str, earlier: usize| match (message, earlier) {
        ("list", 1) => Some(page(&["key"])),
        _ => Some(page(&[])),
    };
    let (answer, status, asked) = delete(answer, head_status);
    assert!(answer.contains("<Code>BucketNotEmpty</Code>"), "{answer}");
    assert_eq!(status, "200");
    assert_eq!(asked, ["list", "fence", "list", "lift"]);
}

#[test]
fn a_core_that_fails_leaves_the_bucket_as_it_was_once_it_can_be_told() {
    let answer = |message: &str, earlier: usize| match (message, earlier) {
        ("fence", _) | ("lift", 0) => None,
        _ => Some(page(&[])),
    };
    let (answer, (during, after), asked) = delete(answer, |address| {
        let during = head_status(address);
        let made = request(address, "PUT /bucket");
        assert!(made.contains("<Code>OperationAborted</Code>"), "{made}");
        thread::sleep(Duration::from_millis(1500));
        (during, head_status(address))
    });
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert_eq!((during.as_str(), after.as_str()), ("404", "200"));
    assert_eq!(asked, ["list", "fence", "lift", "lift"]);
}
