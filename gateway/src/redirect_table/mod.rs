//! Which clients follow a 307, as measured with the clients themselves. The default is not to redirect: a client that does
//! not follow fails, or worse, reports success.

use proto::http::head::{Method, RequestHead};

/// How a row knows its clients.
#[derive(Debug, Clone, Copy)]
enum Recognise {
    /// No User-Agent, `Accept-Encoding: identity` and an Authorization header: s3cmd.
    S3cmd,
    /// No User-Agent.
    NoUserAgent,
    /// The User-Agent holds one of these.
    UserAgent(&'static [&'static str]),
    /// Everyone else.
    Anyone,
}

/// Whether a kind of request is redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Never,
    Always,
    /// s3cmd takes the host of a Location and drops its port when it follows a HEAD.
    ExceptHead,
    /// A botocore that does not follow sends the same request to the gateway again.
    UnlessRepeated,
    /// rclone's newer SDK sends the body without waiting for an answer.
    UnlessInvocationId,
}

#[derive(Debug)]
struct Row {
    recognise: Recognise,
    no_body: Rule,
    put_with_expect: Rule,
    put_without_expect: Rule,
}

/// The first row that recognises a client decides.
const TABLE: &[Row] = &[
    Row {
        recognise: Recognise::S3cmd,
        no_body: Rule::ExceptHead,
        put_with_expect: Rule::Never,
        put_without_expect: Rule::Never,
    },
    // fio, opendal.
    Row {
        recognise: Recognise::NoUserAgent,
        no_body: Rule::Always,
        put_with_expect: Rule::Always,
        put_without_expect: Rule::Never,
    },
    Row {
        recognise: Recognise::UserAgent(&[
            "aws-cli/",
            "aws-sdk-js",
            "minio-go",
            "mountpoint",
            "CRTS3NativeClient",
            "curl/",
        ]),
        no_body: Rule::Never,
        put_with_expect: Rule::Never,
        put_without_expect: Rule::Never,
    },
    Row {
        recognise: Recognise::UserAgent(&["aiobotocore", "aws-sdk-go/1", "aws-sdk-cpp"]),
        no_body: Rule::Always,
        put_with_expect: Rule::Always,
        put_without_expect: Rule::Never,
    },
    Row {
        recognise: Recognise::UserAgent(&["Boto3/"]),
        no_body: Rule::UnlessRepeated,
        put_with_expect: Rule::UnlessRepeated,
        put_without_expect: Rule::Never,
    },
    Row {
        recognise: Recognise::UserAgent(&["rclone"]),
        no_body: Rule::Always,
        put_with_expect: Rule::UnlessInvocationId,
        put_without_expect: Rule::Never,
    },
    Row {
        recognise: Recognise::UserAgent(&[
            "object_store",
            "polars",
            "minio-py",
            "Wget",
            "python-requests",
            "Python-urllib",
        ]),
        no_body: Rule::Always,
        put_with_expect: Rule::Never,
        put_without_expect: Rule::Never,
    },
    Row {
        recognise: Recognise::Anyone,
        no_body: Rule::Never,
        put_with_expect: Rule::Never,
        put_without_expect: Rule::Never,
    },
];

/// Whether the request comes from s3cmd, as far as that can be told.
pub fn is_s3cmd(head: &RequestHead) -> bool {
    head.header("user-agent").is_none()
        && head.header("accept-encoding") == Some(b"identity")
        && head.header("authorization").is_some()
}

/// What the table says of a request. `repeated`: this client is known to come back to the gateway.
pub fn redirects(head: &RequestHead, repeated: impl Fn() -> bool) -> bool {
    let rule = TABLE
        .iter()
        .find(|row| row.recognise.matches(head))
        .map_or(Rule::Never, |row| row.rule(head));
    match rule {
        Rule::Never => false,
        Rule::Always => true,
        Rule::ExceptHead => head.method() != Method::Head,
        Rule::UnlessRepeated => !repeated(),
        Rule::UnlessInvocationId => head.header("amz-sdk-invocation-id").is_none(),
    }
}

impl Recognise {
    fn matches(self, head: &RequestHead) -> bool {
        match self {
            Self::S3cmd => is_s3cmd(head),
            Self::NoUserAgent => head.header("user-agent").is_none(),
            Self::UserAgent(parts) => head
                .header_str("user-agent")
                .is_some_and(|user_agent| parts.iter().any(|part| user_agent.contains(part))),
            Self::Anyone => true,
        }
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
    use super::redirects;
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

    /// (GET, HEAD, PUT with Expect, PUT without) of a client on its first attempt.
    fn columns(headers: &[&str]) -> (bool, bool, bool, bool) {
        let ask = |method, extra: &[&str]| {
            let all: Vec<&str> = headers.iter().chain(extra).copied().collect();
            redirects(&head(method, &all), || false)
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
        let boto3 = head("GET", &["User-Agent: Boto3/1.44"]);
        assert!(redirects(&boto3, || false));
        assert!(!redirects(&boto3, || true));
    }
}
