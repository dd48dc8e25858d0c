//! What a request names of a multipart upload: `uploadId` and `partNumber`
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).

use super::{query::Query, version::UploadId};
use crate::{
    error::{ErrorCode, S3Error},
    limits::PART_NUMBER_MAX,
};

/// `uploadId`; `NoSuchUpload` for what never was one.
pub fn upload_id(query: &Query) -> Result<UploadId, S3Error> {
    UploadId::parse(query.value("uploadId").unwrap_or_default())
}

/// `partNumber` of a part to be written or read: 1 to 10,000.
pub fn part_number(query: &Query) -> Result<u16, S3Error> {
    let text = query.value("partNumber").unwrap_or_default();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| text.parse::<u16>().ok()).flatten();
    number
        .filter(|number| (1..=PART_NUMBER_MAX).contains(number))
        .ok_or_else(|| {
            S3Error::with_message(
                ErrorCode::InvalidArgument,
                "Part number must be an integer between 1 and 10000, inclusive",
            )
            .field("ArgumentName", "partNumber")
            .field("ArgumentValue", text)
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{part_number, upload_id};
    use crate::{error::ErrorCode, s3::query::Query};

    #[test]
    fn numbers_of_parts() {
        let parse = |raw: &str| part_number(&Query::parse(raw).unwrap());
        assert_eq!(parse("partNumber=1"), Ok(1));
        assert_eq!(parse("partNumber=10000&uploadId=x"), Ok(10_000));
        for bad in [
            "",
            "partNumber",
            "partNumber=0",
            "partNumber=10001",
            "partNumber=-1",
            "partNumber=%2B1",
            "partNumber=x",
        ] {
            assert_eq!(parse(bad).unwrap_err().code, ErrorCode::InvalidArgument, "{bad}");
        }
        let upload = upload_id(&Query::parse("uploadId=x").unwrap());
        assert_eq!(upload.unwrap_err().code, ErrorCode::NoSuchUpload);
    }
}
