//! GetObjectAttributes: what it asks and what it answers
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>).

use super::{query::Query, xml_document::Document};
use crate::{
    digest::stored::StoredChecksum,
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    limits::LIST_PARTS_MAX,
};

const ATTRIBUTES_HEADER: &str = "x-amz-object-attributes";
const MAX_PARTS_HEADER: &str = "x-amz-max-parts";
const MARKER_HEADER: &str = "x-amz-part-number-marker";

/// What is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttributesRequest {
    /// `ETag`.
    pub etag: bool,
    /// `Checksum`.
    pub checksum: bool,
    /// `ObjectParts`.
    pub parts: bool,
    /// `StorageClass`.
    pub storage_class: bool,
    /// `ObjectSize`.
    pub size: bool,
    /// At most so many parts.
    pub max_parts: usize,
    /// Parts with higher numbers than this.
    pub part_number_marker: u16,
}

/// What is answered; of an object that was not made of parts without `parts`.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'o> {
    /// Without quotes, as here it is written without.
    pub etag: &'o str,
    /// The object's.
    pub checksum: Option<&'o StoredChecksum>,
    /// `None` is STANDARD.
    pub storage_class: Option<&'o str>,
    /// Bytes.
    pub size: u64,
    /// Of an object that was made by CompleteMultipartUpload.
    pub parts: Option<ObjectParts<'o>>,
}

/// The parts of an object.
#[derive(Debug, Clone, Copy)]
pub struct ObjectParts<'o> {
    /// How many it has.
    pub count: usize,
    /// Those that are listed, and whether more follow; `None`: S3 lists none of objects whose checksum is not made of theirs.
    pub page: Option<(&'o [ListedPart], bool)>,
}

/// A part in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPart {
    /// Its number.
    pub number: u16,
    /// Bytes.
    pub size: u64,
    /// Its checksum.
    pub checksum: Option<StoredChecksum>,
}

impl AttributesRequest {
    /// Of a request; a presigned URL's parameters count as headers. `InvalidRequest` when no attribute is named,
    /// `InvalidArgument` for one that does not exist and for what is no number.
    pub fn from_request(head: &RequestHead, query: &Query) -> Result<Self, S3Error> {
        let mut request = Self {
            max_parts: number(head, query, MAX_PARTS_HEADER)?.map_or(LIST_PARTS_MAX, |most| {
                usize::try_from(most).map_or(LIST_PARTS_MAX, |most| most.min(LIST_PARTS_MAX))
            }),
            part_number_marker: number(head, query, MARKER_HEADER)?
                .map_or(0, |marker| u16::try_from(marker).unwrap_or(u16::MAX)),
            ..Self::default()
        };
        let mut is_empty = true;
        for name in values(head, query, ATTRIBUTES_HEADER).flat_map(|value| value.split(',')) {
            let name = name.trim_ascii();
            let asked = match name {
                "ETag" => &mut request.etag,
                "Checksum" => &mut request.checksum,
                "ObjectParts" => &mut request.parts,
                "StorageClass" => &mut request.storage_class,
                "ObjectSize" => &mut request.size,
                "" => continue,
                _ => return Err(invalid("Invalid attribute name specified.", ATTRIBUTES_HEADER, name)),
            };
            *asked = true;
            is_empty = false;
        }
        match is_empty {
            false => Ok(request),
            true => Err(S3Error::with_message(
                ErrorCode::InvalidRequest,
                "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
            )),
        }
    }

    /// The document that answers it.
    pub fn write(&self, attributes: &Attributes<'_>) -> Vec<u8> {
        let mut document = Document::new();
        document.root("GetObjectAttributesResponse", |document| {
            if self.etag {
                document.text("ETag", attributes.etag);
            }
            if let Some(checksum) = attributes.checksum.filter(|_| self.checksum) {
                document.element("Checksum", |document| {
                    write_checksum(document, checksum);
                    document.text("ChecksumType", checksum.form().name());
                });
            }
            if let Some(parts) = attributes.parts.as_ref().filter(|_| self.parts) {
                document.element("ObjectParts", |document| self.write_parts(document, parts));
            }
            if self.storage_class {
                document.text("StorageClass", attributes.storage_class.unwrap_or("STANDARD"));
            }
            if self.size {
                document.number("ObjectSize", attributes.size);
            }
        });
        document.finish()
    }

    fn write_parts(&self, document: &mut Document, parts: &ObjectParts<'_>) {
        if let Some((listed, is_truncated)) = parts.page {
            let last = listed.last().map_or(0, |part| part.number);
            document.text("IsTruncated", if is_truncated { "true" } else { "false" });
            document.number("MaxParts", self.max_parts);
            document.number("NextPartNumberMarker", last);
            document.number("PartNumberMarker", self.part_number_marker);
            for part in listed {
                document.element("Part", |document| {
                    if let Some(checksum) = &part.checksum {
                        write_checksum(document, checksum);
                    }
                    document.number("PartNumber", part.number);
                    document.number("Size", part.size);
                });
            }
        }
        document.number("PartsCount", parts.count);
    }
}

/// The value alone: here S3 leaves out of how many parts a composite is.
fn write_checksum(document: &mut Document, checksum: &StoredChecksum) {
    let element = format!("Checksum{}", checksum.algorithm().name());
    document.text(&element, &checksum.checksum.to_base64());
}

/// All values of a header, else of a parameter of a presigned URL.
fn values<'r>(head: &'r RequestHead, query: &'r Query, name: &'static str) -> impl Iterator<Item = &'r str> {
    let is_header = head.header(name).is_some();
    let sent = head
        .headers()
        .filter(move |(candidate, _)| candidate.eq_ignore_ascii_case(name))
        .filter_map(|(_, value)| std::str::from_utf8(value).ok());
    let hoisted = query
        .iter()
        .filter(move |(candidate, _)| !is_header && candidate.eq_ignore_ascii_case(name))
        .map(|(_, value)| value);
    sent.chain(hoisted)
}

fn number(head: &RequestHead, query: &Query, name: &'static str) -> Result<Option<u32>, S3Error> {
    let Some(text) = values(head, query, name).next() else {
        return Ok(None);
    };
    // S3 counts in 31 bits.
    let number = text.trim_ascii().parse::<u32>().ok();
    match number.filter(|number| *number <= i32::MAX.unsigned_abs()) {
        Some(number) => Ok(Some(number)),
        None => {
            let message = format!("Provided {name} not an integer or within integer range");
            Err(invalid(message, name, text))
        }
    }
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>, name: &str, value: &str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidArgument, message)
        .field("ArgumentName", name)
        .field("ArgumentValue", value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Attributes, AttributesRequest, ListedPart, ObjectParts};
    use crate::{
        digest::{
            checksum::{Checksum, ChecksumAlgorithm},
            stored::StoredChecksum,
        },
        error::{ErrorCode, S3Error},
        http::head::RequestHead,
        s3::query::Query,
    };

    fn read(raw_query: &str, fields: &str) -> Result<AttributesRequest, S3Error> {
        let text = format!("GET /b/k?{raw_query} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        let head = RequestHead::parse(text.as_bytes()).unwrap().unwrap().0;
        AttributesRequest::from_request(&head, &Query::parse(raw_query).unwrap())
    }

    fn written(request: &AttributesRequest, attributes: &Attributes<'_>) -> String {
        let text = String::from_utf8(request.write(attributes)).unwrap();
        let (_, rest) = text.split_once("2006-03-01/\">").unwrap();
        rest.strip_suffix("</GetObjectAttributesResponse>").unwrap().to_owned()
    }

    #[test]
    fn what_may_be_asked() {
        let few = read("attributes", "x-amz-object-attributes: ETag, ObjectSize\r\n").unwrap();
        assert!(few.etag && few.size && !few.checksum && !few.parts && !few.storage_class);
        assert_eq!((few.max_parts, few.part_number_marker), (1000, 0));
        let lines = "x-amz-object-attributes: Checksum\r\nX-Amz-Object-Attributes: ObjectParts,StorageClass\r\n\
                     x-amz-max-parts: 2\r\nx-amz-part-number-marker: 7\r\n";
        let more = read("attributes", lines).unwrap();
        assert!(more.checksum && more.parts && more.storage_class);
        assert_eq!((more.max_parts, more.part_number_marker), (2, 7));
        assert!(
            read("attributes&X-Amz-Object-Attributes=ETag%2CChecksum", "")
                .unwrap()
                .checksum
        );
        let many = "x-amz-object-attributes: ETag\r\nx-amz-max-parts: 2000\r\nx-amz-part-number-marker: 70000\r\n";
        let many = read("attributes", many).unwrap();
        assert_eq!((many.max_parts, many.part_number_marker), (1000, u16::MAX));
        for (fields, code) in [
            ("", ErrorCode::InvalidRequest),
            ("x-amz-object-attributes:\r\n", ErrorCode::InvalidRequest),
            ("x-amz-object-attributes: ETag,Size\r\n", ErrorCode::InvalidArgument),
            ("x-amz-object-attributes: etag\r\n", ErrorCode::InvalidArgument),
            (
                "x-amz-object-attributes: ETag\r\nx-amz-max-parts: -1\r\n",
                ErrorCode::InvalidArgument,
            ),
            (
                "x-amz-object-attributes: ETag\r\nx-amz-part-number-marker: x\r\n",
                ErrorCode::InvalidArgument,
            ),
        ] {
            assert_eq!(read("attributes", fields).unwrap_err().code, code, "{fields}");
        }
    }

    #[test]
    fn what_is_answered() {
        let all =
            "x-amz-object-attributes: ETag,Checksum,ObjectParts,StorageClass,ObjectSize\r\nx-amz-max-parts: 1\r\n";
        let all = read("attributes", all).unwrap();
        let checksum = Checksum::from_base64(ChecksumAlgorithm::Crc32, "AAAAAA==").unwrap();
        let full_object = StoredChecksum::from(checksum.clone());
        let composite = StoredChecksum {
            checksum,
            composite_parts: Some(2),
        };
        let mut attributes = Attributes {
            etag: "e",
            checksum: None,
            storage_class: None,
            size: 5,
            parts: None,
        };
        assert_eq!(
            written(&all, &attributes),
            "<ETag>e</ETag><StorageClass>STANDARD</StorageClass><ObjectSize>5</ObjectSize>"
        );
        let parts = [ListedPart {
            number: 3,
            size: 4,
            checksum: Some(full_object),
        }];
        attributes.checksum = Some(&composite);
        attributes.storage_class = Some("GLACIER");
        attributes.parts = Some(ObjectParts {
            count: 2,
            page: Some((&parts, true)),
        });
        assert_eq!(
            written(&all, &attributes),
            "<ETag>e</ETag><Checksum><ChecksumCRC32>AAAAAA==</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType></Checksum>\
             <ObjectParts><IsTruncated>true</IsTruncated><MaxParts>1</MaxParts><NextPartNumberMarker>3</NextPartNumberMarker>\
             <PartNumberMarker>0</PartNumberMarker><Part><ChecksumCRC32>AAAAAA==</ChecksumCRC32><PartNumber>3</PartNumber>\
             <Size>4</Size></Part><PartsCount>2</PartsCount></ObjectParts><StorageClass>GLACIER</StorageClass>\
             <ObjectSize>5</ObjectSize>"
        );
        attributes.parts = Some(ObjectParts { count: 2, page: None });
        let parts_only = read("attributes", "x-amz-object-attributes: ObjectParts\r\n").unwrap();
        assert_eq!(
            written(&parts_only, &attributes),
            "<ObjectParts><PartsCount>2</PartsCount></ObjectParts>"
        );
    }
}
