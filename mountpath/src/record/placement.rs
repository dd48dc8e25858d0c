//! Where a payload lies, and the kinds of records that say so (docs/format.md, "Record").

use proto::{
    s3::version::UploadId,
    wire::{Decoder, Encoder, WireError},
};

const KIND_INLINE: u8 = 1;
const KIND_BLOB: u8 = 2;
const KIND_PARTS: u8 = 5;
const KIND_MARKER: u8 = 6;
const KIND_UPLOAD: u8 = 7;

/// Where a payload lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// In the record's own batch, this many bytes after the batch's start.
    Inline {
        /// Bytes from the start of the batch.
        batch_offset: u32,
    },
    /// In a blob file.
    Blob {
        /// The blob's number.
        blob: u64,
    },
    /// In the parts of an upload, which are rows of their own.
    Parts {
        /// The upload.
        upload: UploadId,
    },
    /// Nowhere: it is a delete marker.
    Marker,
    /// Nowhere: it is an upload.
    Upload {
        /// The upload.
        upload: UploadId,
    },
}

impl Placement {
    /// The blob that holds the payload, if one does.
    pub fn blob(self) -> Option<u64> {
        match self {
            Self::Blob { blob } => Some(blob),
            _ => None,
        }
    }

    /// The upload whose parts live as long as this.
    pub fn upload(self) -> Option<UploadId> {
        match self {
            Self::Parts { upload } | Self::Upload { upload } => Some(upload),
            _ => None,
        }
    }

    /// The kind of a record with this place.
    pub(crate) fn kind(self) -> u8 {
        match self {
            Self::Inline { .. } => KIND_INLINE,
            Self::Blob { .. } => KIND_BLOB,
            Self::Parts { .. } => KIND_PARTS,
            Self::Marker => KIND_MARKER,
            Self::Upload { .. } => KIND_UPLOAD,
        }
    }

    /// Encodes what its kind does not say.
    pub(crate) fn encode(self, fields: &mut Encoder) {
        match self {
            Self::Inline { batch_offset } => fields.u32(batch_offset),
            Self::Blob { blob } => fields.u64(blob),
            Self::Parts { upload } | Self::Upload { upload } => fields.u64(upload.0),
            Self::Marker => fields,
        };
    }

    /// Decodes it.
    pub(crate) fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(match kind {
            KIND_INLINE => Self::Inline {
                batch_offset: fields.u32()?,
            },
            KIND_BLOB => Self::Blob { blob: fields.u64()? },
            KIND_PARTS => Self::Parts {
                upload: UploadId(fields.u64()?),
            },
            KIND_MARKER => Self::Marker,
            KIND_UPLOAD => Self::Upload {
                upload: UploadId(fields.u64()?),
            },
            _ => return Err(WireError::Invalid),
        })
    }

    /// Encodes kind and place.
    pub(crate) fn encode_whole(self, fields: &mut Encoder) {
        fields.u8(self.kind());
        self.encode(fields);
    }

    /// Decodes kind and place.
    pub(crate) fn decode_whole(fields: &mut Decoder<'_>) -> Result<Self, WireError> {
        let kind = fields.u8()?;
        Self::decode(kind, fields)
    }
}
