//! The PUT of a form's file to its core: chunks, because nobody knows the length before the end.

use crate::{
    cluster::Core,
    core_response::{NoResponse, read_head},
    gateway::Gateway,
    limits::{BODY_PROGRESS_TIME, CORE_ANSWER_TIME, CORE_REFUSAL_TIME, MESSAGE_BYTES_MAX},
    memory::Reservation,
    rt::Stream,
};
use proto::{
    auth::ticket::QUERY_PARAMETER,
    error::{ErrorCode, S3Error},
    http::{head::RequestHead, response::ResponseHead},
};
use std::{net::SocketAddr, rc::Rc, time::Duration};

/// A PUT under way. Dropped before [`Upload::finish`], the core has half of it and stores nothing.
pub struct Upload {
    gateway: Rc<Gateway>,
    address: SocketAddr,
    stream: Stream,
    _place: Reservation,
}

/// What the core answered of an object that it stored.
pub struct Stored {
    headers: Vec<(String, String)>,
}

impl Stored {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl Upload {
    /// Sends the head, on a connection of its own: what of a form went to one that had been closed could not be sent again.
    pub async fn begin(gateway: &Rc<Gateway>, core: &Core, head: &RequestHead, ticket: &str) -> Result<Self, S3Error> {
        let place = gateway.uploads.reserve(1).ok_or(ErrorCode::SlowDown)?;
        let stream = gateway.pool.connect(core.address).await.map_err(|error| {
            tracing::warn!(core = %core.address, %error, "no connection to a core");
            S3Error::new(ErrorCode::SlowDown)
        })?;
        let mut upload = Self {
            gateway: Rc::clone(gateway),
            address: core.address,
            stream,
            _place: place,
        };
        let mut bytes = format!("PUT {}?{QUERY_PARAMETER}={ticket} HTTP/1.1\r\n", head.raw_path()).into_bytes();
        for (name, value) in head.headers() {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        upload.write(bytes).await?;
        Ok(upload)
    }

    /// Sends a piece of the file.
    pub async fn send(&mut self, piece: &[u8]) -> Result<(), S3Error> {
        if piece.is_empty() {
            return Ok(());
        }
        let mut bytes = format!("{:x}\r\n", piece.len()).into_bytes();
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
        self.write(bytes).await
    }

    /// Completes the PUT and waits for what comes of it.
    pub async fn finish(mut self) -> Result<Stored, S3Error> {
        self.write(b"0\r\n\r\n".to_vec()).await?;
        let (head, bytes) = self.answer(CORE_ANSWER_TIME).await?;
        let (fields, body) = bytes.split_at(head.length.min(bytes.len()));
        if head.status != 200 {
            return Err(refusal(body));
        }
        let headers = std::str::from_utf8(fields)
            .unwrap_or_default()
            .split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        if head.keep_alive {
            self.gateway.pool.keep(self.address, self.stream);
        }
        Ok(Stored { headers })
    }

    /// A core that takes no more has said why, or is gone.
    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), S3Error> {
        let (sent, _) = self.stream.writer.write_all(bytes, BODY_PROGRESS_TIME).await;
        let Err(error) = sent else {
            return Ok(());
        };
        tracing::debug!(core = %self.address, %error, "a core takes no more of a form");
        let (head, bytes) = self.answer(CORE_REFUSAL_TIME).await?;
        Err(refusal(bytes.get(head.length..).unwrap_or_default()))
    }

    /// The whole answer.
    async fn answer(&mut self, limit: Duration) -> Result<(ResponseHead, Vec<u8>), S3Error> {
        let unavailable = |no_response: NoResponse| {
            tracing::warn!(core = %self.address, error = %no_response.error(), "no response from a core");
            S3Error::new(ErrorCode::SlowDown)
        };
        let mut buffer = Vec::with_capacity(4096);
        let head = match read_head(&mut self.stream.reader, &mut buffer, Some(limit)).await {
            Ok(head) => head,
            Err(no_response) => return Err(unavailable(no_response)),
        };
        let length = head
            .content_length
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or(0);
        let end = head.length + length.min(MESSAGE_BYTES_MAX);
        while buffer.len() < end {
            buffer.reserve(end - buffer.len());
            let (result, returned) = self.stream.reader.read(buffer, Some(limit)).await;
            buffer = returned;
            if !matches!(result, Ok(count) if count > 0) {
                return Err(ErrorCode::SlowDown.into());
            }
        }
        Ok((head, buffer))
    }
}

/// Elements of errors that a PUT is answered with, besides those that the gateway writes itself.
const FIELDS: [&str; 8] = [
    "ArgumentName",
    "ArgumentValue",
    "CalculatedDigest",
    "Condition",
    "ExpectedDigest",
    "Header",
    "StorageClassRequested",
    "TagKey",
];

/// The error of a core's XML.
fn refusal(body: &[u8]) -> S3Error {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once('<')?;
        // Text that would have to be unescaped is left out: the code says what matters.
        (!value.contains('&')).then_some(value)
    };
    let code = element("Code").and_then(|name| ErrorCode::ALL.iter().copied().find(|code| code.as_str() == name));
    let Some(code) = code else {
        return ErrorCode::InternalError.into();
    };
    let error = match element("Message") {
        Some(message) => S3Error::with_message(code, message.to_owned()),
        None => code.into(),
    };
    FIELDS
        .into_iter()
        .filter_map(|name| Some((name, element(name)?)))
        .fold(error, |error, (name, value)| error.field(name, value))
}

#[cfg(test)]
mod tests {
    use super::refusal;
    use proto::error::{ErrorCode, S3Error};

    #[test]
    fn a_cores_errors_are_passed_on() {
        let xml = b"<?xml version=\"1.0\"?>\n<Error><Code>BadDigest</Code><Message>Not it.</Message>\
                    <ExpectedDigest>a==</ExpectedDigest><RequestId>1</RequestId></Error>";
        let expected = S3Error::with_message(ErrorCode::BadDigest, "Not it.").field("ExpectedDigest", "a==");
        assert_eq!(refusal(xml), expected);
        let escaped = b"<Error><Code>SlowDown</Code><Message>a &amp; b</Message></Error>";
        assert_eq!(refusal(escaped), ErrorCode::SlowDown.into());
        for unknown in [&b""[..], b"\xff", b"<Error><Code>Unheard</Code></Error>"] {
            assert_eq!(refusal(unknown), ErrorCode::InternalError.into());
        }
    }
}
