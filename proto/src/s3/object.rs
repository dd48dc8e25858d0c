//! What S3 keeps with an object besides its bytes.

use crate::{
    error::{ErrorCode, S3Error},
    http::{head::RequestHead, response::ResponseWriter},
    limits::{REDIRECT_LOCATION_BYTES_MAX, USER_METADATA_BYTES_MAX},
    s3::query::Query,
    wire::{Decoder, Encoder, WireError},
};

/// The headers that are stored at PUT and returned by GET and HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ObjectHeaders {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_language: Option<String>,
    pub expires: Option<String>,
    /// `x-amz-storage-class`, `STANDARD` left out.
    pub storage_class: Option<String>,
    /// `x-amz-website-redirect-location`.
    pub website_redirect: Option<String>,
    /// Names in lower case without `x-amz-meta-`, in the order sent; duplicates joined by `,`. Values as the bytes sent, read as UTF-8, else Latin-1.
    pub user_metadata: Vec<(String, String)>,
}

/// S3's Content-Type of an object that was stored without one.
const CONTENT_TYPE_DEFAULT: &str = "binary/octet-stream";
const USER_METADATA_PREFIX: &str = "x-amz-meta-";
/// The storage classes of PutObject's API page besides STANDARD.
const STORAGE_CLASSES: [&str; 11] = [
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
    "FSX_OPENZFS",
];

impl ObjectHeaders {
    /// Takes them from a PUT. `aws-chunked` is taken out of Content-Encoding. `MetadataTooLarge` above the limit. Content-Type defaults to
    /// `binary/octet-stream` when read, so `None` is kept. The `x-amz-*` parameters of a presigned URL count as headers, as in S3.
    pub fn from_request(head: &RequestHead) -> Result<Self, S3Error> {
        let mut headers = Self::default();
        for (name, value) in head.headers() {
            headers.take(name, value);
        }
        let hoisted = Query::parse(head.raw_query())?;
        for (name, value) in hoisted
            .iter()
            .filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-amz-"))
        {
            headers.take(name, value.as_bytes());
        }
        headers.content_encoding = headers.content_encoding.and_then(without_aws_chunked);
        headers.check_storage_class()?;
        headers.check_metadata_size()?;
        headers.check_redirect_location()?;
        Ok(headers)
    }

    /// Writes them to a response; `response-*` query parameters override (S3: GetObject).
    pub fn write(&self, query: &Query, response: &mut ResponseWriter<'_>) {
        let content_type = self.content_type.as_deref().unwrap_or(CONTENT_TYPE_DEFAULT);
        for (name, parameter, stored) in [
            ("Content-Type", "response-content-type", Some(content_type)),
            (
                "Content-Encoding",
                "response-content-encoding",
                self.content_encoding.as_deref(),
            ),
            ("Cache-Control", "response-cache-control", self.cache_control.as_deref()),
            (
                "Content-Disposition",
                "response-content-disposition",
                self.content_disposition.as_deref(),
            ),
            (
                "Content-Language",
                "response-content-language",
                self.content_language.as_deref(),
            ),
            ("Expires", "response-expires", self.expires.as_deref()),
        ] {
            if let Some(value) = query.value(parameter).or(stored) {
                response.header(name, value);
            }
        }
        if let Some(storage_class) = &self.storage_class {
            response.header("x-amz-storage-class", storage_class);
        }
        if let Some(location) = &self.website_redirect {
            response.header("x-amz-website-redirect-location", location);
        }
        for (name, value) in &self.user_metadata {
            response.prefixed_header(USER_METADATA_PREFIX, name, value);
        }
    }

    /// Encodes for a log record.
    pub fn encode(&self, encoder: &mut Encoder) {
        for value in [
            &self.content_type,
            &self.content_encoding,
            &self.cache_control,
            &self.content_disposition,
            &self.content_language,
            &self.expires,
            &self.storage_class,
            &self.website_redirect,
        ] {
            encoder.option(value.as_ref(), |encoder, value| {
                encoder.string(value);
            });
        }
        // HEADER_COUNT_MAX keeps the count far below 65,536.
        encoder.u16(u16::try_from(self.user_metadata.len()).unwrap_or(u16::MAX));
        for (name, value) in &self.user_metadata {
            encoder.string(name).string(value);
        }
    }

    /// Decodes from a log record.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let mut headers = Self {
            content_type: decoder.option(Decoder::string)?,
            content_encoding: decoder.option(Decoder::string)?,
            cache_control: decoder.option(Decoder::string)?,
            content_disposition: decoder.option(Decoder::string)?,
            content_language: decoder.option(Decoder::string)?,
            expires: decoder.option(Decoder::string)?,
            storage_class: decoder.option(Decoder::string)?,
            website_redirect: decoder.option(Decoder::string)?,
            user_metadata: Vec::new(),
        };
        for _ in 0..decoder.u16()? {
            headers.user_metadata.push((decoder.string()?, decoder.string()?));
        }
        Ok(headers)
    }

    /// Keeps a header line if it is one to keep. Empty values say nothing, but for metadata.
    fn take(&mut self, name: &str, value: &[u8]) {
        if let Some(metadata_name) = strip_prefix_ignoring_case(name, USER_METADATA_PREFIX) {
            self.add_user_metadata(metadata_name, text(value));
        } else if let Some(slot) = self.slot(name)
            && !value.is_empty()
        {
            match slot {
                Some(earlier) => {
                    earlier.push_str(", ");
                    earlier.push_str(&text(value));
                }
                None => *slot = Some(text(value)),
            }
        }
    }

    /// Where the value of a stored header goes; `None` for other headers.
    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        let slots = [
            ("content-type", &mut self.content_type),
            ("content-encoding", &mut self.content_encoding),
            ("cache-control", &mut self.cache_control),
            ("content-disposition", &mut self.content_disposition),
            ("content-language", &mut self.content_language),
            ("expires", &mut self.expires),
            ("x-amz-storage-class", &mut self.storage_class),
            ("x-amz-website-redirect-location", &mut self.website_redirect),
        ];
        slots
            .into_iter()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, slot)| slot)
    }

    fn add_user_metadata(&mut self, name: &str, value: String) {
        let name = name.to_ascii_lowercase();
        match self.user_metadata.iter_mut().find(|(earlier, _)| *earlier == name) {
            Some((_, joined)) => {
                joined.push(',');
                joined.push_str(&value);
            }
            None => self.user_metadata.push((name, value)),
        }
    }

    fn check_storage_class(&mut self) -> Result<(), S3Error> {
        self.storage_class = self.storage_class.take().filter(|class| class != "STANDARD");
        match &self.storage_class {
            Some(class) if !STORAGE_CLASSES.contains(&class.as_str()) => {
                Err(S3Error::new(ErrorCode::InvalidStorageClass).field("StorageClassRequested", class))
            }
            _ => Ok(()),
        }
    }

    /// "Configuring an object redirect" in the user guide.
    fn check_redirect_location(&self) -> Result<(), S3Error> {
        let Some(location) = &self.website_redirect else {
            return Ok(());
        };
        let begins_well = ["/", "http://", "https://"]
            .iter()
            .any(|prefix| location.starts_with(prefix));
        match begins_well && location.len() <= REDIRECT_LOCATION_BYTES_MAX {
            true => Ok(()),
            false => Err(ErrorCode::InvalidRedirectLocation.into()),
        }
    }

    fn check_metadata_size(&self) -> Result<(), S3Error> {
        let size: usize = self
            .user_metadata
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if size > USER_METADATA_BYTES_MAX {
            return Err(S3Error::new(ErrorCode::MetadataTooLarge)
                .field("Size", size.to_string())
                .field("MaxSizeAllowed", USER_METADATA_BYTES_MAX.to_string()));
        }
        Ok(())
    }
}

fn strip_prefix_ignoring_case<'n>(name: &'n str, prefix: &str) -> Option<&'n str> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// A header value as text: UTF-8, else Latin-1 (RFC 9110 section 5.5: obs-text).
fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().copied().map(char::from).collect(),
    }
}

/// `aws-chunked` is framing of the request, not an encoding of the object.
fn without_aws_chunked(content_encoding: String) -> Option<String> {
    if !content_encoding.to_ascii_lowercase().contains("aws-chunked") {
        return Some(content_encoding);
    }
    let kept: Vec<&str> = content_encoding
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::ObjectHeaders;
    use crate::{
        error::ErrorCode,
        http::{head::RequestHead, response::ResponseWriter},
        s3::query::Query,
        wire::{Decoder, Encoder, WireError},
    };

    fn from_request(fields: &[u8]) -> Result<ObjectHeaders, crate::error::S3Error> {
        let head = [b"PUT /b/k HTTP/1.1\r\nHost: h\r\n", fields, b"\r\n"].concat();
        ObjectHeaders::from_request(&RequestHead::parse(&head).unwrap().unwrap().0)
    }

    fn written(headers: &ObjectHeaders, raw_query: &str) -> String {
        let mut out = Vec::new();
        let mut response = ResponseWriter::new(&mut out, 200, "ID", "now");
        headers.write(&Query::parse(raw_query).unwrap(), &mut response);
        response.finish(None, true);
        let text = String::from_utf8(out).unwrap();
        text.split_once("x-amz-id-2: ID\r\n").unwrap().1.trim_end().to_owned()
    }

    const ALL: &[u8] = b"content-type: text/plain\r\nContent-Encoding: gzip, aws-chunked\r\nCache-Control: no-cache\r\n\
        Cache-Control: max-age=1\r\nContent-Disposition: inline\r\nContent-Language: de\r\nExpires: never\r\n\
        x-amz-storage-class: STANDARD_IA\r\nX-Amz-Website-Redirect-Location: /x\r\nX-Amz-Meta-B: 1\r\nx-amz-meta-a: \xc3\xa9\r\n\
        x-amz-meta-b: 2\r\nx-amz-meta-latin: \xe9\r\nX-Amz-Meta: not metadata\r\n";

    #[test]
    fn what_is_stored_is_returned() {
        let headers = from_request(ALL).unwrap();
        assert_eq!(
            written(&headers, ""),
            "Content-Type: text/plain\r\nContent-Encoding: gzip\r\nCache-Control: no-cache, max-age=1\r\n\
             Content-Disposition: inline\r\nContent-Language: de\r\nExpires: never\r\nx-amz-storage-class: STANDARD_IA\r\n\
             x-amz-website-redirect-location: /x\r\nx-amz-meta-b: 1,2\r\nx-amz-meta-a: é\r\nx-amz-meta-latin: é"
        );
        let empty =
            from_request(b"Content-Type:\r\nContent-Encoding: aws-chunked\r\nx-amz-storage-class: STANDARD\r\n");
        assert_eq!(empty.unwrap(), ObjectHeaders::default());
        assert_eq!(
            written(&ObjectHeaders::default(), ""),
            "Content-Type: binary/octet-stream"
        );
    }

    #[test]
    fn parameters_of_presigned_urls_count_as_headers() {
        let head = b"PUT /b/k?X-Amz-Algorithm=x&x-amz-meta-a=b+c&x-amz-storage-class=GLACIER&expires=1 HTTP/1.1\r\nHost: h\r\n\r\n";
        let headers = ObjectHeaders::from_request(&RequestHead::parse(head).unwrap().unwrap().0).unwrap();
        assert_eq!(headers.user_metadata, [("a".to_owned(), "b c".to_owned())]);
        assert_eq!(
            (headers.storage_class.as_deref(), headers.expires),
            (Some("GLACIER"), None)
        );
    }

    #[test]
    fn response_parameters_override() {
        assert_eq!(
            written(
                &ObjectHeaders::default(),
                "response-content-type=a%2Fb&response-expires=e&response-cache-control=c&response-content-language=l\
                 &response-content-disposition=d&response-content-encoding=g"
            ),
            "Content-Type: a/b\r\nContent-Encoding: g\r\nCache-Control: c\r\nContent-Disposition: d\r\nContent-Language: l\r\nExpires: e"
        );
        assert_eq!(
            written(&ObjectHeaders::default(), "response-content-type=a%0D%0Ab:c"),
            ""
        );
    }

    #[test]
    fn metadata_and_storage_class_are_checked() {
        let fits = format!("x-amz-meta-a: {}\r\n", "v".repeat(2047));
        assert!(from_request(fits.as_bytes()).is_ok());
        let over = format!("x-amz-meta-ab: {}\r\n", "v".repeat(2047));
        assert_eq!(
            from_request(over.as_bytes()).unwrap_err().code,
            ErrorCode::MetadataTooLarge
        );
        let class = from_request(b"x-amz-storage-class: FAST\r\n").unwrap_err();
        assert_eq!(class.code, ErrorCode::InvalidStorageClass);
        let redirected =
            |location: &str| from_request(format!("x-amz-website-redirect-location: {location}\r\n").as_bytes());
        for location in ["/other", "http://host/", "https://host/other?a=b"] {
            assert_eq!(
                redirected(location).unwrap().website_redirect.as_deref(),
                Some(location)
            );
        }
        for location in ["other", "ftp://host/", &format!("/{}", "x".repeat(2048))] {
            assert_eq!(
                redirected(location).unwrap_err().code,
                ErrorCode::InvalidRedirectLocation
            );
        }
    }

    #[test]
    fn records_round_trip() {
        for headers in [from_request(ALL).unwrap(), ObjectHeaders::default()] {
            let mut encoder = Encoder::new();
            headers.encode(&mut encoder);
            let bytes = encoder.finish();
            let mut decoder = Decoder::new(&bytes);
            assert_eq!(ObjectHeaders::decode(&mut decoder).unwrap(), headers);
            decoder.finish().unwrap();
            for cut in 0..bytes.len() {
                assert_eq!(
                    ObjectHeaders::decode(&mut Decoder::new(&bytes[..cut])),
                    Err(WireError::Truncated)
                );
            }
        }
    }
}
