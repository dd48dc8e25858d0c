//! TLS as every process of a store speaks it: what it accepts, how processes of one store know each other, and the state
//! of one connection apart from its socket.

pub mod identity;
mod pinned;
pub mod session;
pub mod settings;

/// What a client gets that speaks plain HTTP to a port of HTTPS: all that is answered to it, as bytes.
pub const PLAIN_HTTP_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 69\r\n\
    Connection: close\r\n\
    \r\n\
    This port speaks HTTPS: write https:// in place of http:// in a URL.\n";

#[cfg(test)]
mod tests {
    use super::PLAIN_HTTP_ANSWER;
    use crate::http::response::ResponseHead;

    #[test]
    fn the_plain_answer_has_its_length() {
        let head = ResponseHead::parse(PLAIN_HTTP_ANSWER).ok().flatten();
        let (length, declared) = head.map_or((0, None), |head| (head.length, head.content_length));
        assert_eq!(declared, u64::try_from(PLAIN_HTTP_ANSWER.len() - length).ok());
    }
}
