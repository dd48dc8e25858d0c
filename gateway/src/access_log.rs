//! The gateway's access log: a line for each request that it answers or passes through. What cores answer on connections
//! of their own is in the log of their node.

use crate::{admin::HEALTH_PATH, auth::Caller, clock::unix_ms, connection::Connection, gateway::Gateway, route::Way};
use proto::{
    access_log::{
        Entry,
        switch::{Log, Opener, Switch},
    },
    auth::ticket::Principal,
    error::S3Error,
    http::head::RequestHead,
    s3::address::Address,
};
use signal_hook::consts::SIGHUP;
use std::{
    fs::OpenOptions,
    io,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

/// The name that stands for standard error.
const STANDARD_ERROR: &str = "-";

/// What becomes known of a request while it is served.
#[derive(Debug, Default)]
pub struct Noted {
    /// When it came: on this machine's clock, and since the epoch. `None`: there is no access log.
    arrived: Option<(Instant, u64)>,
    /// Name and access key id of its sender.
    caller: Option<(String, String)>,
    /// Bytes of its body that were taken.
    pub received_bytes: u64,
    /// Bytes of the answer's body that were sent.
    pub sent_bytes: u64,
}

impl Noted {
    /// A request has come.
    pub fn new(gateway: &Gateway) -> Self {
        Self {
            arrived: gateway.access_log.format().map(|_| (Instant::now(), unix_ms())),
            ..Self::default()
        }
    }
    /// Its sender is known.
    pub fn caller(&mut self, caller: &Caller) {
        if self.arrived.is_some() {
            let name = caller.user.display_name().to_owned();
            self.caller = Some((name, caller.verified_access_key().to_owned()));
        }
    }
    /// It brought a ticket, made for this sender.
    pub fn principal(&mut self, principal: &Principal) {
        if self.arrived.is_some() {
            self.caller = Some((principal.display_name.clone(), principal.access_key.clone()));
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'o> {
    /// Its status.
    pub status: u16,
    /// Its way to a core; `None`: the gateway answered it.
    pub way: Option<Way>,
    /// Its id.
    pub request_id: &'o str,
}

/// A log that is off; SIGHUP has a file opened again. The error is one line for the operator.
pub fn switch() -> Result<Switch, String> {
    let switch = Switch::new(Opener {
        open,
        report: |path, error| tracing::error!(log = %path.display(), %error, "the access log"),
    });
    signal_hook::flag::register(SIGHUP, switch.reopening())
        .map_err(|error| format!("cannot handle signals: {error}"))?;
    Ok(switch)
}

/// Opens a log by its name.
pub fn open(path: &Path) -> io::Result<Log> {
    if path == Path::new(STANDARD_ERROR) {
        return Ok(Box::new(io::stderr()));
    }
    // It tells who reads what: nobody else's business. Appending, because a node writes to the same file.
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    Ok(Box::new(file))
}

/// Writes down a request of the S3 port. A node's registrations are none.
pub fn record(
    gateway: &Gateway,
    connection: &Connection,
    head: &RequestHead,
    address: &Result<Address, S3Error>,
    outcome: Outcome<'_>,
) {
    if gateway.access_log.format().is_none() || connection.operation == Some("Register") {
        return;
    }
    let target = address
        .as_ref()
        .ok()
        .and_then(|address| address.target(head.raw_path()).ok());
    let bucket = target.as_ref().and_then(|target| target.bucket());
    let key = target.as_ref().and_then(|target| target.key());
    let entry = Entry {
        operation: connection.operation.unwrap_or_default(),
        bucket: bucket.map_or("", |bucket| bucket.as_str()),
        key: key.map_or("", |key| key.as_str()),
        ..of_head(connection.client, head, &outcome)
    };
    write(gateway, &connection.noted, entry);
}

/// Writes down a request of the admin API, but no health check.
pub fn record_admin(gateway: &Gateway, client: IpAddr, noted: &Noted, head: &RequestHead, outcome: Outcome<'_>) {
    if head.raw_path() == HEALTH_PATH {
        return;
    }
    let entry = Entry {
        operation: "Admin",
        ..of_head(client, head, &outcome)
    };
    write(gateway, noted, entry);
}

/// Writes down what was no request.
pub fn record_refused(gateway: &Gateway, client: IpAddr, sent_bytes: u64, outcome: Outcome<'_>) {
    let noted = Noted {
        sent_bytes,
        ..Noted::new(gateway)
    };
    let entry = Entry {
        client: Some(client),
        status: outcome.status,
        way: way_name(outcome.way),
        request_id: outcome.request_id,
        ..EMPTY
    };
    write(gateway, &noted, entry);
}

fn of_head<'e>(client: IpAddr, head: &'e RequestHead, outcome: &Outcome<'e>) -> Entry<'e> {
    Entry {
        client: Some(client),
        path: head.raw_path(),
        status: outcome.status,
        way: way_name(outcome.way),
        request_id: outcome.request_id,
        user_agent: head.header("user-agent").unwrap_or_default(),
        ..EMPTY
    }
}

fn way_name(way: Option<Way>) -> &'static str {
    way.map_or("gateway", Way::name)
}

const EMPTY: Entry<'static> = Entry {
    unix_ms: 0,
    client: None,
    user: "",
    access_key: "",
    operation: "",
    bucket: "",
    key: "",
    path: "",
    status: 0,
    received_bytes: 0,
    sent_bytes: 0,
    duration: Duration::ZERO,
    way: "",
    request_id: "",
    user_agent: b"",
};

fn write(gateway: &Gateway, noted: &Noted, entry: Entry<'_>) {
    let (Some(format), Some((arrived, unix_ms))) = (gateway.access_log.format(), noted.arrived) else {
        return;
    };
    let (user, access_key) = match &noted.caller {
        Some((user, access_key)) => (user.as_str(), access_key.as_str()),
        None => ("", ""),
    };
    let entry = Entry {
        unix_ms,
        user,
        access_key,
        received_bytes: noted.received_bytes,
        sent_bytes: noted.sent_bytes,
        duration: arrived.elapsed(),
        ..entry
    };
    gateway.access_log.send(entry.line(format));
}
