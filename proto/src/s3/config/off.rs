//! Configurations that no bucket has: a PUT of one that switches off what is off is taken, everything else is not
//! implemented.

use crate::{
    error::{ErrorCode, S3Error},
    s3::xml_read::{Document, malformed},
};

/// Takes `<NotificationConfiguration/>` without a target
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>).
pub fn notification(body: &[u8]) -> Result<(), S3Error> {
    empty(
        body,
        "NotificationConfiguration",
        &[
            "TopicConfiguration",
            "QueueConfiguration",
            "CloudFunctionConfiguration",
            "EventBridgeConfiguration",
        ],
    )
}

/// Takes `<BucketLoggingStatus/>` without `LoggingEnabled`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html>).
pub fn logging(body: &[u8]) -> Result<(), S3Error> {
    empty(body, "BucketLoggingStatus", &["LoggingEnabled"])
}

fn empty(body: &[u8], root: &str, switches: &[&str]) -> Result<(), S3Error> {
    let mut document = Document::open(body, root)?;
    match document.next_child()? {
        None => document.close(),
        Some(name) if switches.contains(&name.as_str()) => Err(ErrorCode::NotImplemented.into()),
        Some(_) => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::{logging, notification};
    use crate::error::ErrorCode;

    #[test]
    fn only_what_is_off_stays_off() {
        let notification = |body: &str| notification(body.as_bytes()).map_err(|error| error.code);
        let logging = |body: &str| logging(body.as_bytes()).map_err(|error| error.code);
        assert_eq!(notification("<NotificationConfiguration xmlns=\"x\"/>"), Ok(()));
        assert_eq!(logging("<BucketLoggingStatus>\n</BucketLoggingStatus>"), Ok(()));
        assert_eq!(
            notification("<NotificationConfiguration><QueueConfiguration/></NotificationConfiguration>"),
            Err(ErrorCode::NotImplemented)
        );
        assert_eq!(
            logging("<BucketLoggingStatus><LoggingEnabled/></BucketLoggingStatus>"),
            Err(ErrorCode::NotImplemented)
        );
        assert_eq!(logging("<NotificationConfiguration/>"), Err(ErrorCode::MalformedXML));
        assert_eq!(
            logging("<BucketLoggingStatus><Other/></BucketLoggingStatus>"),
            Err(ErrorCode::MalformedXML)
        );
    }
}
