//! Whether a bucket keeps versions
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>).

use crate::{
    error::{ErrorCode, S3Error},
    s3::{
        version::Versioning,
        xml_document,
        xml_read::{Document, malformed, set_once},
    },
};

/// Parses `<VersioningConfiguration>`: Enabled or Suspended. There is no MFA delete; `has_mfa`: the request names a device.
pub fn parse(body: &[u8], has_mfa: bool) -> Result<Versioning, S3Error> {
    let mut document = Document::open(body, "VersioningConfiguration")?;
    let (mut status, mut mfa_delete) = (None, None);
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "Status" => set_once(&mut status, document.text()?)?,
            "MfaDelete" => set_once(&mut mfa_delete, document.text()?)?,
            _ => return Err(malformed()),
        }
    }
    document.close()?;
    let versioning = match status.as_deref() {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        None | Some("") => return Err(ErrorCode::IllegalVersioningConfigurationException.into()),
        Some(_) => return Err(malformed()),
    };
    match mfa_delete.as_deref() {
        None | Some("Disabled") => Ok(versioning),
        Some("Enabled") if has_mfa => Err(S3Error::with_message(
            ErrorCode::NotImplemented,
            "MFA delete is not implemented.",
        )),
        Some("Enabled") => Err(S3Error::with_message(
            ErrorCode::AccessDenied,
            "Mfa Authentication must be used for this request",
        )),
        Some(_) => Err(malformed()),
    }
}

/// Writes it; empty for a bucket whose versioning was never set.
pub fn write(versioning: Versioning) -> Vec<u8> {
    let mut document = xml_document::Document::new();
    let status = match versioning {
        Versioning::Unversioned => {
            document.root_text("VersioningConfiguration", "");
            return document.finish();
        }
        Versioning::Enabled => "Enabled",
        Versioning::Suspended => "Suspended",
    };
    document.root("VersioningConfiguration", |document| document.text("Status", status));
    document.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{parse, write};
    use crate::{error::ErrorCode, s3::version::Versioning};

    fn of(content: &str, has_mfa: bool) -> Result<Versioning, ErrorCode> {
        let body = format!("<VersioningConfiguration>{content}</VersioningConfiguration>");
        parse(body.as_bytes(), has_mfa).map_err(|error| error.code)
    }

    #[test]
    fn what_can_be_set() {
        for versioning in [Versioning::Enabled, Versioning::Suspended] {
            assert_eq!(parse(&write(versioning), false).unwrap(), versioning);
        }
        let never = write(Versioning::Unversioned);
        assert_eq!(
            parse(&never, false).unwrap_err().code,
            ErrorCode::IllegalVersioningConfigurationException
        );
        let status = "<Status>Enabled</Status>";
        assert_eq!(
            of(&format!("{status}<MfaDelete>Disabled</MfaDelete>"), false),
            Ok(Versioning::Enabled)
        );
        let mfa = format!("<MfaDelete>Enabled</MfaDelete>{status}");
        assert_eq!(of(&mfa, false), Err(ErrorCode::AccessDenied));
        assert_eq!(of(&mfa, true), Err(ErrorCode::NotImplemented));
        for content in [
            "<Status>enabled</Status>",
            "<Status>Disabled</Status>",
            "<Status>Enabled</Status><Status>Enabled</Status>",
            "<Status>Enabled</Status><MfaDelete>x</MfaDelete>",
            "<Status>Enabled</Status><Other/>",
        ] {
            assert_eq!(of(content, false), Err(ErrorCode::MalformedXML), "{content}");
        }
    }
}
