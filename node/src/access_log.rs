//! The node's access log: a line for each request that a core answers on a client's own connection. What comes through a
//! gateway is in the gateway's log. A core puts a line into a queue and goes on; one thread of the node writes.

use crate::{
    admission::{Admitted, Authority, Work},
    config::LogFormat,
    core::{Core, unix_ms},
};
use proto::{
    access_log::{
        Entry, Format,
        switch::{Log, Opener, Switch},
    },
    http::head::RequestHead,
};
use signal_hook::consts::SIGHUP;
use std::{fs::OpenOptions, io, net::IpAddr, os::unix::fs::OpenOptionsExt, path::Path, time::Instant};

/// The name that stands for standard error.
const STANDARD_ERROR: &str = "-";

/// The node's log, off; SIGHUP has a file opened again.
pub fn switch() -> io::Result<Switch> {
    let switch = Switch::new(Opener {
        open,
        report: |path, error| tracing::error!(log = %path.display(), %error, "the access log"),
    });
    signal_hook::flag::register(SIGHUP, switch.reopening())?;
    Ok(switch)
}

/// Turns it to a file, to `-` for standard error, or off.
pub fn turn(switch: &Switch, path: Option<&Path>, format: LogFormat) -> io::Result<()> {
    let Some(path) = path else {
        switch.turn_off();
        return Ok(());
    };
    let format = match format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    switch.turn_on(path, switch.open(path)?, format)
}

fn open(path: &Path) -> io::Result<Log> {
    if path == Path::new(STANDARD_ERROR) {
        return Ok(Box::new(io::stderr()));
    }
    // It tells who reads what: nobody else's business. Appending, because a gateway writes to the same file.
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    Ok(Box::new(file))
}

/// A request as the log will tell of it, from its head to its end.
#[derive(Debug)]
pub struct Record {
    log: Switch,
    format: Format,
    arrived: Instant,
    unix_ms: u64,
    client: Option<IpAddr>,
    way: &'static str,
    path: String,
    user_agent: Vec<u8>,
    user: String,
    access_key: String,
    operation: &'static str,
    bucket: String,
    key: String,
}

/// What is known at the end of a request.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'o> {
    /// The status; 0: not answered.
    pub status: u16,
    /// Bytes of its body that were taken.
    pub received_bytes: u64,
    /// Bytes of the answer's body that were sent.
    pub sent_bytes: u64,
    /// Its id.
    pub request_id: &'o str,
}

impl Record {
    /// Of a request that has just come, if there is a log: only then is anybody asked for the client's address. Without
    /// `head` it was no HTTP.
    pub fn new(core: &Core, client: impl FnOnce() -> Option<IpAddr>, head: Option<&RequestHead>) -> Option<Box<Self>> {
        let format = core.access_log.format()?;
        Some(Box::new(Self {
            log: core.access_log.clone(),
            format,
            arrived: Instant::now(),
            unix_ms: unix_ms(),
            client: client(),
            way: "redirect",
            path: head.map(RequestHead::raw_path).unwrap_or_default().to_owned(),
            user_agent: head
                .and_then(|head| head.header("user-agent"))
                .unwrap_or_default()
                .to_vec(),
            user: String::new(),
            access_key: String::new(),
            operation: "",
            bucket: String::new(),
            key: String::new(),
        }))
    }

    /// What it was admitted for. `None`: somebody else writes it down, or it is no client's.
    pub fn granted(mut self: Box<Self>, admitted: &Admitted) -> Option<Box<Self>> {
        let Work::Object(object) = &admitted.work else {
            return None;
        };
        self.way = match admitted.authority {
            Authority::ProxiedTicket => return None,
            Authority::Ticket => "redirect",
            Authority::HandedTicket => "handoff",
            Authority::Lease => "lease",
        };
        self.user.clone_from(&admitted.principal.display_name);
        self.access_key.clone_from(&admitted.principal.access_key);
        self.operation = object.operation.name();
        self.bucket.clone_from(&object.bucket.name);
        self.key.clone_from(&object.key);
        Some(self)
    }

    /// Puts the line into the queue.
    pub fn end(&self, outcome: Outcome<'_>) {
        let entry = Entry {
            unix_ms: self.unix_ms,
            client: self.client,
            user: &self.user,
            access_key: &self.access_key,
            operation: self.operation,
            bucket: &self.bucket,
            key: &self.key,
            path: &self.path,
            status: outcome.status,
            received_bytes: outcome.received_bytes,
            sent_bytes: outcome.sent_bytes,
            duration: self.arrived.elapsed(),
            way: self.way,
            request_id: outcome.request_id,
            user_agent: &self.user_agent,
        };
        self.log.send(entry.line(self.format));
    }
}
