//! Values that say who they are: key, version and length in the metadata and all over the content, so that a stale, a
//! mixed and a misplaced answer are told from a right one, and from each other.

use crate::{
    digest::{md5_hex, sha256_hex},
    random::Random,
    raw::Response,
    request::{Request, encode},
};

/// Numbers the contents of all keys of a test: unique, from 1 on.
pub type Version = u64;
/// The version that stands for "there is no object".
pub const ABSENT: Version = 0;

/// The header that names a value.
const IDENTITY_HEADER: &str = "x-amz-meta-identity";
/// Every so many bytes of content begin with a stamp.
const CHUNK_BYTES: usize = 1024;
/// Magic, key, version, length, number of the chunk: 8 bytes each.
const STAMP_BYTES: usize = 40;
const MAGIC: &[u8; 8] = b"CORELANE";

/// A value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Whose value.
    pub key: String,
    /// Which of them.
    pub version: Version,
    /// Bytes of content: none, or room for a stamp.
    pub length: usize,
}

/// What a listing says of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Without quotes.
    pub etag: String,
    /// Bytes of content.
    pub length: usize,
}

impl Value {
    /// The content.
    pub fn body(&self) -> Vec<u8> {
        assert!(
            self.length == 0 || self.length >= STAMP_BYTES,
            "{} bytes hold no stamp",
            self.length
        );
        let filler = Random::new(self.version).bytes(CHUNK_BYTES);
        let mut body = Vec::with_capacity(self.length.next_multiple_of(CHUNK_BYTES));
        for number in 0..self.length.div_ceil(CHUNK_BYTES) {
            body.extend_from_slice(&self.stamp(number));
            body.extend_from_slice(&filler[STAMP_BYTES..]);
        }
        body.truncate(self.length);
        body
    }

    /// The request that puts it, the ETag and the size it must have from then on.
    pub fn put(&self, bucket: &str) -> (Request, Listed) {
        let body = self.body();
        let etag = md5_hex(&body);
        let listed = Listed {
            etag,
            length: self.length,
        };
        let request = Request::object("PUT", bucket, &self.key)
            .header(IDENTITY_HEADER, self.identity(&listed.etag))
            .body(body);
        (request, listed)
    }

    /// Key, version, length and hash, in this order.
    fn identity(&self, etag: &str) -> String {
        format!(
            "{} {} {} {etag}",
            encode(self.key.as_bytes()),
            self.version,
            self.length
        )
    }

    fn stamp(&self, chunk: usize) -> [u8; STAMP_BYTES] {
        let mut stamp = [0; STAMP_BYTES];
        stamp[..8].copy_from_slice(MAGIC);
        stamp[8..16].copy_from_slice(&sha256_hex(self.key.as_bytes()).as_bytes()[..8]);
        stamp[16..24].copy_from_slice(&self.version.to_le_bytes());
        stamp[24..32].copy_from_slice(&u64::try_from(self.length).unwrap().to_le_bytes());
        stamp[32..].copy_from_slice(&u64::try_from(chunk).unwrap().to_le_bytes());
        stamp
    }
}

/// The version that an answer to GET (or HEAD, which has no body) holds for a key; what is wrong with it otherwise.
/// `None`: no answer of an object, such as 503.
pub fn read(key: &str, method: &str, answer: &Response) -> Result<Option<Version>, String> {
    match answer.status {
        404 if method == "HEAD" || answer.code() == "NoSuchKey" => return Ok(Some(ABSENT)),
        200 => {}
        _ => return Ok(None),
    }
    let header = |name: &str| answer.header(name).unwrap_or_default();
    let identity = header(IDENTITY_HEADER);
    let wrong = |what: String| format!("{method} of {key:?} (identity {identity:?}): {what}");
    let value = parse(identity).ok_or_else(|| wrong("no identity".to_owned()))?;
    if value.key != key {
        return Err(wrong("the value of another key".to_owned()));
    }
    let etag = identity.rsplit(' ').next().unwrap_or_default();
    if header("etag") != format!("\"{etag}\"") {
        return Err(wrong(format!("the ETag is {}", header("etag"))));
    }
    if header("content-length") != value.length.to_string() {
        return Err(wrong(format!("Content-Length is {}", header("content-length"))));
    }
    if method != "HEAD" && (md5_hex(&answer.body) != etag || answer.body != value.body()) {
        return Err(wrong(format!("the content is {}", describe(&answer.body))));
    }
    Ok(Some(value.version))
}

fn parse(identity: &str) -> Option<Value> {
    let mut words = identity.split(' ');
    let key = percent_decode(words.next()?)?;
    let version = words.next()?.parse().ok()?;
    let length = words.next()?.parse().ok()?;
    Some(Value { key, version, length })
}

fn percent_decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// Which chunks of which versions some content is made of.
fn describe(body: &[u8]) -> String {
    let mut runs: Vec<(usize, String)> = Vec::new();
    for (position, chunk) in body.chunks(CHUNK_BYTES).enumerate() {
        let what = describe_chunk(position, chunk);
        if runs.last().is_none_or(|(_, last)| *last != what) {
            runs.push((position * CHUNK_BYTES, what));
        }
    }
    let runs: Vec<String> = runs.iter().map(|(from, what)| format!("from {from} {what}")).collect();
    format!("{} bytes: {}", body.len(), runs.join(", "))
}

fn describe_chunk(position: usize, chunk: &[u8]) -> String {
    let Some(stamp) = chunk.get(..STAMP_BYTES).filter(|stamp| stamp.starts_with(MAGIC)) else {
        return if chunk.iter().all(|byte| *byte == 0) {
            "zeros"
        } else {
            "no stamp"
        }
        .to_owned();
    };
    let number = |at: usize| u64::from_le_bytes(stamp[at..at + 8].try_into().unwrap());
    let key = String::from_utf8_lossy(&stamp[8..16]);
    let filler = Random::new(number(16)).bytes(CHUNK_BYTES);
    let broken = if chunk[STAMP_BYTES..] == filler[STAMP_BYTES..chunk.len()] {
        ""
    } else {
        " damaged"
    };
    let moved = number(32).wrapping_sub(u64::try_from(position).unwrap());
    let moved = if moved == 0 {
        String::new()
    } else {
        format!(" from chunk {}", number(32))
    };
    format!(
        "version {} of {} bytes of key {key}{broken}{moved}",
        number(16),
        number(24)
    )
}

#[cfg(test)]
mod tests {
    use super::{ABSENT, Value, Version, read};
    use crate::raw::Response;

    fn value(version: Version, length: usize) -> Value {
        Value {
            key: "a/ü %".to_owned(),
            version,
            length,
        }
    }

    /// The answer of a store that is right.
    fn answer(value: &Value) -> Response {
        let (request, listed) = value.put("bucket");
        let identity = request.header_value("x-amz-meta-identity").unwrap().to_owned();
        let header = |name: &str, value: String| (name.to_owned(), value);
        Response {
            status: 200,
            headers: vec![
                header("x-amz-meta-identity", identity),
                header("etag", format!("\"{}\"", listed.etag)),
                header("content-length", listed.length.to_string()),
            ],
            body: request.body,
            interim: Vec::new(),
        }
    }

    fn wrong(answer: &Response) -> String {
        read("a/ü %", "GET", answer).unwrap_err()
    }

    #[test]
    fn right_answers_tell_their_version() {
        for length in [0, 40, 100, 1024, 4096, 70_001] {
            let answer = answer(&value(7, length));
            assert_eq!(read("a/ü %", "GET", &answer), Ok(Some(7)), "{length} bytes");
            assert_eq!(answer.body.len(), length);
        }
        let mut head = answer(&value(7, 100));
        head.body.clear();
        assert_eq!(read("a/ü %", "HEAD", &head), Ok(Some(7)));
        head.status = 404;
        assert_eq!(read("a/ü %", "HEAD", &head), Ok(Some(ABSENT)));
        assert_eq!(read("a/ü %", "GET", &head), Ok(None), "404 of something else");
        head.body = b"<Error><Code>NoSuchKey</Code></Error>".to_vec();
        assert_eq!(read("a/ü %", "GET", &head), Ok(Some(ABSENT)));
        head.status = 503;
        assert_eq!(read("a/ü %", "GET", &head), Ok(None));
    }

    #[test]
    fn wrong_answers_are_told_apart() {
        let (old, new) = (answer(&value(3, 4096)), answer(&value(4, 4096)));
        let mut mixed = new.clone();
        mixed.body[1024..2048].copy_from_slice(&old.body[1024..2048]);
        assert!(wrong(&mixed).contains("from 1024 version 3"), "{}", wrong(&mixed));
        let mut stale = new.clone();
        stale.body = old.body.clone();
        assert!(wrong(&stale).contains("from 0 version 3"), "{}", wrong(&stale));
        let mut moved = new.clone();
        moved.body.rotate_left(1024);
        assert!(wrong(&moved).contains("from chunk 1"), "{}", wrong(&moved));
        let mut flipped = new.clone();
        flipped.body[3000] ^= 1;
        assert!(wrong(&flipped).contains("damaged"), "{}", wrong(&flipped));
        let mut hole = new.clone();
        hole.body[2048..].fill(0);
        assert!(wrong(&hole).contains("from 2048 zeros"), "{}", wrong(&hole));
        let mut short = new.clone();
        short.body.truncate(4000);
        assert!(wrong(&short).contains("4000 bytes"), "{}", wrong(&short));
        let mut other_head = new.clone();
        other_head.headers = old.headers;
        assert!(
            wrong(&other_head).contains("from 0 version 4"),
            "{}",
            wrong(&other_head)
        );
        for header in 0..3 {
            let mut changed = new.clone();
            changed.headers[header].1 = "1".to_owned();
            wrong(&changed);
        }
        assert!(read("b", "GET", &new).unwrap_err().contains("another key"));
    }
}
