//! Who pays for requests (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketRequestPayment.html>): kept and
//! returned; nobody is charged here.

use crate::{
    error::S3Error,
    s3::{
        xml_document,
        xml_read::{Document, malformed, set_once},
    },
};
use serde::{Deserialize, Serialize};

/// Who pays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payer {
    /// The bucket's owner.
    #[default]
    BucketOwner,
    /// Whoever asks.
    Requester,
}

impl Payer {
    /// Parses `<RequestPaymentConfiguration>`.
    pub fn parse(body: &[u8]) -> Result<Self, S3Error> {
        let mut document = Document::open(body, "RequestPaymentConfiguration")?;
        let mut payer = None;
        while let Some(name) = document.next_child()? {
            match name.as_str() {
                "Payer" => set_once(&mut payer, document.text()?)?,
                _ => return Err(malformed()),
            }
        }
        document.close()?;
        match payer.as_deref() {
            Some("BucketOwner") => Ok(Self::BucketOwner),
            Some("Requester") => Ok(Self::Requester),
            _ => Err(malformed()),
        }
    }
    /// Writes it.
    pub fn write(self) -> Vec<u8> {
        let mut document = xml_document::Document::new();
        document.root("RequestPaymentConfiguration", |document| {
            document.text(
                "Payer",
                match self {
                    Self::BucketOwner => "BucketOwner",
                    Self::Requester => "Requester",
                },
            );
        });
        document.finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Payer;
    use crate::error::ErrorCode;

    #[test]
    fn both_payers_and_no_other() {
        for payer in [Payer::BucketOwner, Payer::Requester] {
            assert_eq!(Payer::parse(&payer.write()).unwrap(), payer);
        }
        for content in ["", "<Payer/>", "<Payer>Me</Payer>", "<Payer>Requester</Payer><Other/>"] {
            let body = format!("<RequestPaymentConfiguration>{content}</RequestPaymentConfiguration>");
            assert_eq!(
                Payer::parse(body.as_bytes()).unwrap_err().code,
                ErrorCode::MalformedXML,
                "{content}"
            );
        }
    }
}
