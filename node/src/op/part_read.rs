//! `partNumber` of GetObject and HeadObject: one part of an object, as it was uploaded
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>).

use super::head::Portion;
use mountpath::index::entry::ObjectEntry;
use proto::{
    error::{ErrorCode, S3Error},
    http::{head::RequestHead, range::ByteRange},
    s3::{part, query::Query},
};

/// What a `partNumber` of the query asks for; `None`: there is none. An object that was not uploaded in parts is its own first
/// part. `InvalidPartNumber` for a part it does not have.
pub fn select(head: &RequestHead, query: &Query, entry: &ObjectEntry) -> Result<Option<Portion>, S3Error> {
    if !query.contains("partNumber") {
        return Ok(None);
    }
    let number = part::part_number(query)?;
    if head.header("range").is_some() {
        return Err(S3Error::with_message(
            ErrorCode::InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter",
        ));
    }
    let size = entry.meta.size;
    let Some(multipart) = &entry.meta.multipart else {
        return match number {
            1 => Ok(Some(Portion {
                range: whole(size),
                ..Portion::default()
            })),
            _ => Err(no_such_part(number, 1)),
        };
    };
    let mut start = 0;
    for part in &multipart.parts {
        if part.number == number {
            let range = ByteRange {
                start,
                length: part.size,
            };
            return Ok(Some(Portion {
                range: Some(range).filter(|range| range.length > 0),
                part: Some((number, multipart.parts.len())),
                is_empty: part.size == 0,
            }));
        }
        start += part.size;
    }
    Err(no_such_part(number, multipart.parts.len()))
}

/// A range of no bytes cannot be written: an empty object is served with 200.
fn whole(size: u64) -> Option<ByteRange> {
    let range = ByteRange { start: 0, length: size };
    Some(range).filter(|range| range.length > 0)
}

fn no_such_part(number: u16, count: usize) -> S3Error {
    S3Error::new(ErrorCode::InvalidPartNumber)
        .field("PartNumberRequested", number.to_string())
        .field("ActualPartCount", count.to_string())
}
