//! MD5 (RFC 1321), for ETags and Content-MD5 only. Its state is open, so that the blocks of several messages can be
//! compressed at once: see [`together`].

pub mod together;

use md5::block_api::compress;

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 64;

/// What the compression function takes.
pub type Block = [u8; BLOCK_BYTES];

/// The four words of a message's state.
pub type State = [u32; 4];

/// Where the length stands in the last block.
const LENGTH_AT: usize = BLOCK_BYTES - 8;

/// Incremental MD5.
#[derive(Debug, Clone)]
pub struct Md5 {
    state: State,
    /// Bytes so far.
    length: u64,
    /// What is not a whole block yet: the last `length % BLOCK_BYTES` bytes.
    rest: Block,
}

impl Md5 {
    /// A fresh hasher.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            state: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476],
            length: 0,
            rest: [0; BLOCK_BYTES],
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let blocks = self.absorb(bytes);
        compress(&mut self.state, blocks);
    }

    /// The digest.
    pub fn finish(mut self) -> [u8; 16] {
        let bits = self.length.wrapping_mul(8).to_le_bytes();
        let filled = self.rest_length();
        let mut padding = [0; 2 * BLOCK_BYTES];
        // One bit, and as many zeros as bring the length to the end of a block.
        let zeros = (2 * BLOCK_BYTES + LENGTH_AT - filled - 1) % BLOCK_BYTES;
        for (to, from) in padding
            .iter_mut()
            .zip([0x80].into_iter().chain(std::iter::repeat_n(0, zeros)).chain(bits))
        {
            *to = from;
        }
        self.update(padding.get(..zeros + 9).unwrap_or_default());
        let mut digest = [0; 16];
        for (to, from) in digest
            .iter_mut()
            .zip(self.state.iter().flat_map(|word| word.to_le_bytes()))
        {
            *to = from;
        }
        digest
    }

    /// Counts bytes and keeps those that are no whole block. The blocks returned have to be compressed next.
    fn absorb<'b>(&mut self, bytes: &'b [u8]) -> &'b [Block] {
        let filled = self.rest_length();
        self.length = self.length.wrapping_add(bytes.len() as u64);
        let mut bytes = bytes;
        if filled > 0 {
            let (begin, behind) = bytes.split_at(bytes.len().min(BLOCK_BYTES - filled));
            self.keep(filled, begin);
            if filled + begin.len() < BLOCK_BYTES {
                return &[];
            }
            compress(&mut self.state, &[self.rest]);
            bytes = behind;
        }
        let (blocks, rest) = bytes.as_chunks();
        self.keep(0, rest);
        blocks
    }

    fn keep(&mut self, at: usize, bytes: &[u8]) {
        for (to, from) in self.rest.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    }

    fn rest_length(&self) -> usize {
        // Below BLOCK_BYTES.
        usize::try_from(self.length % BLOCK_BYTES as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Md5;
    use crate::auth::sigv4::hex;
    use md5::Digest;

    /// The test suite of RFC 1321, appendix A.5.
    #[test]
    fn rfc_1321() {
        for (text, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            let mut md5 = Md5::new();
            for byte in text.as_bytes().chunks(7) {
                md5.update(byte);
            }
            assert_eq!(hex(&md5.finish()), digest);
        }
    }

    /// Every length around the ends of blocks, in updates of every size, is what the md-5 crate computes.
    #[test]
    fn any_split_is_the_same() {
        let bytes: Vec<u8> = (0..400u16).map(|n| n.to_le_bytes()[0]).collect();
        for length in 0..bytes.len() {
            let message = &bytes[..length];
            let expected: [u8; 16] = md5::Md5::digest(message).into();
            for size in [1, 7, 63, 64, 65, 129, 400] {
                let mut md5 = Md5::new();
                for piece in message.chunks(size) {
                    md5.update(piece);
                }
                assert_eq!(md5.finish(), expected, "{length} bytes, {size} at a time");
            }
        }
    }
}
