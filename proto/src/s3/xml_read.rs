//! XML request bodies, capped in size and depth; no entities but XML's own five and character references; DOCTYPE refused.
//! Elements may come in any order, but none may be unknown: what S3 would do with it is not done here.

use crate::{
    error::{ErrorCode, S3Error},
    http::conditional::WriteCondition,
    limits::{DELETE_KEYS_MAX, XML_BODY_BYTES_MAX, XML_DEPTH_MAX},
};
use quick_xml::{
    Reader,
    events::{BytesDecl, BytesRef, BytesStart, Event},
};

/// `<Delete>`: what DeleteObjects asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteRequest {
    /// Only errors are reported.
    pub quiet: bool,
    /// In order, 1 to 1,000 (else MalformedXML).
    pub objects: Vec<ObjectIdentifier>,
}

/// `<Object>` of DeleteObjects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectIdentifier {
    /// The key.
    pub key: String,
    /// The version id asked for, whatever it says.
    pub version_id: Option<String>,
    /// What `ETag` asks of the newest version.
    pub condition: Option<WriteCondition>,
}

/// Parses `<Delete>`; `MalformedXML` for anything else, `NotImplemented` for conditions that S3 has in directory buckets only
/// (`LastModifiedTime`, `Size`): deleting without looking at them would lose data.
pub fn delete_request(body: &[u8]) -> Result<DeleteRequest, S3Error> {
    let mut document = Document::open(body, "Delete")?;
    let mut quiet = None;
    let mut objects = Vec::new();
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "Quiet" => set_once(&mut quiet, boolean(&document.text()?)?)?,
            "Object" if objects.len() < DELETE_KEYS_MAX => objects.push(object_identifier(&mut document)?),
            _ => return Err(malformed()),
        }
    }
    document.close()?;
    if objects.is_empty() {
        return Err(malformed());
    }
    Ok(DeleteRequest {
        quiet: quiet.unwrap_or(false),
        objects,
    })
}

fn object_identifier(document: &mut Document<'_>) -> Result<ObjectIdentifier, S3Error> {
    let (mut key, mut version_id, mut etag) = (None, None, None);
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "Key" => set_once(&mut key, document.text()?)?,
            "VersionId" => set_once(&mut version_id, document.text()?)?,
            "ETag" => set_once(&mut etag, document.text()?)?,
            "LastModifiedTime" | "Size" => return Err(ErrorCode::NotImplemented.into()),
            _ => return Err(malformed()),
        }
    }
    let key = key.filter(|key| !key.is_empty()).ok_or_else(malformed)?;
    let etag = etag.filter(|etag| !etag.is_empty());
    Ok(ObjectIdentifier {
        key,
        version_id: version_id.filter(|version_id| !version_id.is_empty()),
        condition: etag.map(|etag| WriteCondition::of_deleted_etag(&etag)),
    })
}

/// Parses CreateBucketConfiguration: the LocationConstraint, if any. An empty body is no configuration. `NotImplemented` for
/// directory buckets (`Location`, `Bucket`) and for `Tags`.
pub fn create_bucket_configuration(body: &[u8]) -> Result<Option<String>, S3Error> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let mut document = Document::open(body, "CreateBucketConfiguration")?;
    let mut location = None;
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "LocationConstraint" => set_once(&mut location, document.text()?)?,
            "Location" | "Bucket" | "Tags" => return Err(ErrorCode::NotImplemented.into()),
            _ => return Err(malformed()),
        }
    }
    document.close()?;
    Ok(location.filter(|location| !location.is_empty()))
}

pub(super) fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), S3Error> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(malformed()),
    }
}

/// An integer, as xs:integer writes it.
pub(super) fn integer(text: &str) -> Result<i64, S3Error> {
    text.trim_ascii().parse().map_err(|_| malformed())
}

/// xs:boolean.
pub(super) fn boolean(text: &str) -> Result<bool, S3Error> {
    match text.trim_ascii() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(malformed()),
    }
}

pub(super) fn malformed() -> S3Error {
    ErrorCode::MalformedXML.into()
}

/// A document read element by element. Names are compared as written: S3's clients use no namespace prefixes.
pub(super) struct Document<'b> {
    reader: Reader<&'b [u8]>,
    /// Elements open now.
    depth: usize,
}

/// What counts of an XML document.
enum Piece<'b> {
    Start(BytesStart<'b>),
    Text(String),
    End,
    Eof,
}

impl<'b> Document<'b> {
    /// Reads up to the root's start tag.
    pub(super) fn open(body: &'b [u8], root: &str) -> Result<Self, S3Error> {
        if body.len() > XML_BODY_BYTES_MAX {
            return Err(ErrorCode::MaxMessageLengthExceeded.into());
        }
        let body = std::str::from_utf8(body).map_err(|_| malformed())?;
        let mut reader = Reader::from_str(body.strip_prefix('\u{feff}').unwrap_or(body));
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().check_comments = true;
        let mut document = Self { reader, depth: 0 };
        match document.next_child()? {
            Some(name) if name == root => Ok(document),
            _ => Err(malformed()),
        }
    }

    /// The next element inside the open one; `None`: the open one ends. Text between elements must be blank.
    pub(super) fn next_child(&mut self) -> Result<Option<String>, S3Error> {
        loop {
            match self.next_piece()? {
                Piece::Start(start) => return Ok(Some(start.name().as_ref().to_owned())),
                Piece::End => return Ok(None),
                Piece::Text(text) if text.bytes().all(|byte| byte.is_ascii_whitespace()) => {}
                Piece::Text(_) | Piece::Eof => return Err(malformed()),
            }
        }
    }

    /// The text of the open element, up to and with its end tag; it has no elements.
    pub(super) fn text(&mut self) -> Result<String, S3Error> {
        let mut whole = String::new();
        loop {
            match self.next_piece()? {
                Piece::Text(text) if whole.is_empty() => whole = text,
                Piece::Text(text) => whole.push_str(&text),
                Piece::End => return Ok(whole),
                Piece::Start(_) | Piece::Eof => return Err(malformed()),
            }
        }
    }

    /// Makes sure that nothing follows the root.
    pub(super) fn close(mut self) -> Result<(), S3Error> {
        loop {
            match self.next_piece()? {
                Piece::Eof => return Ok(()),
                Piece::Text(text) if text.bytes().all(|byte| byte.is_ascii_whitespace()) => {}
                _ => return Err(malformed()),
            }
        }
    }

    fn next_piece(&mut self) -> Result<Piece<'b>, S3Error> {
        loop {
            match self.reader.read_event().map_err(|_| malformed())? {
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > XML_DEPTH_MAX {
                        return Err(malformed());
                    }
                    return Ok(Piece::Start(start));
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Piece::End);
                }
                Event::Text(text) => return Ok(Piece::Text(text.xml10_content().into_owned())),
                Event::CData(text) => return Ok(Piece::Text(text.xml10_content().into_owned())),
                Event::GeneralRef(reference) => return resolve(&reference).map(Piece::Text),
                Event::Decl(declaration) => check_declaration(&declaration)?,
                Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) | Event::Empty(_) => return Err(malformed()),
                Event::Eof => return Ok(Piece::Eof),
            }
        }
    }
}

/// XML's own entities and character references. Characters that XML 1.0 does not allow are taken from references too: keys
/// may hold them, and S3's own answers write them so.
fn resolve(reference: &BytesRef<'_>) -> Result<String, S3Error> {
    if let Some(number) = reference.strip_prefix('#') {
        let code = match number.strip_prefix('x') {
            Some(hex) if !hex.starts_with('+') => u32::from_str_radix(hex, 16),
            None if !number.starts_with('+') => number.parse(),
            _ => return Err(malformed()),
        };
        let character = code.ok().and_then(char::from_u32).ok_or_else(malformed)?;
        return Ok(character.to_string());
    }
    let text = match reference.as_ref() {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => return Err(malformed()),
    };
    Ok(text.to_owned())
}

/// Only UTF-8 is read.
fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), S3Error> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(_) => Err(malformed()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{ObjectIdentifier, create_bucket_configuration, delete_request};
    use crate::{error::ErrorCode, http::conditional::WriteCondition, limits::XML_BODY_BYTES_MAX};

    fn objects(body: &str) -> Vec<ObjectIdentifier> {
        delete_request(body.as_bytes()).unwrap().objects
    }

    fn identifier(key: &str, version_id: Option<&str>) -> ObjectIdentifier {
        ObjectIdentifier {
            key: key.to_owned(),
            version_id: version_id.map(str::to_owned),
            condition: None,
        }
    }

    #[test]
    fn delete_requests_in_every_form() {
        let request = delete_request(
            "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c -->\
             <Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n <Object><VersionId>null</VersionId><Key> a&amp;&#x1;&#233;b </Key></Object>\
             <Quiet> true </Quiet><Object><Key><![CDATA[<&>]]></Key><VersionId/></Object></Delete>\n"
                .as_bytes(),
        )
        .unwrap();
        assert!(request.quiet);
        assert_eq!(
            request.objects,
            [identifier(" a&\u{1}éb ", Some("null")), identifier("<&>", None)]
        );
        // XML 1.0 section 2.11: line ends are LF, unless written as references.
        let lines = objects("<Delete><Object><Key>a\r\nb&#13;&#xA;</Key></Object></Delete>");
        assert_eq!(lines[0].key, "a\nb\r\n");
    }

    #[test]
    fn what_is_no_delete_request() {
        let key = "<Object><Key>k</Key></Object>";
        for body in [
            String::new(),
            "text".to_owned(),
            "<Delete/>".to_owned(),
            "<Delete><Quiet>true</Quiet></Delete>".to_owned(),
            "<Delete><Object/></Delete>".to_owned(),
            "<Delete><Object><Key/></Object></Delete>".to_owned(),
            "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>".to_owned(),
            "<Delete><Object><Key><b>a</b></Key></Object></Delete>".to_owned(),
            format!("<Delete>{key}"),
            format!("<Delete>{key}</Delet>"),
            format!("<Delete>{key}</Delete>x"),
            format!("<Delete>{key}</Delete><Delete/>"),
            format!("<Delete>{key}x</Delete>"),
            format!("<Delete>{key}<Other/></Delete>"),
            format!("<s3:Delete>{key}</s3:Delete>"),
            format!("<delete>{key}</delete>"),
            format!("<Delete>{key}<Quiet>yes</Quiet></Delete>"),
            format!("<Delete>{key}<Quiet>true</Quiet><Quiet>true</Quiet></Delete>"),
            format!("<!DOCTYPE x [<!ENTITY e \"v\">]><Delete>{key}</Delete>"),
            format!("<!DOCTYPE x><Delete>{key}</Delete>"),
            format!("<?xml version=\"1.0\" encoding=\"latin1\"?><Delete>{key}</Delete>"),
            "<Delete><Object><Key>&e;</Key></Object></Delete>".to_owned(),
            "<Delete><Object><Key>&#xD800;</Key></Object></Delete>".to_owned(),
            "<Delete><Object><Key>&#+65;</Key></Object></Delete>".to_owned(),
            "<Delete><Object><Key>&#x;</Key></Object></Delete>".to_owned(),
            "<Delete><Object><Key>a & b</Key></Object></Delete>".to_owned(),
            "<a>".repeat(100_000),
            format!("<Delete>{}</Delete>", key.repeat(1001)),
        ] {
            let error = delete_request(body.as_bytes()).unwrap_err();
            assert_eq!(error.code, ErrorCode::MalformedXML, "{body:.80}");
        }
        assert_eq!(
            delete_request(b"<Delete>\xff</Delete>").unwrap_err().code,
            ErrorCode::MalformedXML
        );
        assert_eq!(objects(&format!("<Delete>{}</Delete>", key.repeat(1000))).len(), 1000);
        let large = vec![b' '; XML_BODY_BYTES_MAX + 1];
        assert_eq!(
            delete_request(&large).unwrap_err().code,
            ErrorCode::MaxMessageLengthExceeded
        );
    }

    #[test]
    fn conditions_of_single_keys() {
        for (etag, expected) in [
            (
                "<ETag>\"e\"</ETag>",
                Some(WriteCondition::DeletesMatching(Some("e".to_owned()))),
            ),
            ("<ETag>*</ETag>", Some(WriteCondition::DeletesMatching(None))),
            ("<ETag/>", None),
        ] {
            let body = format!("<Delete><Object>{etag}<Key>k</Key></Object></Delete>");
            assert_eq!(objects(&body)[0].condition, expected, "{etag}");
        }
        for condition in ["<LastModifiedTime/>", "<Size>1</Size>"] {
            let body = format!("<Delete><Object><Key>k</Key>{condition}</Object></Delete>");
            assert_eq!(
                delete_request(body.as_bytes()).unwrap_err().code,
                ErrorCode::NotImplemented
            );
        }
    }

    #[test]
    fn bucket_configurations() {
        let parse = |body: &str| create_bucket_configuration(body.as_bytes());
        assert_eq!(parse(" \n").unwrap(), None);
        assert_eq!(parse("<CreateBucketConfiguration/>").unwrap(), None);
        let body = "<CreateBucketConfiguration xmlns=\"x\"><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
        assert_eq!(parse(body).unwrap().as_deref(), Some("eu-west-1"));
        let tags = "<CreateBucketConfiguration><Tags><Tag/></Tags></CreateBucketConfiguration>";
        assert_eq!(parse(tags).unwrap_err().code, ErrorCode::NotImplemented);
        assert_eq!(parse("<Other/>").unwrap_err().code, ErrorCode::MalformedXML);
    }
}
