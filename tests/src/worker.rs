//! A client at work on a few keys: every operation goes into its history, whatever becomes of it.

use crate::{
    client::{Client, Ports, Way},
    digest::md5_base64,
    history::{Clock, Event, History, Outcome},
    lanes::Lanes,
    raw::Response,
    request::Request,
    value::{self, ABSENT, Listed, Value, Version},
    xml,
};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// What all clients of a test share.
#[derive(Debug)]
pub struct Work {
    /// The bucket.
    pub bucket: String,
    /// Its keys, sorted; nobody makes others.
    pub keys: Vec<String>,
    /// Where they live.
    pub lanes: Lanes,
    /// The time.
    pub clock: Clock,
    versions: AtomicU64,
}

/// An operation without an answer that says what became of it.
#[derive(Debug)]
pub struct Trouble {
    /// When it was over.
    pub at_ns: u64,
    /// What came instead.
    pub what: String,
}

/// One of the clients.
#[derive(Debug)]
pub struct Worker<'w> {
    work: &'w Work,
    number: usize,
    client: Client<'w>,
    history: History,
}

impl Work {
    /// Nothing has been written yet.
    pub fn new(bucket: &str, mut keys: Vec<String>, lanes: Lanes) -> Self {
        keys.sort();
        Self {
            bucket: bucket.to_owned(),
            keys,
            lanes,
            clock: Clock::start(),
            versions: AtomicU64::new(ABSENT + 1),
        }
    }
}

impl<'w> Worker<'w> {
    /// A client with its number, for reports.
    pub fn new(work: &'w Work, number: usize, ports: Ports) -> Self {
        Self {
            work,
            number,
            client: Client::new(ports, &work.lanes),
            history: History::default(),
        }
    }

    /// What it shares with the others.
    pub fn work(&self) -> &'w Work {
        self.work
    }

    /// What it did and saw.
    pub fn into_history(self) -> History {
        self.history
    }

    /// Puts a new value of this many bytes.
    pub fn put(&mut self, way: Way, key: &str, length: usize) -> Result<(), Trouble> {
        let value = Value {
            key: key.to_owned(),
            version: self.work.versions.fetch_add(1, Ordering::Relaxed),
            length,
        };
        let (mut request, listed) = value.put(&self.work.bucket);
        if value.version.is_multiple_of(2) {
            request = request.header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        }
        let etag = format!("\"{}\"", listed.etag);
        self.history.note_value(&value, listed);
        let invoked_ns = self.work.clock.now_ns();
        let answer = self.client.send_object(way, key, request);
        let returned = self.answered(answer, &[200]);
        if let Ok((_, answer)) = &returned {
            assert_eq!(answer.header("etag"), Some(etag.as_str()), "PUT of {value:?}");
        }
        self.wrote("PUT", key, value.version, invoked_ns, at_ns(&returned));
        returned.map(drop)
    }

    /// Deletes a key.
    pub fn delete(&mut self, way: Way, key: &str) -> Result<(), Trouble> {
        let request = Request::object("DELETE", &self.work.bucket, key);
        let invoked_ns = self.work.clock.now_ns();
        let answer = self.client.send_object(way, key, request);
        let returned = self.answered(answer, &[204]);
        self.wrote("DELETE", key, ABSENT, invoked_ns, at_ns(&returned));
        returned.map(drop)
    }

    /// Deletes several keys with one request. Those whose answer is an error may have gone or not.
    pub fn delete_many(&mut self, way: Way, keys: &[String]) -> Result<(), Trouble> {
        let objects: String = keys
            .iter()
            .map(|key| format!("<Object><Key>{}</Key></Object>", xml::escape(key)))
            .collect();
        let body = format!("<Delete>{objects}</Delete>");
        let request = Request::bucket("POST", &self.work.bucket)
            .subresource("delete")
            .header("Content-MD5", md5_base64(body.as_bytes()))
            .body(body);
        let invoked_ns = self.work.clock.now_ns();
        let answer = self.client.send(way, request);
        let returned = self.answered(answer, &[200]);
        let deleted = returned.as_ref().map_or(Vec::new(), |(_, answer)| {
            let deleted = xml::inner(&answer.text(), "Deleted").join("");
            xml::texts(&deleted, "Key")
        });
        for key in keys {
            let returned_ns = at_ns(&returned).filter(|_| deleted.contains(key));
            self.wrote("DeleteObjects", key, ABSENT, invoked_ns, returned_ns);
        }
        let (at_ns, answer) = returned?;
        match keys.iter().all(|key| deleted.contains(key)) {
            true => Ok(()),
            false => Err(Trouble {
                at_ns,
                what: answer.text(),
            }),
        }
    }

    /// Gets a key and looks at every byte.
    pub fn get(&mut self, way: Way, key: &str) -> Result<Version, Trouble> {
        self.read("GET", way, key)
    }

    /// Asks for a key's head.
    pub fn head(&mut self, way: Way, key: &str) -> Result<Version, Trouble> {
        self.read("HEAD", way, key)
    }

    fn read(&mut self, method: &'static str, way: Way, key: &str) -> Result<Version, Trouble> {
        let request = Request::object(method, &self.work.bucket, key);
        let invoked_ns = self.work.clock.now_ns();
        let answer = self.client.send_object(way, key, request);
        let (at_ns, answer) = self.answered(answer, &[200, 404])?;
        let version = value::read(key, method, &answer).unwrap_or_else(|wrong| panic!("{wrong}"));
        let Some(version) = version else {
            return Err(trouble(at_ns, &answer));
        };
        self.note(method, key, Outcome::Saw(version), invoked_ns, Some(at_ns));
        Ok(version)
    }

    /// Lists all keys, so many a page. Each page is a read of the keys it covers.
    pub fn list(&mut self, way: Way, max_keys: usize) -> Result<(), Trouble> {
        let mut after: Option<String> = None;
        loop {
            let mut request = Request::bucket("GET", &self.work.bucket)
                .query("list-type", "2")
                .query("max-keys", &max_keys.to_string());
            if let Some(after) = &after {
                request = request.query("start-after", after);
            }
            let invoked_ns = self.work.clock.now_ns();
            let answer = self.client.send(way, request);
            let (at_ns, answer) = self.answered(answer, &[200])?;
            let page = Page::read(&answer.text());
            let work = self.work;
            for key in &page.keys {
                assert!(work.keys.contains(key.0), "LIST has {:?}, which nobody put", key.0);
                assert!(
                    after.as_ref().is_none_or(|after| key.0 > after),
                    "LIST goes back to {:?}",
                    key.0
                );
            }
            let covered = |key: &&String| {
                after.as_ref().is_none_or(|after| *key > after) && page.end.as_ref().is_none_or(|end| *key <= end)
            };
            for key in work.keys.iter().filter(covered) {
                let listed = page.keys.get(key).cloned();
                self.note("LIST", key, Outcome::Listed(listed), invoked_ns, Some(at_ns));
            }
            if page.end.is_none() {
                return Ok(());
            }
            after = page.end;
        }
    }

    /// The time and the answer, if its status is one of these.
    fn answered(&self, answer: std::io::Result<Response>, statuses: &[u16]) -> Result<(u64, Response), Trouble> {
        let at_ns = self.work.clock.now_ns();
        match answer {
            Ok(answer) if statuses.contains(&answer.status) => Ok((at_ns, answer)),
            Ok(answer) => Err(trouble(at_ns, &answer)),
            Err(error) => Err(Trouble {
                at_ns,
                what: error.to_string(),
            }),
        }
    }

    fn wrote(&mut self, how: &'static str, key: &str, version: Version, invoked_ns: u64, returned_ns: Option<u64>) {
        self.note(how, key, Outcome::Wrote(version), invoked_ns, returned_ns);
    }

    fn note(&mut self, how: &'static str, key: &str, outcome: Outcome, invoked_ns: u64, returned_ns: Option<u64>) {
        self.history.note(Event {
            client: self.number,
            key: key.to_owned(),
            how,
            outcome,
            invoked_ns,
            returned_ns,
        });
    }
}

fn at_ns(answered: &Result<(u64, Response), Trouble>) -> Option<u64> {
    answered.as_ref().ok().map(|(at_ns, _)| *at_ns)
}

fn trouble(at_ns: u64, answer: &Response) -> Trouble {
    Trouble {
        at_ns,
        what: format!("{} {}", answer.status, answer.text()),
    }
}

/// A page of a listing.
struct Page {
    keys: BTreeMap<String, Listed>,
    /// Its last key, if there are more.
    end: Option<String>,
}

impl Page {
    fn read(text: &str) -> Self {
        let keys: Vec<(String, Listed)> = xml::inner(text, "Contents")
            .into_iter()
            .map(|contents| {
                let text = |element: &str| xml::text(contents, element).unwrap_or_default();
                let listed = Listed {
                    etag: text("ETag").trim_matches('"').to_owned(),
                    length: text("Size").parse().unwrap(),
                };
                (text("Key"), listed)
            })
            .collect();
        assert!(
            keys.is_sorted_by(|one, other| one.0 < other.0),
            "LIST is out of order: {text}"
        );
        let truncated = xml::text(text, "IsTruncated").as_deref() == Some("true");
        let end = truncated.then(|| keys.last().expect("a truncated page holds keys").0.clone());
        Self {
            keys: keys.into_iter().collect(),
            end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn pages_are_read() {
        let contents =
            |key: &str| format!("<Contents><Key>{key}</Key><ETag>&quot;e&quot;</ETag><Size>5</Size></Contents>");
        let page = |truncated: bool| {
            format!(
                "<R><IsTruncated>{truncated}</IsTruncated>{}{}</R>",
                contents("a"),
                contents("b&amp;")
            )
        };
        let read = Page::read(&page(true));
        assert_eq!(read.keys.keys().collect::<Vec<_>>(), ["a", "b&"]);
        assert_eq!((read.keys["a"].etag.as_str(), read.keys["a"].length), ("e", 5));
        assert_eq!(read.end.as_deref(), Some("b&"));
        assert_eq!(Page::read(&page(false)).end, None);
    }
}
