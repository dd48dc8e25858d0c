//! The one binary encoding: little-endian integers and length-prefixed bytes. Used inside tickets, between
//! gateway and core, and for the variable part of log records.

/// Why bytes could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The input ended inside a field.
    #[error("input ends inside a field")]
    Truncated,
    /// A field holds a value its type does not have.
    #[error("a field holds an unknown value")]
    Invalid,
    /// Bytes are left over after the last field.
    #[error("bytes left over after the last field")]
    Trailing,
}

/// Appends fields to a byte vector.
#[derive(Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An encoder with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }
    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }
    /// A boolean as one byte, 0 or 1.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.u8(u8::from(value))
    }
    /// Two bytes, little-endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }
    /// Four bytes, little-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }
    /// Eight bytes, little-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }
    /// Sixteen bytes, little-endian.
    pub fn u128(&mut self, value: u128) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }
    /// Bytes of a length both sides know.
    pub fn fixed(&mut self, value: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(value);
        self
    }
    /// A u32 length and that many bytes. Longer than `u32::MAX` cannot occur: every limit is far below it.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.fixed(value)
    }
    /// A string as its bytes.
    pub fn string(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }
    /// A presence byte, then the field.
    pub fn option<T>(&mut self, value: Option<T>, field: impl FnOnce(&mut Self, T)) -> &mut Self {
        self.bool(value.is_some());
        if let Some(value) = value {
            field(self, value);
        }
        self
    }
    /// How many bytes were written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
    /// The bytes written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads fields back; every read is bounds-checked.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// A decoder over `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
    /// The next `count` bytes.
    pub fn fixed(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }
    /// The next bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }
    /// One byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(u8::from_le_bytes(self.array()?))
    }
    /// A boolean: exactly 0 or 1.
    pub fn bool(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Invalid),
        }
    }
    /// Two bytes, little-endian.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    /// Four bytes, little-endian.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    /// Eight bytes, little-endian.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    /// Sixteen bytes, little-endian.
    pub fn u128(&mut self) -> Result<u128, WireError> {
        Ok(u128::from_le_bytes(self.array()?))
    }
    /// A u32 length and that many bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let count = self.u32()?;
        self.fixed(usize::try_from(count).map_err(|_| WireError::Invalid)?)
    }
    /// A string.
    pub fn string(&mut self) -> Result<String, WireError> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.to_vec()).map_err(|_| WireError::Invalid)
    }
    /// A presence byte, then the field.
    pub fn option<T>(&mut self, field: impl FnOnce(&mut Self) -> Result<T, WireError>) -> Result<Option<T>, WireError> {
        if self.bool()? { field(self).map(Some) } else { Ok(None) }
    }
    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
    /// Fails unless everything was read.
    pub fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(WireError::Trailing)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::type_complexity)]
mod tests {
    use super::{Decoder, Encoder, WireError};

    #[test]
    fn round_trip_and_every_truncation() {
        let mut encoder = Encoder::new();
        encoder
            .u8(7)
            .u16(300)
            .u32(70_000)
            .u64(1 << 40)
            .u128(1 << 100)
            .string("clé")
            .bool(true);
        encoder.option(Some(5u64), |e, v| {
            e.u64(v);
        });
        let bytes = encoder.finish();
        let read = |bytes: &[u8]| -> Result<(u8, u16, u32, u64, u128, String, bool, Option<u64>), WireError> {
            let mut d = Decoder::new(bytes);
            let all = (
                d.u8()?,
                d.u16()?,
                d.u32()?,
                d.u64()?,
                d.u128()?,
                d.string()?,
                d.bool()?,
                d.option(|d| d.u64())?,
            );
            d.finish()?;
            Ok(all)
        };
        assert_eq!(
            read(&bytes).unwrap(),
            (7, 300, 70_000, 1 << 40, 1 << 100, "clé".to_owned(), true, Some(5))
        );
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_err());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(read(&longer), Err(WireError::Trailing));
    }
}
