//! The generator against small servers that answer as scripted.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::{
    generator::{LoadGenerator, Tally, poller},
    plan::{Order, Plan, Step},
    request::{Method, Pattern, Request},
};
use crate::error::Result;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
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

fn plan(steps: Vec<Step>, answer_bytes: Option<u64>) -> Plan {
    Plan {
        tls: None,
        clients: 3,
        steps,
        order: Order::InTurn,
        accept: &[200],
        answer_bytes,
    }
}

fn drive(steps: Vec<Step>, answer_bytes: Option<u64>) -> Result<(Tally, u64)> {
    let plan = plan(steps, answer_bytes);
    let epoll = poller()?;
    let mut load = LoadGenerator::new(&plan, &epoll);
    let (tallies, _) = load.drive(WINDOW)?;
    load.drain(PATIENCE)?;
    Ok((tallies.into_iter().next().unwrap(), load.reconnects()))
}

/// A server that notes the paths it is asked for, and steps that ask for `count` different ones.
fn noting(count: usize) -> (Arc<Mutex<Vec<String>>>, Vec<Step>) {
    let paths = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&paths);
    let address = serve(move |head| {
        let path = head.split(' ').nth(1).unwrap().to_owned();
        noted.lock().unwrap().push(path);
        ok(1)
    });
    let step = |index| Step::Straight {
        address,
        request: Request::new(Method::Get, "host", &format!("/b/{index:03}"), &[], None),
    };
    (paths, (0..count).map(step).collect())
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

#[test]
fn every_step_is_taken_once() {
    let (paths, steps) = noting(100);
    let plan = Plan {
        tls: None,
        order: Order::Random,
        ..plan(steps, Some(1))
    };
    let epoll = poller().unwrap();
    let mut load = LoadGenerator::new(&plan, &epoll);
    let tallies = load.run_once().unwrap();
    assert_eq!(tallies.iter().map(|tally| tally.requests).collect::<Vec<_>>(), [100]);
    let mut paths = std::mem::take(&mut *paths.lock().unwrap());
    paths.sort();
    let expected: Vec<String> = (0..100).map(|index| format!("/b/{index:03}")).collect();
    assert_eq!(paths, expected);
    assert!(load.drive(WINDOW).unwrap().0.iter().all(|tally| tally.requests > 0));
}

#[test]
fn random_order_leaves_the_order_of_the_plan() {
    let (paths, steps) = noting(50);
    let plan = Plan {
        tls: None,
        order: Order::Random,
        clients: 1,
        ..plan(steps, Some(1))
    };
    let epoll = poller().unwrap();
    let mut load = LoadGenerator::new(&plan, &epoll);
    let mut asked = 0;
    while asked < 20 {
        load.drive(Duration::from_millis(10)).unwrap();
        asked = paths.lock().unwrap().len();
    }
    load.drain(PATIENCE).unwrap();
    assert!(!paths.lock().unwrap().is_sorted());
}

#[test]
fn plans_run_side_by_side_and_are_counted_apart() {
    let reads = plan(vec![get(serve(|_| ok(1000)))], Some(1000));
    let payload = Pattern::new().payload(0, 7);
    let address = serve(|_| ok(0));
    let request = Request::new(Method::Put, "host", "/b/k", &[], Some(payload));
    let writes = plan(vec![Step::Straight { address, request }], Some(0));
    let epoll = poller().unwrap();
    let mut load = LoadGenerator::side_by_side(&[&reads, &writes], &epoll);
    let (tallies, _) = load.drive(WINDOW).unwrap();
    load.drain(PATIENCE).unwrap();
    let [read, written] = tallies.as_slice() else {
        panic!("a tally for each plan")
    };
    for (tally, bytes) in [(read, 1000), (written, 7)] {
        assert!(tally.requests > 0);
        assert!((tally.requests * bytes..=(tally.requests + 3) * bytes).contains(&tally.payload_bytes));
    }
}

#[test]
fn a_load_goes_on_for_as_long_as_it_is_told_to() {
    let plan = plan(vec![get(serve(|_| ok(10)))], Some(10));
    let epoll = poller().unwrap();
    let mut load = LoadGenerator::new(&plan, &epoll);
    let (tallies, _) = load.drive_while(|moved, _| Ok(moved < 1000)).unwrap();
    let moved: u64 = tallies.iter().map(|tally| tally.payload_bytes).sum();
    assert!(moved >= 1000, "{moved}");
}
