//! Lines of the access log: what they say, that nobody can forge one, and how they get to the writer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_proto::{
    access_log::{
        Entry, Format,
        queue::{Lines, queue},
    },
    limits::ACCESS_LOG_LINES_MAX,
};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const ENTRY: Entry<'_> = Entry {
    unix_ms: 1_795_435_200_042,
    client: None,
    user: "alice",
    access_key: "AKEXAMPLE",
    operation: "GetObject",
    bucket: "photos",
    key: "a b/ü.jpg",
    path: "/s3/photos/a%20b/%C3%BC.jpg",
    status: 200,
    received_bytes: 0,
    sent_bytes: 51234,
    duration: Duration::from_micros(1_000_320),
    way: "redirect",
    request_id: "4BF92F3577B34DA6",
    user_agent: b"Boto3/1.44 \"x\"\\\xfc",
};

fn text(entry: &Entry<'_>) -> String {
    String::from_utf8(entry.line(Format::Text)).unwrap()
}

fn json(entry: &Entry<'_>) -> String {
    String::from_utf8(entry.line(Format::Json)).unwrap()
}

#[test]
fn text_lines() {
    let entry = Entry {
        client: Some("10.0.0.7".parse().unwrap()),
        ..ENTRY
    };
    assert_eq!(
        text(&entry),
        "2026-11-23T12:00:00.042Z 10.0.0.7 alice AKEXAMPLE GetObject /photos/a%20b/%C3%BC.jpg 200 0 51234 1.000320 \
         redirect 4BF92F3577B34DA6 \"Boto3/1.44 \\x22x\\x22\\x5c\\xfc\"\n"
    );
    let nothing = Entry {
        user: "",
        access_key: "",
        operation: "",
        bucket: "",
        key: "",
        path: "",
        status: 0,
        user_agent: b"",
        ..ENTRY
    };
    assert_eq!(
        text(&nothing),
        "2026-11-23T12:00:00.042Z - - - - - - 0 51234 1.000320 redirect 4BF92F3577B34DA6 -\n"
    );
    let bucket = Entry { key: "", ..ENTRY };
    assert!(text(&bucket).contains(" /photos 200 "));
    let path = Entry { bucket: "", ..ENTRY };
    assert!(text(&path).contains(" /s3/photos/a%2520b/%25C3%25BC.jpg 200 "));
}

#[test]
fn json_lines() {
    let entry = Entry {
        client: Some("::1".parse().unwrap()),
        ..ENTRY
    };
    assert_eq!(
        json(&entry),
        "{\"time\":\"2026-11-23T12:00:00.042Z\",\"client\":\"::1\",\"user\":\"alice\",\"access_key\":\"AKEXAMPLE\",\
         \"operation\":\"GetObject\",\"bucket\":\"photos\",\"key\":\"a b/ü.jpg\",\"path\":null,\"way\":\"redirect\",\
         \"request_id\":\"4BF92F3577B34DA6\",\"user_agent\":\"Boto3/1.44 \\\"x\\\"\\\\\u{fffd}\",\"status\":200,\
         \"received_bytes\":0,\"sent_bytes\":51234,\"duration_s\":1.000320}\n"
    );
    let unanswered = Entry {
        status: 0,
        bucket: "",
        key: "",
        ..ENTRY
    };
    assert!(json(&unanswered).contains("\"bucket\":null,\"key\":null,\"path\":\"/s3/photos/a%20b/%C3%BC.jpg\""));
    assert!(json(&unanswered).contains("\"status\":null"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Whatever a client puts into a request, it makes one line with as many fields as any.
    #[test]
    fn nobody_forges_a_line(
        key in any::<String>(),
        path in any::<String>(),
        user in any::<String>(),
        user_agent in proptest::collection::vec(any::<u8>(), 0..600),
        has_bucket in any::<bool>(),
    ) {
        let entry = Entry {
            key: &key,
            path: &path,
            user: &user,
            bucket: if has_bucket { "photos" } else { "" },
            user_agent: &user_agent,
            ..ENTRY
        };
        let line = text(&entry);
        let (fields, agent) = line.split_once('"').unwrap_or((line.as_str(), ""));
        prop_assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
        prop_assert!(line.is_ascii() && !line.trim_end().chars().any(char::is_control));
        prop_assert!(agent.matches('"').count() <= 1 && agent.len() < 256 * 4 + 3);
        prop_assert_eq!(fields.trim_end_matches(" -\n").trim_end().split(' ').count(), 12, "{}", line);
        let object = json(&entry);
        prop_assert_eq!(object.matches('\n').count(), 1);
        prop_assert!(!object.trim_end().chars().any(char::is_control));
    }
}

/// A log that a test reads along, and that fails while it is told to.
#[derive(Clone, Default)]
struct Shared {
    written: Arc<Mutex<Vec<u8>>>,
    fails: Arc<AtomicBool>,
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn line(number: usize) -> Vec<u8> {
    format!("line {number}\n").into_bytes()
}

#[test]
fn a_full_queue_drops_and_counts_and_what_is_in_it_is_written() {
    let (lines, writer) = queue();
    for number in 0..ACCESS_LOG_LINES_MAX + 3 {
        lines.send(line(number));
    }
    assert_eq!(lines.dropped(), 3);
    lines.close();
    let log = Shared::default();
    writer.run(
        log.clone(),
        || panic!("opened again"),
        &AtomicBool::new(false),
        |_| panic!("an error"),
    );
    let expected: Vec<u8> = (0..ACCESS_LOG_LINES_MAX).flat_map(line).collect();
    assert!(*log.written.lock().unwrap() == expected);
    // Nobody takes lines any more: they are dropped, and nobody waits.
    lines.send(line(0));
    assert_eq!(lines.dropped(), 4);
}

#[test]
fn the_log_is_opened_again_when_asked() {
    let (lines, writer) = queue();
    let (first, second) = (Shared::default(), Shared::default());
    lines.send(line(1));
    lines.close();
    let reopen = AtomicBool::new(true);
    let mut opened = vec![second.clone()];
    let mut open = || opened.pop().ok_or_else(|| io::Error::other("opened twice"));
    writer.run(first.clone(), &mut open, &reopen, |_| panic!("an error"));
    assert!(first.written.lock().unwrap().is_empty());
    assert_eq!(*second.written.lock().unwrap(), line(1));
    // One that cannot be opened leaves the old one in use.
    let (lines, writer) = queue();
    lines.send(line(2));
    lines.close();
    let reported = AtomicBool::new(false);
    let report = |_: &io::Error| reported.store(true, Ordering::Relaxed);
    writer.run(
        first.clone(),
        || Err(io::Error::other("no")),
        &AtomicBool::new(true),
        report,
    );
    assert_eq!(*first.written.lock().unwrap(), line(2));
    assert!(reported.load(Ordering::Relaxed));
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_told_once() {
    let (lines, writer): (Lines, _) = queue();
    let log = Shared::default();
    log.fails.store(true, Ordering::Relaxed);
    // More than one batch.
    for _ in 0..100 {
        lines.send(vec![b'x'; 4096]);
    }
    lines.close();
    let reports = Mutex::new(0);
    let report = |_: &io::Error| *reports.lock().unwrap() += 1;
    writer.run(log, || panic!("opened again"), &AtomicBool::new(false), report);
    assert_eq!((lines.dropped(), *reports.lock().unwrap()), (100, 1));
}
