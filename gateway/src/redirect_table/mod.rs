//! Which clients follow a 307, as measured with the clients themselves, and as the operator knows better. The default is
//! not to redirect: a client that does not follow fails, or worse, reports success.

mod file;

use crate::limits::REDIRECT_TABLE_BYTES_MAX;
use proto::http::head::{Method, RequestHead};
use serde::Deserialize;
use std::path::Path;

/// The built-in table, as text that a file of the operator's may be made from.
pub const BUILT_IN: &str = include_str!("built_in.toml");

/// Rows in order: the first that recognises a client decides, and without one it is not redirected.
#[derive(Debug)]
pub struct RedirectTable {
    rows: Vec<Row>,
}

/// How a row knows its clients: all that it names must hold.
#[derive(Debug)]
struct Recognise {
    no_user_agent: bool,
    /// The User-Agent holds one of these, if there are any.
    user_agent: Vec<String>,
    /// The User-Agent begins with one of these, if there are any.
    user_agent_prefix: Vec<String>,
    /// All of these are there, with this value if one is given.
    headers: Vec<(String, Option<String>)>,
}

/// Whether a kind of request is redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Rule {
    Never,
    Always,
    /// s3cmd takes the host of a Location and drops its port when it follows a HEAD.
    ExceptHead,
    /// A botocore that does not follow sends the same request to the gateway again.
    UnlessRepeated,
}

#[derive(Debug)]
struct Row {
    recognise: Recognise,
    no_body: Rule,
    put_with_expect: Rule,
    put_without_expect: Rule,
}

impl RedirectTable {
    /// The built-in table, behind the rows of an operator's file. An error is one line, with the file's line that it is
    /// about.
    pub fn load(overrides: Option<&Path>) -> Result<Self, String> {
        let mut rows = Vec::new();
        if let Some(path) = overrides {
            let text = read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            rows = file::rows(&text).map_err(|error| format!("{} {error}", path.display()))?;
        }
        rows.extend(file::rows(BUILT_IN).map_err(|error| format!("the built-in redirect table, {error}"))?);
        Ok(Self { rows })
    }

    /// What the table says of a request. `repeated`: this client is known to come back to the gateway.
    pub fn redirects(&self, head: &RequestHead, repeated: impl Fn() -> bool) -> bool {
        let row = self.rows.iter().find(|row| row.recognise.matches(head));
        match row.map_or(Rule::Never, |row| row.rule(head)) {
            Rule::Never => false,
            Rule::Always => true,
            Rule::ExceptHead => head.method() != Method::Head,
            Rule::UnlessRepeated => !repeated(),
        }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let length = std::fs::metadata(path)?.len();
    if length > REDIRECT_TABLE_BYTES_MAX {
        return Err(std::io::Error::other(format!(
            "it has {length} bytes, more than the {REDIRECT_TABLE_BYTES_MAX} allowed"
        )));
    }
    std::fs::read_to_string(path)
}

/// Whether the request comes from s3cmd, as far as that can be told.
pub fn is_s3cmd(head: &RequestHead) -> bool {
    head.header("user-agent").is_none()
        && head.header("accept-encoding") == Some(b"identity")
        && head.header("authorization").is_some()
}

impl Recognise {
    fn matches(&self, head: &RequestHead) -> bool {
        let user_agent = head.header_str("user-agent");
        let says = |patterns: &[String], test: fn(&str, &str) -> bool| {
            patterns.is_empty() || user_agent.is_some_and(|agent| patterns.iter().any(|pattern| test(agent, pattern)))
        };
        let has = |(name, value): &(String, Option<String>)| {
            head.header(name)
                .is_some_and(|found| value.as_ref().is_none_or(|value| found == value.as_bytes()))
        };
        (!self.no_user_agent || head.header("user-agent").is_none())
            && says(&self.user_agent, |agent, part| agent.contains(part))
            && says(&self.user_agent_prefix, |agent, start| agent.starts_with(start))
            && self.headers.iter().all(has)
    }
}

impl Row {
    fn rule(&self, head: &RequestHead) -> Rule {
        match head.method() {
            Method::Put if head.expects_continue() => self.put_with_expect,
            Method::Put => self.put_without_expect,
            _ => self.no_body,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{RedirectTable, file};
    use proto::http::head::RequestHead;

    fn head(method: &str, headers: &[&str]) -> RequestHead {
        let mut text = format!("{method} /s3/bucket/key HTTP/1.1\r\nHost: h\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        RequestHead::parse(text.as_bytes()).unwrap().unwrap().0
    }

    fn built_in() -> RedirectTable {
        RedirectTable::load(None).unwrap()
    }

    /// (GET, HEAD, PUT with Expect, PUT without) of a client on its first attempt.
    fn columns(headers: &[&str]) -> (bool, bool, bool, bool) {
        let ask = |method, extra: &[&str]| {
            let all: Vec<&str> = headers.iter().chain(extra).copied().collect();
            built_in().redirects(&head(method, &all), || false)
        };
        (
            ask("GET", &[]),
            ask("HEAD", &[]),
            ask("PUT", &["Content-Length: 5", "Expect: 100-continue"]),
            ask("PUT", &["Content-Length: 5"]),
        )
    }

    #[test]
    fn every_row_of_the_measured_table() {
        let s3cmd = ["Accept-Encoding: identity", "Authorization: AWS4-HMAC-SHA256 x"];
        assert_eq!(columns(&s3cmd), (true, false, false, false));
        assert_eq!(columns(&[]), (true, true, true, false));
        for none in [
            "aws-cli/2.9.19 Python/3.11.2",
            "aws-cli/1.44.0 md/Botocore#1.42.0",
            "aws-sdk-js/3.1 ua/2.1",
            "MinIO (linux; amd64) minio-go/v7.0",
            "mountpoint-s3/1.19",
            "s3torchconnector/1.5 CRTS3NativeClient/0.1",
            "curl/7.88.1",
            "SomethingElse/1.0",
        ] {
            assert_eq!(
                columns(&[&format!("User-Agent: {none}")]),
                (false, false, false, false),
                "{none}"
            );
        }
        for full in [
            "Boto3/1.44.0 md/Botocore#1.44.0",
            "aiobotocore/2.20 md/Botocore#1.36",
            "aws-sdk-go/1.44.256 (go1.18; linux; amd64)",
            "aws-sdk-cpp/1.11.0",
            "rclone/v1.60.1-DEV",
        ] {
            assert_eq!(
                columns(&[&format!("User-Agent: {full}")]),
                (true, true, true, false),
                "{full}"
            );
        }
        for readers in [
            "object_store/0.12",
            "polars",
            "MinIO (Linux; x86_64) minio-py/7.2",
            "Wget/1.21",
            "python-requests/2.31",
            "Python-urllib/3.11",
        ] {
            assert_eq!(
                columns(&[&format!("User-Agent: {readers}")]),
                (true, true, false, false),
                "{readers}"
            );
        }
    }

    #[test]
    fn conditions_of_single_clients() {
        let rclone_new = ["User-Agent: rclone/v1.75.0", "amz-sdk-invocation-id: 1"];
        assert_eq!(columns(&rclone_new), (true, true, false, false));
        for request in [
            head("GET", &["User-Agent: Boto3/1.44"]),
            head(
                "PUT",
                &["User-Agent: Boto3/1.44", "Content-Length: 5", "Expect: 100-continue"],
            ),
        ] {
            assert!(built_in().redirects(&request, || false));
            assert!(!built_in().redirects(&request, || true));
        }
        // What s3cmd sends, from a client that does not sign in a header.
        assert_eq!(columns(&["Accept-Encoding: identity"]), (true, true, true, false));
    }

    #[test]
    fn rows_of_an_operator_come_first() {
        let text = r#"
            [[row]]
            user_agent_prefix = ["curl/8", "Wget/"]
            no_body = "always"
            put_with_expect = "always"
            put_without_expect = "always"

            [[row]]
            user_agent = ["Boto3/"]
            headers = ["X-Follows: yes", "amz-sdk-request"]
            no_body = "always"
            put_with_expect = "never"
            put_without_expect = "never"

            [[row]]
            no_user_agent = true
            no_body = "never"
            put_with_expect = "never"
            put_without_expect = "never"
        "#;
        let mut rows = file::rows(text).unwrap();
        rows.extend(built_in().rows);
        let table = RedirectTable { rows };
        let get = |headers: &[&str]| table.redirects(&head("GET", headers), || true);
        assert!(get(&["User-Agent: curl/8.5"]));
        assert!(!get(&["User-Agent: libcurl/8.5"]), "a prefix is none");
        assert!(!get(&["User-Agent: curl/7.88"]), "the built-in row decides");
        assert!(table.redirects(&head("PUT", &["User-Agent: Wget/1"]), || true));
        assert!(get(&[
            "User-Agent: a Boto3/1",
            "x-follows: yes",
            "Amz-Sdk-Request: attempt=2"
        ]));
        assert!(!get(&[
            "User-Agent: a Boto3/1",
            "x-follows: no",
            "Amz-Sdk-Request: attempt=2"
        ]));
        assert!(!get(&["User-Agent: a Boto3/1", "x-follows: yes"]));
        assert!(!get(&[]));
        assert!(!get(&["User-Agent: unknown"]));
    }
}
