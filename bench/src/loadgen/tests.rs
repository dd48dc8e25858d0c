//! The generator against small servers that answer as scripted.
#![allow(clippy::unwrap_used)]

use super::{
    generator::{LoadGenerator, Tally, poller},
    plan::{Plan, Step},
    request::{Method, Pattern, Request},
};
use crate::error::Result;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

const WINDOW: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers every request of every connection with what `answer` makes of its head; reads as many body bytes as announced.
fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            std::thread::spawn(move || serve_connection(stream.unwrap(), &answer));
        }
    });
    address
}

fn serve_connection(mut stream: TcpStream, answer: &impl Fn(&str) -> Vec<u8>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: u64 = length
            .filter(|_| !head.contains("expect:"))
            .map_or(0, |length| length.parse().unwrap());
        std::io::copy(&mut (&stream).take(length), &mut std::io::sink()).unwrap();
        let answer = answer(&head);
        if stream.write_all(&answer).is_err() || answer.windows(5).any(|bytes| bytes == b"close") {
            return;
        }
    }
}

fn ok(body_bytes: usize) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {body_bytes}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + body_bytes, b'x');
    answer
}

fn get(address: SocketAddr) -> Step {
    Step::Straight {
        address,
        request: Request::new(Method::Get, "host", "/b/k", &[], None),
    }
}

fn drive(steps: Vec<Step>, answer_bytes: Option<u64>) -> Result<(Tally, u64)> {
    let plan = Plan {
        clients: 3,
        steps,
        accept: &[200],
        answer_bytes,
    };
    let epoll = poller()?;
    let mut load = LoadGenerator::new(&plan, &epoll);
    let (tally, _) = load.drive(WINDOW)?;
    load.drain(PATIENCE)?;
    Ok((tally, load.reconnects()))
}

#[test]
fn counts_requests_and_their_bytes() {
    let (tally, reconnects) = drive(vec![get(serve(|_| ok(100_000)))], Some(100_000)).unwrap();
    assert!(tally.requests > 0);
    assert!(tally.payload_bytes >= tally.requests * 100_000);
    assert!(tally.payload_bytes <= (tally.requests + 3) * 100_000);
    assert!(tally.latency.quantile(0.5).is_some());
    assert_eq!(reconnects, 0);
}

#[test]
fn a_wrong_length_is_an_error() {
    let error = drive(vec![get(serve(|_| ok(99)))], Some(100)).unwrap_err();
    assert!(error.to_string().contains("200 with 99 bytes"), "{error}");
}

#[test]
fn bytes_after_the_body_are_an_error() {
    let answer = |_: &str| b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc".to_vec();
    let error = drive(vec![get(serve(answer))], None).unwrap_err();
    assert!(
        error.to_string().contains("more bytes than its Content-Length"),
        "{error}"
    );
}

#[test]
fn an_error_is_quoted() {
    let answer = |_: &str| b"HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nAccessDenied".to_vec();
    let error = drive(vec![get(serve(answer))], None).unwrap_err();
    assert!(
        error.to_string().contains("403") && error.to_string().contains("AccessDenied"),
        "{error}"
    );
}

#[test]
fn puts_carry_their_payload() {
    let address = serve(|_| ok(0));
    let payload = Pattern::new().payload(1, 3_000_000);
    let request = Request::new(Method::Put, "host", "/b/k", &[], Some(payload));
    let (tally, _) = drive(vec![Step::Straight { address, request }], None).unwrap();
    assert!(tally.payload_bytes >= tally.requests * 3_000_000);
}

#[test]
fn a_closed_connection_is_opened_again() {
    let answer = |_: &str| b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab".to_vec();
    let (tally, reconnects) = drive(vec![get(serve(answer))], Some(2)).unwrap();
    assert!(tally.requests > 0);
    assert!(reconnects >= tally.requests);
}

#[test]
fn redirects_are_followed_with_the_body() {
    let core = serve(|head| {
        assert!(head.starts_with("PUT /b/k?ticket=1 "), "{head}");
        assert!(
            head.contains("content-length: 5000\r\n") && !head.contains("expect"),
            "{head}"
        );
        ok(0)
    });
    let gateway = serve(move |_| {
        let location = format!("http://{core}/b/k?ticket=1");
        let body = "<Error>moved</Error>";
        let length = body.len();
        format!("HTTP/1.1 307 Moved\r\nLocation: {location}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    });
    let payload = Some(Pattern::new().payload(0, 5000));
    let ask = Request::expecting("host", "/b/k", &[], 5000);
    let step = Step::Redirected {
        gateway,
        ask,
        method: Method::Put,
        payload,
    };
    let (tally, reconnects) = drive(vec![step], None).unwrap();
    assert!(tally.requests > 0);
    assert_eq!(reconnects, 0);
    assert!(tally.payload_bytes <= (tally.requests + 3) * 5000);
}
