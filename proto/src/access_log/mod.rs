//! The access log: one line a request, the same from gateways and cores. What it says and how, not where it goes.
//!
//! As text, fields in this order, one space between, `-` for what there is none of:
//!
//!     time client user access-key operation resource status received sent duration way request-id "user-agent"
//!     2026-11-23T12:00:00.042Z 10.0.0.7 alice AKEXAMPLE GetObject /photos/a%20b.jpg 200 0 51234 0.001320 redirect 4BF92F3577B34DA6 "Boto3/1.44.5"
//!
//! As JSON, an object a line with these fields by name, null for what there is none of. Queries are never in it: they may
//! hold signatures and tickets.

pub mod queue;
pub mod switch;

use crate::{
    http::{date, percent},
    limits::LOGGED_USER_AGENT_BYTES_MAX,
};
use std::{fmt::Write as _, net::IpAddr, time::Duration};

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Fields between spaces.
    Text,
    /// A JSON object.
    Json,
}

/// A request that has been answered, or was given up.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'e> {
    /// When it arrived, in milliseconds since the epoch.
    pub unix_ms: u64,
    /// Who sent it.
    pub client: Option<IpAddr>,
    /// The user, once the signature has been verified.
    pub user: &'e str,
    /// The access key id that signed.
    pub access_key: &'e str,
    /// S3's name of the operation.
    pub operation: &'e str,
    /// The bucket.
    pub bucket: &'e str,
    /// The decoded key.
    pub key: &'e str,
    /// The path as sent; told where there is no bucket.
    pub path: &'e str,
    /// The status; 0: not answered.
    pub status: u16,
    /// Bytes of the request's body that were taken.
    pub received_bytes: u64,
    /// Bytes of the answer's body that were sent.
    pub sent_bytes: u64,
    /// From the end of its head to the end of the answer.
    pub duration: Duration,
    /// How it reached whoever answered: gateway, redirect, proxy, handoff, lease.
    pub way: &'e str,
    /// `x-amz-request-id`.
    pub request_id: &'e str,
    /// The User-Agent as sent.
    pub user_agent: &'e [u8],
}

impl Entry<'_> {
    /// The line, with its end.
    pub fn line(&self, format: Format) -> Vec<u8> {
        let mut out = String::with_capacity(256);
        match format {
            Format::Text => self.text(&mut out),
            Format::Json => self.json(&mut out),
        }
        out.push('\n');
        out.into_bytes()
    }

    fn text(&self, out: &mut String) {
        out.push_str(&date::iso8601(self.unix_ms));
        // Here and below: writing to a String does not fail.
        let _ = match self.client {
            Some(client) => write!(out, " {client}"),
            None => write!(out, " -"),
        };
        for word in [self.user, self.access_key, self.operation] {
            push_word(word, out);
        }
        match self.bucket {
            "" => push_word(self.path, out),
            bucket => {
                out.push_str(" /");
                percent::encode_into(bucket.as_bytes(), false, out);
                if !self.key.is_empty() {
                    out.push('/');
                    percent::encode_into(self.key.as_bytes(), true, out);
                }
            }
        }
        let _ = match self.status {
            0 => write!(out, " -"),
            status => write!(out, " {status}"),
        };
        let _ = write!(
            out,
            " {} {} {}.{:06}",
            self.received_bytes,
            self.sent_bytes,
            self.duration.as_secs(),
            self.duration.subsec_micros()
        );
        push_word(self.way, out);
        push_word(self.request_id, out);
        out.push(' ');
        match self.user_agent {
            b"" => out.push('-'),
            _ => push_quoted(self.user_agent(), out),
        }
    }

    fn json(&self, out: &mut String) {
        let _ = write!(out, "{{\"time\":\"{}\"", date::iso8601(self.unix_ms));
        let client = self.client.map(|client| client.to_string()).unwrap_or_default();
        let path = if self.bucket.is_empty() { self.path } else { "" };
        let user_agent = String::from_utf8_lossy(self.user_agent());
        for (name, value) in [
            ("client", client.as_str()),
            ("user", self.user),
            ("access_key", self.access_key),
            ("operation", self.operation),
            ("bucket", self.bucket),
            ("key", self.key),
            ("path", path),
            ("way", self.way),
            ("request_id", self.request_id),
            ("user_agent", &user_agent),
        ] {
            let _ = write!(out, ",\"{name}\":");
            push_json(value, out);
        }
        let status = match self.status {
            0 => "null".to_owned(),
            status => status.to_string(),
        };
        let _ = write!(
            out,
            ",\"status\":{status},\"received_bytes\":{},\"sent_bytes\":{},\"duration_s\":{}.{:06}}}",
            self.received_bytes,
            self.sent_bytes,
            self.duration.as_secs(),
            self.duration.subsec_micros()
        );
    }

    fn user_agent(&self) -> &[u8] {
        self.user_agent
            .get(..LOGGED_USER_AGENT_BYTES_MAX)
            .unwrap_or(self.user_agent)
    }
}

/// A field that must not hold a space: percent-encoded, `-` when empty.
fn push_word(word: &str, out: &mut String) {
    out.push(' ');
    match word {
        "" => out.push('-'),
        _ => percent::encode_into(word.as_bytes(), true, out),
    }
}

/// In double quotes; what could end them or the line, and all that is not ASCII, as `\xNN`.
fn push_quoted(bytes: &[u8], out: &mut String) {
    out.push('"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f..=0xff => {
                let _ = write!(out, "\\x{byte:02x}");
            }
            _ => out.push(char::from(*byte)),
        }
    }
    out.push('"');
}

/// RFC 8259 section 7; null when empty.
fn push_json(text: &str, out: &mut String) {
    if text.is_empty() {
        return out.push_str("null");
    }
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // Line ends of JavaScript and of some readers of lines, too.
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}
