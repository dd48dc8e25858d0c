//! One client that lists a bucket page by page, and checks that the names are all there and in order.

use crate::{
    cell::BUCKET_PATH,
    error::{BenchError, Result},
    limits::{LIST_PAGE_NAMES, XML_START_BYTES},
    loadgen::{
        histogram::Histogram,
        request::{Method, Request},
    },
    measure::processor_times,
    server::{cpu, process::Server},
    session::Session,
    signature::Signer,
    xml_text::{text_of, texts},
};
use serde::Serialize;
use std::time::{Duration, Instant};

/// What some pages showed.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// What was listed.
    pub what: String,
    /// Pages.
    pub pages: u64,
    /// Names and common prefixes.
    pub names: u64,
    /// Names and common prefixes a second, from the first request to the last answer.
    pub names_per_s: f64,
    /// Time of a page that half of them do not exceed, in milliseconds.
    pub p50_ms: f64,
    /// Time of a page that 99 % of them do not exceed, in milliseconds.
    pub p99_ms: f64,
    /// Time a page in which the server waits for the client: from an answer's last byte until the next request is sent.
    pub client_turn_us: f64,
    /// Bytes of a page's body.
    pub page_bytes: f64,
    /// Processor time of the server a page, in microseconds, by process.
    pub server_cpu_us_by_process: Vec<(String, f64)>,
    /// Share of its processor the client used.
    pub client_busy: f64,
}

/// A query but for where its pages begin.
pub type Parameters<'q> = [(&'q str, &'q str)];

/// The client.
#[derive(Debug)]
pub struct Lister<'a> {
    server: &'a Server,
    signer: &'a Signer,
    authority: String,
    session: Session,
}

#[derive(Default)]
struct Count {
    pages: u64,
    names: u64,
    bytes: u64,
    turns: Duration,
    latency: Histogram,
}

impl<'a> Lister<'a> {
    /// Connects to the gateway.
    pub fn open(server: &'a Server, signer: &'a Signer) -> Result<Self> {
        Ok(Self {
            server,
            signer,
            authority: server.address().to_string(),
            session: Session::open(server.address())?,
        })
    }

    /// All pages of a listing, from the first to the last.
    pub fn all_pages(&mut self, what: &str, parameters: &Parameters<'_>) -> Result<Listed> {
        self.measured(what, |this, count| this.walk(parameters, count))
    }

    /// One page, again and again for `length`.
    pub fn same_page(&mut self, what: &str, parameters: &Parameters<'_>, length: Duration) -> Result<Listed> {
        let request = self.request(parameters, None);
        self.measured(what, |this, count| {
            let begun = Instant::now();
            let mut body = Vec::new();
            let mut ended = begun;
            while begun.elapsed() < length {
                this.session.send(&request)?;
                let sent = Instant::now();
                count.turns += sent - ended;
                this.receive(sent, count, &mut body)?;
                ended = Instant::now();
                check(document(&body)?, "", count)?;
            }
            Ok(())
        })
    }

    fn measured(&mut self, what: &str, run: impl FnOnce(&mut Self, &mut Count) -> Result<()>) -> Result<Listed> {
        let mut count = Count::default();
        let (server_before, client_before) = (self.server.cpu_used()?, cpu::used_here()?);
        let begun = Instant::now();
        run(self, &mut count).map_err(|error| self.server.explain(error))?;
        let seconds = begun.elapsed().as_secs_f64();
        let used = processor_times(self.server, &server_before)?;
        let client = cpu::used_here()?.saturating_sub(client_before);
        let pages = count.pages as f64;
        let milliseconds = |share| {
            let latency = count.latency.quantile(share);
            latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
        };
        Ok(Listed {
            what: what.to_owned(),
            pages: count.pages,
            names: count.names,
            names_per_s: count.names as f64 / seconds,
            p50_ms: milliseconds(0.5),
            p99_ms: milliseconds(0.99),
            client_turn_us: count.turns.as_secs_f64() * 1e6 / pages,
            page_bytes: count.bytes as f64 / pages,
            server_cpu_us_by_process: used
                .into_iter()
                .map(|(role, used)| (role, used.as_secs_f64() * 1e6 / pages))
                .collect(),
            client_busy: client.as_secs_f64() / seconds,
        })
    }

    /// Each page is asked for as soon as the one before is there, and that is checked meanwhile.
    fn walk(&mut self, parameters: &Parameters<'_>, count: &mut Count) -> Result<()> {
        let (mut body, mut before) = (Vec::new(), Vec::new());
        let mut last = String::new();
        let mut next = Some(self.request(parameters, None));
        let mut ended = Instant::now();
        while let Some(request) = next {
            self.session.send(&request)?;
            let sent = Instant::now();
            count.turns += sent - ended;
            if !before.is_empty() {
                last = check(document(&before)?, &last, count)?;
            }
            self.receive(sent, count, &mut body)?;
            ended = Instant::now();
            let token = continuation(document(&body)?);
            next = token.map(|token| self.request(parameters, Some(token)));
            std::mem::swap(&mut body, &mut before);
        }
        check(document(&before)?, &last, count)?;
        Ok(())
    }

    fn receive(&mut self, sent: Instant, count: &mut Count, body: &mut Vec<u8>) -> Result<()> {
        let reply = self.session.reply(body)?;
        if reply.status != 200 {
            return Err(self.session.unexpected(&reply, body));
        }
        count.latency.record(sent.elapsed());
        count.pages += 1;
        count.bytes += body.len() as u64;
        Ok(())
    }

    fn request(&self, parameters: &Parameters<'_>, token: Option<&str>) -> Request {
        let page = LIST_PAGE_NAMES.to_string();
        let token = token.map(|token| ("continuation-token", token));
        let ours = [("list-type", "2"), ("max-keys", page.as_str())];
        let all: Vec<(&str, &str)> = parameters.iter().chain(&ours).copied().chain(token).collect();
        self.signer
            .request_with_query(Method::Get, &self.authority, (BUCKET_PATH, &all), &[], None)
    }
}

fn document(body: &[u8]) -> Result<&str> {
    std::str::from_utf8(body).map_err(|_| wrong("a page is not UTF-8"))
}

/// Where the listing goes on, which stands before the names.
fn continuation(document: &str) -> Option<&str> {
    let start = document.get(..XML_START_BYTES).unwrap_or(document);
    text_of(start, "NextContinuationToken")
}

/// Counts the names of a page, all of which must come after the one before and after `last`; returns the last.
fn check(document: &str, last: &str, count: &mut Count) -> Result<String> {
    let (keys, mut last) = in_order(texts(document, "<Key>"), last)?;
    let mut names = keys;
    if document.contains("<CommonPrefixes>") {
        let (prefixes, last_prefix) = in_order(texts(document, "<CommonPrefixes><Prefix>"), "")?;
        names += prefixes;
        last = last.max(last_prefix);
    }
    let said: Option<u64> = text_of(document, "KeyCount").and_then(|text| text.parse().ok());
    if said != Some(names) {
        return Err(wrong(&format!("a page of {names} names says that it has {said:?}")));
    }
    count.names += names;
    Ok(last.to_owned())
}

fn in_order<'d>(names: impl Iterator<Item = &'d str>, after: &'d str) -> Result<(u64, &'d str)> {
    let (mut number, mut last) = (0, after);
    for name in names {
        if name <= last {
            return Err(wrong(&format!("{name} is listed after {last}")));
        }
        (number, last) = (number + 1, name);
    }
    Ok((number, last))
}

fn wrong(what: &str) -> BenchError {
    BenchError::Server(format!("a listing is wrong: {what}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_and_must_be_in_order() {
        let mut count = Count::default();
        let page = "<R><NextContinuationToken>t=</NextContinuationToken><KeyCount>3</KeyCount><Contents><Key>a</Key></Contents>\
                    <Contents><Key>c</Key></Contents><CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></R>";
        assert_eq!(continuation(page), Some("t="));
        assert_eq!(check(page, "", &mut count).unwrap(), "c");
        assert_eq!(count.names, 3);
        assert!(check(page, "a", &mut count).is_err());
        let short = "<R><KeyCount>2</KeyCount><Key>a</Key></R>";
        assert!(check(short, "", &mut count).is_err());
        assert!(check("<R><KeyCount>2</KeyCount><Key>b</Key><Key>a</Key></R>", "", &mut count).is_err());
    }
}
