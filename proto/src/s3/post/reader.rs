//! `multipart/form-data` (RFC 7578) as it arrives, without I/O: fields in whole, the file in pieces.

use crate::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    limits::{FORM_BOUNDARY_BYTES_MAX, FORM_FIELDS_BYTES_MAX},
};

/// What comes next in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormEvent {
    /// Nothing, until more bytes are pushed.
    NeedMore,
    /// A field before the file.
    Field {
        /// As sent.
        name: String,
        /// The bytes of its value.
        value: Vec<u8>,
    },
    /// The file begins; `filename` without the path that some browsers send.
    File {
        /// As sent, or empty.
        filename: String,
    },
    /// Bytes of the file.
    Data(Vec<u8>),
    /// The file is complete. Fields behind it are ignored, as in S3, but there may be no second file.
    FileEnd,
    /// The form is complete.
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Before the first delimiter, or in a part that nobody wants.
    Skipping,
    /// Behind a delimiter: another part, or the end.
    Delimiter,
    Headers,
    Field(String),
    File,
    End,
}

/// See the module.
#[derive(Debug)]
pub struct FormReader {
    /// CRLF, two hyphens, the boundary.
    delimiter: Vec<u8>,
    state: State,
    pending: Vec<u8>,
    /// Bytes taken in beside the file's: before it, and again behind it.
    field_bytes: usize,
    has_file: bool,
}

impl FormReader {
    /// For a request's body. `PreconditionFailed`, as S3 answers, when it is no form.
    pub fn new(head: &RequestHead) -> Result<Self, S3Error> {
        let boundary = head
            .header("content-type")
            .and_then(|value| std::str::from_utf8(value).ok())
            .and_then(boundary)
            .ok_or_else(|| {
                S3Error::new(ErrorCode::PreconditionFailed).field(
                    "Condition",
                    "Bucket POST must be of the enclosure-type multipart/form-data",
                )
            })?;
        let mut delimiter = b"\r\n--".to_vec();
        delimiter.extend_from_slice(boundary.as_bytes());
        Ok(Self {
            delimiter,
            state: State::Skipping,
            // The first delimiter needs no line end before it.
            pending: b"\r\n".to_vec(),
            field_bytes: 0,
            has_file: false,
        })
    }

    /// Takes in bytes of the body.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The most bytes that the closing of a form takes, behind its file and with nothing else there: what the file's length
    /// is certainly below the rest of the body by.
    pub fn closing_bytes(&self) -> u64 {
        self.delimiter.len() as u64 + 2
    }

    /// How many bytes of what was pushed are not taken yet.
    pub fn pending_bytes(&self) -> u64 {
        self.pending.len() as u64
    }

    /// What comes next. `MalformedPOSTRequest` for what is no form, `MaxPostPreDataLengthExceededError` for fields over
    /// FORM_FIELDS_BYTES_MAX, `IncorrectNumberOfFilesInPostRequest` for a second file.
    pub fn next_event(&mut self) -> Result<FormEvent, S3Error> {
        loop {
            match &self.state {
                State::End => return Ok(FormEvent::End),
                State::Skipping => {
                    if self.take_until_delimiter()?.is_none() {
                        return Ok(FormEvent::NeedMore);
                    }
                    self.state = State::Delimiter;
                }
                State::Delimiter => {
                    if !self.take_delimiter_end()? {
                        return Ok(FormEvent::NeedMore);
                    }
                }
                State::Headers => match self.take_headers()? {
                    Some(event) => return Ok(event),
                    None if self.state == State::Headers => return Ok(FormEvent::NeedMore),
                    None => {}
                },
                State::Field(name) => {
                    let name = name.clone();
                    let Some(value) = self.take_until_delimiter()? else {
                        return Ok(FormEvent::NeedMore);
                    };
                    self.state = State::Delimiter;
                    return Ok(FormEvent::Field { name, value });
                }
                State::File => return Ok(self.take_file()),
            }
        }
    }

    /// What lies before the next delimiter, which goes too. Small: what is not there in whole counts against the limit.
    fn take_until_delimiter(&mut self) -> Result<Option<Vec<u8>>, S3Error> {
        match find(&self.pending, &self.delimiter) {
            Some(position) => {
                let mut value = self.take(position + self.delimiter.len())?;
                value.truncate(position);
                Ok(Some(value))
            }
            None => self.check_room(self.pending.len()).map(|()| None),
        }
    }

    /// Behind a delimiter: two hyphens end the form, a line end begins a part. Whether it could be told.
    fn take_delimiter_end(&mut self) -> Result<bool, S3Error> {
        if self.pending.starts_with(b"--") {
            self.state = State::End;
            return Ok(true);
        }
        let Some(end) = find(&self.pending, b"\r\n") else {
            self.check_room(self.pending.len())?;
            return match self.pending.as_slice() {
                [] | [b'-'] => Ok(false),
                rest if is_padding(rest) => Ok(false),
                _ => Err(ErrorCode::MalformedPOSTRequest.into()),
            };
        };
        let line = self.take(end + 2)?;
        if !is_padding(&line) {
            return Err(ErrorCode::MalformedPOSTRequest.into());
        }
        self.state = State::Headers;
        // A part without headers begins with its empty line.
        Ok(true)
    }

    /// The headers of a part; `None` with the state unchanged: they are not complete.
    fn take_headers(&mut self) -> Result<Option<FormEvent>, S3Error> {
        let length = match find(&self.pending, b"\r\n\r\n") {
            _ if self.pending.starts_with(b"\r\n") => 2,
            Some(position) => position + 4,
            None => return self.check_room(self.pending.len()).map(|()| None),
        };
        let headers = self.take(length)?;
        let headers = std::str::from_utf8(&headers).map_err(|_| ErrorCode::MalformedPOSTRequest)?;
        let disposition = disposition(headers).ok_or(ErrorCode::MalformedPOSTRequest)?;
        let is_file = disposition.name.eq_ignore_ascii_case("file");
        if self.has_file {
            if is_file {
                return Err(wrong_number_of_files(2));
            }
            self.state = State::Skipping;
            return Ok(None);
        }
        if !is_file {
            self.state = State::Field(disposition.name);
            return Ok(None);
        }
        self.state = State::File;
        self.has_file = true;
        self.field_bytes = 0;
        let path = disposition.filename.unwrap_or_default();
        let filename = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        Ok(Some(FormEvent::File { filename }))
    }

    /// As much of the file as certainly is none of a delimiter.
    fn take_file(&mut self) -> FormEvent {
        if let Some(position) = find(&self.pending, &self.delimiter) {
            if position == 0 {
                self.pending.drain(..self.delimiter.len());
                self.state = State::Delimiter;
                return FormEvent::FileEnd;
            }
            return FormEvent::Data(self.pending.drain(..position).collect());
        }
        let certain = (self.pending.len() + 1).saturating_sub(self.delimiter.len());
        if certain == 0 {
            return FormEvent::NeedMore;
        }
        let kept = self.pending.split_off(certain);
        FormEvent::Data(std::mem::replace(&mut self.pending, kept))
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, S3Error> {
        self.check_room(count)?;
        self.field_bytes += count;
        let rest = self.pending.split_off(count.min(self.pending.len()));
        Ok(std::mem::replace(&mut self.pending, rest))
    }

    fn check_room(&self, count: usize) -> Result<(), S3Error> {
        if self.field_bytes.saturating_add(count) <= FORM_FIELDS_BYTES_MAX {
            return Ok(());
        }
        Err(match self.has_file {
            false => ErrorCode::MaxPostPreDataLengthExceededError.into(),
            true => ErrorCode::MalformedPOSTRequest.into(),
        })
    }
}

/// What S3 answers a form that has not exactly one file.
pub fn wrong_number_of_files(count: u32) -> S3Error {
    S3Error::new(ErrorCode::IncorrectNumberOfFilesInPostRequest)
        .field("ArgumentName", "file")
        .field("ArgumentValue", count.to_string())
}

/// The boundary of a `multipart/form-data` Content-Type (RFC 2046 section 5.1.1).
fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then_some(value.trim())
    })?;
    let value = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    ((1..=FORM_BOUNDARY_BYTES_MAX).contains(&value.len())).then_some(value)
}

struct Disposition {
    name: String,
    filename: Option<String>,
}

/// The Content-Disposition among a part's headers.
fn disposition(headers: &str) -> Option<Disposition> {
    let value = headers.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (kind, mut rest) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut filename) = (None, None);
    while let Some((parameter, value)) = rest.split_once('=') {
        let (value, behind) = parameter_value(value.trim_start())?;
        match parameter.trim() {
            found if found.eq_ignore_ascii_case("name") => name = Some(value),
            found if found.eq_ignore_ascii_case("filename") => filename = Some(value),
            _ => {}
        }
        rest = behind;
    }
    Some(Disposition { name: name?, filename })
}

/// A parameter's value, and what lies behind it and its semicolon. Of the escapes of a quoted string only the quote's is one:
/// some browsers send a path with backslashes.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, behind) = text.split_once(';').unwrap_or((text, ""));
        return Some((value.trim().to_owned(), behind));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((position, character)) = characters.next() {
        match character {
            '\\' if characters.peek().is_some_and(|(_, next)| *next == '"') => {
                value.push('"');
                characters.next();
            }
            '"' => {
                let behind = quoted.get(position + 1..)?.trim_start();
                return Some((value, behind.strip_prefix(';').unwrap_or(behind)));
            }
            _ => value.push(character),
        }
    }
    None
}

/// What may stand between a delimiter and its line end.
fn is_padding(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The first place of `wanted`, which begins with CR or is short.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut start = 0;
    loop {
        let rest = bytes.get(start..)?;
        let at = start + rest.iter().position(|&byte| byte == first)?;
        if bytes.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        start = at + 1;
    }
}
