//! As much of DER (X.690) as it takes to read a certificate: elements one after the other, each a tag and its content.

/// Tags of the elements that are looked at.
pub mod tag {
    pub const BOOLEAN: u8 = 0x01;
    pub const OCTET_STRING: u8 = 0x04;
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
    /// `[0]` of a certificate: its version.
    pub const VERSION: u8 = 0xa0;
    /// `[3]` of a certificate: its extensions.
    pub const EXTENSIONS: u8 = 0xa3;
    /// `[2]` of a GeneralName: a host name.
    pub const DNS_NAME: u8 = 0x82;
    /// `[7]` of a GeneralName: an address.
    pub const IP_ADDRESS: u8 = 0x87;
}

/// Elements that are still to be read.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'d>(pub &'d [u8]);

impl<'d> Reader<'d> {
    /// The next element: its tag and content. `None` at the end, and where this is not DER.
    pub fn next(&mut self) -> Option<(u8, &'d [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // How many bytes of length follow: four are more than any certificate has.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes.iter().fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
                (usize::try_from(length).ok()?, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next element, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Option<&'d [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, content)| content)
    }

    /// The next element if it has this tag; otherwise it is left.
    pub fn optional(&mut self, tag: u8) -> Option<&'d [u8]> {
        let mut ahead = *self;
        let content = ahead.expect(tag)?;
        *self = ahead;
        Some(content)
    }

    /// What is inside the next element, which must have this tag.
    pub fn enter(&mut self, tag: u8) -> Option<Self> {
        self.expect(tag).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, tag};

    #[test]
    fn lengths_are_read_and_never_believed() {
        assert_eq!(Reader(&[0x04, 2, 7, 8, 9]).next(), Some((0x04, [7, 8].as_slice())));
        assert_eq!(Reader(&[0x04, 0x81, 1, 7]).next(), Some((0x04, [7].as_slice())));
        assert_eq!(Reader(&[0x04, 0]).next(), Some((0x04, [].as_slice())));
        for bad in [
            [].as_slice(),
            &[0x04],
            &[0x04, 1],
            &[0x04, 0x80, 0],
            &[0x04, 0x82, 1],
            &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x04, 0x85, 0, 0, 0, 0, 1, 7],
        ] {
            assert_eq!(Reader(bad).next(), None, "{bad:?}");
        }
        let mut reader = Reader(&[0x04, 1, 7, 0x01, 1, 0xff]);
        assert_eq!(reader.optional(tag::BOOLEAN), None);
        assert_eq!(reader.expect(tag::OCTET_STRING), Some([7].as_slice()));
        assert_eq!(reader.optional(tag::BOOLEAN), Some([0xff].as_slice()));
        assert_eq!(reader.next(), None);
    }
}
