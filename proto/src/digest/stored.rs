//! A checksum as it is kept with an object, and its form
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>).

use super::checksum::{Checksum, ChecksumAlgorithm};
use crate::wire::{Decoder, Encoder, WireError};

/// What a checksum of a multipart object is made of: S3's `ChecksumType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChecksumForm {
    /// Of the object's bytes.
    FullObject,
    /// Of the parts' checksums, one after the other.
    Composite,
}

impl ChecksumForm {
    /// As in `x-amz-checksum-type` and in XML: `FULL_OBJECT`, `COMPOSITE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
    /// From its name, in either case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::FullObject, Self::Composite]
            .into_iter()
            .find(|form| form.name().eq_ignore_ascii_case(name))
    }
    /// Its number in tickets and records.
    pub fn code(self) -> u8 {
        match self {
            Self::FullObject => 1,
            Self::Composite => 2,
        }
    }
    /// From its number.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::FullObject, Self::Composite]
            .into_iter()
            .find(|form| form.code() == code)
    }
}

/// A verified checksum of an object or a part, with its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChecksum {
    /// The value and its algorithm.
    pub checksum: Checksum,
    /// Of how many parts' checksums it is one; `None`: it is of the object's bytes.
    pub composite_parts: Option<u16>,
}

impl StoredChecksum {
    /// The most bytes [`StoredChecksum::encode`] writes: two codes, parts, a length and the longest value.
    pub const ENCODED_BYTES_MAX: usize = 8 + ChecksumAlgorithm::LENGTH_MAX;

    /// Its form.
    pub fn form(&self) -> ChecksumForm {
        match self.composite_parts {
            None => ChecksumForm::FullObject,
            Some(_) => ChecksumForm::Composite,
        }
    }
    /// Its algorithm.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.checksum.algorithm
    }
    /// As in headers and XML: base64, and `-N` behind it when it is a composite of N parts.
    pub fn text(&self) -> String {
        let base64 = self.checksum.to_base64();
        match self.composite_parts {
            None => base64,
            Some(parts) => format!("{base64}-{parts}"),
        }
    }
    /// From what [`StoredChecksum::text`] writes, as CompleteMultipartUpload's headers and XML have it; `None` when it is
    /// not base64 of the right length, with or without a number of parts.
    pub fn from_text(algorithm: ChecksumAlgorithm, text: &str) -> Option<Self> {
        let (base64, composite_parts) = match text.split_once('-') {
            None => (text, None),
            Some((base64, parts)) if parts.bytes().all(|byte| byte.is_ascii_digit()) => {
                (base64, Some(parts.parse().ok().filter(|&parts| parts > 0)?))
            }
            Some(_) => return None,
        };
        let checksum = Checksum::from_base64(algorithm, base64)?;
        Some(Self {
            checksum,
            composite_parts,
        })
    }
    /// Encodes it within a ticket, a message or a record: u8 algorithm, u8 form, u16 parts when composite, bytes value.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.u8(self.algorithm().code()).u8(self.form().code());
        if let Some(parts) = self.composite_parts {
            encoder.u16(parts);
        }
        encoder.bytes(&self.checksum.value);
    }
    /// Steps over an encoded one; its algorithm and form.
    pub fn decode_kind(decoder: &mut Decoder<'_>) -> Result<(ChecksumAlgorithm, ChecksumForm), WireError> {
        let algorithm = ChecksumAlgorithm::from_code(decoder.u8()?).ok_or(WireError::Invalid)?;
        let form = ChecksumForm::from_code(decoder.u8()?).ok_or(WireError::Invalid)?;
        if form == ChecksumForm::Composite {
            decoder.u16()?;
        }
        decoder.bytes()?;
        Ok((algorithm, form))
    }
    /// Decodes it.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let algorithm = ChecksumAlgorithm::from_code(decoder.u8()?).ok_or(WireError::Invalid)?;
        let composite_parts = match ChecksumForm::from_code(decoder.u8()?).ok_or(WireError::Invalid)? {
            ChecksumForm::FullObject => None,
            ChecksumForm::Composite => Some(decoder.u16()?),
        };
        let value = decoder.bytes()?.to_vec();
        if value.len() != algorithm.length() {
            return Err(WireError::Invalid);
        }
        Ok(Self {
            checksum: Checksum { algorithm, value },
            composite_parts,
        })
    }
}

impl From<Checksum> for StoredChecksum {
    /// A checksum of the object's bytes.
    fn from(checksum: Checksum) -> Self {
        Self {
            checksum,
            composite_parts: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Checksum, ChecksumAlgorithm, ChecksumForm, Decoder, Encoder, StoredChecksum};

    #[test]
    fn both_forms_survive_and_a_wrong_length_does_not() {
        for algorithm in ChecksumAlgorithm::ALL {
            let checksum = Checksum {
                algorithm,
                value: vec![7; algorithm.length()],
            };
            for composite_parts in [None, Some(1), Some(10_000)] {
                let stored = StoredChecksum {
                    checksum: checksum.clone(),
                    composite_parts,
                };
                let mut encoder = Encoder::new();
                stored.encode(&mut encoder);
                let mut bytes = encoder.finish();
                assert!(bytes.len() <= StoredChecksum::ENCODED_BYTES_MAX);
                assert_eq!(StoredChecksum::decode(&mut Decoder::new(&bytes)).unwrap(), stored);
                let mut decoder = Decoder::new(&bytes);
                let kind = StoredChecksum::decode_kind(&mut decoder).unwrap();
                assert_eq!(kind, (algorithm, stored.form()));
                decoder.finish().unwrap();
                bytes[0] = if algorithm == ChecksumAlgorithm::Crc32 { 5 } else { 1 };
                assert!(algorithm.length() == 4 || StoredChecksum::decode(&mut Decoder::new(&bytes)).is_err());
            }
        }
    }

    #[test]
    fn names_and_text() {
        for form in [ChecksumForm::FullObject, ChecksumForm::Composite] {
            assert_eq!(ChecksumForm::from_name(form.name()), Some(form));
            assert_eq!(ChecksumForm::from_code(form.code()), Some(form));
        }
        let mut stored = StoredChecksum::from(Checksum::from_base64(ChecksumAlgorithm::Crc32, "AAAAAA==").unwrap());
        assert_eq!(
            (stored.text().as_str(), stored.form()),
            ("AAAAAA==", ChecksumForm::FullObject)
        );
        assert_eq!(
            StoredChecksum::from_text(stored.algorithm(), "AAAAAA==").as_ref(),
            Some(&stored)
        );
        stored.composite_parts = Some(3);
        assert_eq!(
            StoredChecksum::from_text(stored.algorithm(), "AAAAAA==-3").as_ref(),
            Some(&stored)
        );
        for text in [
            "",
            "-3",
            "AAAAAA==-",
            "AAAAAA==-0",
            "AAAAAA==-+1",
            "AAAAAA==-70000",
            "AAAAAA==-1-1",
            "AAAA",
        ] {
            assert_eq!(StoredChecksum::from_text(stored.algorithm(), text), None, "{text}");
        }
        assert_eq!(
            (stored.text().as_str(), stored.form()),
            ("AAAAAA==-3", ChecksumForm::Composite)
        );
    }
}
